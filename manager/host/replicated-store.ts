// The store joined to the Raft log: makes transactions, proposes them, waits until they are applied
// here. Only the leader writes. A change whose ground moved while it was in flight is computed
// again; what a caller's function decides must therefore depend on the transaction's view alone.
// Refuses to guess: an answer that did not come in time is reported as an unknown outcome.

import { controlAddressOf } from '#manager/control/managers';
import type { AppliedChange } from '#manager/store/apply';
import type { Rehearsal } from '#manager/store/rehearsal';
import type { StoreView, StoreWriteView } from '#manager/store/state';
import { type Applied, type Proposal, Store } from '#manager/store/store';
import type { DecisionContext } from '#manager/store/view';
import { hasCode, TswarmError } from '#protocol/errors';
import { newId } from '#protocol/ids';
import type { Log, Random } from '#protocol/world';
import { UPDATE_ATTEMPTS_MAX } from '../limits.ts';
import type { RaftLog } from './raft/raft-node.ts';

export interface ReplicatedStoreDeps {
  readonly raft: RaftLog;
  readonly random: Random;
  readonly log: Log;
  /** Microseconds since 1970. */
  nowMicros(): number;
}

export interface UpdateOptions {
  readonly author: string;
  /** For the history; '' = none. */
  readonly summary: string;
  /** See Stamp.splittable. */
  readonly splittable?: boolean;
  /** False: when the ground moved fail with `conflict` instead of computing again. */
  readonly retry?: boolean;
  /**
   * Somebody outside is told the outcome: also that there was nothing to change, and a refusal, are said only once a quorum
   * has confirmed that this manager still leads. One that was deposed without hearing of it would answer from the past.
   */
  readonly isFirm?: boolean;
}

export interface Updated<T> {
  readonly value: T;
  /** Index at which the change is visible; the current one when there was nothing to change. */
  readonly index: number;
  /** As committed, stamps included. */
  readonly changes: readonly AppliedChange[];
}

export class ReplicatedStore {
  readonly store: Store = new Store();
  readonly #deps: ReplicatedStoreDeps;
  readonly #applied: Map<number, Applied> = new Map();
  readonly #awaited: Set<number> = new Set();
  #isLeading = false;
  #lastMicros = 0;
  /** The newest proposal that is in flight or was: whoever has read what it writes waits for it. */
  #newest: Promise<Applied> | undefined;

  /** Registers with Raft; call before `raft.start`. */
  constructor(deps: ReplicatedStoreDeps) {
    this.#deps = deps;
    deps.raft.onApply(({ data, index }) => {
      const applied = this.store.apply(data, index);
      if (this.#awaited.has(applied.transactionId))
        this.#applied.set(applied.transactionId, applied);
    });
    deps.raft.onSnapshotRestore((snapshot, index) => this.store.restore(snapshot, index));
    deps.raft.provideSnapshot(() => inPieces(this.store.snapshot()));
  }

  /** The committed state. */
  get view(): StoreView {
    return this.store.view;
  }

  get isLeading(): boolean {
    return this.#isLeading;
  }

  /** Told by the owner of leadership changes. */
  setLeading(isLeading: boolean): void {
    this.#isLeading = isLeading;
    this.store.dropPending();
  }

  /**
   * Runs `fn` in a transaction and resolves when its changes are committed. What `fn` throws is
   * thrown on. @throws TswarmError no_leader, too_large, resource_exhausted; deadline_exceeded and
   * unavailable when the outcome is unknown.
   */
  async update<T>(
    options: UpdateOptions,
    fn: (tx: StoreWriteView, context: DecisionContext) => T,
  ): Promise<Updated<T>> {
    const attempts = options.retry === false ? 1 : UPDATE_ATTEMPTS_MAX;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const updated = await this.#tryUpdate(options, fn);
      if (updated) return updated;
      this.#deps.log.debug('change computed again', { author: options.author, attempt });
    }
    throw new TswarmError('unavailable', 'the cluster state changed while this change was made', {
      retryable: true,
    });
  }

