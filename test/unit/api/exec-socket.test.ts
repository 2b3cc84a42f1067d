// exec by WebSocket over real TCP, with a hand-written engine behind it: the handshake with those that are refused, the messages both ways with Node's own
// WebSocket client, and frames that break the rules with bytes written by hand.
import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EXEC_PROTOCOL, execRoutes } from '#api/cluster/exec';
import type { Context } from '#api/context';
import { problemOf, statusOf } from '#api/http/errors';
import type { ApiRequest } from '#api/http/request';
import { LOCAL_CALLER, Query } from '#api/http/request';
import { HttpServer, splitTarget } from '#api/http/server';
import { wantsSocket } from '#api/http/websocket';
import { SOCKET_MESSAGE_BYTES_MAX } from '#api/limits';
import type { AttachedStream, EngineJson, OutputFrame } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { ContainerStatus, Task, TaskStatus } from '#protocol/generated/objects';
import { FakeManager, fakeEngine, fakeNode } from './fakes.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** What the fake engine was asked, and what its program is made to say. */
interface Stage {
  readonly calls: string[];
  readonly port: number;
  readonly spec: EngineJson[];
  say(text: string, stream?: OutputFrame['stream']): void;
  end(): void;
}

async function stage(createFails?: Error): Promise<Stage> {
  const calls: string[] = [];
  const spec: EngineJson[] = [];
  const said: (OutputFrame | undefined)[] = [];
  let wake = (): void => {};
  const put = (frame: OutputFrame | undefined): void => {
    said.push(frame);
    wake();
  };
  async function* output(): AsyncIterable<OutputFrame> {
    for (;;) {
      while (said.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const frame = said.shift();
      if (!frame) return;
      yield frame;
    }
  }
  const attached: AttachedStream = {
    tty: true,
    output: output(),
    writeStdin: async (chunk) => void calls.push(`in ${Buffer.from(chunk)}`),
    closeStdin: () => calls.push('eof'),
    detach: () => {
      calls.push('detach');
      put(undefined);
    },
  };
  const manager = new FakeManager();
  const status = TaskStatus.create({
    containerStatus: ContainerStatus.create({ containerId: 'c0ffee' }),
  });
  manager.put({ task: Task.create({ id: 'task1', status }) });
  manager.put({ task: Task.create({ id: 'task2' }) });
  const node = await fakeNode(manager);
  cleanups.push(async () => {
    manager.breakStreams();
    await node.session()?.cache.stop();
  });
  const engine = fakeEngine({
    exec: {
      create: async (container: string, body: EngineJson) => {
        if (createFails) throw createFails;
        calls.push(`create ${container}`);
        spec.push(body);
        return { Id: 'e1' };
      },
      start: async (_id: string, { size }: { size?: { width: number; height: number } }) => {
        calls.push(`start ${size?.width}x${size?.height}`);
        return attached;
      },
      resize: async (_id: string, size: { width: number; height: number }) =>
        calls.push(`resize ${size.width}x${size.height}`),
      inspect: async () => ({ ExitCode: 3 }),
    },
  });
  const [route] = execRoutes({ engine, node } as unknown as Context);
  const server = new HttpServer({
    upgrades: (message) => wantsSocket(message.headers),
    dispatch: async ({ message, signal }, reply) => {
      const { path, query } = splitTarget(message.url ?? '');
      const request = { method: 'GET', path, query: new Query(query), headers: message.headers };
      const rest = { caller: LOCAL_CALLER, scope: 'cluster', version: 1044, params: {}, signal };
      try {
        await route?.handler({ ...request, ...rest } as unknown as ApiRequest, reply);
      } catch (error) {
        reply.json(statusOf(error), problemOf(error));
      }
    },
  });
  const port = await server.listenTcp('127.0.0.1', 0);
  cleanups.push(() => server.close(0));
  return {
    calls,
    port,
    spec,
    say: (text, stream = 'stdout') => put({ stream, data: Buffer.from(text) }),
    end: () => put(undefined),
  };
}

/** A client, and what it has received: text as it is, bytes as `1:text`. */
function client(
  port: number,
  query: string,
): { socket: WebSocket; got: string[]; closed: Promise<number> } {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/tswarm/v1/exec?${query}`, EXEC_PROTOCOL);
  socket.binaryType = 'arraybuffer';
  const got: string[] = [];
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') got.push(data);
    else got.push(`${new Uint8Array(data)[0]}:${Buffer.from(data.slice(1))}`);
  };
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  return { socket, got, closed };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe('exec by WebSocket', () => {
  it('runs a shell in the container of a task: input, output, size, exit status', async () => {
    const { port, calls, spec, say, end } = await stage();
    const { socket, got, closed } = client(port, 'task=task1&width=80&height=24');
    await until(() => got.length === 1);
    expect(JSON.parse(got[0] ?? '')).toMatchObject({ type: 'started', container: 'c0ffee' });
    socket.send(Buffer.from('\0ls\r'));
    socket.send(JSON.stringify({ type: 'resize', width: 100, height: 30 }));
    socket.send(JSON.stringify({ type: 'end-of-input' }));
    await until(() => calls.includes('eof'));
    say('hello ');
    say('oh', 'stderr');
    end();
    expect(await closed).toBe(1000);
    expect(got.slice(1)).toEqual(['1:hello ', '2:oh', '{"type":"exit","code":3}']);
    expect(calls.slice(0, 5)).toEqual([
      'create c0ffee',
      'start 80x24',
      'in ls\r',
      'resize 100x30',
      'eof',
    ]);
    expect(spec[0]).toMatchObject({ Tty: true, AttachStdin: true, Env: ['TERM=xterm-256color'] });
  });

  it('lets go of the program when the client closes', async () => {
    const { port, calls } = await stage();
    const { socket, got, closed } = client(
      port,
      'container=web.1&command=top&command=-b&tty=false',
    );
    await until(() => got.length === 1);
    socket.close();
    await closed;
    await until(() => calls.includes('detach'));
    expect(calls.filter((call) => call.startsWith('in'))).toEqual([]);
    const other = await stage();
    const shell = client(other.port, 'task=task1');
    await until(() => shell.got.length === 1);
    shell.socket.close();
    await until(() => other.calls.includes('in \x03\x04'));
  });

  it('says what is wrong with the container after the handshake', async () => {
    const { port } = await stage();
    const missing = client(port, 'task=task2');
    expect(await missing.closed).toBe(1000);
    expect(JSON.parse(missing.got[0] ?? '')).toMatchObject({
      type: 'error',
      code: 'failed_precondition',
      hint: 'Why it waits: tswarm why task2',
    });
    const failing = await stage(new TswarmError('conflict', 'the container is paused'));
    const refused = client(failing.port, 'task=task1');
    await refused.closed;
    expect(JSON.parse(refused.got[0] ?? '')).toMatchObject({ detail: 'the container is paused' });
  });

  it('ends for messages that make no sense', async () => {
    for (const text of [
      '{',
      '{"type":"dance"}',
      '{"type":"resize","width":-1,"height":2}',
      'null',
    ]) {
      const { port, calls } = await stage();
      const { socket, got, closed } = client(port, 'task=task1');
      await until(() => got.length === 1);
      socket.send(text);
      await closed;
      expect(JSON.parse(got[1] ?? ''), text).toMatchObject({
        type: 'error',
        code: 'invalid_argument',
      });
      expect(got.length).toBe(2);
      expect(calls.filter((call) => call.startsWith('resize'))).toEqual([]);
    }
  });
});

const HANDSHAKE: Readonly<Record<string, string>> = {
  Host: 'node',
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol': EXEC_PROTOCOL,
};

async function handshake(
  port: number,
  change: Readonly<Record<string, string>>,
  query = 'task=task1&command=cat',
): Promise<{ socket: Socket; head: string }> {
  const socket = connect(port, '127.0.0.1');
  cleanups.push(() => void socket.destroy());
  const headers = Object.entries({ ...HANDSHAKE, ...change }).filter(([, value]) => value !== '');
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /tswarm/v1/exec?${query} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const head = await new Promise<string>((resolve) =>
    socket.once('data', (data) => resolve(`${data}`)),
  );
  return { socket, head };
}

/** A frame as a client sends it, with a mask of zeros unless told otherwise. */
function frame(first: number, data: Uint8Array, masked = true): Buffer {
  const head =
    data.length < 126 ? [first, data.length] : [first, 126, data.length >> 8, data.length & 255];
  head[1] = (head[1] ?? 0) | (masked ? 0x80 : 0);
  return Buffer.concat([Buffer.from(head), Buffer.alloc(masked ? 4 : 0), data]);
}

describe('the handshake', () => {
  it('has the answer of RFC 6455, §1.3', async () => {
    const { port } = await stage();
    const { head } = await handshake(port, { Origin: 'https://node' });
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n');
    expect(head).toContain(`Sec-WebSocket-Protocol: ${EXEC_PROTOCOL}\r\n`);
  });

  it.each([
    ['of a page of another site', { Origin: 'https://evil.example' }, 403],
    ['of an unknown origin', { Origin: 'null' }, 403],
    ['of another version', { 'Sec-WebSocket-Version': '8' }, 400],
    ['without a key', { 'Sec-WebSocket-Key': '' }, 400],
    ['with a key that is none', { 'Sec-WebSocket-Key': 'abc' }, 400],
    ['without our protocol', { 'Sec-WebSocket-Protocol': 'chat' }, 400],
    ['that is none', { Connection: 'keep-alive', Upgrade: '' }, 400],
  ] as const)('refuses one %s', async (_, change, status) => {
    const { port, calls } = await stage();
    const { head } = await handshake(port, change);
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(calls).toEqual([]);
  });

  it('refuses sizes and commands that are none', async () => {
    const { port, calls } = await stage();
    for (const query of [
      'task=task1&width=100000',
      'task=task1&command=',
      `task=a${'&command=a'.repeat(101)}`,
    ]) {
      expect((await handshake(port, {}, query)).head, query).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(calls).toEqual([]);
  });
});

describe('frames that break the rules', () => {
  it.each([
    ['without a mask', frame(0x82, Buffer.from('\0a'), false), 1002],
    ['with a reserved bit', frame(0xc2, Buffer.from('\0a')), 1002],
    ['of an unknown kind', frame(0x83, Buffer.from('\0a')), 1002],
    ['that continue nothing', frame(0x80, Buffer.from('\0a')), 1002],
    [
      'that begin inside another message',
      Buffer.concat([frame(0x02, Buffer.from('\0')), frame(0x82, Buffer.from('\0'))]),
      1002,
    ],
    ['of control in parts', frame(0x09, Buffer.from('x')), 1002],
    ['of control that are long', frame(0x89, Buffer.alloc(126)), 1002],
    [
      'too long',
      Buffer.concat([
        Buffer.from([0x82, 0xff]),
        bigLength(SOCKET_MESSAGE_BYTES_MAX + 1),
        Buffer.alloc(4),
      ]),
      1009,
    ],
  ])('ends the connection for frames %s', async (_, bytes, status) => {
    const { port, calls } = await stage();
    const { socket } = await handshake(port, {});
    let got = Buffer.alloc(0);
    socket.on('data', (chunk) => (got = Buffer.concat([got, chunk])));
    const ended = new Promise((resolve) => socket.on('close', resolve));
    socket.write(bytes);
    await ended;
    const close = got.lastIndexOf(Buffer.from([0x88]));
    expect(got.readUInt16BE(close + 2)).toBe(status);
    await until(() => calls.includes('detach'));
    expect(calls.filter((call) => call.startsWith('in'))).toEqual([]);
  });

  it('takes messages in parts, with a ping between them, byte by byte', async () => {
    const { port, calls } = await stage();
    const { socket } = await handshake(port, {});
    let got = Buffer.alloc(0);
    socket.on('data', (chunk) => (got = Buffer.concat([got, chunk])));
    socket.setNoDelay(true);
    const all = Buffer.concat([
      frame(0x02, Buffer.from('\0par')),
      frame(0x89, Buffer.from('ping')),
      frame(0x80, Buffer.from('ts')),
    ]);
    for (const byte of all) socket.write(Buffer.from([byte]));
    await until(() => calls.includes('in parts'));
    await until(() => got.includes(Buffer.from([0x8a, 4, ...Buffer.from('ping')])));
  });
});

function bigLength(size: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(size));
  return out;
}
