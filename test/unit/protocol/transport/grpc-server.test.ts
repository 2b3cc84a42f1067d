// Goal: our gRPC server says what the protocol asks for, also to callers that do not: wrong methods,
// compressed, oversized, cut and unending messages, time limits, slow readers and writers, odd error
// texts; a call ends once and its handler learns of it. Method: a real server on loopback, called by
// grpc-js and by hand over HTTP/2.
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import type * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import { type NodeCaMethods, NodeCaService } from '#protocol/generated/ca';
import { type ReachMethods, ReachPiece, ReachService } from '#protocol/generated/reach';
import {
  addService,
  type CallContext,
  clientOf,
  connectChannel,
  type Handlers,
} from '#protocol/transport/grpc';
import { GrpcServer } from '#protocol/transport/grpc-server';
import { errorTrailers, framed, MessageReader, timeoutMsOf } from '#protocol/transport/grpc-wire';
import { testCa } from '../../manager/support/pki.ts';

const REQUEST_BYTES_MAX = 100_000;
const ca = testCa();
const identity = ca.identity('m1', CERTIFICATE_ROLE.manager);
const ISSUED = NodeCaService.methods.issueNodeCertificate.response;
const PATH = NodeCaService.methods.getRootCertificate.path;
const server = newServer();
const channels: grpc.Client[] = [];
const sessions: ClientHttp2Session[] = [];
let port = 0;
/** What the unary method does; it gets the context. */
let answer: (context: CallContext) => Promise<string> = async () => 'ok';
/** What `open` does with what comes. */
let conversation: (
  pieces: AsyncIterable<ReachPiece>,
  context: CallContext,
) => AsyncIterable<ReachPiece>;

function newServer(): GrpcServer {
  return new GrpcServer({
    requestBytesMax: REQUEST_BYTES_MAX,
    streamsMax: 100,
    keepaliveMs: 60_000,
    keepaliveTimeoutMs: 60_000,
  });
}

beforeAll(async () => {
  const roots = (): string[] => [ca.caCert];
  addService(
    server,
    NodeCaService,
    {
      getRootCertificate: async (_request, context) => ({ caCert: await answer(context) }),
      issueNodeCertificate: async ({ csr }) => ISSUED.create({ certificate: String(csr.length) }),
    },
    roots,
  );
  const reach: Partial<Handlers<ReachMethods>> = {
    open: (pieces, context) => conversation(pieces, context),
  };
  addService(server, ReachService, reach as Handlers<ReachMethods>, roots);
  port = await server.listen('127.0.0.1:0', identity, false);
});

afterAll(() => {
  for (const channel of channels) channel.close();
  for (const session of sessions) session.destroy();
  server.destroy();
});

function channel(): grpc.Client {
  const made = connectChannel(`127.0.0.1:${port}`, { caCert: ca.caCert }, 'swarm-manager');
  channels.push(made);
  return made;
}

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly resetCode: number | undefined;
}

/** One call by hand; the body goes out in these pieces and stays open unless `ends`. */
async function byHand(
  headers: Record<string, string>,
  pieces: readonly Buffer[] = [],
  ends = true,
): Promise<Answer> {
  const session = connect(`https://127.0.0.1:${port}`, {
    ca: ca.caCert,
    servername: 'swarm-manager',
  });
  sessions.push(session);
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    },
    { endStream: false },
  );
  const body: Buffer[] = [];
  let got: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  stream.on('response', (response) => {
    got = response;
  });
  stream.on('trailers', (all) => {
    trailers = all;
  });
  stream.on('data', (chunk: Buffer) => body.push(chunk));
  stream.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => stream.on('close', () => resolve()));
  for (const piece of pieces) {
    await new Promise((resolve) => stream.write(piece, resolve));
  }
  if (ends) stream.end();
  await closed;
  session.close();
  return { headers: got, trailers, body: Buffer.concat(body), resetCode: stream.rstCode };
}

