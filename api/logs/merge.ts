// Merges the logs of several containers into one stream, by time as far as that is possible: the oldest entry goes out when every source that is
// still open shows one, or when it has waited LOG_MERGE_WAIT_MS for the others. Each source is read only LOG_MERGE_BACKLOG_MAX entries
// ahead, so that memory stays bounded and a slow client slows the reading.
import { messageOf } from '#protocol/errors';
import { LOG_MERGE_BACKLOG_MAX, LOG_MERGE_WAIT_MS } from '../limits.ts';
import type { LogEntry } from './entries.ts';

export interface MergedEntry<Tag> {
  readonly tag: Tag;
  readonly entry: LogEntry;
  /** The next one is there already. */
  readonly more: boolean;
}

interface Source<Tag> {
  readonly tag: Tag;
  readonly queue: { readonly entry: LogEntry; readonly arrivedMs: number }[];
  open: boolean;
  room: (() => void) | undefined;
}

export class LogMerge<Tag> {
  readonly #sources = new Set<Source<Tag>>();
  readonly #nowMs: () => number;
  readonly #onFailure: (tag: Tag, reason: string) => void;
  #wake: (() => void) | undefined;
  #complete = false;
  #stopped = false;

  constructor(nowMs: () => number, onFailure: (tag: Tag, reason: string) => void) {
    this.#nowMs = nowMs;
    this.#onFailure = onFailure;
  }

  /** Starts reading a source. `onEnd` is called when it has ended and all of it was taken over. */
  add(tag: Tag, entries: AsyncIterable<LogEntry>, onEnd: () => void = () => {}): void {
    const source: Source<Tag> = { tag, queue: [], open: true, room: undefined };
    this.#sources.add(source);
    void this.#fill(source, entries).then(onEnd);
  }

  /** No further sources will be added: `read` ends when those there are have ended. */
  complete(): void {
    this.#complete = true;
    this.#wake?.();
  }

  /** Ends `read` at once. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
    for (const source of this.#sources) source.room?.();
  }

  async *read(): AsyncIterable<MergedEntry<Tag>> {
    while (!this.#stopped) {
      const oldest = this.#oldest();
      if (!oldest && this.#complete && this.#sources.size === 0) return;
      const waitMs = oldest ? this.#waitOf(oldest) : undefined;
      if (!oldest || (waitMs !== undefined && waitMs > 0)) {
        await this.#change(waitMs);
        continue;
      }
      const taken = oldest.queue.shift();
      oldest.room?.();
      this.#dropIfDone(oldest);
      if (taken) yield { tag: oldest.tag, entry: taken.entry, more: this.#hasNext() };
    }
  }

  /** Whether an entry can go out without waiting. */
  #hasNext(): boolean {
    const oldest = this.#oldest();
    return oldest !== undefined && this.#waitOf(oldest) <= 0;
  }

  #oldest(): Source<Tag> | undefined {
    let found: Source<Tag> | undefined;
    for (const source of this.#sources) {
      const key = source.queue[0]?.entry.key;
      if (key === undefined) continue;
      if (!found || key < (found.queue[0]?.entry.key ?? '')) found = source;
    }
    return found;
  }

  /** How long the oldest entry still has to wait for sources that show nothing. */
  #waitOf(oldest: Source<Tag>): number {
    const silent = [...this.#sources].some((s) => s.open && s.queue.length === 0);
    if (!silent) return 0;
    return (oldest.queue[0]?.arrivedMs ?? 0) + LOG_MERGE_WAIT_MS - this.#nowMs();
  }

  #change(waitMs: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = waitMs === undefined ? undefined : setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #fill(source: Source<Tag>, entries: AsyncIterable<LogEntry>): Promise<void> {
    try {
      for await (const entry of entries) {
        source.queue.push({ entry, arrivedMs: this.#nowMs() });
        this.#wake?.();
        while (source.queue.length >= LOG_MERGE_BACKLOG_MAX && !this.#stopped) {
          await new Promise<void>((resolve) => {
            source.room = resolve;
          });
        }
        if (this.#stopped) break;
      }
    } catch (error) {
      if (!this.#stopped) this.#onFailure(source.tag, messageOf(error));
    }
    source.open = false;
    this.#dropIfDone(source);
    this.#wake?.();
  }

  #dropIfDone(source: Source<Tag>): void {
    if (!source.open && source.queue.length === 0) this.#sources.delete(source);
  }
}
