// The CA's cryptography with node:crypto, and keys: ECDSA P-256, PKCS#8 PEM.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import type { CaCrypto, Signer } from '#manager/ca/crypto';

/** SHA-256 and ECDSA verification. */
export const nodeCaCrypto: CaCrypto = {
  sha256: (data) => new Uint8Array(createHash('sha256').update(data).digest()),
  verify(publicKey, data, signature) {
    try {
      const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
      return verify('sha256', data, key, signature);
    } catch {
      return false;
    }
  },
};

export interface GeneratedKey {
  /** PKCS#8. */
  readonly pem: string;
  readonly signer: Signer;
}

/** A new private key. */
export function generateKey(): GeneratedKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    signer: signerOf(privateKey),
  };
}

/** The signer of a private key in PEM. @throws when it is not one. */
export function signerFromPem(pem: string): Signer {
  return signerOf(createPrivateKey(pem));
}

function signerOf(privateKey: KeyObject): Signer {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicKey: new Uint8Array(spki),
    sign: (data) => new Uint8Array(sign('sha256', data, privateKey)),
  };
}
