// Proposals that callers of the main thread wait for, by their number, in order. Settled when their entry is applied, refused by the Raft thread, lost to
// another leader (for certain, or perhaps), or not confirmed in time. Pure but for the promises: time comes as an argument.
import { TswarmError } from '#protocol/errors';
import { LOST_LEADERSHIP_WAIT_MS } from './limits.ts';
import type { Proposed } from './raft-node.ts';
import { fromThreadError } from './thread-errors.ts';
import type { LostProposals, ThreadError } from './thread-messages.ts';
import type { Waiting } from './waiting.ts';

const OUTCOME_UNKNOWN =
  'leadership was lost before the change was confirmed; it may have taken effect';

interface PendingProposal extends Waiting<Proposed> {
  deadlineMs: number;
}

export class PendingProposals {
  readonly #pending = new Map<number, PendingProposal>();

  get size(): number {
    return this.#pending.size;
  }

  add(seq: number, deadlineMs: number): Promise<Proposed> {
    return new Promise((resolve, reject) => {
      this.#pending.set(seq, { resolve, reject, deadlineMs });
    });
  }

  /** Who waits for it, no longer counted as waiting; undefined = nobody. */
  take(seq: number): Waiting<Proposed> | undefined {
    const caller = this.#pending.get(seq);
    if (caller !== undefined) this.#pending.delete(seq);
    return caller;
  }

  refuse(seqs: readonly number[], error: ThreadError): void {
    for (const seq of seqs) this.take(seq)?.reject(fromThreadError(error));
  }

  /** Another leader's entries stand where these proposals would have to be. */
  lose({ upToSeq, isCertain }: LostProposals): void {
    for (const [seq, { reject }] of this.#pending) {
      if (seq > upToSeq) break;
      this.#pending.delete(seq);
      const error = isCertain
        ? new TswarmError('no_leader', 'the change was not made: another manager leads now', {
            retryable: true,
          })
        : new TswarmError('unavailable', OUTCOME_UNKNOWN, { retryable: true });
      reject(error);
    }
  }

  /**
   * What was proposed here may or may not be in the next leader's log. Its first entry tells; if none
   * comes, nobody is kept waiting for long.
   */
  lostLeadership(nowMs: number): void {
    const deadlineMs = nowMs + LOST_LEADERSHIP_WAIT_MS;
    for (const pending of this.#pending.values()) {
      pending.deadlineMs = Math.min(pending.deadlineMs, deadlineMs);
    }
  }

  sweep(nowMs: number): void {
    for (const [seq, { deadlineMs, reject }] of this.#pending) {
      if (deadlineMs > nowMs) break; // In order of proposal, and all have the same timeout.
      this.#pending.delete(seq);
      const message = 'the change was not confirmed in time; it may still take effect';
      reject(new TswarmError('deadline_exceeded', message, { retryable: true }));
    }
  }

  rejectAll(error: TswarmError): void {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(error);
  }
}
