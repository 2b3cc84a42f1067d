// The cryptography that the CA needs, injected: Node's in the manager, a deterministic one in the
// simulator.

/** A private key. ECDSA P-256 with SHA-256 in the real world. */
export interface Signer {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** The signature of `data`: DER of SEQUENCE { r, s }. */
  sign(data: Uint8Array): Uint8Array;
}

export interface CaCrypto {
  sha256(data: Uint8Array): Uint8Array;
  /**
   * Whether `signature` over `data` was made with the key of `publicKey` (SubjectPublicKeyInfo,
   * DER). False also for a bad key.
   */
  verify(publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean;
}
