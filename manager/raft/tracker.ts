// The members of the active configuration with their progress and votes, and the questions that
// need all of them: what is committed, who won, is a quorum in reach.
// Source: etcd-io/raft tracker/tracker.go. Iteration is always in ascending id order, so that runs
// repeat exactly.
import { type Conf, EMPTY_CONF, isVoter, memberIds } from './conf.ts';
import { type InflightLimits, Progress } from './progress.ts';
import { jointCommitted, jointVote, type VoteResult } from './quorum.ts';
import type { RaftId } from './types.ts';

export class Tracker {
  #conf: Conf = EMPTY_CONF;
  /** id → Progress, in ascending id order. */
  #progress = new Map<RaftId, Progress>();
  #votes = new Map<RaftId, boolean>();
  readonly #limits: InflightLimits;

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  get conf(): Conf {
    return this.#conf;
  }

  /** All members in ascending id order. */
  entries(): IterableIterator<[RaftId, Progress]> {
    return this.#progress.entries();
  }

  get(id: RaftId): Progress | undefined {
    return this.#progress.get(id);
  }

  has(id: RaftId): boolean {
    return this.#progress.has(id);
  }

  /** Makes `conf` the active configuration. Members that stay keep their progress; new ones start
   * to be probed at `nextIndex` and count as active, or check-quorum would depose the leader. */
  switchTo(conf: Conf, nextIndex: number): void {
    const progress = new Map<RaftId, Progress>();
    for (const id of memberIds(conf)) {
      const isLearner = !isVoter(conf, id);
      const known = this.#progress.get(id);
      if (known !== undefined) known.isLearner = isLearner;
      progress.set(id, known ?? this.#newProgress(nextIndex, isLearner));
    }
    this.#conf = conf;
    this.#progress = progress;
  }

  #newProgress(nextIndex: number, isLearner: boolean): Progress {
    const next = Math.max(nextIndex, 1);
    return new Progress({ match: 0, next, isLearner, recentActive: true, limits: this.#limits });
  }

  /** Forgets what was known of the members' logs: the start of a term. */
  resetProgress(self: RaftId, lastIndex: number): void {
    for (const [id, old] of this.#progress) {
      const progress = new Progress({
        match: id === self ? lastIndex : 0,
        next: lastIndex + 1,
        isLearner: old.isLearner,
        recentActive: false,
        limits: this.#limits,
      });
      this.#progress.set(id, progress);
    }
  }

  /** Highest index that the active configuration has agreed on. */
  committed(): number {
    return jointCommitted(
      this.#conf.voters,
      this.#conf.votersOutgoing,
      (id) => this.#progress.get(id)?.match,
    );
  }

  /** Whether voters heard from since the last round form a quorum. */
  quorumActive(): boolean {
    return (
      this.voteResult((id) => {
        const progress = this.#progress.get(id);
        return progress?.recentActive ?? false;
      }) === 'won'
    );
  }

  voteResult(voteOf: (id: RaftId) => boolean | undefined): VoteResult {
    return jointVote(this.#conf.voters, this.#conf.votersOutgoing, voteOf);
  }

  /** Whether this configuration has exactly one voter. */
  isSingleton(): boolean {
    return this.#conf.voters.length === 1 && this.#conf.votersOutgoing.length === 0;
  }

  resetVotes(): void {
    this.#votes = new Map();
  }

  /** Records a vote; a second one of the same member is ignored. */
  recordVote(id: RaftId, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  /** Whether `id` has said yes in the running campaign. */
  hasVoteOf(id: RaftId): boolean {
    return this.#votes.get(id) === true;
  }

  tallyVotes(): { granted: number; rejected: number; result: VoteResult } {
    let granted = 0;
    let rejected = 0;
    for (const [id, progress] of this.#progress) {
      const vote = this.#votes.get(id);
      if (progress.isLearner || vote === undefined) continue;
      if (vote) granted++;
      else rejected++;
    }
    return { granted, rejected, result: this.voteResult((id) => this.#votes.get(id)) };
  }
}
