// Streams of JSON objects: progress of pull, push, build and load (lines end with CR LF, errors after the headers are a line of their own), and
// bounded queues between a source that pushes and a client that may be slow.
import type { EngineJson, Progress } from '#protocol/engine';
import { messageOf, TswarmError } from '#protocol/errors';
import type { CancelSignal } from '#protocol/world';
import { codeOf, statusOf } from './errors.ts';
import type { Reply } from './reply.ts';

/**
 * Sends progress. The first object is awaited before the headers go out, so that a failure before it is a plain error with its own
 * status; a later one becomes `{errorDetail, error}`.
 */
export async function sendProgress(reply: Reply, progress: Progress): Promise<void> {
  const iterator = progress[Symbol.asyncIterator]();
  try {
    let next = await iterator.next();
    const stream = reply.stream(200, 'application/json');
    try {
      while (!next.done) {
        await stream.write(`${JSON.stringify(next.value)}\r\n`);
        next = await iterator.next();
      }
    } catch (error) {
      if (codeOf(error) === 'cancelled') return;
      await stream.write(`${JSON.stringify(errorLine(error))}\r\n`);
    }
    stream.end();
  } finally {
    await iterator.return?.();
  }
}

function errorLine(error: unknown): EngineJson {
  const message = messageOf(error);
  const exitCode = (error as { exitCode?: unknown } | null)?.exitCode;
  const code = typeof exitCode === 'number' ? exitCode : statusOf(error);
  return { errorDetail: { code, message }, error: message };
}

/** A queue that is pushed to from callbacks and read as an async iterable. Overflow ends it with an error: the reader must start over. */
export class BoundedQueue<T> {
  readonly #max: number;
  readonly #what: string;
  readonly #items: T[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #error: Error | undefined;

  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  push(item: T): void {
    if (this.#ended || this.#error) return;
    if (this.#items.length >= this.#max) {
      this.fail(
        new TswarmError('resource_exhausted', `${this.#what}: the client reads too slowly`),
      );
      return;
    }
    this.#items.push(item);
    this.#wake?.();
  }

  get size(): number {
    return this.#items.length;
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#wake?.();
  }

  /** Reads until `end`, an error, or the signal. */
  async *read(signal: CancelSignal): AsyncIterable<T> {
    const stop = (): void => this.end();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) {
          yield item;
          continue;
        }
        if (this.#error) throw this.#error;
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
