// Goal: every line of a log reaches the server once and in order, through rotations, restarts of the forwarder and of the server; what cannot be is counted and said.
// Method: a writer that rotates as the shim does, real sockets on loopback.
import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LogOptions, SendingDriver } from '#protocol/log-drivers';
import type { Log } from '#protocol/world';
import { DatagramHelpers } from '#worker/logs/forward/datagram-sink';
import { Forwarder } from '#worker/logs/forward/forwarder';
import type { LogOrigin } from '#worker/logs/forward/message';
import type { Sink } from '#worker/logs/forward/sink';
import { routeOf } from '#worker/logs/forward/sinks';

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const ORIGIN: LogOrigin = {
  subject: {
    labels: {},
    env: [],
    id: 'a'.repeat(64),
    name: 'web',
    imageId: 'sha256:aa',
    imageName: 'nginx:1',
    hostname: 'node-1',
    command: 'x',
  },
  tag: 't',
  attributes: {},
  createdAt: '',
  pid: 1,
};

/** A server that keeps what it is sent. */
class Receiver {
  text = '';
  readonly sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;
  answer: ((bytes: Buffer, socket: Socket) => void) | undefined;

  async listen(): Promise<void> {
    const server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => undefined);
      socket.on('data', (bytes: Buffer) => {
        this.text += bytes.toString('latin1');
        this.answer?.(bytes, socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    closing.push(() => this.close());
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.sockets) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  /** What came behind `]: ` in syslog's form. */
  get lines(): string[] {
    return [...this.text.matchAll(/\]: (.*)\n/g)].map(([, line = '']) => line);
  }
}

class Container {
  readonly folder = mkdtempSync(join(tmpdir(), 'tswarm-forward-'));
  readonly path = join(this.folder, 'c-json.log');
  active = true;
  count = 0;
  warnings: string[] = [];
  sink: Sink | undefined;
  readonly #listeners = new Set<() => void>();

