// The whole log as the core sees it: the stable part in LogStorage, the unstable tail, and the
// marks committed ≥ applying ≥ applied. Source: Raft paper §5.3 (log matching), etcd-io/raft
// log.go. Application is paged: at most maxApplyingBytes are out at the state machine at a time.
import { invariant } from './invariant.ts';
import { entriesBytes, type LogStorage, limitBytes } from './storage.ts';
import type { Entry, EntryId, Snapshot } from './types.ts';
import { Unstable } from './unstable.ts';

/** Written only by Raft and RawNode. */
export class RaftLog {
  readonly #storage: LogStorage;
  readonly unstable: Unstable;
  readonly #maxApplyingBytes: number;
  #committed: number;
  /** Handed to the apply thread. */
  #applying: number;
  /** Acknowledged by the apply thread. */
  #applied: number;
  #applyingBytes = 0;
  #applyingPaused = false;

  constructor(storage: LogStorage, maxApplyingBytes: number) {
    this.#storage = storage;
    this.#maxApplyingBytes = maxApplyingBytes;
    this.unstable = new Unstable(storage.lastIndex() + 1);
    // Everything below the first index was in a snapshot, and snapshots hold committed state.
    this.#committed = storage.firstIndex() - 1;
    this.#applying = this.#committed;
    this.#applied = this.#committed;
  }

  get committed(): number {
    return this.#committed;
  }

  get applying(): number {
    return this.#applying;
  }

  get applied(): number {
    return this.#applied;
  }

  firstIndex(): number {
    return this.unstable.firstIndex() ?? this.#storage.firstIndex();
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.#storage.lastIndex();
  }

  /** Term at `index`, also right before the first entry; null if compacted or not there yet. */
  term(index: number): number | null {
    const term = this.unstable.term(index);
    if (term !== null) return term;
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return null;
    return this.#storage.term(index);
  }

  lastId(): EntryId {
    const index = this.lastIndex();
    const term = this.term(index);
    invariant(term !== null, 'the last entry has no term', { index });
    return { term, index };
  }

  matches(id: EntryId): boolean {
    return this.term(id.index) === id.term;
  }

  /** Raft paper §5.4.1: later last term wins, then the longer log. */
  isUpToDate(candidate: EntryId): boolean {
    const own = this.lastId();
    return (
      candidate.term > own.term || (candidate.term === own.term && candidate.index >= own.index)
    );
  }

  /** First of `entries` that is missing here or differs; 0 if all are here already. */
  findConflict(entries: readonly Entry[]): number {
    for (const entry of entries) if (!this.matches(entry)) return entry.index;
    return 0;
  }

  /**
   * The highest index ≤ `index` whose term is ≤ `term`, with that term; skips whole terms, so that
   * catching up costs one round trip per term (raft-rs 0.6, etcd-io/raft). An unknown term is 0.
   */
  findConflictByTerm(index: number, term: number): EntryId {
    for (let i = index; i > 0; i--) {
      const own = this.term(i);
      if (own === null) return { index: i, term: 0 };
      if (own <= term) return { index: i, term: own };
    }
    return { index: 0, term: 0 };
  }

