// A token bucket per key (source address), for callers that have no certificate yet. Pure: time
// comes in. Bounded: with too many keys the one not seen for longest is forgotten, which gives that
// one a full bucket again and nobody else.

export interface RateLimitOptions {
  readonly perSecond: number;
  readonly burst: number;
  readonly keysMax: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #buckets: Map<string, Bucket> = new Map();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** Takes one from the key's bucket; false when it is empty. */
  take(key: string, nowMs: number): boolean {
    const bucket = this.#fill(key, nowMs);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  /** Whether `take` would succeed. */
  has(key: string, nowMs: number): boolean {
    return this.#fill(key, nowMs).tokens >= 1;
  }

  #fill(key: string, nowMs: number): Bucket {
    const { perSecond, burst, keysMax } = this.#options;
    const known = this.#buckets.get(key);
    const bucket = known ?? { tokens: burst, atMs: nowMs };
    const passedMs = Math.max(0, nowMs - bucket.atMs);
    bucket.tokens = Math.min(burst, bucket.tokens + (passedMs / 1000) * perSecond);
    bucket.atMs = nowMs;
    // Moved to the end, so that the first key is the one not seen for longest.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > keysMax) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    return bucket;
  }
}
