// Goal: a unary call is answered as soon as its message is there, whole, and once, however the caller divides what it sends; what is no unary request is still refused.
// Method: HTTP/2 by hand, because grpc-js's own clients always send message and end together.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { promptUnary } from '#protocol/transport/prompt-unary';

const LARGE_BYTES = 1024 * 1024;

const server = new grpc.Server({ interceptors: [promptUnary] });
let session: ClientHttp2Session;
let handled = 0;
let cancelled = 0;

const identity = (bytes: Buffer): Buffer => bytes;
const method = (name: string, responseStream = false): grpc.MethodDefinition<Buffer, Buffer> => ({
  path: `/test.Test/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
});

beforeAll(async () => {
  const echo: grpc.handleUnaryCall<Buffer, Buffer> = ({ request }, answer) => {
    handled++;
    const text = request.toString();
    if (text === 'fail') answer({ code: grpc.status.NOT_FOUND, details: 'no such thing' });
    else if (text === 'large') answer(null, Buffer.alloc(LARGE_BYTES, 7));
    else answer(null, Buffer.from(`heard ${text}`));
  };
  const wait: grpc.handleUnaryCall<Buffer, Buffer> = (call) => {
    call.on('cancelled', () => cancelled++);
  };
  const several: grpc.handleServerStreamingCall<Buffer, Buffer> = (call) => {
    for (const text of ['a', 'b']) call.write(Buffer.from(text));
    call.end();
  };
  server.addService(
    { echo: method('echo'), wait: method('wait'), several: method('several', true) },
    { echo, wait, several },
  );
  const credentials = grpc.ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  session = connect(`http://127.0.0.1:${port}`);
});

afterAll(() => {
  session.destroy();
  server.forceShutdown();
});

function framed(text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function open(name: string): ClientHttp2Stream {
  return session.request({
    ':method': 'POST',
    ':path': `/test.Test/${name}`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
}

interface Outcome {
  readonly status: string;
  readonly message: string;
  readonly messages: readonly Buffer[];
}

/** What a call has come to when the server has said its status, whether or not the caller has closed its side. */
function outcome(stream: ClientHttp2Stream): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const done = (headers: Readonly<Record<string, unknown>>): void => {
      const messages: Buffer[] = [];
      let rest = Buffer.concat(parts);
      while (rest.length >= 5) {
        const end = 5 + rest.readUInt32BE(1);
        messages.push(rest.subarray(5, end));
        rest = rest.subarray(end);
      }
      const message = decodeURIComponent(String(headers['grpc-message'] ?? ''));
      resolve({ status: String(headers['grpc-status']), message, messages });
    };
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('response', (headers) => {
      if (headers['grpc-status'] !== undefined) done(headers);
    });
    stream.on('trailers', done);
    stream.on('error', reject);
  });
}

describe('a unary call', () => {
  it('is answered, status included, before the caller has closed its side', async () => {
    const stream = open('echo');
    stream.write(framed('hello'));
    const { status, messages } = await outcome(stream);
    expect([status, messages.map(String)]).toEqual(['0', ['heard hello']]);
    expect(stream.writableEnded).toBe(false);
    stream.end();
  });

  it('is answered once when the end comes in a packet of its own, or a message in pieces', async () => {
    const before = handled;
    const stream = open('echo');
    const bytes = framed('in pieces');
    for (const byte of bytes) {
      stream.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const answered = outcome(stream);
    stream.end();
    expect((await answered).messages.map(String)).toEqual(['heard in pieces']);
    expect(handled).toBe(before + 1);
  });

  it('brings a large answer whole, and an error as it is', async () => {
    const large = open('echo');
    large.end(framed('large'));
    const { status, messages } = await outcome(large);
    expect([status, messages.length, messages[0]?.length]).toEqual(['0', 1, LARGE_BYTES]);
    expect(messages[0]?.every((byte) => byte === 7)).toBe(true);
    const failing = open('echo');
    failing.end(framed('fail'));
    const failed = await outcome(failing);
    expect([failed.status, failed.message]).toEqual([
      String(grpc.status.NOT_FOUND),
      'no such thing',
    ]);
  });

  it('without a message is refused, and no handler runs', async () => {
    const before = handled;
    const stream = open('echo');
    stream.end();
    expect((await outcome(stream)).status).not.toBe('0');
    expect(handled).toBe(before);
  });

  it('that the caller gives up reaches the handler', async () => {
    const stream = open('wait');
    stream.on('error', () => {});
    stream.write(framed('x'));
    while (handled === 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => session.ping(resolve));
    stream.close(8); // CANCEL
    const endMs = performance.now() + 20_000;
    while (cancelled === 0 && performance.now() < endMs)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(cancelled).toBe(1);
  });
});

it('a second message does not run the handler again', async () => {
  const before = handled;
  const stream = open('echo');
  stream.end(Buffer.concat([framed('one'), framed('two')]));
  const { messages } = await outcome(stream);
  expect(messages.map(String).filter((text) => text !== 'heard one')).toEqual([]);
  expect(handled).toBe(before + 1);
});

it('a stream of answers is left to grpc-js', async () => {
  const stream = open('several');
  stream.end(framed('x'));
  const { status, messages } = await outcome(stream);
  expect([status, messages.map(String)]).toEqual(['0', ['a', 'b']]);
});
