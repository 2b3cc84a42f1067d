// Linearizable reads that callers of the main thread wait for: asked of the leader under a fresh number for every attempt (etcd #20418), settled once the
// leader has confirmed an index and everything up to it is applied here. Pure but for the promises: time comes as an argument.
// Numbers of two lives of a process never meet: an answer that was on its way when the member was killed finds it again after its restart, in the same
// term, and would confirm a read of the new life with an index from before that read began.
import { TswarmError } from '#protocol/errors';
import { READ_TIMEOUT_MS } from './limits.ts';
import { fromThreadError } from './thread-errors.ts';
import type { AnsweredRead } from './thread-messages.ts';
import type { Waiting } from './waiting.ts';

/** More only brings the numbers near those of one other session in four thousand million. */
const CONTEXTS_PER_SESSION = 2 ** 20;

interface PendingRead extends Waiting<number> {
  readonly deadlineMs: number;
  /** Index to wait for; null until the leader has answered. */
  index: number | null;
}

export class PendingReads {
  readonly #ask: (context: number) => void;
  #nextContext: number;
  readonly #reads = new Map<number, PendingRead>();

  /** `session` names this life of the process, by random bytes; `ask` sends a question with this number to the Raft thread. */
  constructor(session: Uint8Array, ask: (context: number) => void) {
    this.#nextContext = firstContext(session);
    this.#ask = ask;
  }

  /** Resolves with the index that was confirmed, once it is applied. */
  add(nowMs: number): Promise<number> {
    const context = this.#nextContext++;
    this.#ask(context);
    return new Promise((resolve, reject) => {
      const deadlineMs = nowMs + READ_TIMEOUT_MS;
      this.#reads.set(context, { resolve, reject, deadlineMs, index: null });
    });
  }

  answer({ context, index, error }: AnsweredRead): void {
    const read = this.#reads.get(context);
    if (read === undefined) return;
    if (error === null) {
      read.index = index;
    } else {
      this.#reads.delete(context);
      read.reject(fromThreadError(error));
    }
  }

  /** Another leader: what was asked of the one before may never be answered. */
  askAgain(): void {
    for (const [asked, read] of [...this.#reads]) {
      if (read.index !== null) continue;
      this.#reads.delete(asked);
      const context = this.#nextContext++;
      this.#reads.set(context, read);
      this.#ask(context);
    }
  }

  settle(appliedIndex: number): void {
    for (const [context, read] of this.#reads) {
      if (read.index === null || read.index > appliedIndex) continue;
      this.#reads.delete(context);
      read.resolve(read.index);
    }
  }

  sweep(nowMs: number): void {
    for (const [context, { deadlineMs, reject }] of this.#reads) {
      if (deadlineMs > nowMs) continue;
      this.#reads.delete(context);
      reject(new TswarmError('unavailable', 'no leader confirmed the read', { retryable: true }));
    }
  }

  rejectAll(error: TswarmError): void {
    const waiting = [...this.#reads.values()];
    this.#reads.clear();
    for (const { reject } of waiting) reject(error);
  }
}

/** 32 bits of the session, and room for a million attempts before the next session's could begin; all below 2^53. */
function firstContext(session: Uint8Array): number {
  const view = new DataView(session.buffer, session.byteOffset, session.byteLength);
  return view.getUint32(0) * CONTEXTS_PER_SESSION + 1;
}
