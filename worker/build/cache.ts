// Which step leads from which image to which: `cache.json`, key → image. A key is the parent image,
// the instruction with its variables, and what its files hold. Entries keep their layers from
// garbage collection; they go when nobody has used them for a week, beyond a number, and on prune.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { KeyedLock } from '../images/concurrency.ts';
import { isMissing, writeFileAtomic } from '../images/files.ts';
import type { ImageParts } from '../images/image-store.ts';
import { CACHE_ENTRIES_MAX, CACHE_KEEP_MS } from './limits.ts';

interface CacheEntry {
  readonly imageId: string;
  /** '' when the image has no layers. */
  readonly chainId: string;
  readonly usedAtMs: number;
}

export class BuildCache {
  readonly #path: string;
  readonly #parts: ImageParts;
  #entries = new Map<string, CacheEntry>();
  #isChanged = false;
  readonly #writing = new KeyedLock();

  constructor(path: string, parts: ImageParts) {
    this.#path = path;
    this.#parts = parts;
    parts.collector.addRoots(() =>
      [...this.#entries.values()].map(({ chainId, imageId }) => ({ chainId, configId: imageId })),
    );
  }

  async open(): Promise<void> {
    try {
      const stored = JSON.parse(await readFile(this.#path, 'utf8')) as Record<string, CacheEntry>;
      this.#entries = new Map(Object.entries(stored));
    } catch (error) {
      // A cache that cannot be read is an empty one.
      if (!isMissing(error) && !(error instanceof SyntaxError)) throw error;
    }
  }

  /** The image that a step led to, if all of it is still here. */
  async find(key: string): Promise<CacheEntry | undefined> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const { blobs, layers, clock } = this.#parts;
    const hasLayers = entry.chainId === '' || layers.get(entry.chainId) !== undefined;
    if (!hasLayers || (await blobs.sizeOf(entry.imageId)) === undefined) {
      this.#entries.delete(key);
      return undefined;
    }
    const used = { ...entry, usedAtMs: clock.nowMs() };
    this.#entries.set(key, used);
    this.#isChanged = true;
    return used;
  }

  add(key: string, imageId: string, chainId: string): void {
    this.#entries.set(key, { imageId, chainId, usedAtMs: this.#parts.clock.nowMs() });
    this.#isChanged = true;
  }

  /** Stages and builds run side by side: one writes at a time, and each returns when what it added is written. */
  save(): Promise<void> {
    return this.#writing.with(this.#path, () => this.#write());
  }

  async #write(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const oldestMs = this.#parts.clock.nowMs() - CACHE_KEEP_MS;
    const kept = [...this.#entries]
      .filter(([, entry]) => entry.usedAtMs >= oldestMs)
      .toSorted(([, a], [, b]) => b.usedAtMs - a.usedAtMs)
      .slice(0, CACHE_ENTRIES_MAX);
    this.#entries = new Map(kept);
    try {
      await writeFileAtomic(this.#path, JSON.stringify(Object.fromEntries(kept)));
    } catch (error) {
      this.#isChanged = true;
      throw error;
    }
  }

  /**
   * Forgets every step whose layers no image stands on and that was not used since (ms since 1970; Infinity = all). @returns the number of entries that went
   */
  async prune(usedBeforeMs: number): Promise<number> {
    const used = new Set<string>();
    for (const image of this.#parts.db.all()) {
      for (const layer of this.#parts.layers.chain(image.chainId)) used.add(layer.chainId);
    }
    const before = this.#entries.size;
    for (const [key, entry] of this.#entries) {
      const isUsed = used.has(entry.chainId) || entry.usedAtMs >= usedBeforeMs;
      if (!isUsed) this.#entries.delete(key);
    }
    this.#isChanged = true;
    await this.save();
    return before - this.#entries.size;
  }
}

/** A key from what decides about a step's result. */
export function cacheKey(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
