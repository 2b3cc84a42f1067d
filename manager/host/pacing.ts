// Small tools for streams and batches. A Pacer runs an action at once as long as that happens
// rarely, a short burst included, and under load once per interval, whatever the number of
// requests. Wakeups let any number of streams sleep until something may have changed; KeyedWakeups
// wake only those whom it concerns, so that thousands of streams cost nothing while they sleep.
import type { CancelSignal } from '#protocol/world';

export interface PacerOptions {
  /** Under load the action runs once in this time. */
  readonly intervalMs: number;
  /** After a quiet time it runs this many times at once before that. */
  readonly burst: number;
}

export class Pacer {
  readonly #options: PacerOptions;
  readonly #action: () => Promise<void>;
  /**
   * When the last of the runs so far would have been due at the pace of load; in the past when
   * there is room for a burst.
   */
  #paceMs: number = Number.NEGATIVE_INFINITY;
  #next: { readonly promise: Promise<void>; readonly run: () => void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restUntilMs: number = Number.NEGATIVE_INFINITY;

  constructor(options: PacerOptions, action: () => Promise<void>) {
    this.#options = options;
    this.#action = action;
  }

  /**
   * Has the action run soon; resolves or rejects with that run. `urgent`: without waiting for the
   * interval.
   */
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
      const { intervalMs } = this.#options;
      this.#paceMs = Math.max(this.#paceMs, performance.now() - intervalMs) + intervalMs;
      this.#action().then(resolve, reject);
    };
    this.#next = { promise, run };
    const waitMs = urgent ? 0 : this.#waitMs();
    if (waitMs > 0) this.#timer = setTimeout(run, waitMs);
    else setImmediate(run);
    return promise;
  }

  /** What the last run has set off keeps this process busy: the next one waits at least this long, unless it is urgent. */
  rest(ms: number): void {
    this.#restUntilMs = performance.now() + ms;
  }

  #waitMs(): number {
    const { intervalMs, burst } = this.#options;
    const now = performance.now();
    const paceMs = Math.min(this.#paceMs - (burst - 1) * intervalMs - now, intervalMs);
    return Math.max(paceMs, this.#restUntilMs - now);
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

  /**
   * Sleeps until there were more than `seen` wake-ups or `signal` aborts; so none is missed between
   * looking and sleeping.
   */
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

/** Wakeups by key, as of a node. */
export class KeyedWakeups {
  readonly #wakeups: Map<string, Wakeups> = new Map();

  /** The key's own. A stream asks once and keeps it. */
  of(key: string): Wakeups {
    const known = this.#wakeups.get(key);
    if (known) return known;
    const wakeups = new Wakeups();
    this.#wakeups.set(key, wakeups);
    return wakeups;
  }

  wake(key: string): void {
    this.#wakeups.get(key)?.wake();
  }

  wakeAll(): void {
    for (const wakeups of this.#wakeups.values()) wakeups.wake();
  }

  /** The key is not used again; who sleeps is woken a last time. */
  delete(key: string): void {
    this.wake(key);
    this.#wakeups.delete(key);
  }
}
