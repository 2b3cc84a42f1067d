// Starts shims over small bundles and speaks their protocol (native/PROTOCOL.md), for tests.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { program } from './programs.ts';

const SHIM = program('tswarm-shim');
export const RUNTIME: string = program('tswarm-runtime');

export const FRAME = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  resize: 3,
  stdinClosed: 4,
  request: 0x51,
  reply: 0x52,
  ended: 0x58,
} as const;

export interface Reply {
  readonly ok: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly pid?: number;
  readonly status?: string;
  readonly startedAt?: string | null;
  readonly exit?: Ended | null;
  readonly execs?: number;
}

export interface Ended {
  readonly exitCode: number;
  readonly signal: number;
  readonly oomKilled?: boolean;
  readonly finishedAt?: string;
  readonly startedAt?: string | null;
}

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

export interface LogRecord {
  readonly log: string;
  readonly stream: string;
  readonly time: string;
}

/** The bytes of one frame. */
export function frame(type: number, payload: string | Buffer = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const header = Buffer.alloc(8);
  header.writeUInt8(type, 0);
  header.writeUInt32LE(body.length, 4);
  return Buffer.concat([header, body]);
}

/** One connection to a shim. */
export class Client {
  readonly socket: Socket;
  #frames: Frame[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #closed = false;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on('data', (data) => this.#take(data));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  #take(data: Buffer): void {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    while (this.#rest.length >= 8) {
      const length = this.#rest.readUInt32LE(4);
      if (this.#rest.length < 8 + length) break;
      this.#frames.push({
        type: this.#rest.readUInt8(0),
        payload: this.#rest.subarray(8, 8 + length),
      });
      this.#rest = this.#rest.subarray(8 + length);
    }
    this.#wake();
  }

  send(type: number, payload: string | Buffer = ''): void {
    this.socket.write(frame(type, payload));
  }

  /** The next frame, or null once the connection is closed. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const found = this.#frames.shift();
      if (found) return found;
      if (this.#closed) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async request(request: object): Promise<Reply> {
    this.send(FRAME.request, JSON.stringify(request));
    const found = await this.next();
    if (found?.type !== FRAME.reply) throw new Error('the shim gave no reply');
    return JSON.parse(found.payload.toString()) as Reply;
  }

  /** Everything until the connection ends. */
  async collect(): Promise<{ out: Buffer; err: Buffer; ended: Ended | null }> {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let ended: Ended | null = null;
    for (;;) {
      const found = await this.next();
      if (!found) return { out: Buffer.concat(out), err: Buffer.concat(err), ended };
      if (found.type === FRAME.stdout) out.push(found.payload);
      else if (found.type === FRAME.stderr) err.push(found.payload);
      else if (found.type === FRAME.ended) ended = JSON.parse(found.payload.toString()) as Ended;
    }
  }

  close(): void {
    this.socket.destroy();
  }
}

export interface BundleOptions {
  readonly tty?: boolean;
  readonly stdin?: boolean;
  readonly memoryBytes?: number;
  readonly sharePids?: boolean;
  readonly mounts?: readonly object[];
  readonly shim?: readonly string[];
  readonly state?: string;
}

let count = 0;

/** A container that runs one command with the host's /usr. */
export class Container {
  readonly folder: string;
  readonly id: string;
  readonly state: string;
  readonly log: string;
  readonly #options: BundleOptions;

