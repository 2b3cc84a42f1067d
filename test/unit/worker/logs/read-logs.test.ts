// Goal: no line of a log is lost or given twice, whatever a rotation or a torn end does; tail, since, until and follow are exact. Method: a writer that
// rotates as the shim does (rename, or empty in place), real files in a temporary folder, inotify for following.
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { piecesOf } from '#api/http/frames';
import type { LogOptions, OutputFrame } from '#protocol/engine';
import { microsOf, parseLogLine } from '#worker/logs/log-line';
import type { LogSource } from '#worker/logs/log-waker';
import { readLogs } from '#worker/logs/read-logs';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Writes as tswarm-shim: json lines, `x` → `x.1` → … */
class Writer {
  readonly path: string;
  readonly #filesMax: number;
  count = 0;

  constructor(filesMax: number) {
    const folder = mkdtempSync(join(tmpdir(), 'tswarm-logs-'));
    folders.push(folder);
    this.path = join(folder, 'c-json.log');
    this.#filesMax = filesMax;
  }

  line(stream: 'stdout' | 'stderr' = 'stdout'): void {
    const time = new Date(1_700_000_000_000 + this.count * 1000).toISOString();
    appendFileSync(this.path, `${JSON.stringify({ log: `${this.count}\n`, stream, time })}\n`);
    this.count += 1;
  }

  lines(count: number): void {
    for (let index = 0; index < count; index += 1) this.line();
  }

  rotate(): void {
    for (let number = this.#filesMax - 1; number >= 1; number -= 1) {
      const from = number === 1 ? this.path : `${this.path}.${number - 1}`;
      if (existsSync(from)) renameSync(from, `${this.path}.${number}`);
    }
    writeFileSync(this.path, '');
  }
}

class Source implements LogSource {
  active: boolean;
  readonly #listeners = new Set<() => void>();

  constructor(active: boolean) {
    this.active = active;
  }

