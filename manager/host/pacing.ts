// Two small tools for streams and batches. A Pacer runs an action at once when it was quiet, and otherwise once per interval, whatever the
// number of requests. Wakeups let any number of streams sleep until something may have changed.
import type { CancelSignal } from '#protocol/world';

export class Pacer {
  readonly #intervalMs: number;
  readonly #action: () => Promise<void>;
  #lastMs: number = Number.NEGATIVE_INFINITY;
  #next: { readonly promise: Promise<void>; readonly run: () => void } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(intervalMs: number, action: () => Promise<void>) {
    this.#intervalMs = intervalMs;
    this.#action = action;
  }

  /** Has the action run soon; resolves or rejects with that run. `urgent`: without waiting for the interval. */
  soon(urgent = false): Promise<void> {
    if (this.#next) {
      const { promise, run } = this.#next;
      if (urgent && this.#timer) run();
      return promise;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const run = (): void => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#next = undefined;
      this.#lastMs = performance.now();
      this.#action().then(resolve, reject);
    };
    this.#next = { promise, run };
    const waitMs = urgent ? 0 : this.#lastMs + this.#intervalMs - performance.now();
    if (waitMs > 0) this.#timer = setTimeout(run, waitMs);
    else setImmediate(run);
    return promise;
  }
}

export class Wakeups {
  #sleepers: Set<() => void> = new Set();
  #count = 0;

  /** Number of wake-ups so far: read it before looking at the state, give it to `wait` after. */
  get count(): number {
    return this.#count;
  }

  /** Wakes all who sleep now. */
  wake(): void {
    this.#count++;
    const sleepers = this.#sleepers;
    this.#sleepers = new Set();
    for (const wake of sleepers) wake();
  }

  /** Sleeps until there were more than `seen` wake-ups or `signal` aborts; so none is missed between looking and sleeping. */
  wait(signal: CancelSignal, seen: number): Promise<void> {
    if (signal.aborted || this.#count > seen) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#sleepers.delete(done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      this.#sleepers.add(done);
    });
  }
}
