// Reads a container's json-file log: from the start or the last N lines, between two times, and then on as it grows. Following is woken by inotify on the
// container's folder (one watch sees growth and rotation), never by a timer. A line is given once, in order, also across rotations.
import { Buffer } from 'node:buffer';
import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogOptions, OutputFrame } from '#protocol/engine';
import type { CancelSignal } from '#protocol/world';
import type { LogFile } from './log-files.ts';
import { closeAll, LineReader, openLogFiles, tailStart } from './log-files.ts';
import type { LogEntry } from './log-line.ts';
import { microsOf, parseLogLine } from './log-line.ts';

/** Whether more can come, and a way to be told when that changes. */
export interface LogSource {
  isActive(): boolean;
  /** @returns how to stop listening */
  onChange(listener: () => void): () => void;
}

export interface ReadLogsOptions {
  readonly path: string;
  readonly log: LogOptions;
  readonly source: LogSource;
  /** Of the container, shown with each line when details are wanted. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The lines: those of one stream that are there together are the pieces of one frame. Ends at the end of the log, or with `follow` when the container has ended or the signal aborts. */
export async function* readLogs(
  options: ReadLogsOptions,
  signal: CancelSignal,
): AsyncGenerator<OutputFrame> {
  const { log } = options;
  const waker = log.follow ? new Waker(options, signal) : undefined;
  try {
    for await (const entries of readEntries(options, waker, signal)) {
      const isOver = (entry: LogEntry): boolean =>
        log.untilMicros > 0 && microsOf(entry.time) > log.untilMicros;
      const end = log.untilMicros > 0 ? entries.findIndex(isOver) : -1;
      const wanted = (end < 0 ? entries : entries.slice(0, end)).filter((entry) =>
        isWanted(entry, log),
      );
      for (let at = 0; at < wanted.length; ) {
        if (signal.aborted) return;
        const next = endOfStream(wanted, at);
        yield frameOf(wanted.slice(at, next), options, next < wanted.length);
        at = next;
      }
      if (end >= 0) return;
    }
  } finally {
    waker?.close();
  }
}

function isWanted(entry: LogEntry, options: LogOptions): boolean {
  if (entry.stream === 'stdout' ? !options.stdout : !options.stderr) return false;
  return options.sinceMicros <= 0 || microsOf(entry.time) >= options.sinceMicros;
}

/** Index behind the entries from `at` on that are of the same stream. */
function endOfStream(entries: readonly LogEntry[], at: number): number {
  const stream = entries[at]?.stream;
  let next = at + 1;
  while (next < entries.length && entries[next]?.stream === stream) next += 1;
  return next;
}

/** @param entries of one stream, at least one */
function frameOf(
  entries: readonly LogEntry[],
  options: ReadLogsOptions,
  more: boolean,
): OutputFrame {
  let text = '';
  const ends: number[] = [];
  for (const entry of entries) {
    text += prefixOf(entry, options) + entry.text;
    ends.push(text.length);
  }
  const data = Buffer.from(text, 'latin1');
  return { stream: entries[0]?.stream ?? 'stdout', data, ends, more };
}

/** Time and details before a line, as asked for: ASCII alone. */
function prefixOf(entry: LogEntry, { log: options, attributes }: ReadLogsOptions): string {
  const details = options.details
    ? `${Object.entries({ ...attributes, ...entry.attributes })
        .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
        .join(',')} `
    : '';
  return options.timestamps ? `${fullNanos(entry.time)} ${details}` : details;
}

/** Nine digits behind the second, as `docker logs -t` prints them. */
function fullNanos(time: string): string {
  return time.replace(/(?:\.(\d+))?Z$/, (_, digits: string | undefined) => {
    return `.${(digits ?? '').padEnd(9, '0')}Z`;
  });
}

async function* readEntries(
  options: ReadLogsOptions,
  waker: Waker | undefined,
  signal: CancelSignal,
): AsyncGenerator<readonly LogEntry[]> {
  if (!(await exists(options.path)) && !(await waitForFile(options.path, waker))) return;
  const files = await openLogFiles(options.path);
  let current: LogFile | undefined;
  try {
    const { tail } = options.log;
    const starts =
      tail >= 0 ? await tailStart(files, tail) : files.map((file) => ({ file, offset: 0 }));
    for (const { file, offset } of starts) {
      const reader = new LineReader(file.handle, offset);
      yield* entriesOf(reader, signal, waker ? undefined : file.sizeBytes);
      if (file === files.at(-1) && waker) {
        current = file;
        yield* follow(options, file, reader, waker, signal);
      }
    }
    if (waker && starts.length === 0) {
      // `tail 0`: only what comes from now on.
      const last = files.at(-1);
      if (!last) return;
      const { size } = await last.handle.stat();
      yield* follow(options, last, new LineReader(last.handle, size), waker, signal);
    }
  } finally {
    await closeAll(files.filter((file) => file !== current));
    await current?.handle.close().catch(() => undefined);
  }
}

async function* entriesOf(
  reader: LineReader,
  signal: CancelSignal,
  endBytes?: number,
): AsyncGenerator<readonly LogEntry[]> {
  for await (const lines of reader.lines(endBytes)) {
    if (signal.aborted) return;
    yield lines.map(parseLogLine).filter((entry) => entry !== undefined);
  }
}

/** Goes on from the newest file; the file is the caller's to close, its successors are closed here. */
async function* follow(
  options: ReadLogsOptions,
  first: LogFile,
  firstReader: LineReader,
  waker: Waker,
  signal: CancelSignal,
): AsyncGenerator<readonly LogEntry[]> {
  let file = first;
  let reader = firstReader;
  try {
    for (;;) {
      // Asked before reading: what is written after this wakes us again.
      const changes = waker.changes;
      const active = options.source.isActive();
      const rotated = (await inodeOf(options.path)) !== file.inode;
      yield* entriesOf(reader, signal);
      if (signal.aborted) return;
      if (rotated) {
        const next = await openLogFiles(options.path, file.inode);
        for (const successor of next) {
          if (file !== first) await file.handle.close();
          file = successor;
          reader = new LineReader(file.handle, 0);
          yield* entriesOf(reader, signal);
        }
        if (next.length > 0) continue;
      }
      if (!active) return;
      await waker.wait(changes);
    }
  } finally {
    if (file !== first) await file.handle.close().catch(() => undefined);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** A container that has not written anything yet. */
async function waitForFile(path: string, waker: Waker | undefined): Promise<boolean> {
  while (waker && !waker.isOver()) {
    const changes = waker.changes;
    if (await exists(path)) return true;
    await waker.wait(changes);
  }
  return exists(path);
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  return info?.ino;
}

/** Counts everything that may mean new lines, and lets one reader wait for the next. */
class Waker {
  changes = 0;
  readonly #options: ReadLogsOptions;
  readonly #signal: CancelSignal;
  readonly #watcher: FSWatcher;
  readonly #unlisten: () => void;
  #wake: (() => void) | undefined;

  constructor(options: ReadLogsOptions, signal: CancelSignal) {
    this.#options = options;
    this.#signal = signal;
    const notify = (): void => this.#notify();
    this.#watcher = watch(dirname(options.path), { persistent: false }, notify);
    this.#watcher.on('error', notify);
    this.#unlisten = options.source.onChange(notify);
    signal.addEventListener('abort', notify, { once: true });
  }

  isOver(): boolean {
    return this.#signal.aborted || !this.#options.source.isActive();
  }

  /** Resolves when something has changed since `seen`. */
  async wait(seen: number): Promise<void> {
    if (this.changes !== seen || this.#signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  #notify(): void {
    this.changes += 1;
    this.#wake?.();
  }

  close(): void {
    this.#watcher.close();
    this.#unlisten();
  }
}
