// The node's key (ECDSA P-256) and requests for certificates of it: PKCS #10 (RFC 2986), six DER elements written by hand. The name in a request is
// empty: who signs gives the names, and only the public key counts.
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';

const TAG = { integer: 0x02, bits: 0x03, oid: 0x06, sequence: 0x30, attributes: 0xa0 } as const;
/** ecdsa-with-SHA256: 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256: readonly number[] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const PEM_LINE_CHARS = 64;

/** A new private key: PKCS #8, PEM. */
export function newNodeKey(): string {
  const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A certificate request for this key, PEM. */
export function certificateRequestFor(keyPem: string): string {
  const key = createPrivateKey(keyPem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const toSign = der(
    TAG.sequence,
    der(TAG.integer, Buffer.from([0])),
    der(TAG.sequence),
    publicKey,
    der(TAG.attributes),
  );
  const algorithm = der(TAG.sequence, der(TAG.oid, Buffer.from(ECDSA_WITH_SHA256)));
  const signature = der(TAG.bits, Buffer.from([0]), sign('sha256', toSign, key));
  return pem('CERTIFICATE REQUEST', der(TAG.sequence, toSign, algorithm, signature));
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const size = body.length;
  const length =
    size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

function pem(label: string, bytes: Buffer): string {
  const text = bytes.toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += PEM_LINE_CHARS) {
    lines.push(text.slice(at, at + PEM_LINE_CHARS));
  }
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
