// The counts of the cache that there is now: a node that leaves its cluster and joins another one gets another cache. Counting begins with the first scrape,
// so that a node that nobody scrapes pays nothing.
import type { ObjectCache } from '../cache/object-cache.ts';
import type { Family } from './exposition.ts';
import { ObjectCounts } from './object-counts.ts';

export class CacheWatch {
  readonly #counts: WeakMap<ObjectCache, ObjectCounts> = new WeakMap();

  /** Nothing without a cache, or before it is whole. */
  families(cache: ObjectCache | undefined): readonly Family[] {
    if (!cache?.isReady) return [];
    const counts = this.#counts.get(cache) ?? new ObjectCounts(cache);
    this.#counts.set(cache, counts);
    return counts.families();
  }
}
