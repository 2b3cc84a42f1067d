// One call of a gRPC server, over its HTTP/2 stream: messages in and out with back-pressure, and one
// end, whoever makes it: `end`, `reply` and `fail` here, the caller's going, or its time limit. What
// is said after the end is dropped. Messages come as events until somebody iterates over them.
import type { Buffer } from 'node:buffer';
import { EventEmitter } from 'node:events';
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { MethodDescriptor } from '#protocol/codec';
import { messageOf, TswarmError } from '#protocol/errors';
import { errorTrailers, framed, MessageReader, OK_TRAILERS, timeoutMsOf } from './grpc-wire.ts';

const RESPONSE_HEADERS: OutgoingHttpHeaders = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
};
// `sendDate` is not in the types: a date in every answer is of no use to a gRPC caller.
const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };
const AS_TRAILERS = { endStream: true, sendDate: false };

/** Messages that are kept for a slow reader before the caller must wait. */
const QUEUE_MESSAGES = 16;

const CALLER_GONE = new TswarmError('cancelled', 'the caller has gone');

interface CallEvents {
  /** A message of the caller. */
  data: [message: unknown];
  /** The caller has said everything. */
  end: [];
  /** There is room for more. */
  drain: [];
  /** Comes once: nothing can be said any more. */
  close: [];
}

/** Messages that wait for whoever iterates over them. */
interface Inbox {
  readonly queue: unknown[];
  wake: () => void;
}

export interface ServerCallOptions {
  /** Largest message of the caller, in bytes. */
  readonly requestBytesMax: number;
  /** Told once, when the caller owes nothing any more: its request is whole, or the call over. */
  readonly settled: (call: ServerCall) => void;
}

