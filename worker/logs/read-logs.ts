// Reads a container's json-file log: from the start or the last N lines, between two times, and then on as it grows. Following is woken by inotify on the
// container's folder (one watch sees growth and rotation), never by a timer. A line is given once, in order, also across rotations.
import { Buffer } from 'node:buffer';
import type { LogOptions, OutputFrame } from '#protocol/engine';
import type { CancelSignal } from '#protocol/world';
import type { LogBatch } from './follow-log.ts';
import { batchesOf, followLog } from './follow-log.ts';
import type { LogFile } from './log-files.ts';
import { closeAll, LineReader, openLogFiles, tailStart } from './log-files.ts';
import type { LogEntry } from './log-line.ts';
import { microsOf } from './log-line.ts';
import type { LogSource } from './log-waker.ts';
import { LogWaker, waitForFile } from './log-waker.ts';

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
  const waker = log.follow ? new LogWaker(options.path, options.source, signal) : undefined;
  try {
    for await (const { entries } of readBatches(options, waker, signal)) {
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

async function* readBatches(
  options: ReadLogsOptions,
  waker: LogWaker | undefined,
  signal: CancelSignal,
): AsyncGenerator<LogBatch> {
  if (!(await waitForFile(options.path, waker))) return;
  const { files } = await openLogFiles(options.path);
  let current: LogFile | undefined;
  try {
    const { tail } = options.log;
    const starts =
      tail >= 0 ? await tailStart(files, tail) : files.map((file) => ({ file, offset: 0 }));
    for (const { file, offset } of starts) {
      const reader = new LineReader(file.handle, offset);
      yield* batchesOf(file, reader, signal, waker ? undefined : file.sizeBytes);
      if (file === files.at(-1) && waker) {
        current = file;
        yield* followLog(options.path, file, reader, waker, signal);
      }
    }
    if (waker && starts.length === 0) {
      // `tail 0`: only what comes from now on.
      const last = files.at(-1);
      if (!last) return;
      const { size } = await last.handle.stat();
      yield* followLog(options.path, last, new LineReader(last.handle, size), waker, signal);
    }
  } finally {
    await closeAll(files.filter((file) => file !== current));
    await current?.handle.close().catch(() => undefined);
  }
}
