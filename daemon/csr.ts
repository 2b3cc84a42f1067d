// Keys of this node: ECDSA P-256, and certificate requests for them (PKCS #10, RFC 2986, written as DER by hand: it is six elements). Only the public key
// of a request counts; names are given by whoever signs.

import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';

const SEQUENCE = 0x30;
const BIT_STRING = 0x03;
const INTEGER = 0x02;
const OBJECT_ID = 0x06;
const CONTEXT_0 = 0xa0;
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 */
const ECDSA_SHA256: Buffer = Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);

/** A new private key, PEM. */
export function newPrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A request for a certificate of this key, PEM. */
export function certificateRequest(privateKeyPem: string): string {
  const key = createPrivateKey(privateKeyPem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const info = element(
    SEQUENCE,
    element(INTEGER, Buffer.from([0])),
    element(SEQUENCE),
    publicKey,
    element(CONTEXT_0),
  );
  const signature = sign('sha256', info, key);
  const der = element(
    SEQUENCE,
    info,
    element(SEQUENCE, element(OBJECT_ID, ECDSA_SHA256)),
    element(BIT_STRING, Buffer.from([0]), signature),
  );
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

/** One DER element: tag, length, content. */
function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
