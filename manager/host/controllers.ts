// Runs the controllers on the leader: whenever the state changed, and at the time they asked for,
// one pass of the pure functions in one transaction. Level-triggered: what is lost (a failed
// proposal, a change of leader) is made up for by a pass over everything. Passes are pipelined: the
// next one may run before the last one is committed, on top of it.
import { collectUnused, isMarked } from '#manager/control/stack-remove';
import type { DecisionContext, StoreChange, WriteView } from '#manager/store/view';
import { hasCode, messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import {
  RECONCILE_DEBOUNCE_MS,
  RECONCILE_RETRY_MS_MAX,
  RECONCILE_RETRY_MS_MIN,
  WAKE_GRANULARITY_MS,
} from '../limits.ts';
import type { ReplicatedStore } from './replicated-store.ts';

/** manager/orchestrator's pass and its memory. */
export interface Controllers<Memory> {
  newMemory(): Memory;
  reconcile(
    tx: WriteView,
    changes: readonly StoreChange[] | 'all',
    context: DecisionContext,
    memory: Memory,
  ): { readonly wakeAtMicros: number | undefined };
}

export interface ControllersLoopDeps<Memory> {
  readonly replicated: ReplicatedStore;
  readonly controllers: Controllers<Memory>;
  readonly log: Log;
  nowMicros(): number;
}

/** Longest timer of Node is about 24 days; looking again after an hour costs nothing. */
const WAKE_MS_MAX = 3_600_000;

export class ControllersLoop<Memory> {
  readonly #deps: ControllersLoopDeps<Memory>;
  #memory: Memory | undefined;
  #unsubscribe: (() => void) | undefined;
  #changes: StoreChange[] | 'all' = 'all';
  /** Objects wait for nothing to use them any more. */
  #hasMarked = true;
  #lastPassMs = 0;
  #isScheduled = false;
  #pause: NodeJS.Timeout | undefined;
  #wake: NodeJS.Timeout | undefined;
  #retryMs: number = RECONCILE_RETRY_MS_MIN;

  constructor(deps: ControllersLoopDeps<Memory>) {
    this.#deps = deps;
  }

  /** This manager leads now. */
  start(): void {
    this.#startOver();
    this.#unsubscribe = this.#deps.replicated.store.subscribe((entry) => {
      if (entry === 'reset') this.#startOver();
      else if (!this.#note(entry.changes)) return;
      this.#schedule();
    });
    this.#schedule();
  }

  /** Whether there is something among them to do. */
  #note(changes: readonly StoreChange[]): boolean {
    const ours = changes.filter(concernsControllers);
    if (this.#changes !== 'all') for (const change of ours) this.#changes.push(change);
    return ours.length > 0;
  }

  /** It no longer leads. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#memory = undefined;
    clearTimeout(this.#pause);
    clearTimeout(this.#wake);
    this.#isScheduled = false;
  }

  #startOver(): void {
    this.#memory = this.#deps.controllers.newMemory();
    this.#changes = 'all';
  }

  /** At once after a quiet time, else when the debounce time is over. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const waitMs = this.#lastPassMs + RECONCILE_DEBOUNCE_MS - performance.now();
    if (waitMs > 0) this.#pause = setTimeout(() => this.#pass(), waitMs);
    else setImmediate(() => this.#pass());
  }

  #pass(): void {
    const memory = this.#memory;
    if (!memory) return;
    this.#isScheduled = false;
    this.#lastPassMs = performance.now();
    clearTimeout(this.#wake);
    const changes = this.#changes;
    this.#changes = [];
    const looksForUnused =
      changes === 'all' || this.#hasMarked || changes.some(({ after }) => isMarked(after));
    const { replicated, controllers } = this.#deps;
    replicated
      .update(
        { author: 'controllers', summary: '', splittable: true, retry: false },
        (tx, context) => {
          const { wakeAtMicros } = controllers.reconcile(tx, changes, context, memory);
          if (looksForUnused) this.#hasMarked = collectUnused(tx) > 0;
          if (wakeAtMicros !== undefined) this.#wakeAt(wakeAtMicros);
        },
      )
      .then(
        () => {
          this.#retryMs = RECONCILE_RETRY_MS_MIN;
        },
        (error: unknown) => this.#failed(error, memory),
      );
  }

  #failed(error: unknown, memory: Memory): void {
    if (this.#memory !== memory) return;
    const { log } = this.#deps;
    const expected = hasCode(error, 'no_leader') || hasCode(error, 'unavailable');
    const fields = { error: messageOf(error), retryMs: this.#retryMs };
    if (expected) log.debug('controllers start over', fields);
    else log.error('a pass of the controllers failed', { ...fields, stack: stackOf(error) });
    this.#startOver();
    clearTimeout(this.#pause);
    this.#isScheduled = true;
    this.#pause = setTimeout(() => this.#pass(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RECONCILE_RETRY_MS_MAX);
  }

  #wakeAt(micros: number): void {
    const waitMs = Math.ceil((micros - this.#deps.nowMicros()) / 1000);
    const boundedMs = Math.min(Math.max(waitMs, WAKE_GRANULARITY_MS), WAKE_MS_MAX);
    this.#wake = setTimeout(() => this.#schedule(), boundedMs);
  }
}

/** Nothing is reconciled with bytes: who uses a secret or config says so itself. */
function concernsControllers({ kind, after }: StoreChange): boolean {
  return (kind !== 'secret' && kind !== 'config') || isMarked(after);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '') : '';
}
