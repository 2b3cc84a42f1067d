// What a member's log has on its disk for certain, kept beside the real log: each batch that the
// WAL reported as durable, and the one that is on its way. After a restart the log must be the one
// or the other; and whatever a member tells its peers must be covered by the first.
import { type Entry, EntryType, type HardState } from '#manager/raft/types';
import type { WalContents } from '#manager/wal/recovery';
import type { Wal, WalBatch } from '#manager/wal/wal';
import { check } from './failure.ts';
import { digest } from './sim-crypto.ts';

/** A log as plain data; `entries` follow the entry at `base`. */
interface LogState {
  hardState: HardState;
  baseIndex: number;
  baseTerm: number;
  snapshotIndex: number;
  entries: Entry[];
}

/** What a restarted member has found. */
export interface FoundLog {
  readonly contents: WalContents;
  readonly isNew: boolean;
  /** An earlier start, which was cut off, may have added the entry that forces a new group. */
  readonly isForced: boolean;
}

export class DurableLog {
  readonly #id: number;
  #state: LogState = {
    hardState: { term: 0, vote: 0, commit: 0 },
    baseIndex: 0,
    baseTerm: 0,
    snapshotIndex: 0,
    entries: [],
  };
  #onItsWay: WalBatch | null = null;

  constructor(id: number) {
    this.#id = id;
  }

  get term(): number {
    return this.#state.hardState.term;
  }

  get vote(): number {
    return this.#state.hardState.vote;
  }

  get lastIndex(): number {
    return lastIndexOf(this.#state);
  }

  get snapshotIndex(): number {
    return this.#state.snapshotIndex;
  }

  /** Null outside of the log. */
  termAt(index: number): number | null {
    return termIn(this.#state, index);
  }

  /** Whether the log holds, or a snapshot stands for, the entry of `term` at `index`. */
  covers(index: number, term: number): boolean {
    return index < this.#state.baseIndex || this.termAt(index) === term;
  }

  /** From now on what the WAL reports is recorded here. */
  follow(wal: Wal, onDurable: (batch: WalBatch) => void): void {
    const append = wal.append.bind(wal);
    wal.append = (batch, done) => {
      this.#onItsWay = batch;
      append(batch, (error) => {
        if (error === null) {
          this.#onItsWay = null;
          apply(this.#state, batch);
          onDurable(batch);
        }
        done(error);
      });
    };
  }

  /** Takes what a start has found as the truth, after comparing it with what must be there. */
  restart(found: FoundLog, isRotten: boolean): void {
    const { contents } = found;
    const before = this.#state;
    if (!found.isNew && !isRotten) this.#compare(found, before);
    if (isRotten) this.#compareRotten(contents, before);
    this.#onItsWay = null;
    this.#state = stateOf(contents);
  }

  #compare({ contents, isForced }: FoundLog, before: LogState): void {
    check(contents.damage === null, 'a log that nothing has damaged is whole', () => ({
      member: this.#id,
      damage: contents.damage,
    }));
    const now = textOf(stateOf(contents));
    if (now === textOf(before)) return;
    const other = this.#withLastBatch();
    const last = contents.entries.at(-1);
    const isAdded = isForced && last?.type === EntryType.confChange && now !== textOf(other);
    if (isAdded) {
      const added = { hardState: contents.hardState, entries: [last], mark: null };
      apply(lastIndexOf(before) + 1 === last.index ? before : other, added);
      if (now === textOf(before)) return;
    }
    check(now === textOf(other), 'what was durable is there after a restart', () => ({
      member: this.#id,
      found: now,
      durable: textOf(before),
      orWithTheLastBatch: textOf(other),
    }));
  }

  /** Decay may take entries away, but never silently, and never changes one. */
  #compareRotten(contents: WalContents, before: LogState): void {
    const now = stateOf(contents);
    const { hardState } = now;
    const values = (): Record<string, unknown> => ({
      member: this.#id,
      found: textOf(now),
      durable: textOf(before),
      onItsWay: this.#onItsWay === null ? '' : textOf(this.#withLastBatch()),
      damage: contents.damage,
      recoverUpTo: contents.recoverUpTo,
    });
    const isReported = contents.damage !== null || contents.recoverUpTo > 0;
    // The write that was on its way may have overwritten the end of the log, and given the vote.
    const isWhole = reachesEndOf(before, now) || reachesEndOf(this.#withLastBatch(), now);
    check(isReported || isWhole, 'damage that loses entries is reported', values);
    // The last write is spared, and every frame and every header says term and vote.
    const { term, vote } = before.hardState;
    const hasVote = vote === 0 || hardState.vote === vote;
    const isKept = hardState.term > term || (hardState.term === term && hasVote);
    check(isKept, 'damage takes away neither term nor vote', values);
  }

  /** As it is when the write that is on its way has reached the disk. */
  #withLastBatch(): LogState {
    const state = { ...this.#state, entries: this.#state.entries.slice() };
    if (this.#onItsWay !== null) apply(state, this.#onItsWay);
    return state;
  }

  /** The start has added an entry of its own: the group begins anew with this member. */
  forced(hardState: HardState, entry: Entry): void {
    apply(this.#state, { hardState, entries: [entry], mark: null });
  }
}

function stateOf(contents: WalContents): LogState {
  return {
    hardState: contents.hardState,
    baseIndex: contents.base.index,
    baseTerm: contents.base.term,
    snapshotIndex: contents.mark?.meta.index ?? 0,
    entries: [...contents.entries],
  };
}

function lastIndexOf({ baseIndex, entries }: LogState): number {
  return baseIndex + entries.length;
}

/** Null outside of the log. */
function termIn({ baseIndex, baseTerm, entries }: LogState, index: number): number | null {
  if (index === baseIndex) return baseTerm;
  return entries[index - baseIndex - 1]?.term ?? null;
}

/** Whether `now` has the last entry of `log`: with it come all before. */
function reachesEndOf(log: LogState, now: LogState): boolean {
  const last = lastIndexOf(log);
  return now.baseIndex > last || termIn(now, last) === termIn(log, last);
}

function apply(state: LogState, batch: WalBatch): void {
  state.hardState = batch.hardState;
  if (batch.mark !== null) {
    const { base, meta, replacesLog } = batch.mark;
    const drop = replacesLog ? state.entries.length : base.index - state.baseIndex;
    if (drop > 0) state.entries = state.entries.slice(drop);
    state.baseIndex = base.index;
    state.baseTerm = base.term;
    state.snapshotIndex = meta.index;
  }
  const first = batch.entries[0];
  if (first === undefined) return;
  state.entries.length = Math.max(0, first.index - state.baseIndex - 1);
  for (const entry of batch.entries) state.entries.push(entry);
}

/** The commit mark is left out: it may lag behind. */
function textOf(state: LogState): string {
  const { hardState, baseIndex, baseTerm, snapshotIndex, entries } = state;
  let text = `term ${hardState.term} vote ${hardState.vote} snapshot ${snapshotIndex}`;
  text += ` base ${baseIndex}/${baseTerm}:`;
  for (const { index, term, type, data } of entries) {
    text += ` ${index}/${term}/${type}/${digest(data, 0)}`;
  }
  return text;
}
