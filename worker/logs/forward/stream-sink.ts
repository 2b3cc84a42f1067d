// A sink over TCP, TLS or a stream socket of the file system. What was written counts as taken when the kernel has it, or, for packets with a chunk id, when the server
// has answered. A connection that the server has ended is noticed before the next packet; one that takes or answers nothing for a while is given up.
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import type { LogAddress } from '#protocol/log-drivers';
import { FORWARD_CONNECT_MS, FORWARD_STOP_MS } from '../../limits.ts';
import { takeAcks } from './fluentd.ts';
import type { Packet, Sink } from './sink.ts';
import { dialError, SendError } from './sink.ts';

export interface StreamOptions {
  readonly address: LogAddress;
  /** Undefined: no TLS. */
  readonly tls?: ConnectionOptions;
  readonly writeTimeoutMs: number;
  /** A connection older than this is replaced, so that another server behind the same name gets its share; 0 = never. */
  readonly reconnectMs: number;
}

export class StreamSink implements Sink {
  readonly #options: StreamOptions;
  readonly #nowMs: () => number;
  #socket: Socket | undefined;
  /** It is being connected. */
  #pending: Socket | undefined;
  #openedMs = 0;
  /** Chunk ids that the server has answered with and nobody has looked at yet. */
  readonly #acks = new Set<string>();

  constructor(options: StreamOptions, nowMs: () => number) {
    this.#options = options;
    this.#nowMs = nowMs;
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  async open(): Promise<void> {
    const { reconnectMs, address, tls } = this.#options;
    if (reconnectMs > 0 && this.#nowMs() - this.#openedMs > reconnectMs) this.close();
    if (this.#socket) return;
    const { host, port, path, scheme } = address;
    const place = path === '' ? { host, port } : { path };
    const shown = path === '' ? `${host.includes(':') ? `[${host}]` : host}:${port}` : path;
    const socket = tls ? connectTls({ ...place, ...tls }) : connect(place);
    this.#pending = socket;
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' }));
    }, FORWARD_CONNECT_MS);
    try {
      await once(socket, tls ? 'secureConnect' : 'connect');
    } catch (error) {
      socket.destroy();
      throw dialError(path === '' ? 'tcp' : scheme, shown, error);
    } finally {
      clearTimeout(timer);
      this.#pending = undefined;
    }
    this.#take(socket);
  }

  #take(socket: Socket): void {
    this.#socket = socket;
    this.#openedMs = this.#nowMs();
    this.#acks.clear();
    socket.setKeepAlive(true);
    // Only a send keeps the worker alive.
    socket.unref();
    let answer = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      const taken = takeAcks(Buffer.concat([answer, bytes]));
      // What a server says without being asked means nothing here.
      answer = Buffer.from(taken?.rest ?? []);
      for (const ack of taken?.acks ?? []) this.#acks.add(ack);
      if (taken && taken.acks.length > 0) socket.emit('ack');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    socket.on('timeout', () => socket.destroy(new Error('the server takes nothing')));
    // The server has nothing more to say: it takes nothing more either.
    socket.on('end', () => socket.destroy());
  }

  async send(packets: readonly Packet[]): Promise<void> {
    const socket = this.#socket;
    if (!socket) throw new SendError(0, new Error('not connected'));
    const expected = packets.filter(({ chunk }) => chunk !== '');
    socket.ref();
    socket.setTimeout(this.#options.writeTimeoutMs);
    try {
      await written(socket, Buffer.concat(packets.map(({ bytes }) => bytes)));
      if (expected.length > 0) await this.#answered(socket, expected);
    } catch (error) {
      this.close();
      const acked = packets.findIndex(({ chunk }) => chunk === '' || !this.#acks.has(chunk));
      throw new SendError(expected.length > 0 ? Math.max(0, acked) : 0, error);
    } finally {
      if (this.#socket === socket) socket.setTimeout(0);
      socket.unref();
      for (const { chunk } of expected) this.#acks.delete(chunk);
    }
  }

  async #answered(socket: Socket, expected: readonly Packet[]): Promise<void> {
    while (expected.some(({ chunk }) => !this.#acks.has(chunk))) {
      await new Promise<void>((resolve, reject) => {
        const end = (error?: unknown): void => {
          socket.off('ack', end);
          socket.off('close', closed);
          if (error === undefined) resolve();
          else reject(error);
        };
        const closed = (): void => end(new Error('the server closed the connection'));
        if (socket.destroyed) closed();
        socket.once('ack', end);
        socket.once('close', closed);
      });
    }
  }

  close(): void {
    this.#pending?.destroy(new Error('no longer wanted'));
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    // What is written may still leave.
    socket.setTimeout(FORWARD_STOP_MS);
    socket.end(() => socket.destroy());
  }
}

/** Resolves when the kernel has it. */
function written(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('the server closed the connection'));
    if (socket.destroyed) {
      closed();
      return;
    }
    socket.once('close', closed);
    socket.write(bytes, (error) => {
      socket.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
  });
}
