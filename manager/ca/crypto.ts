// The cryptography that the CA needs, injected: Node's in the manager, a deterministic one in the
// simulator.

export type { Signer } from '#protocol/certificates';

export interface CaCrypto {
  sha256(data: Uint8Array): Uint8Array;
  /**
   * Whether `signature` over `data` was made with the key of `publicKey` (SubjectPublicKeyInfo,
   * DER). False also for a bad key.
   */
  verify(publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean;
}
