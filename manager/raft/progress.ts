// The leader's picture of one member: how far its log matches, what to send next, and whether
// sending is allowed. Source: etcd-io/raft tracker/progress.go (design.md there draws the states).
// probe: where the logs match is unknown, one message per heartbeat; replicate: optimistic, `next`
// advances on sending, bounded by Inflights; snapshot: nothing is sent until the snapshot is done.
// Invariant: next > match (etcd PR 149).
import { Inflights } from './inflights.ts';
import { invariant } from './invariant.ts';

export const ProgressState = { probe: 0, replicate: 1, snapshot: 2 } as const;
export type ProgressState = (typeof ProgressState)[keyof typeof ProgressState];

/** Limits of what may be in flight to one member. */
export interface InflightLimits {
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** Written only by the leader's step functions. */
export class Progress {
  match: number;
  next: number;
  isLearner: boolean;
  /** Heard from since the last check-quorum round. */
  recentActive: boolean;
  state: ProgressState = ProgressState.probe;
  /** Index of the snapshot that is on its way; 0 when none is. */
  pendingSnapshot = 0;
  /** Set after a probe or a full window; cleared by any answer. */
  appendPaused = false;
  /** Highest commit index that was sent and is not known to be lost. */
  sentCommit = 0;
  readonly inflights: Inflights;

  constructor(options: {
    readonly match: number;
    readonly next: number;
    readonly isLearner: boolean;
    readonly recentActive: boolean;
    readonly limits: InflightLimits;
  }) {
    this.match = options.match;
    this.next = options.next;
    this.isLearner = options.isLearner;
    this.recentActive = options.recentActive;
    this.inflights = new Inflights(options.limits);
  }

  #enter(state: ProgressState): void {
    this.appendPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  /** Starts to look for the point where the logs match; after a snapshot, right behind it. */
  becomeProbe(): void {
    const pending = this.state === ProgressState.snapshot ? this.pendingSnapshot : 0;
    this.#enter(ProgressState.probe);
    this.next = Math.max(this.match + 1, pending + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter(ProgressState.replicate);
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter(ProgressState.snapshot);
    this.pendingSnapshot = index;
    this.next = Math.max(index, this.match) + 1;
    this.sentCommit = index;
  }

  /** Accounts for an append message that has just been sent. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === ProgressState.replicate) {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.appendPaused = this.inflights.isFull();
    } else if (this.state === ProgressState.probe) {
      if (count > 0) this.appendPaused = true;
    } else {
      invariant(false, 'append sent to a member that waits for a snapshot');
    }
  }

  /** Whether an extra message could tell the member of `commit` earlier than the heartbeat does. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** The member's log is known to match up to `index`. Returns false for old news. */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.appendPaused = false;
    return true;
  }

  /** The member refused entries after `rejected`; `hint` may match. False if the refusal is old. */
  maybeDecrease(rejected: number, hint: number): boolean {
    if (this.state === ProgressState.replicate) {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.sentCommit = Math.min(this.sentCommit, this.next - 1);
      return true;
    }
    // While probing, one message is out at a time, so a refusal of anything else is a late one.
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.appendPaused = false;
    return true;
  }

  /** The member lost log that it had acknowledged (damaged disk): believe it (raft.md §2.2). */
  regressTo(index: number): void {
    this.match = Math.min(this.match, index);
    this.#enter(ProgressState.probe);
    this.next = this.match + 1;
    this.sentCommit = Math.min(this.sentCommit, this.match);
  }

  isPaused(): boolean {
    return this.state === ProgressState.snapshot || this.appendPaused;
  }
}