  /** Appends, overwriting what conflicts. Committed entries are never overwritten. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index > this.#committed, 'append would overwrite a committed entry', {
      index: first.index,
      committed: this.#committed,
    });
    this.unstable.truncateAndAppend(entries);
  }

  /** Raises the commit mark; never lowers it. */
  commitTo(index: number): void {
    if (index <= this.#committed) return;
    invariant(index <= this.lastIndex(), 'commit mark beyond the end of the log: was log lost?', {
      index,
      lastIndex: this.lastIndex(),
    });
    this.#committed = index;
  }

  /** Sets the marks that were durable before a restart. What is applied was committed, even if the
   * commit mark on disk lags behind. */
  restoreMarks(committed: number, applied: number): void {
    this.commitTo(Math.max(committed, applied));
    if (applied > this.#applied) this.appliedTo(applied, 0);
  }

  /** Committed entries to hand to the apply thread next; `allowUnstable` if it appends first. */
  nextCommittedEntries(allowUnstable: boolean): Entry[] {
    const limit = this.#nextCommittedEnd(allowUnstable);
    if (limit === 0) return [];
    return this.slice(this.#applying + 1, limit, this.#maxApplyingBytes - this.#applyingBytes);
  }

  hasNextCommittedEntries(allowUnstable: boolean): boolean {
    return this.#nextCommittedEnd(allowUnstable) !== 0;
  }

  /** One past the last entry that may be applied now; 0 if there is none. */
  #nextCommittedEnd(allowUnstable: boolean): number {
    // With a snapshot to restore, the state machine is about to be replaced.
    if (this.#applyingPaused || this.unstable.snapshot !== null) return 0;
    const end = this.#maxAppliable(allowUnstable) + 1;
    return this.#applying + 1 < end ? end : 0;
  }

  #maxAppliable(allowUnstable: boolean): number {
    return allowUnstable ? this.#committed : Math.min(this.#committed, this.unstable.offset - 1);
  }

  /** `entries` have been handed to the apply thread. */
  acceptApplying(entries: readonly Entry[], allowUnstable: boolean): void {
    const last = (entries[entries.length - 1] as Entry).index;
    invariant(last <= this.#committed, 'applying beyond the commit mark', { last });
    this.#applying = last;
    this.#applyingBytes += entriesBytes(entries);
    // Also pause when the page ended early: the next page would not fit either.
    this.#applyingPaused =
      this.#applyingBytes >= this.#maxApplyingBytes || last < this.#maxAppliable(allowUnstable);
  }

  /** The apply thread has finished everything up to `index`, `bytes` of it since last time. */
  appliedTo(index: number, bytes: number): void {
    invariant(index <= this.#committed && index >= this.#applied, 'applied mark out of range', {
      index,
      applied: this.#applied,
      committed: this.#committed,
    });
    // A snapshot may have overtaken pages that are under way: nobody will answer for them any more.
    const left = index >= this.#applying ? 0 : this.#applyingBytes - bytes;
    this.#applied = index;
    this.#applying = Math.max(this.#applying, index);
    this.#applyingBytes = Math.max(0, left);
    this.#applyingPaused = this.#applyingBytes >= this.#maxApplyingBytes;
  }

  /** Replaces the log by a snapshot from the leader. */
  restore(snapshot: Snapshot): void {
    this.#committed = snapshot.index;
    this.unstable.restore(snapshot);
  }

  snapshot(): Snapshot | null {
    return this.unstable.snapshot ?? this.#storage.snapshot();
  }

  /** Entries from `low` to the end, at least one, then within maxBytes; null if compacted. */
  entriesFrom(low: number, maxBytes: number): Entry[] | null {
    const end = this.lastIndex() + 1;
    if (low >= end) return [];
    if (low < this.firstIndex()) return null;
    return this.slice(low, end, maxBytes);
  }

  /** Entries in [low, high), at least one, then within maxBytes. */
  slice(low: number, high: number, maxBytes: number): Entry[] {
    const offset = this.unstable.offset;
    if (low >= offset) return limitBytes(this.unstable.slice(low, high), maxBytes);
    const stable = this.#storage.entries(low, Math.min(high, offset), maxBytes);
    invariant(stable !== null, 'entries that are needed were compacted', { low, high });
    // The page ended inside the stable part, or the storage returned less than it could
    // (etcd commit 8ecce32: appending the unstable part then would skip entries).
    if (stable.length < Math.min(high, offset) - low || high <= offset) return stable;
    const rest = maxBytes - entriesBytes(stable);
    if (rest <= 0) return stable;
    const more = limitBytes(this.unstable.slice(offset, high), rest);
    if (more.length === 1 && entriesBytes(more) > rest) return stable;
    return stable.concat(more);
  }
}
