// The manager's own key and certificate (OU swarm-manager) in DIR/certificates: manager.key (PEM;
// while autolock is on sealed by the unlock key), manager.crt (leaf first), ca.crt (the roots that
// were trusted when it was written). The first pair of a manager that joins comes from the leader;
// later ones it makes itself, because every manager has the root key in its store: when half of the
// life of the old one is over, and when it is not of the present root any more.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { issuingRoot, trustBundle } from '#manager/ca/rotation';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Cluster } from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { CertificateAuthority } from './ca-service.ts';
import { makePrivateFolder, readIfThere, writeFileAtomic } from './files.ts';
import { seal, sealId, unseal } from './key-seal.ts';
import { generateKey } from './node-crypto.ts';

const PURPOSE = 'manager-key';
const FILE_FORMAT = 1;

interface SealedKeyFile {
  readonly format: number;
  /** By which unlock key. */
  readonly sealId: string;
  /** Base 64. */
  readonly sealed: string;
}

export class ManagerIdentityFiles {
  readonly #folder: string;
  #unlockKey: Uint8Array | null;

  constructor(dataDir: string, unlockKey: Uint8Array | null) {
    this.#folder = `${dataDir}/certificates`;
    this.#unlockKey = unlockKey;
  }

  /** The pair on disk; undefined when there is none, or it cannot be read with this unlock key. */
  load(): TlsIdentity | undefined {
    const certificate = readIfThere(`${this.#folder}/manager.crt`);
    const caCert = readIfThere(`${this.#folder}/ca.crt`);
    const key = this.#loadKey();
    if (certificate === undefined || caCert === undefined || key === undefined) return undefined;
    return fits(certificate, key) ? { certificate, caCert, key } : undefined;
  }

  /** Replaces the pair. A crash in between leaves one that does not fit, which `load` passes over. */
  save(identity: TlsIdentity): void {
    makePrivateFolder(this.#folder);
    this.#saveKey(identity.key);
    writeFileAtomic(`${this.#folder}/manager.crt`, identity.certificate, 0o600);
    writeFileAtomic(`${this.#folder}/ca.crt`, identity.caCert, 0o600);
  }

  /** By which unlock key the key file is sealed now; '' = by none. */
  get sealId(): string {
    const text = readIfThere(`${this.#folder}/manager.key`);
    return text === undefined || isPem(text) ? '' : parseSealed(this.#folder, text).sealId;
  }

  /** Seals the key file by another unlock key; null = not at all. */
  setUnlockKey(unlockKey: Uint8Array | null): void {
    const key = this.#loadKey();
    this.#unlockKey = unlockKey;
    if (key !== undefined) this.#saveKey(key);
  }

  #loadKey(): string | undefined {
    const text = readIfThere(`${this.#folder}/manager.key`);
    if (text === undefined || isPem(text)) return text;
    if (this.#unlockKey === null) return undefined;
    const { sealed } = parseSealed(this.#folder, text);
    const plain = unseal(this.#unlockKey, PURPOSE, Buffer.from(sealed, 'base64'));
    return plain && Buffer.from(plain).toString('utf8');
  }

  #saveKey(key: string): void {
    const path = `${this.#folder}/manager.key`;
    if (this.#unlockKey === null) {
      writeFileAtomic(path, key, 0o600);
      return;
    }
    const sealed = Buffer.from(seal(this.#unlockKey, PURPOSE, Buffer.from(key)));
    const file: SealedKeyFile = {
      format: FILE_FORMAT,
      sealId: sealId(this.#unlockKey),
      sealed: sealed.toString('base64'),
    };
    writeFileAtomic(path, `${JSON.stringify(file)}\n`, 0o600);
  }
}

/** A new pair for this manager, signed with the key of the root that counts now. */
export function issueIdentity(
  authority: CertificateAuthority,
  cluster: Cluster,
  nodeId: string,
): TlsIdentity {
  const { pem, signer } = generateKey();
  const grant = {
    nodeId,
    certificateRole: CERTIFICATE_ROLE.manager,
    nodeRole: NodeRole.MANAGER,
  };
  const certificate = authority.issue(cluster, grant, signer.publicKey);
  return { caCert: trustBundle(cluster), certificate, key: pem };
}

/** Whether the pair can go on being used: of the present root, and in the first half of its life. */
export function isFresh(identity: TlsIdentity, cluster: Cluster, nowMs: number): boolean {
  try {
    const parsed = new X509Certificate(identity.certificate);
    const root = new X509Certificate(issuingRoot(cluster).certificate);
    const [fromMs, toMs] = [parsed.validFromDate.getTime(), parsed.validToDate.getTime()];
    return parsed.verify(root.publicKey) && nowMs >= fromMs && nowMs < fromMs + (toMs - fromMs) / 2;
  } catch {
    return false;
  }
}

/** Whether the pair can still be used, whatever its root. */
export function isValid(identity: TlsIdentity, nowMs: number): boolean {
  try {
    const { validFromDate, validToDate } = new X509Certificate(identity.certificate);
    return nowMs >= validFromDate.getTime() && nowMs < validToDate.getTime();
  } catch {
    return false;
  }
}

function fits(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function isPem(text: string): boolean {
  return text.startsWith('-----BEGIN');
}

function parseSealed(folder: string, text: string): SealedKeyFile {
  const path = `${folder}/manager.key`;
  let file: SealedKeyFile;
  try {
    file = JSON.parse(text) as SealedKeyFile;
  } catch (cause) {
    throw new TswarmError('data_loss', `${path} is damaged: ${messageOf(cause)}`, {
      cause,
      hint: 'Delete the file; the manager makes a new key if it can read its log.',
    });
  }
  if (file.format > FILE_FORMAT) {
    throw new TswarmError('not_supported', `${path} is of a newer tswarm (format ${file.format})`, {
      hint: 'Start the newer version of tswarm that wrote it.',
    });
  }
  return file;
}
