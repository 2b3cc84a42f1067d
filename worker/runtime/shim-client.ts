// Speaks with one container's shim over its socket (native/PROTOCOL.md): one connection per request, frames both ways. Knows nothing of containers' records.
// A connection that ends without the frame that was expected is an error `unavailable`: the shim is gone.
// Reading follows the consumer: while nobody takes output, the socket is paused, and the shim drops us rather than block the container.
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { TswarmError } from '#protocol/errors';
import { ATTACH_BUFFER_BYTES, SHIM_CALL_TIMEOUT_MS } from '../limits.ts';
import { nativeFailure } from './native-call.ts';
import type { Frame } from './shim-frames.ts';
import { encodeFrame, encodeJsonFrame, FRAME, FrameDecoder, frameJson } from './shim-frames.ts';

/** How a process ended, as the shim knows it from waitpid. */
export interface ExitInfo {
  /** 0…255; 128+n when signal n ended it. */
  readonly exitCode: number;
  readonly signal: number;
  readonly oomKilled: boolean;
  /** RFC 3339 with nanoseconds; '' for an exec. */
  readonly finishedAt: string;
  readonly startedAt: string;
}

export interface ShimState {
  readonly pid: number;
  readonly status: 'created' | 'running' | 'stopped';
  readonly startedAt: string;
  readonly exit: ExitInfo | undefined;
}

/** A process's streams; see AttachedStream of the engine interface, which this becomes. */
export interface ShimStream {
  readonly pid: number;
  /** Ends after all output; `exit` is settled then. */
  readonly output: AsyncIterable<{
    readonly stream: 'stdout' | 'stderr';
    readonly data: Uint8Array;
  }>;
  /** Undefined when the stream ended without the process's end (detached, shim gone). */
  readonly exit: Promise<ExitInfo | undefined>;
  write(chunk: Uint8Array): Promise<void>;
  closeStdin(): void;
  resize(width: number, height: number): void;
  close(): void;
}

/** Longest path that fits into a socket address. */
const SOCKET_PATH_MAX = 107;

export class ShimClient {
  readonly #stateDir: string;

  /** `stateDir`: the `--state` folder that the shim was started with. */
  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  /** `startedAt`: RFC 3339 with nanoseconds. */
  async start(): Promise<{ readonly pid: number; readonly startedAt: string }> {
    const answer = await this.#call({ op: 'start' });
    return { pid: Number(answer.pid ?? 0), startedAt: String(answer.startedAt ?? '') };
  }

  async kill(signal: number, all = false): Promise<void> {
    await this.#call({ op: 'kill', signal, all });
  }

  async resize(width: number, height: number): Promise<void> {
    await this.#call({ op: 'resize', width, height });
  }

  /** Deletes the container and ends the shim. */
  async delete(): Promise<void> {
    await this.#call({ op: 'delete' });
  }

  async state(): Promise<ShimState> {
    const answer = await this.#call({ op: 'state' });
    const exit = answer.exit;
    return {
      pid: Number(answer.pid ?? 0),
      status: answer.status as ShimState['status'],
      startedAt: String(answer.startedAt ?? ''),
      exit: exit ? exitInfoOf(exit as Record<string, unknown>) : undefined,
    };
  }

  /**
   * Resolves once the shim has taken the request; `exit` resolves when the container has ended, and is undefined when the shim went away
   * without saying so.
   */
  async wait(): Promise<{ readonly exit: Promise<ExitInfo | undefined>; close(): void }> {
    const connection = await this.#open({ op: 'wait' });
    // A container that runs for months must not keep the process from idling: no timer, only the socket.
    return { exit: connection.ended(), close: () => connection.close() };
  }

  async attach(options: {
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
  }): Promise<ShimStream> {
    const connection = await this.#open({ op: 'attach', ...options });
    return connection.stream();
  }

  /** Starts another process in the container. `process` is an OCI process object. */
  async exec(options: {
    readonly process: unknown;
    readonly stdin: boolean;
    readonly detach: boolean;
  }): Promise<ShimStream> {
    const connection = await this.#open({ op: 'exec', ...options });
    return connection.stream();
  }

  async #call(request: Record<string, unknown>): Promise<Record<string, unknown>> {
    const connection = await this.#open(request);
    connection.close();
    return connection.answer;
  }

  async #open(request: Record<string, unknown>): Promise<ShimConnection> {
    const socket = await this.#connect();
    const connection = new ShimConnection(socket);
    try {
      await connection.request(request);
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  async #connect(): Promise<Socket> {
    const path = `${this.#stateDir}/shim.sock`;
    if (Buffer.byteLength(path) <= SOCKET_PATH_MAX) return connectSocket(path);
    const directory = await open(this.#stateDir, 'r').catch((error: unknown) => {
      throw gone(error);
    });
    try {
      return await connectSocket(`/proc/self/fd/${directory.fd}/shim.sock`);
    } finally {
      await directory.close();
    }
  }
}

function connectSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: false });
    const failed = (error: Error): void => reject(gone(error));
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

function gone(cause: unknown): TswarmError {
  return new TswarmError('unavailable', 'the container’s shim does not answer', {
    retryable: true,
    cause,
  });
}

/** One request and what follows it. */
class ShimConnection {
  answer: Record<string, unknown> = {};
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #queue: Frame[] = [];
  #queuedBytes = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
  }

  async request(body: Record<string, unknown>): Promise<void> {
    this.#socket.write(encodeJsonFrame(FRAME.request, body));
    const timer = setTimeout(() => this.close(), SHIM_CALL_TIMEOUT_MS);
    const frame = await this.#next();
    clearTimeout(timer);
    if (!frame) throw gone(undefined);
    if (frame.type !== FRAME.answer) {
      throw new TswarmError('data_loss', `shim: unexpected frame ${frame.type} before the answer`);
    }
    const answer = frameJson(frame);
    if (answer.ok !== true) {
      throw nativeFailure(String(answer.code ?? ''), String(answer.message ?? 'failed'));
    }
    this.answer = answer;
  }

  async ended(): Promise<ExitInfo | undefined> {
    for (;;) {
      const frame = await this.#next();
      if (!frame) return undefined;
      if (frame.type === FRAME.ended) {
        this.close();
        return exitInfoOf(frameJson(frame));
      }
    }
  }

  stream(): ShimStream {
    let settle: (info: ExitInfo | undefined) => void = () => {};
    const exit = new Promise<ExitInfo | undefined>((resolve) => {
      settle = resolve;
    });
    return {
      pid: Number(this.answer.pid ?? 0),
      output: this.#output(settle),
      exit,
      write: (chunk) => this.#write(encodeFrame(FRAME.stdin, chunk)),
      closeStdin: () => void this.#write(encodeFrame(FRAME.stdinClosed, new Uint8Array(0))),
      resize: (width, height) => void this.#write(encodeJsonFrame(FRAME.resize, { width, height })),
      close: () => this.close(),
    };
  }

  close(): void {
    if (!this.#socket.destroyed) this.#socket.destroy();
    this.#end();
  }

  async *#output(
    settle: (info: ExitInfo | undefined) => void,
  ): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Uint8Array }> {
    let info: ExitInfo | undefined;
    try {
      for (;;) {
        const frame = await this.#next();
        if (!frame) return;
        if (frame.type === FRAME.ended) {
          info = exitInfoOf(frameJson(frame));
          return;
        }
        if (frame.type === FRAME.stdout) yield { stream: 'stdout', data: frame.payload };
        else if (frame.type === FRAME.stderr) yield { stream: 'stderr', data: frame.payload };
      }
    } finally {
      this.close();
      settle(info);
    }
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      // The far side may end first (the program has exited): what is written then has no reader, which is no failure.
      if (this.#closed || !this.#socket.writable) resolve();
      else this.#socket.write(bytes, () => resolve());
    });
  }

  #receive(chunk: Buffer): void {
    let frames: readonly Frame[];
    try {
      frames = this.#decoder.push(chunk);
    } catch {
      this.close();
      return;
    }
    for (const frame of frames) {
      this.#queue.push(frame);
      this.#queuedBytes += frame.payload.length;
    }
    if (this.#queuedBytes > ATTACH_BUFFER_BYTES) this.#socket.pause();
    this.#wake?.();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake?.();
  }

  async #next(): Promise<Frame | undefined> {
    for (;;) {
      const frame = this.#queue.shift();
      if (frame) {
        this.#queuedBytes -= frame.payload.length;
        if (this.#queuedBytes < ATTACH_BUFFER_BYTES / 2 && this.#socket.isPaused()) {
          this.#socket.resume();
        }
        return frame;
      }
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}

/** exit.json or the payload of an ended frame. */
export function exitInfoOf(value: Readonly<Record<string, unknown>>): ExitInfo {
  return {
    exitCode: Number(value.exitCode ?? 0),
    signal: Number(value.signal ?? 0),
    oomKilled: value.oomKilled === true,
    finishedAt: String(value.finishedAt ?? ''),
    startedAt: String(value.startedAt ?? ''),
  };
}
