// What both ends of a connection agree on about certificates: the roles that they carry, the names
// that servers prove, several of them in one text, and how a key asks for one (PKCS #10, RFC 2986).
// A request is six DER elements, written here without a library. The name in it is empty: who
// signs gives the names, and only the public key and the proof of its holder count.
import type { Role } from './access.ts';
import { toBase64 } from './engine-json.ts';

/** Organisational units: what the holder of a certificate is. */
export const CERTIFICATE_ROLE = {
  worker: 'swarm-worker',
  manager: 'swarm-manager',
  admin: 'swarm-admin',
  /** Server of the HTTP API; no client. */
  gateway: 'tswarm-gateway',
  /** People and programs, clients of the HTTP API only; by access.ts's roles. */
  userViewer: 'tswarm-viewer',
  userOperator: 'tswarm-operator',
  userAdmin: 'tswarm-admin',
} as const;
export type CertificateRole = (typeof CERTIFICATE_ROLE)[keyof typeof CERTIFICATE_ROLE];

/** Prefix of the roles of people's certificates; a role of access.ts follows. */
const USER_PREFIX = 'tswarm-';

/** What the certificate of a person or program with this role says. */
export function userCertificateRole(role: Role): CertificateRole {
  return `${USER_PREFIX}${role}`;
}

/** Name that every manager's certificate proves, whichever host it is on. */
export const MANAGER_NAME: string = CERTIFICATE_ROLE.manager;
/** Name that clients of the CA verify; managers' certificates have it, too. */
export const CA_NAME = 'swarm-ca';

/** Whether a certificate with this role is that of a node, not of a person. */
export function isNodeRole(role: string): boolean {
  return role === CERTIFICATE_ROLE.worker || role === CERTIFICATE_ROLE.manager;
}

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;

/** The certificates in a PEM text, one per element. */
export function pemBlocks(text: string): string[] {
  return text.match(CERTIFICATE_BLOCK) ?? [];
}

/** The key that a certificate is asked for: ECDSA P-256 with SHA-256 in the real world. */
export interface Signer {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** The signature of `data`: DER of SEQUENCE { r, s }. */
  sign(data: Uint8Array): Uint8Array;
}

const TAG = { integer: 0x02, bits: 0x03, oid: 0x06, sequence: 0x30, attributes: 0xa0 } as const;
/** ecdsa-with-SHA256: 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256: readonly number[] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const PEM_LINE_CHARS = 64;

/** A request for a certificate of this key, PEM. */
export function certificateRequest(signer: Signer): string {
  const toSign = der(
    TAG.sequence,
    der(TAG.integer, Uint8Array.of(0)),
    der(TAG.sequence),
    signer.publicKey,
    der(TAG.attributes),
  );
  const algorithm = der(TAG.sequence, der(TAG.oid, Uint8Array.from(ECDSA_WITH_SHA256)));
  const signature = der(TAG.bits, Uint8Array.of(0), signer.sign(toSign));
  return pem('CERTIFICATE REQUEST', der(TAG.sequence, toSign, algorithm, signature));
}

/** One element; all here are shorter than 64 KiB. */
function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const length =
    size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  const element = new Uint8Array(1 + length.length + size);
  element.set([tag, ...length]);
  let at = 1 + length.length;
  for (const part of parts) {
    element.set(part, at);
    at += part.length;
  }
  return element;
}

function pem(label: string, bytes: Uint8Array): string {
  const text = toBase64(bytes);
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += PEM_LINE_CHARS) {
    lines.push(text.slice(at, at + PEM_LINE_CHARS));
  }
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
