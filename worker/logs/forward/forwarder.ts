// Sends one container's log: reads on from where it had got to, encodes, hands over, notes the place. While the server is away it waits and the log's files are the buffer;
// the container is never held up. Lines are sent in order, and again only when it cannot be known whether the server had them.
// Counted and said, in the node's log and to the server itself: lines that rotation deleted before they were sent, and what was given up after the tries that were asked for.
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import {
  FORWARD_BATCH_MAX,
  FORWARD_RETRY_MS_MAX,
  FORWARD_RETRY_MS_MIN,
  FORWARD_STOP_MS,
} from '../../limits.ts';
import { delay, within } from '../../queue.ts';
import type { LogSource } from '../log-waker.ts';
import type { LogMessage } from './message.ts';
import { MessageMaker } from './message.ts';
import { PositionFile, readForward } from './read-forward.ts';
import type { Packet } from './sink.ts';
import { SendError } from './sink.ts';
import type { Route } from './sinks.ts';

export interface ForwarderOptions {
  readonly containerId: string;
  readonly logPath: string;
  readonly positionPath: string;
  readonly source: LogSource;
  readonly route: Route;
  readonly log: Log;
  /** RFC 3339, of what the forwarder itself says. */
  readonly now: () => string;
}

const GAP = 'tswarm: lines before this one were rotated away before they could be sent';

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #position: PositionFile;
  readonly #messages: MessageMaker;
  readonly #stopping = new AbortController();
  readonly #wakers = new Set<() => void>();
  /** The container will write nothing more, whatever its source says. */
  #isEnding = false;
  #isFailing = false;
  #loop: Promise<void> | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#position = new PositionFile(options.positionPath);
    this.#messages = new MessageMaker(options.containerId);
  }

  /** Finds out whether the server can be had. @throws Error with Docker's words */
  async open(): Promise<void> {
    const { route } = this.#options;
    await route.sink.open().catch((error: unknown) => {
      if (!route.isAsync) throw error;
    });
  }

  /** Sends from now on, until the container has ended and all of its log is sent. Nothing when it does. */
  start(): void {
    this.#loop ??= this.#run().catch((error: unknown) => {
      if (this.#stopping.signal.aborted || this.#isEnding) return;
      this.#say('log is not sent any more', { error });
    });
  }

  /** What is left is sent if the server takes it, within this time. @returns whether all of it was */
  async finish(limitMs: number): Promise<boolean> {
    if (!this.#loop) return true;
    this.#isEnding = true;
    for (const wake of this.#wakers) wake();
    const isSent = this.#isFailing
      ? undefined
      : await within(
          this.#loop.then(() => true),
          limitMs,
        );
    await this.stop();
    return isSent === true && !this.#isFailing;
  }

  /** What is under way may come to its end; then it holds nothing open. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#loop) await within(this.#loop, FORWARD_STOP_MS);
    this.#options.route.sink.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { route, logPath } = this.#options;
    const { signal } = this.#stopping;
    const from = { path: logPath, position: this.#position.read(), source: this.#source() };
    try {
      for await (const batch of readForward(from, signal)) {
        const messages: LogMessage[] = batch.isAfterGap ? [this.#gap()] : [];
        messages.push(...batch.entries.map((entry) => this.#messages.message(entry)));
        await this.#deliver(messages.flatMap((message) => route.encode(message)));
        await this.#position.write(batch);
      }
    } finally {
      route.sink.close();
      this.#position.close();
    }
  }

  /** @throws when it is to stop and the server does not take them */
  async #deliver(packets: readonly Packet[]): Promise<void> {
    const { route } = this.#options;
    let rest = packets;
    for (let tries = 0; rest.length > 0; ) {
      try {
        await route.sink.open();
        await route.sink.send(rest.slice(0, FORWARD_BATCH_MAX));
        rest = rest.slice(FORWARD_BATCH_MAX);
        tries = 0;
        this.#isFailing = false;
      } catch (error) {
        const sent = error instanceof SendError ? error.sentCount : 0;
        rest = rest.slice(sent);
        tries = sent > 0 ? 1 : tries + 1;
        if (!this.#isFailing) this.#say('log is not taken, tried again', { error });
        this.#isFailing = true;
        if (this.#isEnding || this.#stopping.signal.aborted) throw error;
        if (tries > route.retriesMax) {
          this.#say('log messages given up', { count: rest.length, error });
          return;
        }
        await delay(pauseMs(tries, route.retryMs), this.#stopping.signal);
        this.#stopping.signal.throwIfAborted();
      }
    }
  }

  #gap(): LogMessage {
    const { containerId, log, now } = this.#options;
    log.warn('log lines rotated away before they were sent', { container: containerId });
    return { stream: 'stderr', line: Buffer.from(GAP), time: now(), piece: undefined };
  }

  #say(what: string, { error, count }: { error: unknown; count?: number }): void {
    const { containerId, log } = this.#options;
    log.warn(what, {
      container: containerId,
      reason: messageOf(error),
      ...(count ? { count } : {}),
    });
  }

  /** The container's, until it is to be finished. */
  #source(): LogSource {
    const { source } = this.#options;
    return {
      isActive: () => !this.#isEnding && source.isActive(),
      onChange: (listener) => {
        const unlisten = source.onChange(listener);
        this.#wakers.add(listener);
        return () => {
          this.#wakers.delete(listener);
          unlisten();
        };
      },
    };
  }
}

/** Doubled from try to try. */
function pauseMs(tries: number, firstMs: number): number {
  const first = firstMs > 0 ? firstMs : FORWARD_RETRY_MS_MIN;
  return Math.min(first * 2 ** Math.min(tries - 1, 10), Math.max(first, FORWARD_RETRY_MS_MAX));
}