  constructor() {
    closing.push(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  write(count: number): void {
    let text = '';
    for (let index = 0; index < count; index += 1) {
      const time = '2026-01-01T00:00:00.000000000Z';
      text += `${JSON.stringify({ log: `${this.count}\n`, stream: 'stdout', time })}\n`;
      this.count += 1;
    }
    appendFileSync(this.path, text);
  }

  /** Two files in all. */
  rotate(): void {
    renameSync(this.path, `${this.path}.1`);
    writeFileSync(this.path, '');
  }

  end(): void {
    this.active = false;
    for (const listener of this.#listeners) listener();
  }

  forwarder(driver: SendingDriver, options: LogOptions): Forwarder {
    const sinks = {
      helpers: new DatagramHelpers('/nonexistent'),
      nowMs: () => performance.now(),
      localSyslog: [],
      journalSocket: '',
    };
    const route = routeOf(driver, options, ORIGIN, sinks);
    this.sink = route.sink;
    const warn = (what: string): unknown => this.warnings.push(what);
    const forwarder = new Forwarder({
      containerId: 'a'.repeat(64),
      logPath: this.path,
      positionPath: join(this.folder, 'log-forward', 'position'),
      source: {
        isActive: () => this.active,
        onChange: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      route,
      log: { warn, error: warn } as unknown as Log,
      now: () => '2026-01-01T00:00:00Z',
    });
    closing.push(() => forwarder.stop());
    return forwarder;
  }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000 });

async function syslog(): Promise<{
  receiver: Receiver;
  container: Container;
  options: LogOptions;
}> {
  const receiver = new Receiver();
  await receiver.listen();
  const options = { 'syslog-address': `tcp://127.0.0.1:${receiver.port}` };
  return { receiver, container: new Container(), options };
}

describe('a forwarder', () => {
  it('sends what there is and what comes, through rotations', async () => {
    const { receiver, container, options } = await syslog();
    container.write(3000);
    const forwarder = container.forwarder('syslog', options);
    await forwarder.open();
    forwarder.start();
    for (let round = 0; round < 3; round += 1) {
      await until(() => expect(receiver.lines).toHaveLength(container.count));
      container.rotate();
      container.write(10);
    }
    container.end();
    expect(await forwarder.finish(10_000)).toBe(true);
    await until(() => expect(receiver.lines).toEqual(numbers(0, 3030)));
    expect(container.warnings).toEqual([]);
  });

  it('goes on where the last one ended', async () => {
    const { receiver, container, options } = await syslog();
    for (let round = 0; round < 3; round += 1) {
      container.write(20);
      const forwarder = container.forwarder('syslog', options);
      forwarder.start();
      await until(() => expect(receiver.lines).toHaveLength(container.count));
      await forwarder.stop();
      // In the first file when it is read next time.
      container.write(5);
      if (round < 2) container.rotate();
    }
    const last = container.forwarder('syslog', options);
    last.start();
    await until(() => expect(receiver.lines).toEqual(numbers(0, 75)));
    await last.stop();
  });

  it('waits for a server that has gone, and sends to the one that comes', async () => {
    const { receiver, container, options } = await syslog();
    const forwarder = container.forwarder('syslog', options);
    forwarder.start();
    container.write(5);
    await until(() => expect(receiver.lines).toHaveLength(5));
    await receiver.close();
    // What the kernel takes for a connection that is not seen as gone yet is lost, as with any syslog over TCP.
    await until(() => expect(container.sink?.isOpen).toBe(false));
    container.write(5);
    container.rotate();
    container.write(5);
    await until(() => expect(container.warnings).toEqual(['log is not taken, tried again']));
    await receiver.listen();
    await until(() => expect(receiver.lines).toEqual(numbers(0, 15)));
  });

  it('says what rotation deleted before it could be sent', async () => {
    const { receiver, container, options } = await syslog();
    container.write(5);
    const first = container.forwarder('syslog', options);
    first.start();
    await until(() => expect(receiver.lines).toHaveLength(5));
    await first.stop();
    container.write(5);
    container.rotate();
    container.write(5);
    container.rotate();
    container.write(5);
    unlinkSync(`${container.path}.1`);
    const second = container.forwarder('syslog', options);
    second.start();
    await until(() => expect(receiver.lines.slice(6)).toEqual(numbers(15, 20)));
    expect(receiver.lines[5]).toContain('lines before this one were rotated away');
    expect(container.warnings).toHaveLength(1);
  });

  it('fails at once when nobody answers, unless it is to connect later', async () => {
    const { receiver, container, options } = await syslog();
    await receiver.close();
    const port = receiver.port;
    await expect(container.forwarder('syslog', options).open()).rejects.toThrow(
      `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
    const fluentd = { 'fluentd-address': `127.0.0.1:${port}` };
    await expect(container.forwarder('fluentd', fluentd).open()).rejects.toThrow('refused');
    await container.forwarder('fluentd', { ...fluentd, 'fluentd-async': 'true' }).open();
  });

  it('gives up after the tries that were asked for, and says how many', async () => {
    const { receiver, container } = await syslog();
    await receiver.close();
    container.write(3);
    const forwarder = container.forwarder('fluentd', {
      'fluentd-address': `127.0.0.1:${receiver.port}`,
      'fluentd-async': 'true',
      'fluentd-max-retries': '1',
      'fluentd-retry-wait': '1ms',
    });
    forwarder.start();
    await until(() => expect(container.warnings).toContain('log messages given up'));
  });

  it('sends again what a fluentd server has not acknowledged', async () => {
    const receiver = new Receiver();
    const container = new Container();
    let connections = 0;
    receiver.answer = (bytes, socket) => {
      connections += 1;
      if (connections === 1) {
        socket.destroy();
        return;
      }
      const ids = [...bytes.toString('latin1').matchAll(/\xa5chunk\xb8(.{24})/gs)];
      for (const [, id = ''] of ids) socket.write(Buffer.from(`\x81\xa3ack\xb8${id}`, 'latin1'));
    };
    await receiver.listen();
    container.write(4);
    const forwarder = container.forwarder('fluentd', {
      'fluentd-address': `127.0.0.1:${receiver.port}`,
      'fluentd-request-ack': 'true',
      'fluentd-retry-wait': '1ms',
    });
    forwarder.start();
    container.end();
    await until(() => expect(connections).toBeGreaterThan(1));
    expect(await forwarder.finish(10_000)).toBe(true);
    // Twice, as the first connection said nothing.
    expect(receiver.text.split('source').length - 1).toBe(8);
  });

  it('lets a container go when the server is away', async () => {
    const { receiver, container, options } = await syslog();
    await receiver.close();
    container.write(3);
    const forwarder = container.forwarder('syslog', options);
    forwarder.start();
    await until(() => expect(container.warnings).toHaveLength(1));
    expect(await forwarder.finish(60_000)).toBe(false);
  });
});
