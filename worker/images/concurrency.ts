// Waiting in line: a lock per key, and a limit on how much runs at one time. Both are fair (first
// come, first served) and give way when aborted.
import { TswarmError } from '#protocol/errors';

/** The error for work that its caller gave up. */
export function cancelled(what: string): TswarmError {
  return new TswarmError('cancelled', `${what}: cancelled`);
}

/** One holder per key at a time. */
export class KeyedLock {
  /** key → resolves when the last in line has left */
  readonly #tails = new Map<string, Promise<void>>();

  async with<T>(key: string, run: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const tail = before.then(() => left);
    this.#tails.set(key, tail);
    await before;
    try {
      return await run();
    } finally {
      leave();
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }

  isHeld(key: string): boolean {
    return this.#tails.has(key);
  }
}

/** At most `limit` at one time. */
export class Limiter {
  #free: number;
  readonly #line: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async with<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#line.push(resolve));
    try {
      if (signal?.aborted === true) throw cancelled('waiting');
      return await run();
    } finally {
      const next = this.#line.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Runs all; the first failure aborts `abort` and is thrown after every one has ended. */
export async function allOrAbort<T>(
  tasks: readonly (() => Promise<T>)[],
  abort: AbortController,
): Promise<readonly T[]> {
  let failure: { readonly error: unknown } | undefined;
  const settled = await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        return await task();
      } catch (error) {
        failure ??= { error };
        abort.abort();
        throw error;
      }
    }),
  );
  if (failure !== undefined) throw failure.error;
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Waits, or throws `cancelled`. */
export function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(cancelled('waiting'));
    const stop = (): void => {
      clearTimeout(timer);
      reject(cancelled('waiting'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
