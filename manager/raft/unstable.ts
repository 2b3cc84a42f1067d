// The tail of the log (and perhaps a snapshot) that is not durable yet. Entries before
// `offsetInProgress` have been handed to the append thread. Source: etcd-io/raft log_unstable.go.
// ABA rule: an acknowledgement names (term, index) and counts only if that very entry is still
// here; newer entries that overwrote it stay unstable (raft.md §1.3).
import { invariant } from './invariant.ts';
import type { Entry, EntryId, Snapshot } from './types.ts';

/** Written only by RaftLog. */
export class Unstable {
  #snapshot: Snapshot | null = null;
  #snapshotInProgress = false;
  /** entries[i].index === offset + i. */
  #entries: Entry[] = [];
  #offset: number;
  #offsetInProgress: number;

  constructor(offset: number) {
    this.#offset = offset;
    this.#offsetInProgress = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** First index, if a snapshot here defines it. */
  firstIndex(): number | null {
    return this.#snapshot === null ? null : this.#snapshot.index + 1;
  }

  lastIndex(): number | null {
    if (this.#entries.length > 0) return this.#offset + this.#entries.length - 1;
    return this.#snapshot === null ? null : this.#snapshot.index;
  }

  term(index: number): number | null {
    if (index < this.#offset) {
      return this.#snapshot !== null && this.#snapshot.index === index ? this.#snapshot.term : null;
    }
    return this.#entries[index - this.#offset]?.term ?? null;
  }

  /** Entries that the append thread has not been given. */
  nextEntries(): readonly Entry[] {
    const skip = this.#offsetInProgress - this.#offset;
    return skip === 0 ? this.#entries.slice() : this.#entries.slice(skip);
  }

  hasNextEntries(): boolean {
    return this.#entries.length > this.#offsetInProgress - this.#offset;
  }

  /** The snapshot, unless the append thread has it already. */
  nextSnapshot(): Snapshot | null {
    return this.#snapshotInProgress ? null : this.#snapshot;
  }

  hasEntries(): boolean {
    return this.#entries.length > 0;
  }

  /** Marks all entries and the snapshot as handed to the append thread. */
  acceptInProgress(): void {
    if (this.#entries.length > 0) this.#offsetInProgress = this.#offset + this.#entries.length;
    if (this.#snapshot !== null) this.#snapshotInProgress = true;
  }

  /** Entries up to `id` are durable. Returns why that was ignored, or null. */
  stableTo(id: EntryId): string | null {
    const term = this.term(id.index);
    if (term === null) return 'entry is not in the unstable log';
    if (id.index < this.#offset) return 'entry belongs to an unstable snapshot';
    if (term !== id.term) return 'entry was overwritten since';
    this.#entries = this.#entries.slice(id.index + 1 - this.#offset);
    this.#offset = id.index + 1;
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.#offset);
    return null;
  }

  stableSnapshotTo(index: number): void {
    if (this.#snapshot !== null && this.#snapshot.index === index) {
      this.#snapshot = null;
      this.#snapshotInProgress = false;
    }
  }

  /** Replaces everything by `snapshot`. */
  restore(snapshot: Snapshot): void {
    this.#offset = snapshot.index + 1;
    this.#offsetInProgress = this.#offset;
    this.#entries = [];
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** Appends `entries`, dropping whatever they overwrite. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = (entries[0] as Entry).index;
    const end = this.#offset + this.#entries.length;
    if (from === end) {
      for (const entry of entries) this.#entries.push(entry);
    } else if (from <= this.#offset) {
      this.#entries = entries.slice();
      this.#offset = from;
      this.#offsetInProgress = from;
    } else {
      invariant(from < end, 'gap in the unstable log', { from, end });
      this.#entries = this.#entries.slice(0, from - this.#offset).concat(entries);
      this.#offsetInProgress = Math.min(this.#offsetInProgress, from);
    }
  }

  /** Entries in [low, high). */
  slice(low: number, high: number): Entry[] {
    const end = this.#offset + this.#entries.length;
    invariant(low >= this.#offset && high <= end && low <= high, 'unstable slice out of bounds', {
      low,
      high,
      offset: this.#offset,
      end,
    });
    return this.#entries.slice(low - this.#offset, high - this.#offset);
  }
}
