// Logs of several containers as one stream: cutting into entries, order by time, bounded reading ahead, following containers that come later.

import { describe, expect, it } from 'vitest';
import { LOG_MERGE_BACKLOG_MAX } from '#api/limits';
import { type LogEntry, readEntries } from '#api/logs/entries';
import { LogMerge } from '#api/logs/merge';
import { taskLogs } from '#api/logs/task-logs';
import type { OutputFrame } from '#protocol/engine';
import { ContainerStatus, Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import { FakeManager, fakeEngine, fakeNode, realClock, silentLog } from './fakes.ts';

async function* frames(
  ...parts: (string | [string, 'stdout' | 'stderr'])[]
): AsyncIterable<OutputFrame> {
  for (const part of parts) {
    const [text, stream] = typeof part === 'string' ? ([part, 'stdout'] as const) : part;
    yield { stream, data: Buffer.from(text) };
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

const stamp = (second: number, fraction = ''): string =>
  `2026-01-02T03:04:${String(second).padStart(2, '0')}${fraction}Z`;

describe('log entries', () => {
  it('joins what a frame cuts and keeps streams apart', async () => {
    const got = await all(
      readEntries(
        frames(
          `${stamp(1)} one\n${stamp(2)} tw`,
          [`${stamp(3)} err\n`, 'stderr'],
          'o\n',
          `${stamp(4)} no end`,
        ),
      ),
    );
    expect(got.map((e) => [e.stream, e.time, e.data.toString()])).toEqual([
      ['stdout', stamp(1), 'one\n'],
      ['stderr', stamp(3), 'err\n'],
      ['stdout', stamp(2), 'two\n'],
      ['stdout', stamp(4), 'no end'],
    ]);
  });

  it('takes a stamp at the start of a frame for a new piece of a long line', async () => {
    const got = await all(readEntries(frames(`${stamp(1)} part`, `${stamp(1, '.5')} rest\n`)));
    expect(got.map((e) => e.data.toString())).toEqual(['part', 'rest\n']);
  });

  it('takes the pieces of a frame as if each had come alone', async () => {
    const pieces = [`${stamp(1)} part`, `${stamp(1, '.5')} rest\n`, `${stamp(2)} next\n`];
    const ends = pieces.map((_, index) => pieces.slice(0, index + 1).join('').length);
    async function* one(): AsyncIterable<OutputFrame> {
      yield { stream: 'stdout', data: Buffer.from(pieces.join('')), ends };
    }
    const got = await all(readEntries(one()));
    expect(got.map((e) => e.data.toString())).toEqual(['part', 'rest\n', 'next\n']);
  });

  it('takes details apart from the line only where they were asked for', async () => {
    const lines = [`${stamp(1)} a=b,c=d e f\n`, `${stamp(2)}  no details\n`];
    const show = (e: LogEntry): string[] => [e.details, e.data.toString()];
    expect((await all(readEntries(frames(...lines), true))).map(show)).toEqual([
      ['a=b,c=d', 'e f\n'],
      ['', 'no details\n'],
    ]);
    expect((await all(readEntries(frames(...lines)))).map(show)).toEqual([
      ['', 'a=b,c=d e f\n'],
      ['', ' no details\n'],
    ]);
  });

  it('orders times with and without fractions', async () => {
    const got = await all(
      readEntries(frames(`${stamp(1, '.5')} b\n`, `${stamp(1)} a\n`, `${stamp(1, '.50001')} c\n`)),
    );
    const sorted = [...got].sort((a, b) => (a.key < b.key ? -1 : 1));
    expect(sorted.map((e) => e.data.toString())).toEqual(['a\n', 'b\n', 'c\n']);
  });
});

function entries(...seconds: number[]): AsyncIterable<LogEntry> {
  return readEntries(frames(...seconds.map((s) => `${stamp(s)} ${s}\n`)));
}

describe('log merge', () => {
  it('interleaves by time and ends when all sources have', async () => {
    const merge = new LogMerge<string>(
      () => performance.now(),
      () => {},
    );
    merge.add('a', entries(1, 4, 5));
    merge.add('b', entries(2, 3, 6));
    merge.complete();
    const got = await all(merge.read());
    expect(got.map((m) => `${m.tag}${m.entry.data.toString().trim()}`)).toEqual([
      'a1',
      'b2',
      'b3',
      'a4',
      'a5',
      'b6',
    ]);
    // Told of what can be sent together, never of the last one.
    expect(got.at(-1)?.more).toBe(false);
    expect(got.some((m) => m.more)).toBe(true);
  });

  it('does not wait for ever for a silent source', async () => {
    const merge = new LogMerge<string>(
      () => performance.now(),
      () => {},
    );
    let release = (): void => {};
    const silent = new Promise<void>((resolve) => {
      release = resolve;
    });
    merge.add('a', entries(1));
    merge.add(
      'b',
      (async function* quiet() {
        await silent;
        yield* entries(2);
      })(),
    );
    merge.complete();
    const iterator = merge.read()[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.tag).toBe('a');
    release();
    expect((await iterator.next()).value?.tag).toBe('b');
    expect((await iterator.next()).done).toBe(true);
  });

  it('reads a source only so far ahead of the client', async () => {
    const merge = new LogMerge<string>(
      () => performance.now(),
      () => {},
    );
    let read = 0;
    merge.add(
      'a',
      (async function* endless() {
        for (;;) {
          read++;
          yield* entries(read % 60);
        }
      })(),
    );
    const iterator = merge.read()[Symbol.asyncIterator]();
    await iterator.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(read).toBeLessThan(LOG_MERGE_BACKLOG_MAX + 10);
    merge.stop();
  });
});

function task(id: string, container: string, state: TaskState, run = 1): Task {
  return Task.create({
    id,
    serviceId: 's1',
    serviceName: 'web',
    slot: 1,
    nodeId: 'n'.repeat(25),
    status: TaskStatus.create({
      state,
      run,
      containerStatus: ContainerStatus.create({ containerId: container }),
    }),
  });
}

describe('task logs', () => {
  it('follows tasks that start later and containers that start again, without repeating lines', async () => {
    const manager = new FakeManager();
    manager.put({ task: task('t1', 'c1', TaskState.RUNNING) });
    const node = await fakeNode(manager);
    const session = node.session();
    if (!session) throw new Error('no session');
    const asked: [string, number][] = [];
    const engine = fakeEngine({
      containers: {
        logs: async (id: never, options: { sinceMicros: number }) => {
          asked.push([id, options.sinceMicros]);
          const second = asked.length;
          return { tty: false, output: frames(`${stamp(second)} ${id} run ${second}\n`) };
        },
      },
    });
    const controller = new AbortController();
    const got: string[] = [];
    const reading = (async () => {
      const stream = taskLogs(
        {
          logsOf: async (_task, id, options, signal) =>
            (await engine.containers.logs(id, options, signal)).output,
          cache: session.cache,
          clock: realClock,
          log: silentLog,
        },
        {
          stdout: true,
          stderr: true,
          follow: true,
          sinceMicros: 0,
          untilMicros: 0,
          tail: -1,
          details: false,
        },
        { selects: (t) => t.serviceId === 's1', isOver: () => false },
        controller.signal,
      );
      for await (const { entry } of stream) got.push(entry.data.toString().trim());
    })();
    const until = async (count: number): Promise<void> => {
      while (got.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await until(1);
    manager.put({ task: task('t2', 'c2', TaskState.RUNNING) });
    await until(2);
    manager.put({ task: task('t1', 'c1', TaskState.RUNNING, 2) });
    await until(3);
    controller.abort();
    await reading;
    manager.breakStreams();
    await session.cache.stop();
    expect(got).toEqual(['c1 run 1', 'c2 run 2', 'c1 run 3']);
    const first = Date.parse(stamp(1)) * 1000;
    expect(asked).toEqual([
      ['c1', 0],
      ['c2', 0],
      ['c1', first + 1],
    ]);
  });
});
