// Cryptography for simulated disks: nothing that would protect anybody, but with the properties
// that the code under test relies on: any change of key, nonce, additional data or content is
// noticed, keys derived from different inputs differ, and all of it repeats from the seed. It also
// watches the rule that AES-GCM depends on: no nonce twice under one key for different content.
import { createHash } from 'node:crypto';
import type { WalCrypto } from '#manager/wal/interfaces';
import type { Prng } from '#test/support/prng';
import { SimFailure } from './failure.ts';

const TAG_BYTES = 16;

type SealInput = Parameters<WalCrypto['seal']>[0];

export class SimCrypto implements WalCrypto {
  readonly #prng: Prng;
  /** key and nonce → digest of what was sealed with them */
  readonly #sealed = new Map<string, number>();

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  randomBytes(count: number): Uint8Array {
    return this.#prng.bytes(count);
  }

  sha256(bytes: Uint8Array): Uint8Array {
    return createHash('sha256').update(bytes).digest();
  }

  newSha256(): ReturnType<WalCrypto['newSha256']> {
    const hash = createHash('sha256');
    return {
      update: (bytes) => {
        hash.update(bytes);
      },
      digest: () => hash.digest(),
    };
  }

  hkdfSha256(key: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
    const hash = createHash('sha256');
    for (const part of [key, salt, info]) hash.update(`${part.length}:`).update(part);
    return hash.digest().subarray(0, length);
  }

  seal({ key, nonce, aad, data }: SealInput): Uint8Array {
    const bytes = new Uint8Array(data.length + TAG_BYTES);
    bytes.set(data);
    const tag = tagOf(key, nonce, aad, data);
    const id = `${digest(key, 1)} ${digest(key, 2)} ${digest(nonce, 3)}`;
    const before = this.#sealed.get(id);
    const content = tag[0] as number;
    if (before !== undefined && before !== content) {
      throw new SimFailure('a nonce is never used twice under one key', { id });
    }
    this.#sealed.set(id, content);
    mask(bytes, data.length, tagOf(key, nonce, EMPTY, EMPTY));
    bytes.set(new Uint8Array(tag.buffer), data.length);
    return bytes;
  }

  open({ key, nonce, aad, data }: SealInput): Uint8Array | null {
    const length = data.length - TAG_BYTES;
    if (length < 0) return null;
    const plain = new Uint8Array(data.subarray(0, length));
    mask(plain, length, tagOf(key, nonce, EMPTY, EMPTY));
    const tag = new Uint8Array(tagOf(key, nonce, aad, plain).buffer);
    for (let i = 0; i < TAG_BYTES; i++) if (tag[i] !== data[length + i]) return null;
    return plain;
  }
}

const EMPTY = new Uint8Array(0);

/** Hides the content, so that nobody can do without the key by accident. */
function mask(bytes: Uint8Array, length: number, stream: Uint32Array): void {
  const [a = 0, b = 0] = stream;
  for (let i = 0; i < length; i++) {
    bytes[i] = (bytes[i] as number) ^ (a >>> ((i & 3) * 8)) ^ (b >>> ((i & 1) * 8));
  }
}

function tagOf(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, data: Uint8Array): Uint32Array {
  const tag = new Uint32Array(4);
  for (let lane = 0; lane < 2; lane++) {
    let hash = digest(key, 0x9747b28c + lane);
    hash = digest(nonce, hash);
    hash = digest(aad, hash);
    hash = digest(data, hash);
    tag[lane] = hash;
    tag[lane + 2] = Math.imul(hash, 0x85ebca6b) ^ data.length;
  }
  return tag;
}

/** Murmur-like, four bytes at a time. */
export function digest(bytes: Uint8Array, seed: number): number {
  let hash = seed ^ bytes.length;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    hash = Math.imul(hash ^ word, 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  for (; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