  /**
   * What it takes to try changes out at the leader: a copy of the committed state, and what a
   * decision may know of the world now. @throws TswarmError no_leader
   */
  rehearsal(): { readonly rehearsal: Rehearsal; readonly context: DecisionContext } {
    if (!this.#isLeading) throw this.notLeading();
    return { rehearsal: this.store.rehearsal(), context: this.#context() };
  }

  /** Undefined when the ground moved. */
  async #tryUpdate<T>(
    options: UpdateOptions,
    fn: (tx: StoreWriteView, context: DecisionContext) => T,
  ): Promise<Updated<T> | undefined> {
    if (!this.#isLeading) throw this.notLeading();
    const { term } = this.#deps.raft.status();
    const made = this.#transact(options, fn);
    if ('refusal' in made || made.proposals.length === 0) {
      if (!(await this.#stands(options, term))) return undefined;
      if ('refusal' in made) throw made.refusal;
      return { value: made.value, index: this.store.changeIndex, changes: [] };
    }
    const { value, proposals } = made;
    // All are handed over in this turn, in order, so that they are one batch of the log.
    const inFlight = proposals.map((proposal) => this.#propose(proposal));
    this.#newest = inFlight.at(-1);
    const applied = await Promise.all(inFlight);
    if (!applied.every((part) => part.accepted)) return undefined;
    const changes = applied.flatMap((part) => part.changes);
    return { value, index: applied.at(-1)?.index ?? 0, changes };
  }

  #transact<T>(
    options: UpdateOptions,
    fn: (tx: StoreWriteView, context: DecisionContext) => T,
  ):
    | { readonly value: T; readonly proposals: readonly Proposal[] }
    | { readonly refusal: unknown } {
    const context = this.#context();
    const stamp = {
      nowMicros: context.nowMicros,
      newTransactionId: () => 1 + Math.floor(this.#deps.random.next() * (2 ** 53 - 2)),
      author: options.author,
      summary: options.summary,
      splittable: options.splittable === true,
    };
    try {
      return this.store.transact(stamp, (tx) => fn(tx, context));
    } catch (refusal) {
      return { refusal };
    }
  }

  /** Whether a decision that writes nothing counts. It may hang on changes that are still in flight: they must be committed, which also proves who leads. */
  async #stands(options: UpdateOptions, term: number): Promise<boolean> {
    if (this.store.pendingCount > 0) return isAccepted(this.#newest);
    if (options.isFirm) await this.#confirm(term);
    return true;
  }

  /** A quorum says that this manager leads, in the same term as when it decided. @throws TswarmError no_leader */
  async #confirm(term: number): Promise<void> {
    const { raft } = this.#deps;
    const isConfirmed = await raft.readIndex().then(
      () => this.#isLeading && raft.status().term === term,
      () => false,
    );
    if (!isConfirmed) throw this.notLeading();
  }

  async #propose({ id, bytes }: Proposal): Promise<Applied> {
    this.#awaited.add(id);
    try {
      await this.#deps.raft.propose(bytes);
      const applied = this.#applied.get(id);
      if (!applied) throw new Error('bug: a proposal was committed but not applied');
      return applied;
    } catch (error) {
      this.store.dropPending();
      throw hasCode(error, 'no_leader') ? this.notLeading() : error;
    } finally {
      this.#awaited.delete(id);
      this.#applied.delete(id);
    }
  }

  #context(): DecisionContext {
    // Never backwards within one leadership, so that "later" in the log is also later in time.
    this.#lastMicros = Math.max(this.#deps.nowMicros(), this.#lastMicros + 1);
    const { random } = this.#deps;
    return {
      nowMicros: this.#lastMicros,
      newId: () => newId(random),
      random: () => random.next(),
    };
  }

  /** The error for what only the leader does, with the leader's address when it is known. */
  notLeading(): TswarmError {
    const { leaderId, raftId } = this.#deps.raft.status();
    const redirect = leaderId === raftId ? undefined : controlAddressOf(this.view, leaderId);
    // Who takes itself for the leader, and is none, knows of no other.
    const isUnknown = leaderId === null || leaderId === raftId;
    const message = isUnknown
      ? 'The swarm does not have a leader. It is possible that too few managers are online.'
      : 'this manager is not the leader';
    return new TswarmError('no_leader', message, {
      retryable: true,
      ...(redirect === undefined ? {} : { redirect }),
      ...(isUnknown ? { hint: 'Make sure that more than half of the managers are online.' } : {}),
    });
  }
}

/** Whether a proposal was committed upon the state that it was made for. */
async function isAccepted(proposal: Promise<Applied> | undefined): Promise<boolean> {
  try {
    return (await proposal)?.accepted === true;
  } catch {
    return false;
  }
}

/**
 * Joins the pieces, letting other work run between them: the state they come from does not change.
 */
async function inPieces(pieces: Iterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    parts.push(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return Buffer.concat(parts);
}