  isActive(): boolean {
    return this.active;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  end(): void {
    this.active = false;
    for (const listener of this.#listeners) listener();
  }
}

const ALL: LogOptions = {
  stdout: true,
  stderr: true,
  follow: false,
  timestamps: false,
  details: false,
  sinceMicros: 0,
  untilMicros: 0,
  tail: -1,
};

async function read(
  writer: Writer,
  options: Partial<LogOptions> = {},
  source: Source = new Source(false),
): Promise<string[]> {
  const out: string[] = [];
  const log = { ...ALL, ...options };
  const stream = readLogs({ path: writer.path, log, source }, new AbortController().signal);
  for await (const frame of stream) out.push(...linesOf(frame));
  return out;
}

/** The pieces of a frame without their newlines. */
const linesOf = (frame: OutputFrame): string[] =>
  piecesOf(frame).map((piece) => Buffer.from(piece).toString('utf8').trimEnd());

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

describe('reading', () => {
  it('gives all files, oldest first', async () => {
    const writer = new Writer(4);
    for (let file = 0; file < 3; file += 1) {
      writer.lines(5);
      writer.rotate();
    }
    writer.lines(2);
    expect(await read(writer)).toEqual(numbers(0, 17));
  });

  it('gives the last N lines, also across files', async () => {
    const writer = new Writer(4);
    writer.lines(5);
    writer.rotate();
    writer.lines(5);
    writer.rotate();
    writer.lines(2);
    for (const tail of [0, 1, 2, 3, 7, 11, 12, 50]) {
      expect(await read(writer, { tail })).toEqual(numbers(Math.max(0, 12 - tail), 12));
    }
  });

  it('gives the last N of a file that is larger than one read', async () => {
    const writer = new Writer(2);
    writer.lines(5000);
    expect(await read(writer, { tail: 3000 })).toEqual(numbers(2000, 5000));
  });

  it('gives the lines of one stream that are there together as the pieces of a frame, and says whether the next one is there already', async () => {
    const writer = new Writer(2);
    for (const stream of ['stdout', 'stdout', 'stderr', 'stdout'] as const) writer.line(stream);
    const got: unknown[] = [];
    const stream = readLogs(
      { path: writer.path, log: ALL, source: new Source(false) },
      new AbortController().signal,
    );
    for await (const frame of stream) got.push([frame.stream, linesOf(frame), frame.more]);
    expect(got).toEqual([
      ['stdout', ['0', '1'], true],
      ['stderr', ['2'], true],
      ['stdout', ['3'], false],
    ]);
  });

  it('gives bytes as they were written: letters beyond ASCII, escapes, parts without a newline', async () => {
    const writer = new Writer(2);
    const texts = [
      'Grüße, 世界 🎉\n',
      '"a"\t\u001b[1m\\\n',
      '\u2028é\n',
      'part',
      ' of a line\n',
      '\n',
    ];
    for (const log of texts) {
      const line = JSON.stringify({ log, stream: 'stdout', time: '2026-01-02T03:04:05Z' });
      appendFileSync(writer.path, `${line}\n`);
      // As other writers of the format escape what is not ASCII.
      const ascii = line.replaceAll(
        /[^ -~]/g,
        (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
      appendFileSync(writer.path, `${ascii}\n`);
    }
    const stream = readLogs(
      { path: writer.path, log: ALL, source: new Source(false) },
      new AbortController().signal,
    );
    const got: string[] = [];
    for await (const frame of stream) {
      got.push(...piecesOf(frame).map((piece) => Buffer.from(piece).toString('utf8')));
    }
    expect(got).toEqual(texts.flatMap((text) => [text, text]));
  });

  it('keeps to streams and times', async () => {
    const writer = new Writer(2);
    for (let index = 0; index < 10; index += 1) writer.line(index % 2 ? 'stderr' : 'stdout');
    expect(await read(writer, { stderr: false })).toEqual(['0', '2', '4', '6', '8']);
    const second = (index: number): number => (1_700_000_000 + index) * 1_000_000;
    expect(await read(writer, { sinceMicros: second(3), untilMicros: second(6) })).toEqual(
      numbers(3, 7),
    );
  });

  it('prints nine digits of the time', async () => {
    const writer = new Writer(2);
    writer.line();
    expect(await read(writer, { timestamps: true })).toEqual(['2023-11-14T22:13:20.000000000Z 0']);
  });

  it('leaves a torn last line out, and finds the line that was written behind a torn one', async () => {
    const writer = new Writer(2);
    writer.lines(2);
    appendFileSync(writer.path, '{"log":"tor');
    expect(await read(writer)).toEqual(['0', '1']);
    writer.line();
    expect(await read(writer)).toEqual(['0', '1', '2']);
  });

  it('is empty for a container that has written nothing', async () => {
    expect(await read(new Writer(2))).toEqual([]);
  });
});

describe('following', () => {
  /** Reads until the source ends; `act` writes meanwhile. */
  async function follow(
    writer: Writer,
    options: Partial<LogOptions>,
    act: (seen: (count: number) => Promise<void>) => Promise<void>,
  ): Promise<string[]> {
    const source = new Source(true);
    const out: string[] = [];
    const waiting: { count: number; resolve: () => void }[] = [];
    const stream = readLogs(
      { path: writer.path, log: { ...ALL, ...options, follow: true }, source },
      new AbortController().signal,
    );
    const reading = (async () => {
      for await (const frame of stream) {
        out.push(...linesOf(frame));
        for (const waiter of waiting) if (out.length >= waiter.count) waiter.resolve();
      }
    })();
    await act(
      (count) =>
        new Promise((resolve) => {
          if (out.length >= count) resolve();
          else waiting.push({ count, resolve });
        }),
    );
    source.end();
    await reading;
    return out;
  }

  it('goes on over rotations, several between two looks, without losing or doubling a line', async () => {
    const writer = new Writer(10);
    writer.lines(3);
    const out = await follow(writer, {}, async (seen) => {
      await seen(3);
      for (let round = 0; round < 40; round += 1) {
        // Up to three rotations before the reader can look.
        for (let rotation = 0; rotation <= round % 3; rotation += 1) {
          writer.lines(1 + (round % 5));
          writer.rotate();
        }
        writer.lines(round % 4);
        await seen(writer.count);
      }
    });
    expect(out).toEqual(numbers(0, writer.count));
  });

  it('begins with the last N lines, or with none', async () => {
    const writer = new Writer(3);
    writer.lines(10);
    const two = await follow(writer, { tail: 2 }, async (seen) => {
      await seen(2);
      writer.line();
      await seen(3);
    });
    expect(two).toEqual(['8', '9', '10']);
    // Nothing tells when a reader without any line has begun: what was there before must not come, what is written at last must.
    const none = await follow(writer, { tail: 0 }, async (seen) => {
      const timer = setInterval(() => writer.line(), 5);
      await seen(1);
      clearInterval(timer);
    });
    expect(Number(none[0])).toBeGreaterThanOrEqual(11);
  });

  it('waits for a first line', async () => {
    const writer = new Writer(3);
    const out = await follow(writer, {}, async (seen) => {
      writer.lines(2);
      await seen(2);
    });
    expect(out).toEqual(['0', '1']);
  });

  it('goes on in a single file that is emptied when it is full', async () => {
    const writer = new Writer(1);
    writer.lines(4);
    const out = await follow(writer, {}, async (seen) => {
      await seen(4);
      writeFileSync(writer.path, '');
      writer.line();
      await seen(5);
    });
    expect(out).toEqual(numbers(0, 5));
  });

  it('ends when told to', async () => {
    const writer = new Writer(2);
    writer.line();
    const stop = new AbortController();
    const stream = readLogs(
      { path: writer.path, log: { ...ALL, follow: true }, source: new Source(true) },
      stop.signal,
    );
    const out: string[] = [];
    for await (const frame of stream) {
      out.push(Buffer.from(frame.data).toString());
      stop.abort();
    }
    expect(out).toEqual(['0\n']);
  });
});

describe('one line', () => {
  it('keeps microseconds', () => {
    expect(microsOf('2026-11-21T09:18:12.784046700Z') % 1_000_000).toBe(784_046);
    expect(microsOf('2026-11-21T09:18:12Z') % 1_000_000).toBe(0);
    expect(microsOf('never')).toBe(0);
  });

  it('refuses what is no log line', () => {
    expect(parseLogLine('[]')).toBeUndefined();
    expect(parseLogLine('{"log":1}')).toBeUndefined();
    expect(parseLogLine('{"log":"a\\n","stream":"stderr","time":"x"}')).toMatchObject({
      text: 'a\n',
      stream: 'stderr',
    });
  });
});
