// The last committed changes, so that a watcher that comes back gets what it missed without a gap.
// Bounded by the number of object changes; when a watcher asks for older ones it is told so and
// starts from the state.
import type { AppliedChange } from './apply.ts';
import { RECENT_CHANGES_MAX } from './limits.ts';

/** One committed entry: the state after it has `index`. */
export interface CommittedEntry {
  readonly index: number;
  /** Microseconds since 1970. */
  readonly time: number;
  readonly author: string;
  readonly summary: string;
  readonly changes: readonly AppliedChange[];
}

export class RecentChanges {
  #entries: CommittedEntry[] = [];
  #changeCount = 0;
  /** All entries after this index are known. */
  #from = 0;

  push(entry: CommittedEntry): void {
    this.#entries.push(entry);
    this.#changeCount += entry.changes.length;
    if (this.#changeCount > RECENT_CHANGES_MAX) this.#forgetOldest();
  }

  /** Starts anew after `index`. */
  reset(index: number): void {
    this.#entries = [];
    this.#changeCount = 0;
    this.#from = index;
  }

  /** The entries after `index`; undefined when some are forgotten or `index` is in the future. */
  since(index: number, current: number): readonly CommittedEntry[] | undefined {
    if (index < this.#from || index > current) return undefined;
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as CommittedEntry).index <= index) low = middle + 1;
      else high = middle;
    }
    return this.#entries.slice(low);
  }

  /** Down to half, so that the cost of moving the list is paid rarely. */
  #forgetOldest(): void {
    let drop = 0;
    while (this.#changeCount > RECENT_CHANGES_MAX / 2 && drop < this.#entries.length) {
      const entry = this.#entries[drop] as CommittedEntry;
      this.#changeCount -= entry.changes.length;
      this.#from = entry.index;
      drop++;
    }
    this.#entries = this.#entries.slice(drop);
  }
}
