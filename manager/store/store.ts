// The replicated state of the cluster. Committed entries come in through `apply`, in log order, and
// are the only thing that changes it; `transact` only makes the bytes to propose. A leader
// pipelines: transactions that are proposed but not yet committed form a chain on top of the
// committed state, and each new one builds on the last. Every transaction names its parent, and
// `apply` ignores one whose parent is not the last applied, on all replicas alike: so a lost or
// late proposal takes those built upon it along, and never mixes. Refuses: clocks, randomness,
// promises. Stamps (version, times) are made here from the entry alone.

import { Writer } from '#protocol/codec';
import { assert, TswarmError } from '#protocol/errors';
import {
  type HistoryEntry,
  StoreTransaction,
  StoreTransactionHead,
} from '#protocol/generated/control';
import { type AppliedChange, applyActions, stampOwn, withChanges } from './apply.ts';
import {
  HISTORY_SUMMARY_CHARS_MAX,
  SCRATCH_BYTES_MAX,
  STORE_FORMAT_VERSION,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_BYTES_SPLIT,
} from './limits.ts';
import { type CommittedEntry, RecentChanges } from './recent-changes.ts';
import { Rehearsal } from './rehearsal.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import {
  EMPTY_STATE,
  type StoreMaps,
  type StoreState,
  type StoreView,
  type StoreWriteView,
  viewOf,
} from './state.ts';
import { type Actions, type Change, Transaction } from './transaction.ts';

/** What the leader stamps into a transaction. */
export interface Stamp {
  /** Microseconds since 1970. */
  readonly nowMicros: number;
  /** A new unique number in [1, 2^53). */
  newTransactionId(): number;
  /** Who asked: "admin", a node id, "controllers", … */
  readonly author: string;
  /** For the history; '' = not worth an entry there. Never secret. */
  readonly summary: string;
  /**
   * May be cut into several log entries when it is large; what is in order and harmless in part
   * only.
   */
  readonly splittable?: boolean;
}

/** Bytes for the log. They must be proposed in the order in which they were made. */
export interface Proposal {
  readonly id: number;
  readonly bytes: Uint8Array;
}

interface Pending {
  readonly id: number;
  readonly changes: readonly Change[];
  /** What the state becomes by it; undefined for a part of a transaction that was cut. */
  readonly maps: StoreMaps | undefined;
}

/** What an entry did. */
export interface Applied extends CommittedEntry {
  readonly transactionId: number;
  /** False: built upon a state that never came to be; nothing was changed. */
  readonly accepted: boolean;
}

export type StoreListener = (entry: CommittedEntry | 'reset') => void;

export class Store {
  #committed: StoreState = EMPTY_STATE;
  #committedView: StoreView = viewOf(EMPTY_STATE);
  /** Committed state plus the chain of pending transactions. */
  #head: StoreState = EMPTY_STATE;
  #pending: Pending[] = [];
  #changeIndex = 0;
  readonly #recent: RecentChanges = new RecentChanges();
  /** Where transactions are encoded: a new buffer for each would have to grow in many steps. */
  #scratch: Uint8Array | undefined;
  readonly #listeners: Set<StoreListener> = new Set();

  /** The committed state; a consistent picture that never changes under the reader. */
  get view(): StoreView {
    return this.#committedView;
  }

  /** Index of the last applied entry. */
  get index(): number {
    return this.#committed.index;
  }

  /**
   * Index of the last entry that changed something or was told to listeners; never above `index`.
   */
  get changeIndex(): number {
    return this.#changeIndex;
  }

