// The node's identity on disk: key, certificate, root certificate, node and cluster id, in one file of a folder of mode 0700. The file is replaced in one
// step and synced, so that key and certificate always belong together; the key is made on this node and never leaves it.
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { TlsIdentity } from '#protocol/transport/grpc';
import { makeFolder, readJsonFile, removeTree, writeFileAtomic } from '../files.ts';

export interface NodeIdentity extends TlsIdentity {
  readonly nodeId: string;
  readonly clusterId: string;
}

interface IdentityFile extends NodeIdentity {
  readonly version: 1;
}

export class NodeIdentityFile {
  readonly #folder: string;

  /** `folder`: absolute, the identity's alone. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** One file, so that key and certificate always belong together. */
  get path(): string {
    return join(this.#folder, 'node.json');
  }

  /** Undefined when this node is in no cluster. */
  async load(): Promise<NodeIdentity | undefined> {
    const value = (await readJsonFile(this.path)) as IdentityFile | undefined;
    if (value?.version !== 1) return undefined;
    const { version, ...identity } = value;
    return identity;
  }

  async save(identity: NodeIdentity): Promise<void> {
    await makeFolder(this.#folder);
    const file: IdentityFile = { version: 1, ...identity };
    await writeFileAtomic(this.path, `${JSON.stringify(file)}\n`, { mode: 0o600, sync: true });
  }

  async remove(): Promise<void> {
    await removeTree(this.#folder);
  }
}

/** When a certificate was valid first and last, ms since 1970. */
export function lifeOf(certificatePem: string): { readonly fromMs: number; readonly toMs: number } {
  const certificate = new X509Certificate(certificatePem);
  return {
    fromMs: Date.parse(certificate.validFrom),
    toMs: Date.parse(certificate.validTo),
  };
}
