// Content digests: checked before they come near a path, computed while bytes stream by. Only
// sha256 is written by us; sha512 is verified when met.
import { createHash, type Hash } from 'node:crypto';
import { TswarmError } from '#protocol/errors';

const DIGEST = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;
const HEX_SHA256 = /^[a-f0-9]{64}$/;

/** True for `sha256:<64 hex>` and `sha512:<128 hex>`, lower case. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/**
 * The text, or TswarmError `invalid_argument` naming `where`: no other text may become part of a
 * path.
 */
export function checkedDigest(text: unknown, where: string): string {
  if (typeof text === 'string' && isDigest(text)) return text;
  throw new TswarmError('invalid_argument', `${where}: "${String(text)}" is not a digest`);
}

export function isHex64(text: string): boolean {
  return HEX_SHA256.test(text);
}

/** `sha256:…` of bytes. */
export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The hex digits of a checked digest. */
export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** First twelve hex digits, as Docker shows ids. */
export function shortId(digest: string): string {
  return hexOf(digest).slice(0, 12);
}

/** Counts and hashes what goes through. */
export class Digester {
  readonly #algorithm: string;
  readonly #hash: Hash;
  bytes = 0;

  constructor(algorithm = 'sha256') {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** One for the algorithm of `digest`. */
  static like(digest: string): Digester {
    return new Digester(digest.slice(0, digest.indexOf(':')));
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
  }

  /** May be called once. */
  digest(): string {
    return `${this.#algorithm}:${this.#hash.digest('hex')}`;
  }
}

/**
 * Chain id of each layer, lowest first: ChainID(n) = sha256(ChainID(n-1) + " " + DiffID(n)),
 * image-spec config.md.
 */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : sha256(`${below} ${diffId}`));
  }
  return chain;
}
