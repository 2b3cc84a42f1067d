// The stable part of the log as the core reads it, and the implementation that keeps it in memory.
// The core never writes here: the append thread does, once the WAL has made entries durable.
// Source: etcd-io/raft storage.go. Reads are synchronous and must not touch the disk.
import { invariant } from './invariant.ts';
import { ENTRY_OVERHEAD_BYTES } from './limits.ts';
import type { Entry, EntryId, HardState, Snapshot } from './types.ts';
import { EMPTY_CONF_STATE, EMPTY_HARD_STATE } from './types.ts';

/** What the core may ask of the stable log. Valid indexes are firstIndex()..lastIndex(). */
export interface LogStorage {
  hardState(): HardState;
  /** The newest snapshot at hand, or null if it cannot be had right now. */
  snapshot(): Snapshot | null;
  firstIndex(): number;
  lastIndex(): number;
  /** Term at `index`, also for firstIndex()-1; null outside of that range. */
  term(index: number): number | null;
  /** Entries in [low, high), at least one, then as many as fit into maxBytes; null if compacted. */
  entries(low: number, high: number, maxBytes: number): Entry[] | null;
}

/** Size of an entry in all limits of the core. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}

/** Sum of entryBytes. */
export function entriesBytes(entries: readonly Entry[]): number {
  let total = 0;
  for (const entry of entries) total += entryBytes(entry);
  return total;
}

/** Sum of the data alone; an empty entry costs nothing, so a leader can always append its first. */
export function payloadBytes(entries: readonly Entry[]): number {
  let total = 0;
  for (const entry of entries) total += entry.data.length;
  return total;
}

/** The longest prefix of `entries` within maxBytes, but never less than one entry. */
export function limitBytes(entries: Entry[], maxBytes: number): Entry[] {
  let total = 0;
  for (let i = 0; i < entries.length; i++) {
    total += entryBytes(entries[i] as Entry);
    if (i > 0 && total > maxBytes) return entries.slice(0, i);
  }
  return entries;
}

export const EMPTY_SNAPSHOT: Snapshot = {
  index: 0,
  term: 0,
  confState: EMPTY_CONF_STATE,
  data: new Uint8Array(0),
};

/** A stable log in memory, from the entry after the last compaction on. */
export class MemoryStorage implements LogStorage {
  #hardState: HardState = EMPTY_HARD_STATE;
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  /** Index and term of the entry right before #entries[#start]. */
  #baseIndex = 0;
  #baseTerm = 0;
  #entries: Entry[] = [];

  /** A log as found on disk; `entries` follow the entry `base`, which was compacted away. */
  static restore(parts: {
    readonly hardState: HardState;
    readonly snapshot: Snapshot;
    readonly base: EntryId;
    readonly entries: readonly Entry[];
  }): MemoryStorage {
    const storage = new MemoryStorage();
    storage.#hardState = parts.hardState;
    storage.#snapshot = parts.snapshot;
    storage.#baseIndex = parts.base.index;
    storage.#baseTerm = parts.base.term;
    storage.append(parts.entries);
    return storage;
  }

  hardState(): HardState {
    return this.#hardState;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  firstIndex(): number {
    return this.#baseIndex + 1;
  }

  lastIndex(): number {
    return this.#baseIndex + this.#entries.length;
  }

  term(index: number): number | null {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.#baseIndex - 1]?.term ?? null;
  }

  entries(low: number, high: number, maxBytes: number): Entry[] | null {
    if (low <= this.#baseIndex) return null;
    invariant(high <= this.lastIndex() + 1, 'read beyond the end of the stable log', {
      high,
      lastIndex: this.lastIndex(),
    });
    const from = low - this.#baseIndex - 1;
    return limitBytes(this.#entries.slice(from, high - this.#baseIndex - 1), maxBytes);
  }

  /** Appends; entries at or after the first new one are replaced. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index <= this.lastIndex() + 1, 'gap before appended entries', {
      firstIndex: first.index,
      lastIndex: this.lastIndex(),
    });
    const skip = Math.max(0, this.firstIndex() - first.index);
    if (skip >= entries.length) return; // All of it was compacted in the meantime.
    const keep = first.index + skip - this.#baseIndex - 1;
    if (keep < this.#entries.length) this.#entries.length = keep;
    for (let i = skip; i < entries.length; i++) this.#entries.push(entries[i] as Entry);
  }

  /** Replaces log and snapshot by a snapshot that came from the leader, or starts the log. */
  applySnapshot(snapshot: Snapshot): boolean {
    if (snapshot.index <= this.#snapshot.index) return false;
    this.#snapshot = snapshot;
    this.#baseIndex = snapshot.index;
    this.#baseTerm = snapshot.term;
    this.#entries = [];
    return true;
  }

  /** Records a snapshot of what this log holds, without dropping entries. */
  recordSnapshot(snapshot: Snapshot): void {
    if (snapshot.index > this.#snapshot.index) this.#snapshot = snapshot;
  }

  /** Drops entries up to and including `index`. Returns false if they are gone already. */
  compact(index: number): boolean {
    if (index <= this.#baseIndex) return false;
    invariant(index <= this.lastIndex(), 'compaction beyond the end of the log', { index });
    const drop = index - this.#baseIndex;
    this.#baseTerm = (this.#entries[drop - 1] as Entry).term;
    this.#baseIndex = index;
    this.#entries = this.#entries.slice(drop);
    return true;
  }
}