  constructor(command: readonly string[], options: BundleOptions = {}) {
    this.#options = options;
    this.folder = mkdtempSync('/run/tswarm-shim-test-');
    this.id = `shimtest-${process.pid}-${++count}`;
    this.state = options.state ?? join(this.folder, 'state');
    this.log = join(this.folder, 'container.log');
    const root = join(this.folder, 'rootfs');
    for (const name of ['usr', 'dev', 'proc', 'sys', 'tmp', 'etc', 'run'])
      mkdirSync(join(root, name), { recursive: true });
    for (const name of ['bin', 'lib', 'lib64', 'sbin'])
      symlinkSync(`usr/${name}`, join(root, name));
    writeFileSync(join(this.folder, 'config.json'), JSON.stringify(this.#config(command)));
  }

  #config(command: readonly string[]): object {
    const { tty = false, memoryBytes, sharePids = false, mounts = [] } = this.#options;
    const namespaces = ['network', 'ipc', 'uts', 'mount', ...(sharePids ? [] : ['pid'])];
    return {
      ociVersion: '1.0.2',
      process: {
        terminal: tty,
        user: { uid: 0, gid: 0 },
        args: command,
        env: ['PATH=/usr/bin:/bin', 'TERM=xterm'],
        cwd: '/',
      },
      root: { path: 'rootfs' },
      hostname: 'shimtest',
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
        {
          destination: '/dev/pts',
          type: 'devpts',
          source: 'devpts',
          options: ['newinstance', 'ptmxmode=0666', 'mode=0620'],
        },
        { destination: '/usr', type: 'bind', source: '/usr', options: ['rbind', 'ro'] },
        ...mounts,
      ],
      linux: {
        cgroupsPath: `/tswarm-shim-test/${this.id}`,
        namespaces: namespaces.map((type) => ({ type })),
        resources: memoryBytes ? { memory: { limit: memoryBytes, swap: memoryBytes } } : {},
      },
    };
  }

  /** Runs the shim until it has created the container; stderr is empty when that worked. */
  create(runtime: string = RUNTIME): { status: number | null; stderr: string } {
    const { tty, stdin, shim = [] } = this.#options;
    const run = spawnSync(SHIM, [
      ...['--id', this.id, '--bundle', this.folder, '--state', this.state],
      ...['--runtime', runtime, '--runtime-root', join(this.folder, 'runtime')],
      ...['--log-file', this.log],
      ...(tty ? ['--tty'] : []),
      ...(stdin ? ['--stdin'] : []),
      ...shim,
    ]);
    return { status: run.status, stderr: run.stderr.toString() };
  }

  client(): Client {
    return new Client(join(this.state, 'shim.sock'));
  }

  async request(request: object): Promise<Reply> {
    const client = this.client();
    try {
      return await client.request(request);
    } finally {
      client.close();
    }
  }

  async attach(want: { stdin?: boolean; stdout?: boolean; stderr?: boolean }): Promise<Client> {
    const client = this.client();
    const reply = await client.request({ op: 'attach', ...want });
    if (!reply.ok) throw new Error(`attach: ${reply.message}`);
    return client;
  }

  /** Waits for the container's end. */
  async wait(): Promise<Ended> {
    const client = this.client();
    await client.request({ op: 'wait' });
    const { ended } = await client.collect();
    if (!ended) throw new Error('the shim went away before the container ended');
    return ended;
  }

  exec(args: readonly string[], more: object = {}, process: object = {}): Promise<[Reply, Client]> {
    const client = this.client();
    const description = {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
      ...process,
    };
    return client
      .request({ op: 'exec', process: description, ...more })
      .then((reply) => [reply, client] as [Reply, Client]);
  }

  records(suffix = ''): LogRecord[] {
    const text = readFileSync(this.log + suffix, 'utf8');
    // What is behind the last newline is being written at this moment.
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogRecord);
  }

  /** What the container wrote to one stream, as the log has it. */
  logged(stream: string): string {
    return this.records()
      .filter((item) => item.stream === stream)
      .map((item) => item.log)
      .join('');
  }

  exitFile(): Ended {
    return JSON.parse(readFileSync(join(this.state, 'exit.json'), 'utf8')) as Ended;
  }

  shimPid(): number {
    return Number(readFileSync(join(this.state, 'shim.pid'), 'utf8').split(' ')[0]);
  }

  /** Deletes the container if it is there, and everything on disk. */
  async remove(): Promise<void> {
    await this.request({ op: 'delete' }).catch(() => null);
    spawnSync(RUNTIME, ['--root', join(this.folder, 'runtime'), 'delete', '--force', this.id]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
