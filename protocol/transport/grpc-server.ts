// A gRPC server over mutual TLS on Node's HTTP/2, for generated service descriptors. Why not
// grpc-js's: its layers per call cost more than everything else that a write does (figures:
// manager/DESIGN.md). Speaks what grpc-js and every other gRPC client speaks, without compression.
// Refuses plain text, requests above a limit, requests that do not come to their end, and callers
// that answer no ping. Nothing that a caller sends ends the process.
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { MethodDescriptor } from '#protocol/codec';
import { TswarmError } from '#protocol/errors';
import { errorTrailers } from './grpc-wire.ts';
import { ServerCall } from './server-call.ts';

/** PEM texts of one identity. */
export interface TlsIdentity {
  readonly caCert: string;
  readonly certificate: string;
  readonly key: string;
}

export interface GrpcServerOptions {
  /** Largest message of a caller. */
  readonly requestBytesMax: number;
  /** Calls at once on one connection. */
  readonly streamsMax: number;
  /** A caller whose host is gone is noticed although it says nothing. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Bytes that callers may have on the way; HTTP/2's 64 KiB when absent. */
  readonly windowBytes?: number;
}

/** The handshake of TLS ends within this time. */
const HANDSHAKE_MS = 10_000;
/** A single request must be there within this time: the largest at 140 KB/s. */
const REQUEST_MS = 30_000;
/** How often unfinished requests are looked for. */
const SWEEP_MS = 5_000;
/** Headers of a call: names, a token, the original caller. */
const HEADERS_BYTES_MAX: number = 16 * 1024;
/** Memory of one connection for headers and what waits to be sent, in megabytes. */
const SESSION_MEGABYTES = 64;

type AnyMethod = MethodDescriptor<unknown, unknown>;
type OnCall = (call: ServerCall) => void;

export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #methods: Map<string, { readonly method: AnyMethod; readonly onCall: OnCall }> =
    new Map();
  readonly #sessions: Set<ServerHttp2Session> = new Set();
  /** Calls whose single request is not whole yet, oldest first, with when they began. */
  readonly #unfinished: Map<ServerCall, number> = new Map();
  #server: Http2SecureServer | undefined;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
  }

  /** Calls of this method go to `onCall`. */
  addMethod(method: AnyMethod, onCall: OnCall): void {
    this.#methods.set(method.path, { method, onCall });
  }

  /**
   * Serves on `host:port` (port 0 = any); returns the port. A client certificate is always asked
   * for; `requiresCertificate`: the connection ends without one of our root.
   * @throws TswarmError failed_precondition when the address cannot be had
   */
  async listen(
    address: string,
    identity: TlsIdentity,
    requiresCertificate: boolean,
  ): Promise<number> {
    const server = this.#makeServer(identity, requiresCertificate);
    const { host, port } = splitAddress(address);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(notHad(address, error)));
      server.listen({ host, port }, () => {
        server.removeAllListeners('error');
        // Such as too many open files: the next connection may do better.
        server.on('error', () => undefined);
        resolve();
      });
    });
    this.#server = server;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    return (server.address() as AddressInfo).port;
  }

  /** For new connections; open ones go on. */
  useIdentity({ caCert, certificate, key }: TlsIdentity): void {
    this.#server?.setSecureContext({ ca: caCert, cert: certificate, key });
  }

  /** Takes nothing new, lets open calls end for `graceMs`, then ends them. */
  async close(graceMs: number): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    clearInterval(this.#sweeper);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    const force = setTimeout(() => this.destroy(), graceMs);
    await closed;
    clearTimeout(force);
  }

  /** Ends everything at once. */
  destroy(): void {
    clearInterval(this.#sweeper);
    this.#server?.close();
    for (const session of this.#sessions) session.destroy();
  }

  #makeServer(identity: TlsIdentity, requiresCertificate: boolean): Http2SecureServer {
    const { streamsMax, windowBytes } = this.#options;
    const window = windowBytes === undefined ? {} : { initialWindowSize: windowBytes };
    const server = createSecureServer({
      ca: identity.caCert,
      cert: identity.certificate,
      key: identity.key,
      requestCert: true,
      rejectUnauthorized: requiresCertificate,
      handshakeTimeout: HANDSHAKE_MS,
      maxSessionMemory: SESSION_MEGABYTES,
      settings: {
        enablePush: false,
        maxConcurrentStreams: streamsMax,
        maxHeaderListSize: HEADERS_BYTES_MAX,
        ...window,
      },
    });
    server.on('session', (session) => this.#opened(session));
    server.on('stream', (stream, headers) => this.#called(stream, headers));
    // Of one connection each: it is over, the others go on.
    server.on('sessionError', () => undefined);
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return server;
  }

  #opened(session: ServerHttp2Session): void {
    const { windowBytes, keepaliveMs, keepaliveTimeoutMs } = this.#options;
    this.#sessions.add(session);
    if (windowBytes !== undefined) session.setLocalWindowSize(windowBytes);
    let deadline: NodeJS.Timeout | undefined;
    const pinger = setInterval(() => {
      if (deadline !== undefined || session.destroyed) return;
      deadline = setTimeout(() => session.destroy(), keepaliveTimeoutMs);
      session.ping(() => {
        clearTimeout(deadline);
        deadline = undefined;
      });
    }, keepaliveMs);
    session.on('close', () => {
      clearInterval(pinger);
      clearTimeout(deadline);
      this.#sessions.delete(session);
    });
  }

  #called(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    if (stream.destroyed) return;
    const type = headers['content-type'] ?? '';
    if (headers[':method'] !== 'POST' || !/^application\/grpc($|[+;])/.test(type)) {
      refuse(stream, { ':status': constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE });
      return;
    }
    const known = this.#methods.get(headers[':path'] ?? '');
    if (known === undefined) {
      const error = new TswarmError('not_supported', 'the server does not have this method');
      refuse(stream, { ':status': 200, 'content-type': type, ...errorTrailers(error) });
      return;
    }
    const call = new ServerCall(stream, headers, known.method, {
      requestBytesMax: this.#options.requestBytesMax,
      settled: (one) => this.#unfinished.delete(one),
    });
    if (!known.method.requestStream) this.#unfinished.set(call, performance.now());
    known.onCall(call);
  }

  /** Ends single requests that do not come to their end. */
  #sweep(): void {
    const latestMs = performance.now() - REQUEST_MS;
    for (const [call, sinceMs] of this.#unfinished) {
      if (sinceMs > latestMs) break;
      this.#unfinished.delete(call);
      call.fail(new TswarmError('deadline_exceeded', 'the request did not come to its end'));
    }
  }
}

/** Answers without looking at the rest. */
function refuse(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  stream.on('error', () => undefined);
  stream.resume();
  stream.respond(headers as Parameters<ServerHttp2Stream['respond']>[0], { endStream: true });
  setImmediate(() => {
    if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}

function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(address.slice(at + 1)) };
}

function notHad(address: string, error: NodeJS.ErrnoException): TswarmError {
  const inUse = error.code === 'EADDRINUSE';
  const why = inUse ? 'the port is already in use' : error.message;
  return new TswarmError('failed_precondition', `cannot listen on ${address}: ${why}`, {
    cause: error,
    ...(inUse ? { hint: '`ss -ltnp` shows by whom; give another address.' } : {}),
  });
}
