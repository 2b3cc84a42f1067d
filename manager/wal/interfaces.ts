// How disk, cryptography and keys come into the WAL. The simulator gives a fake disk and real or
// fake crypto; the host gives Node's. Nothing here returns a promise: a write reports by callback,
// which may run before the call returns (a synchronous disk) or later (a queue, a simulated delay).

/** A file whose writes are durable when they are reported. */
export interface WalFile {
  /** Overwrites existing bytes at `offset`. `done(null)` means: on the disk. An error is final. */
  write(offset: number, bytes: Uint8Array, done: (error: Error | null) => void): void;
  close(): void;
}

/** One folder that belongs to the WAL alone. Names have no slash. */
export interface WalDisk {
  /** All file names, in any order. */
  list(): readonly string[];
  sizeBytes(name: string): number;
  read(name: string, offset: number, length: number): Uint8Array;
  /** Creates a file of zeros; on `done(null)` data and directory entry are durable. */
  createZeroed(name: string, sizeBytes: number, done: (error: Error | null) => void): void;
  open(name: string): WalFile;
  /** Removes files; the removal need not be durable at once, but never comes half, and is durable before
   * a key file that is replaced later (it may lack their keys). */
  remove(names: readonly string[]): void;
}

/** Primitives, all from a vetted library. */
export interface WalCrypto {
  /** Cryptographically secure. */
  randomBytes(count: number): Uint8Array;
  sha256(bytes: Uint8Array): Uint8Array;
  /** SHA-256 of what is given piece by piece. */
  newSha256(): { update(bytes: Uint8Array): void; digest(): Uint8Array };
  hkdfSha256(key: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** AES-256-GCM; returns ciphertext and 16-byte tag. */
  seal(input: {
    readonly key: Uint8Array;
    readonly nonce: Uint8Array;
    readonly aad: Uint8Array;
    readonly data: Uint8Array;
  }): Uint8Array;
  /** The plaintext, or null if key, nonce, aad or data do not belong together. */
  open(input: {
    readonly key: Uint8Array;
    readonly nonce: Uint8Array;
    readonly aad: Uint8Array;
    readonly data: Uint8Array;
  }): Uint8Array | null;
}

/** Data encryption keys by id (8 bytes, hex). */
export interface KeyRing {
  /** The key that new segments and snapshots are written with. */
  readonly currentId: string;
  /** 32 bytes, or null for an unknown id. */
  key(id: string): Uint8Array | null;
}

/** Whose log this is; goes into every key derivation. */
export interface WalIdentity {
  readonly clusterId: string;
  readonly raftId: number;
}