describe('one request', () => {
  it('is answered with headers, one message and trailers', async () => {
    const { headers, trailers, body } = await byHand({}, [framed(new Uint8Array())]);
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc+proto' });
    expect(headers.date).toBeUndefined();
    expect(trailers['grpc-status']).toBe('0');
    const { caCert } = NodeCaService.methods.getRootCertificate.response.decode(body.subarray(5));
    expect(caCert).toBe('ok');
  });

  it('is answered before its stream has ended, and the rest is refused', async () => {
    const { trailers, resetCode } = await byHand({}, [framed(new Uint8Array())], false);
    expect(trailers['grpc-status']).toBe('0');
    expect(resetCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  it('may come in any pieces', async () => {
    const request = NodeCaService.methods.issueNodeCertificate.request;
    const bytes = framed(request.encode(request.create({ csr: 'x'.repeat(500) })));
    for (const cut of [1, 4, 5, 6, 300, bytes.length - 1]) {
      const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
      const path = NodeCaService.methods.issueNodeCertificate.path;
      const { body, headers, trailers } = await byHand({ ':path': path }, pieces);
      expect([cut, headers['grpc-message'], trailers['grpc-status']]).toEqual([
        cut,
        undefined,
        '0',
      ]);
      expect(ISSUED.decode(body.subarray(5)).certificate).toBe('500');
    }
  });

  it('that is none of ours is told so', async () => {
    const unknown = await byHand({ ':path': '/tswarm.v1.NodeCA/Nothing' });
    expect(unknown.headers['grpc-status']).toBe('12');
    const web = await byHand({ 'content-type': 'application/json' }, [Buffer.from('{}')]);
    expect(web.headers[':status']).toBe(415);
    const got = await byHand({ ':method': 'PUT' }, []);
    expect(got.headers[':status']).toBe(415);
  });

  it('that is missing, cut, compressed or no message is refused', async () => {
    const whole = framed(Uint8Array.of(0x0a, 0x02, 0x61, 0x62));
    const cases: [Buffer[], string][] = [
      [[], '3'],
      [[whole.subarray(0, 7)], '3'],
      [[Buffer.concat([Buffer.of(1), whole.subarray(1)])], '12'],
      [[framed(Uint8Array.of(0x0a, 0xff))], '3'],
    ];
    for (const [pieces, status] of cases) {
      const { headers } = await byHand(
        { ':path': NodeCaService.methods.issueNodeCertificate.path },
        pieces,
      );
      expect([pieces, headers['grpc-status']]).toEqual([pieces, status]);
    }
  });

  it('that is too large is refused by its length alone', async () => {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(REQUEST_BYTES_MAX + 1, 1);
    const { headers } = await byHand({}, [prefix], false);
    expect(headers['grpc-status']).toBe('8');
    expect(headers['grpc-message']).toContain('larger than max');
  });

  it('ends at its time limit, and its handler learns of it', async () => {
    const aborted = Promise.withResolvers<unknown>();
    answer = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          aborted.resolve(signal.reason);
          resolve('too late');
        });
      });
    const { headers } = await byHand({ 'grpc-timeout': '30m' }, [framed(new Uint8Array())]);
    expect(headers['grpc-status']).toBe('4');
    expect(await aborted.promise).toMatchObject({ code: 'deadline_exceeded' });
    answer = async () => 'ok';
  });

  it('whose caller goes is aborted', async () => {
    const started = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    answer = ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve(signal.reason));
      started.resolve();
      return new Promise(() => undefined);
    };
    const stop = new AbortController();
    const call = clientOf(NodeCaService, channel()).getRootCertificate({}, { signal: stop.signal });
    await started.promise;
    stop.abort();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    expect(await aborted.promise).toMatchObject({ code: 'cancelled' });
    answer = async () => 'ok';
  });
});

describe('errors', () => {
  it('keep any text', async () => {
    for (const text of ['100 % müde\n"x"', '\ud800 half', '漢'.repeat(3000), '%41', '']) {
      answer = async () => {
        throw new TswarmError('conflict', text, { hint: text, field: 'A/ä' });
      };
      const error = await clientOf(NodeCaService, channel())
        .getRootCertificate({})
        .catch((e: unknown) => e as TswarmError);
      const { code, message, field, hint } = error as TswarmError;
      expect({ code, field }).toEqual({ code: 'conflict', field: 'A/ä' });
      const expected = text.toWellFormed();
      expect(expected.startsWith(message)).toBe(true);
      expect(expected.startsWith(hint ?? '')).toBe(true);
      if (text.length < 100) expect([message, hint ?? '']).toEqual([expected, expected]);
    }
    answer = async () => 'ok';
  });

  it('in text are cut between characters', () => {
    for (let pad = 0; pad < 12; pad++) {
      const message = 'a'.repeat(pad) + '漢😀'.repeat(2000);
      const trailers = errorTrailers(new TswarmError('internal', message));
      const text = String(trailers['grpc-message']);
      expect(text.length).toBeLessThanOrEqual(6000);
      expect(message.startsWith(decodeURIComponent(text))).toBe(true);
    }
  });
});