export class ServerCall extends EventEmitter<CallEvents> {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #method: MethodDescriptor<unknown, unknown>;
  readonly #reader: MessageReader;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #settled: (call: ServerCall) => void;
  #abort: AbortController | undefined;
  #isResponding = false;
  #hasRequestEnded = false;
  #isClosed = false;
  /** What the call ends with; set by whoever ends it. */
  #trailers: OutgoingHttpHeaders | undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    method: MethodDescriptor<unknown, unknown>,
    options: ServerCallOptions,
  ) {
    super();
    this.#stream = stream;
    this.#headers = headers;
    this.#method = method;
    this.#reader = new MessageReader(options.requestBytesMax);
    this.#settled = options.settled;
    const timeoutMs = timeoutMsOf(headers['grpc-timeout']);
    if (timeoutMs !== undefined) {
      this.#timer = setTimeout(() => this.#late(), timeoutMs);
    }
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('end', () => this.#requestEnded());
    stream.on('drain', () => this.emit('drain'));
    stream.on('wantTrailers', () => this.#sendTrailers());
    // The close follows; nobody else can do anything about it.
    stream.on('error', () => undefined);
    stream.on('aborted', () => this.#streamClosed());
    stream.on('close', () => this.#streamClosed());
  }

  /** The connection. */
  get session(): object | undefined {
    return this.#stream.session;
  }

  /** `address:port` of the caller; '' when it is gone. */
  get callerAddress(): string {
    const socket = this.#stream.session?.socket;
    return socket?.remoteAddress === undefined
      ? ''
      : `${socket.remoteAddress}:${socket.remotePort}`;
  }

  /** Whether this side has ended the call or the caller has gone. */
  get isOver(): boolean {
    return this.#isClosed || this.#trailers !== undefined || this.#stream.closed;
  }

  /** Aborted when the call is over before this side has ended it. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#isClosed) this.#abort.abort(CALLER_GONE);
    }
    return this.#abort.signal;
  }

  /** Text metadata of the caller; '' when there is none. */
  metadata(key: string): string {
    const value = this.#headers[key];
    return typeof value === 'string' ? value : (value?.[0] ?? '');
  }

  /** Says one message. False: wait for `drain` or `close`. */
  write(message: unknown): boolean {
    if (this.isOver) return true;
    this.#respond();
    return this.#stream.write(framed(this.#method.response.encode(message)));
  }

  /** Resolves when there is room, or nothing to be said any more. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.off('drain', done);
        this.off('close', done);
        resolve();
      };
      this.on('drain', done);
      this.on('close', done);
      if (this.isOver) done();
    });
  }

  /** The only message, and the end. */
  reply(message: unknown): void {
    if (this.isOver) return;
    const bytes = framed(this.#method.response.encode(message));
    this.#trailers = OK_TRAILERS;
    this.#respond();
    this.#stream.end(bytes);
    this.#ended();
  }

  /** All is said. */
  end(): void {
    if (this.isOver) return;
    this.#trailers = OK_TRAILERS;
    this.#respond();
    this.#stream.end();
    this.#ended();
  }

  /** Ends with an error. `more`: metadata beside what every error has. */
  fail(error: unknown, more: Readonly<Record<string, string>> = {}): void {
    if (this.isOver) return;
    this.#trailers = { ...errorTrailers(error), ...more };
    if (this.#isResponding) this.#stream.end();
    else {
      this.#stream.respond({ ...RESPONSE_HEADERS, ...this.#trailers }, AS_TRAILERS);
      this.#refuseRest();
    }
    this.#ended();
  }

  /** The caller's messages, each taken once. @throws TswarmError cancelled when it has gone */
  messages(): AsyncGenerator<unknown, void, void> {
    const inbox: Inbox = { queue: [], wake: () => undefined };
    this.on('data', (message) => {
      inbox.queue.push(message);
      if (inbox.queue.length >= QUEUE_MESSAGES) this.#stream.pause();
      inbox.wake();
    });
    this.on('end', () => inbox.wake());
    this.on('close', () => inbox.wake());
    return this.#drain(inbox);
  }

  async *#drain(inbox: Inbox): AsyncGenerator<unknown, void, void> {
    for (;;) {
      if (inbox.queue.length > 0) {
        const message = inbox.queue.shift();
        if (inbox.queue.length === 0) this.#stream.resume();
        yield message;
      } else if (this.#hasRequestEnded) return;
      else if (this.isOver) throw CALLER_GONE;
      else {
        await new Promise<void>((resolve) => {
          inbox.wake = resolve;
        });
      }
    }
  }

  #take(chunk: Buffer): void {
    if (this.isOver) return; // Read on, so that the stream can end.
    try {
      this.#reader.push(chunk, (bytes) => {
        if (!this.isOver) this.emit('data', this.#decoded(bytes));
      });
    } catch (error) {
      this.fail(error);
    }
  }

  #decoded(bytes: Buffer): unknown {
    try {
      return this.#method.request.decode(bytes);
    } catch (cause) {
      const text = `${this.#method.path}: the request cannot be read: ${messageOf(cause)}`;
      throw new TswarmError('invalid_argument', text, { cause });
    }
  }

  #requestEnded(): void {
    // The stream of a caller that goes ends, too: not all was said.
    if (this.#hasRequestEnded || this.#stream.closed || this.#stream.aborted) return;
    this.#hasRequestEnded = true;
    this.#settled(this);
    if (this.isOver) return;
    if (this.#reader.isWithin) {
      this.fail(new TswarmError('invalid_argument', 'the request ends within a message'));
    } else this.emit('end');
  }

  #respond(): void {
    if (this.#isResponding) return;
    this.#isResponding = true;
    this.#stream.respond(RESPONSE_HEADERS, WITH_TRAILERS);
  }

  #sendTrailers(): void {
    if (this.#stream.destroyed) return;
    this.#stream.sendTrailers(this.#trailers ?? OK_TRAILERS);
    this.#refuseRest();
  }

  /** Everything is said: what the caller still sends is of no use to anybody. */
  #refuseRest(): void {
    if (this.#hasRequestEnded) return;
    // Behind the trailers, which would otherwise be lost with the stream.
    setImmediate(() => {
      if (!this.#stream.destroyed) this.#stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }

  #late(): void {
    const error = new TswarmError('deadline_exceeded', 'the time for this call is over', {
      retryable: true,
    });
    this.fail(error);
    this.#abort?.abort(error);
  }

  #ended(): void {
    clearTimeout(this.#timer);
    // A paused stream would never close.
    this.#stream.resume();
  }

  #streamClosed(): void {
    if (this.#isClosed) return;
    const isCut = this.#trailers === undefined;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#settled(this);
    // What nobody reads any more must not keep the stream from its end.
    this.#stream.resume();
    if (isCut) this.#abort?.abort(CALLER_GONE);
    this.emit('close');
  }
}
