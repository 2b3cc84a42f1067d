// Changes that are tried out and never proposed: a chain of transactions on a copy of one state, as the
// log would have them, so that whoever asks "what would happen" gets the answer of the code that does
// it. Costs nothing until something is written (persistent maps). Refuses to be committed.
import { Writer } from '#protocol/codec';
import type { StoreState, StoreView, StoreWriteView } from './state.ts';
import { viewOf } from './state.ts';
import { type Change, Transaction } from './transaction.ts';

/** What one step gave. */
export interface RehearsedStep<T> {
  readonly value: T;
  readonly changes: readonly Change[];
}

export class Rehearsal {
  #state: StoreState;

  constructor(base: StoreState) {
    this.#state = base;
  }

  /** The state after the steps so far. */
  get view(): StoreView {
    return viewOf(this.#state);
  }

  /** One transaction at a time of its own. When `fn` throws, the step has not happened. */
  step<T>(nowMicros: number, fn: (tx: StoreWriteView) => T): RehearsedStep<T> {
    const transaction = new Transaction(this.#state, nowMicros);
    const value = fn(transaction);
    const { changes } = transaction.finish(Writer.create());
    this.#state = transaction.draft.finish(this.#state);
    return { value, changes };
  }
}
