// The node's key (ECDSA P-256), made on this node, and requests for certificates of it.
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { certificateRequest } from '#protocol/certificates';

/** A new private key: PKCS #8, PEM. */
export function newNodeKey(): string {
  const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A certificate request for this key, PEM. */
export function certificateRequestFor(keyPem: string): string {
  const key = createPrivateKey(keyPem);
  return certificateRequest({
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    sign: (data) => sign('sha256', data, key),
  });
}
