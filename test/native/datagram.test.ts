// Goal: what the worker sends to sockets of the file system arrives, long messages as memory files; a receiver that was started anew is found, one that is not there is told.
// Method: tswarm-datagram behind its sink of the worker, a receiver in C (the runtime has no such sockets).
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { DatagramHelpers, UnixDatagramSink } from '#worker/logs/forward/datagram-sink';
import { routeOf } from '#worker/logs/forward/sinks';
import { PATIENCE, program } from './programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-datagram-'));
const receiver = join(folder, 'receiver');
execFileSync('cc', ['-O1', '-o', receiver, 'test/native/datagram-receiver.c']);
const path = join(folder, 'socket');
const helpers = new DatagramHelpers(dirname(program('tswarm-datagram')));
let child: ChildProcess | undefined;
let lines: string[] = [];

async function listen(): Promise<void> {
  lines = [];
  const started = spawn(receiver, [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  child = started;
  let text = '';
  started.stdout.on('data', (bytes) => {
    text += String(bytes);
    lines = text.split('\n').slice(0, -1);
  });
  await vi.waitFor(() => expect(lines).toEqual(['ready']), 10_000 * PATIENCE);
}

async function end(): Promise<void> {
  const ending = child;
  child = undefined;
  if (ending) {
    const ended = new Promise((resolve) => ending.once('close', resolve));
    ending.kill('SIGKILL');
    await ended;
  }
  rmSync(path, { force: true });
}

afterEach(end);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const packet = (text: string) => ({ bytes: Buffer.from(text), chunk: '' });

describe('datagrams to a socket of the file system', () => {
  it('arrive one by one, long ones as memory files', async () => {
    await listen();
    const sink = new UnixDatagramSink(path, helpers);
    await sink.open();
    await sink.send([packet('one'), packet('two ✓'), packet('x'.repeat(700_000))]);
    await vi.waitFor(
      () => expect(lines.slice(1)).toEqual(['3 one', '7 two ✓', `file 700000 ${'x'.repeat(40)}`]),
      10_000 * PATIENCE,
    );
    sink.close();
  });

  it('go to the receiver that comes after, and are told when there is none', async () => {
    await listen();
    const sink = new UnixDatagramSink(path, helpers);
    await sink.open();
    await end();
    await expect(sink.send([packet('lost')])).rejects.toMatchObject({ sentCount: 0 });
    await listen();
    await sink.send([packet('again')]);
    await vi.waitFor(() => expect(lines).toContain('5 again'), 10_000 * PATIENCE);
    sink.close();
    await end();
    await expect(sink.open()).rejects.toThrow(
      `dial unixgram ${path}: connect: no such file or directory`,
    );
  });

  it('are how the host’s own syslog and the journal are reached', async () => {
    await listen();
    const subject = {
      labels: {},
      env: [],
      id: 'a'.repeat(64),
      name: 'web',
      imageId: '',
      imageName: 'i',
      hostname: 'h',
      command: '',
    };
    const origin = { subject, tag: 't', attributes: {}, createdAt: '', pid: 7 };
    const deps = {
      helpers,
      nowMs: () => 0,
      localSyslog: [join(folder, 'nothing'), path],
      journalSocket: path,
    };
    const message = {
      stream: 'stdout',
      line: Buffer.from('hi'),
      time: '2026-01-01T00:00:00Z',
      piece: undefined,
    } as const;
    for (const driver of ['syslog', 'journald'] as const) {
      const { sink, encode } = routeOf(driver, {}, origin, deps);
      await sink.open();
      await sink.send(encode(message));
      sink.close();
    }
    await vi.waitFor(() => expect(lines.join('\n')).toContain('CONTAINER_ID='), 10_000 * PATIENCE);
    expect(lines[1]).toMatch(/^\d+ <30>/);
    await end();
    await expect(routeOf('journald', {}, origin, deps).sink.open()).rejects.toThrow(
      'journald is not enabled on this host',
    );
    await expect(routeOf('syslog', {}, origin, deps).sink.open()).rejects.toThrow(
      'Unix syslog delivery error',
    );
  });
});
