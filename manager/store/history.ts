// The last committed transactions that have a summary, as one value of an immutable state: `with`
// gives a longer history and leaves the old one as it is. Successive histories share one array: each
// is a stretch of it and only the newest may append behind its own end, so an entry costs O(1) and a
// history that branches off is copied. What is forgotten goes when the array has twice the length.
import type { HistoryEntry } from '#protocol/generated/control';
import { HISTORY_ENTRIES_MAX } from './limits.ts';

export class History {
  readonly #shared: HistoryEntry[];
  readonly #from: number;
  readonly #to: number;

  private constructor(shared: HistoryEntry[], from: number, to: number) {
    this.#shared = shared;
    this.#from = from;
    this.#to = to;
  }

  /** Of entries that are given, oldest first; the oldest beyond HISTORY_ENTRIES_MAX are forgotten. */
  static of(entries: readonly HistoryEntry[]): History {
    const kept = entries.slice(-HISTORY_ENTRIES_MAX);
    return new History(kept, 0, kept.length);
  }

  /** With one more entry. */
  with(entry: HistoryEntry): History {
    const isNewest = this.#shared.length === this.#to;
    if (!isNewest || this.#shared.length >= 2 * HISTORY_ENTRIES_MAX) {
      return History.of([...this.entries(), entry]);
    }
    this.#shared.push(entry);
    const from = Math.max(this.#from, this.#to + 1 - HISTORY_ENTRIES_MAX);
    return new History(this.#shared, from, this.#to + 1);
  }

  /** A list of them, oldest first. */
  entries(): readonly HistoryEntry[] {
    return this.#shared.slice(this.#from, this.#to);
  }
}
