// Linearizable reads without a log entry: thesis §6.4, ReadIndex. The leader notes its commit
// index, proves by a round of heartbeats that it still leads, and answers. Every attempt gets a
// round number of its own that is never used twice in a leadership (etcd #20418: a retry under the
// same id was confirmed by late acknowledgements of the first try). An acknowledgement of round n
// also confirms all earlier rounds, because their heartbeats were sent before.
import { MAX_PENDING_READS } from './limits.ts';
import type { RaftId } from './types.ts';

/** A read as it came in. */
export interface ReadRequest {
  /** Who asked; NO_NODE or the leader's own id for a local read. */
  readonly from: RaftId;
  /** The asker's id of the request, given back with the answer. */
  readonly context: number;
}

interface Round {
  readonly round: number;
  readonly index: number;
  readonly request: ReadRequest;
  readonly acks: Set<RaftId>;
}

/** An answered read. */
export interface ReadAnswer {
  readonly index: number;
  readonly request: ReadRequest;
}

/** State of one leadership; a new term starts with a new instance. */
export class ReadOnly {
  #rounds: Round[] = [];
  #lastRound = 0;

  /** The newest round that is still waiting, for regular heartbeats to carry; 0 for none. */
  get lastPendingRound(): number {
    return this.#rounds[this.#rounds.length - 1]?.round ?? 0;
  }

  /** Starts a round at commit index `index`. Returns its number, or 0 when too many wait. */
  add(index: number, request: ReadRequest, self: RaftId): number {
    if (this.#rounds.length >= MAX_PENDING_READS) return 0;
    this.#lastRound++;
    this.#rounds.push({ round: this.#lastRound, index, request, acks: new Set([self]) });
    return this.#lastRound;
  }

  /** `from` answered the heartbeat of `round`; `isQuorum` judges the members that have. */
  acknowledge(
    from: RaftId,
    round: number,
    isQuorum: (acks: ReadonlySet<RaftId>) => boolean,
  ): ReadAnswer[] {
    let confirmed = -1;
    for (let i = 0; i < this.#rounds.length; i++) {
      const pending = this.#rounds[i] as Round;
      if (pending.round > round) break;
      pending.acks.add(from);
      if (isQuorum(pending.acks)) confirmed = i;
    }
    const answers = this.#rounds.slice(0, confirmed + 1);
    if (confirmed >= 0) this.#rounds = this.#rounds.slice(confirmed + 1);
    return answers.map(({ index, request }) => ({ index, request }));
  }
}
