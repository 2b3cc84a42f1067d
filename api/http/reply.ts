// One answer: whole JSON, an empty status, a stream with back-pressure, or the connection itself (hijack). Stream writers wait for a slow client and
// give it up after WRITE_STALL_TIMEOUT_MS; nothing is buffered beyond the socket's own high-water mark.
// Hijacking: with `Upgrade: tcp` the answer is 101 UPGRADED, else 200 and the same socket goes on raw, as old clients expect.
import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { TswarmError } from '#protocol/errors';
import type { ByteStream } from '#protocol/world';
import { WRITE_STALL_TIMEOUT_MS } from '../limits.ts';

export interface StreamReply {
  /** Resolves when the client has room again; rejects with `cancelled` when it is gone. */
  write(chunk: Uint8Array | string): Promise<void>;
  end(): void;
}

export interface Reply {
  /** True once a status line was sent: an error can no longer become a status. */
  readonly started: boolean;
  /** Of the answer that was started. */
  readonly status: number;
  /** True for what lasts as long as the client wants: streams and taken-over connections. */
  readonly isLong: boolean;
  header(name: string, value: string): void;
  json(status: number, value: unknown): void;
  /** `contentType` with a body that is not JSON. */
  text(status: number, text: string, contentType?: string): void;
  empty(status: number): void;
  /** Sends the headers at once and leaves the body open. */
  stream(status: number, contentType: string): StreamReply;
  /** Takes the connection over. */
  hijack(contentType: string): ByteStream;
  /** The same for another protocol, which the client has asked for with `Upgrade`. */
  upgrade(protocol: string, headers: Readonly<Record<string, string>>): ByteStream;
}

/** How a request reached us: `rest` are bytes of an upgraded connection that were read beyond the head and the body. */
export interface Connection {
  readonly message: IncomingMessage;
  readonly socket: Socket;
  readonly upgrade: boolean;
  rest(): Uint8Array;
}

export class HttpReply implements Reply {
  readonly #response: ServerResponse;
  readonly #connection: Connection;
  readonly #onHijack: () => void;
  #hijacked = false;
  #isStream = false;

  constructor(response: ServerResponse, connection: Connection, onHijack: () => void) {
    this.#response = response;
    this.#connection = connection;
    this.#onHijack = onHijack;
  }

  get started(): boolean {
    return this.#hijacked || this.#response.headersSent;
  }

  get status(): number {
    return this.#hijacked ? 101 : this.#response.statusCode;
  }

  get isLong(): boolean {
    return this.#hijacked || this.#isStream;
  }

  header(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }

  json(status: number, value: unknown): void {
    this.text(status, `${JSON.stringify(value)}\n`, 'application/json');
  }

  text(status: number, text: string, contentType = 'text/plain; charset=utf-8'): void {
    const body = Buffer.from(text);
    this.#response.statusCode = status;
    this.#response.setHeader('Content-Type', contentType);
    this.#response.setHeader('Content-Length', body.length);
    this.#response.end(body);
  }

  empty(status: number): void {
    this.#response.statusCode = status;
    if (status !== 204 && status !== 304) this.#response.setHeader('Content-Length', 0);
    this.#response.end();
  }

  stream(status: number, contentType: string): StreamReply {
    const response = this.#response;
    this.#isStream = true;
    response.statusCode = status;
    if (contentType !== '') response.setHeader('Content-Type', contentType);
    response.flushHeaders();
    return {
      write: (chunk) => writeWithPressure(response, this.#connection.socket, chunk),
      end: () => response.end(),
    };
  }

  hijack(contentType: string): ByteStream {
    const { upgrade, message } = this.#connection;
    const asked = upgrade || /\bupgrade\b/i.test(message.headers.connection ?? '');
    const first = asked
      ? 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n'
      : 'HTTP/1.1 200 OK\r\n';
    return this.#takeOver(`${first}Content-Type: ${contentType}\r\n\r\n`);
  }

  upgrade(protocol: string, headers: Readonly<Record<string, string>>): ByteStream {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.#takeOver(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${lines.join('')}\r\n`,
    );
  }

  #takeOver(head: string): ByteStream {
    this.#hijacked = true;
    this.#onHijack();
    const { socket, upgrade } = this.#connection;
    if (upgrade) this.#response.detachSocket(socket);
    else takeFromParser(socket);
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.write(head);
    return byteStreamOf(socket, this.#connection.rest());
  }
}

const PARSER_EVENTS = ['data', 'end', 'close', 'drain', 'error', 'timeout'] as const;

/** Detaches a socket from node's HTTP parser: what it does itself for an upgrade. Attaching a data listener makes it give the handle back. */
function takeFromParser(socket: Socket): void {
  for (const event of PARSER_EVENTS) socket.removeAllListeners(event);
}

/** A socket as a two-way byte stream, `rest` first. */
export function byteStreamOf(socket: Socket, rest: Uint8Array): ByteStream {
  // Whoever waits for a write learns of it there; without a listener the process would end.
  socket.on('error', () => socket.destroy());
  return {
    read: readSocket(socket, rest),
    write: (chunk) => writeWithPressure(socket, socket, chunk),
    closeWrite: () => {
      socket.end();
    },
    close: () => {
      if (socket.writableEnded) socket.destroySoon();
      else socket.end(() => socket.destroySoon());
    },
  };
}

async function* readSocket(socket: Socket, rest: Uint8Array): AsyncIterable<Uint8Array> {
  if (rest.length > 0) yield rest;
  const waiting: Buffer[] = [];
  let wake: (() => void) | undefined;
  let ended = socket.readableEnded || socket.destroyed;
  const onData = (chunk: Buffer): void => {
    waiting.push(chunk);
    socket.pause();
    wake?.();
  };
  const onEnd = (): void => {
    ended = true;
    wake?.();
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onEnd);
  socket.resume();
  try {
    for (;;) {
      const chunk = waiting.shift();
      if (chunk) yield chunk;
      else if (ended) return;
      else {
        socket.resume();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', onEnd);
    // Go on reading into nothing, so that the client's close is noticed.
    socket.resume();
  }
}

/** Writes and, when the far side is slow, waits for room. */
function writeWithPressure(
  target: Writable,
  socket: Socket,
  chunk: Uint8Array | string,
): Promise<void> {
  if (socket.destroyed || target.destroyed || target.writableEnded) {
    return Promise.reject(new TswarmError('cancelled', 'the client is gone'));
  }
  if (target.write(chunk)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      target.off('drain', onDrain);
      target.off('close', onClose);
      socket.off('close', onClose);
      if (error) reject(error);
      else resolve();
    };
    const onDrain = (): void => finish();
    const onClose = (): void => finish(new TswarmError('cancelled', 'the client is gone'));
    const timer = setTimeout(() => {
      socket.destroy();
      finish(new TswarmError('cancelled', 'the client takes nothing'));
    }, WRITE_STALL_TIMEOUT_MS);
    target.on('drain', onDrain);
    target.on('close', onClose);
    socket.on('close', onClose);
  });
}