  /** Oldest first. */
  get history(): readonly HistoryEntry[] {
    return this.#committed.history.entries();
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /**
   * Runs `fn` on the newest state, pending transactions included, and gives the bytes to propose;
   * none when nothing changed. When `fn` throws, nothing has happened. @throws TswarmError
   * too_large.
   */
  transact<T>(stamp: Stamp, fn: (tx: StoreWriteView) => T): { value: T; proposals: Proposal[] } {
    const transaction = new Transaction(this.#head, stamp.nowMicros);
    const value = fn(transaction);
    const actions = this.#encoded(transaction);
    if (actions.changes.length === 0) return { value, proposals: [] };
    const parts = cut(actions, stamp.splittable === true);
    let parent = this.#head.lastTransaction;
    const made = parts.map(({ changes, bytes: encoded }) => {
      const id = stamp.newTransactionId();
      const bytes = encodeTransaction(encoded, { stamp, id, parent });
      parent = id;
      return { id, bytes, changes };
    });
    for (const { bytes } of made) refuseTooLarge(bytes.length, stamp);
    this.#head = transaction.draft.finish({ ...this.#head, lastTransaction: parent });
    const maps = made.length === 1 ? this.#head : undefined;
    for (const { id, changes: part } of made) this.#pending.push({ id, changes: part, maps });
    return { value, proposals: made.map(({ id, bytes }) => ({ id, bytes })) };
  }

  /** The bytes are good until the next call. */
  #encoded(transaction: Transaction): Actions {
    const writer = Writer.create();
    if (this.#scratch) writer.buf = this.#scratch;
    const actions = transaction.finish(writer);
    if (writer.buf.length <= SCRATCH_BYTES_MAX) this.#scratch = writer.buf;
    return actions;
  }

  /** A copy of the committed state, to try changes out on. */
  rehearsal(): Rehearsal {
    return new Rehearsal(this.#committed);
  }

  /**
   * Forgets all pending transactions: leadership is lost or a proposal failed. Those that commit
   * all the same are still applied.
   */
  dropPending(): void {
    this.#pending = [];
    this.#head = this.#committed;
  }

  /**
   * Applies one committed entry. @throws when it cannot be read: the replica must stop rather than
   * diverge.
   */
  apply(data: Uint8Array, index: number): Applied {
    assert(index > this.#committed.index, 'entries are applied in order', {
      index,
      applied: this.#committed.index,
    });
    const entry = StoreTransactionHead.decode(data);
    refuseNewerFormat(entry.formatVersion);
    const head = { index, time: entry.time, author: entry.author, summary: entry.summary };
    if (entry.parent !== this.#committed.lastTransaction) {
      this.#ignore(entry.id, index);
      return { ...head, changes: [], transactionId: entry.id, accepted: false };
    }
    const own = this.#pending[0]?.id === entry.id ? this.#pending.shift() : undefined;
    const stamp = { index, time: entry.time };
    const { maps, changes } = own
      ? this.#applyOwn(own, stamp)
      : applyActions(this.#committed, StoreTransaction.decode(data).actions, stamp);
    const history =
      entry.summary === '' ? this.#committed.history : this.#committed.history.with(head);
    const { objects, names, links } = maps;
    const lastTransaction = entry.id;
    this.#setCommitted({ index, lastTransaction, history, objects, names, links }, own);
    const committed: CommittedEntry = { ...head, changes };
    this.#changeIndex = index;
    this.#recent.push(committed);
    for (const listener of this.#listeners) listener(committed);
    return { ...committed, transactionId: entry.id, accepted: true };
  }

  /** The pieces of a snapshot of the committed state as it is now, whenever they are asked for. */
  snapshot(): Iterable<Uint8Array> {
    return encodeSnapshot(this.#committed);
  }

  /** Replaces everything by a snapshot, which reflects all entries up to `index`. */
  restore(bytes: Uint8Array, index: number): void {
    this.#committed = { ...decodeSnapshot(bytes), index };
    this.#committedView = viewOf(this.#committed);
    this.#changeIndex = index;
    this.dropPending();
    this.#recent.reset(index);
    for (const listener of this.#listeners) listener('reset');
  }

  /**
   * All committed changes after `index`, oldest first; undefined when they are no longer known:
   * take the state instead.
   */
  changesSince(index: number): readonly CommittedEntry[] | undefined {
    return this.#recent.since(index, this.#committed.index);
  }

  /** Calls `listener` after every applied entry and after a restore. Returns what ends it. */
  subscribe(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * An entry that was built upon another state. If it was one of ours, so were all that we have
   * pending.
   */
  #ignore(id: number, index: number): void {
    this.#committed = { ...this.#committed, index };
    if (this.#pending.some((pending) => pending.id === id)) this.dropPending();
  }

  /** The first of the pending chain: what it was built upon is the committed state by now. */
  #applyOwn(
    { changes, maps }: Pending,
    stamp: { readonly index: number; readonly time: number },
  ): { readonly maps: StoreMaps; readonly changes: readonly AppliedChange[] } {
    const stamped = stampOwn(changes, stamp);
    return { maps: maps ?? withChanges(this.#committed, stamped), changes: stamped };
  }

  #setCommitted(state: StoreState, own: Pending | undefined): void {
    this.#committed = state;
    this.#committedView = viewOf(state);
    if (this.#pending.length === 0) this.#head = state;
    else if (!own) this.dropPending();
  }
}

/** A transaction or a piece of one. */
type Part = Pick<Actions, 'changes' | 'bytes'>;

/**
 * Cuts a list of changes so that each part encodes to about TRANSACTION_BYTES_SPLIT; one part when
 * it must stay whole.
 */
function cut(actions: Actions, splittable: boolean): readonly Part[] {
  if (!splittable) return [actions];
  const parts: Part[] = [];
  let first = 0;
  let start = 0;
  let end = 0;
  const close = (before: number): void => {
    const changes = actions.changes.slice(first, before);
    parts.push({ changes, bytes: actions.bytes.subarray(start, end) });
    [first, start] = [before, end];
  };
  for (const [i, next] of actions.ends.entries()) {
    if (i > first && next - start > TRANSACTION_BYTES_SPLIT) close(i);
    end = next;
  }
  close(actions.changes.length);
  return parts;
}

/** The actions, which are encoded already, with what belongs to the whole behind them. */
function encodeTransaction(
  actions: Uint8Array,
  { stamp, id, parent }: { readonly stamp: Stamp; readonly id: number; readonly parent: number },
): Uint8Array {
  const rest = StoreTransaction.encode({
    actions: [],
    time: stamp.nowMicros,
    author: stamp.author,
    summary: stamp.summary.slice(0, HISTORY_SUMMARY_CHARS_MAX),
    formatVersion: STORE_FORMAT_VERSION,
    id,
    parent,
  });
  const bytes = new Uint8Array(actions.length + rest.length);
  bytes.set(actions);
  bytes.set(rest, actions.length);
  return bytes;
}

function refuseTooLarge(bytes: number, stamp: Stamp): void {
  if (bytes <= TRANSACTION_BYTES_MAX) return;
  throw new TswarmError(
    'too_large',
    `${stamp.summary || 'the change'}: ${bytes} bytes, at most ${TRANSACTION_BYTES_MAX} fit into one change of the cluster`,
    { hint: 'Make it in several smaller steps.' },
  );
}

function refuseNewerFormat(formatVersion: number): void {
  if (formatVersion <= STORE_FORMAT_VERSION) return;
  throw new TswarmError(
    'not_supported',
    `a log entry has format ${formatVersion}, this version reads up to ${STORE_FORMAT_VERSION}`,
    { hint: 'Upgrade tswarm on this manager.' },
  );
}