describe('conversations', () => {
  const open = (pieces: AsyncIterable<ReachPiece>, signal?: AbortSignal) =>
    clientOf(ReachService, channel()).open(pieces, signal ? { signal } : {});

  it('go both ways until both have ended', async () => {
    conversation = async function* (pieces) {
      for await (const { data } of pieces) yield ReachPiece.create({ data });
      yield ReachPiece.create({ end: true });
    };
    const said = async function* (): AsyncIterable<ReachPiece> {
      for (let i = 0; i < 100; i++)
        yield ReachPiece.create({ data: new Uint8Array(10_000).fill(i) });
    };
    const heard: ReachPiece[] = [];
    for await (const piece of open(said())) heard.push(piece);
    expect(heard).toHaveLength(101);
    expect(heard.slice(0, 100).every(({ data }, i) => data.every((byte) => byte === i))).toBe(true);
  });

  it('hold back a caller that is not read', async () => {
    const mayRead = Promise.withResolvers<void>();
    let read = 0;
    conversation = async function* (pieces) {
      await mayRead.promise;
      for await (const { data } of pieces) read += data.length;
      yield ReachPiece.create({});
    };
    let said = 0;
    const pieces = async function* (): AsyncIterable<ReachPiece> {
      for (let i = 0; i < 100; i++) {
        yield ReachPiece.create({ data: new Uint8Array(50_000) });
        said = i + 1;
      }
    };
    const heard = (async () => {
      let count = 0;
      for await (const _ of open(pieces())) count++;
      return count;
    })();
    await expect.poll(() => said).toBeGreaterThan(5);
    let before = -1;
    // It has come to a standstill when nothing moves for a while.
    await expect
      .poll(
        () => {
          const stands = said === before;
          before = said;
          return stands;
        },
        { interval: 300, timeout: 10_000 },
      )
      .toBe(true);
    expect(said).toBeLessThan(60);
    mayRead.resolve();
    expect(await heard).toBe(1);
    expect(read).toBe(100 * 50_000);
  });

  it('that are cut tell the handler', async () => {
    const aborted = Promise.withResolvers<unknown>();
    conversation = async function* (_, { signal }) {
      yield ReachPiece.create({});
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      aborted.resolve(signal.reason);
    };
    const stop = new AbortController();
    const silent = async function* (): AsyncIterable<ReachPiece> {
      yield ReachPiece.create({});
      await new Promise(() => undefined);
    };
    const listen = async (): Promise<void> => {
      for await (const _ of open(silent(), stop.signal)) stop.abort();
    };
    await expect(listen()).rejects.toMatchObject({ code: 'cancelled' });
    expect(await aborted.promise).toMatchObject({ code: 'cancelled' });
  });

  it('end with an error for who reads when the connection is gone', async () => {
    const cut = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    conversation = async function* (pieces) {
      try {
        for await (const _ of pieces) begun.resolve();
      } catch (error) {
        cut.resolve(error);
      }
      yield* [];
    };
    const first = framed(ReachPiece.encode(ReachPiece.create({})));
    const path = ReachService.methods.open.path;
    const over = byHand({ ':path': path }, [first], false);
    await begun.promise;
    sessions.at(-1)?.destroy();
    await over;
    expect(await cut.promise).toMatchObject({ code: 'cancelled' });
  });
});

describe('the server', () => {
  it('says why it cannot listen', async () => {
    const second = newServer();
    await expect(second.listen(`127.0.0.1:${port}`, identity, false)).rejects.toMatchObject({
      code: 'failed_precondition',
      message: `cannot listen on 127.0.0.1:${port}: the port is already in use`,
    });
  });

  it('lets calls end when it closes, but not for ever', async () => {
    for (const graceMs of [30_000, 50]) {
      const other = newServer();
      const begun = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      const handlers: Partial<Handlers<NodeCaMethods>> = {
        getRootCertificate: async () => {
          begun.resolve();
          await release.promise;
          return { caCert: 'late' };
        },
      };
      const roots = (): string[] => [ca.caCert];
      addService(other, NodeCaService, handlers as Handlers<NodeCaMethods>, roots);
      const address = `127.0.0.1:${await other.listen('127.0.0.1:0', identity, false)}`;
      const made = connectChannel(address, { caCert: ca.caCert }, 'swarm-manager');
      channels.push(made);
      const call = clientOf(NodeCaService, made).getRootCertificate({});
      call.catch(() => undefined);
      await begun.promise;
      const closed = other.close(graceMs);
      if (graceMs > 50) release.resolve();
      await closed;
      if (graceMs > 50) expect(await call).toEqual({ caCert: 'late' });
      else await expect(call).rejects.toBeInstanceOf(TswarmError);
    }
  });
});

describe('parts', () => {
  it('read messages from any cuts', () => {
    const messages = [0, 1, 4, 5, 1000, 3].map((size) => new Uint8Array(size).fill(size));
    const bytes = Buffer.concat(messages.map(framed));
    for (const step of [1, 2, 3, 5, 7, 64, 2000]) {
      const reader = new MessageReader(1000);
      const found: number[] = [];
      for (let at = 0; at < bytes.length; at += step) {
        reader.push(bytes.subarray(at, at + step), (message) => {
          expect(message.every((byte) => byte === message.length % 256)).toBe(true);
          found.push(message.length);
        });
      }
      expect(found).toEqual([0, 1, 4, 5, 1000, 3]);
      expect(reader.isWithin).toBe(false);
    }
  });

  it('read time limits', () => {
    expect(timeoutMsOf('5S')).toBe(5000);
    expect(timeoutMsOf('1500m')).toBe(1500);
    expect(timeoutMsOf('1n')).toBe(1);
    expect(timeoutMsOf('99999999H')).toBe(2 ** 31 - 1);
    for (const odd of ['', '5', 'S', '123456789S', '-1S', undefined, ['1S', '2S']]) {
      expect(timeoutMsOf(odd)).toBeUndefined();
    }
  });
});
