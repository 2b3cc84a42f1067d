// HTTP for registries over node:http(s): streams both ways, time limits on connecting and on
// silence, connections kept for the next request. Refuses to follow redirects or to know
// credentials: client.ts does that. Failures read as Docker's do (`Get "https://…": dial tcp …`).
import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { TswarmError } from '#protocol/errors';
import { cancelled } from '../concurrency.ts';
import { CONNECT_TIMEOUT_MS, IDLE_TIMEOUT_MS } from '../limits.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent with its Content-Length when bytes; as a stream it needs the header set. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
  /**
   * Accept any certificate: only for registries that the administrator named insecure, and
   * loopback.
   */
  readonly isInsecure?: boolean;
  /** Longest wait for the head of the answer, for questions that cost a server nothing. */
  readonly answerMs?: number;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: http.IncomingHttpHeaders;
  /** Must be read or destroyed. */
  readonly body: http.IncomingMessage;
}

const AGENT_OPTIONS = { keepAlive: true, keepAliveMsecs: 30_000, maxSockets: 16 };

/** Owns the connections; `close` ends the idle ones. */
export class HttpClient {
  readonly #http = new http.Agent(AGENT_OPTIONS);
  readonly #https = new https.Agent(AGENT_OPTIONS);
  readonly #insecure = new https.Agent({ ...AGENT_OPTIONS, rejectUnauthorized: false });
  readonly #connectMs: number;
  readonly #idleMs: number;

  constructor(connectMs: number = CONNECT_TIMEOUT_MS, idleMs: number = IDLE_TIMEOUT_MS) {
    this.#connectMs = connectMs;
    this.#idleMs = idleMs;
  }

  close(): void {
    for (const agent of [this.#http, this.#https, this.#insecure]) agent.destroy();
  }

  /**
   * Resolves with the head of the response. @throws TswarmError `unavailable`, `cancelled`,
   * `deadline_exceeded`
   */
  send(request: HttpRequest): Promise<HttpResponse> {
    const { method, url, signal, body } = request;
    if (signal?.aborted === true) return Promise.reject(cancelled(`${method} ${url.href}`));
    const isTls = url.protocol === 'https:';
    const headers: Record<string, string> = { 'user-agent': 'tswarm', ...request.headers };
    if (body instanceof Uint8Array) headers['content-length'] = String(body.length);
    const secureAgent = request.isInsecure === true ? this.#insecure : this.#https;
    return new Promise((resolve, reject) => {
      const outgoing = (isTls ? https : http).request(url, {
        method,
        headers,
        agent: isTls ? secureAgent : this.#http,
        ...(signal === undefined ? {} : { signal }),
      });
      const fail = (error: Error): void => reject(failure(request, error));
      outgoing.once('error', fail);
      watchTime(outgoing, request, { connectMs: this.#connectMs, idleMs: this.#idleMs });
      outgoing.once('response', (incoming) => {
        // Late errors reach whoever reads the body.
        outgoing.on('error', (error) => incoming.destroy(failure(request, error)));
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: incoming });
      });
      if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
      else {
        const source = Readable.from(body, { objectMode: false });
        source.once('error', (error) => outgoing.destroy(error));
        outgoing.once('close', () => source.destroy());
        source.pipe(outgoing);
      }
    });
  }
}

/** The body as text, at most `bytesMax`; the rest is thrown away. */
export async function readText(body: AsyncIterable<unknown>, bytesMax: number): Promise<string> {
  return new TextDecoder().decode(await readBytes(body, bytesMax, 'answer', true));
}

/** The body, at most `bytesMax` bytes. @throws TswarmError `too_large` unless `isCut` */
export async function readBytes(
  body: AsyncIterable<unknown>,
  bytesMax: number,
  what: string,
  isCut = false,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes <= bytesMax) continue;
    if (!isCut) throw new TswarmError('too_large', `${what}: more than ${bytesMax} bytes`);
    break;
  }
  return new Uint8Array(Buffer.concat(chunks).subarray(0, bytesMax));
}

function watchTime(
  outgoing: http.ClientRequest,
  { url, answerMs }: HttpRequest,
  { connectMs, idleMs }: { readonly connectMs: number; readonly idleMs: number },
): void {
  if (answerMs !== undefined) {
    const timer = setTimeout(() => {
      outgoing.destroy(timeout(`no answer from ${url.host} for ${answerMs / 1000} s`));
    }, answerMs);
    outgoing.once('response', () => clearTimeout(timer));
    outgoing.once('close', () => clearTimeout(timer));
  }
  outgoing.setTimeout(idleMs, () => {
    outgoing.destroy(timeout(`no data from ${url.host} for ${idleMs / 1000} s`));
  });
  outgoing.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => {
      const text = socket.connecting
        ? `dial tcp ${url.host}: i/o timeout`
        : 'TLS handshake timeout';
      outgoing.destroy(timeout(text));
    }, connectMs);
    socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => clearTimeout(timer));
    socket.once('close', () => clearTimeout(timer));
  });
}

function timeout(message: string): TswarmError {
  return new TswarmError('deadline_exceeded', message, { retryable: true });
}

function failure(request: HttpRequest, error: Error): TswarmError {
  const verb = request.method.charAt(0) + request.method.slice(1).toLowerCase();
  const what = `${verb} "${request.url.href}"`;
  if (request.signal?.aborted === true || error.name === 'AbortError') return cancelled(what);
  if (error instanceof TswarmError) {
    return new TswarmError(error.code, `${what}: ${error.message}`, {
      retryable: error.retryable,
      cause: error,
    });
  }
  const { code = '' } = error as Error & { code?: string };
  const shown = NO_ANSWERER.has(code) ? `${verb} "${registryOf(request.url)}"` : what;
  return new TswarmError('unavailable', `${shown}: ${reason(request.url, error)}`, {
    retryable: true,
    cause: error,
  });
}

/** Nobody was there to be asked: that is said of the registry, not of one of its pages. */
const NO_ANSWERER: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ESERVFAIL',
]);

function registryOf({ href }: URL): string {
  return href.replace(/^(https?:\/\/.*?\/v2\/).*$/, '$1');
}

/** System errors in the words that Docker users know. */
function reason(url: URL, error: Error): string {
  const details = error as Error & { code?: string; address?: string; port?: number };
  const address =
    details.address === undefined ? url.host : `${details.address}:${details.port ?? ''}`;
  switch (details.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${address}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${address}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${address}: connect: network is unreachable`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ESERVFAIL':
      return `dial tcp: lookup ${url.hostname}: no such host`;
    case 'ECONNRESET':
      return 'connection reset by peer';
    default:
      return error.message;
  }
}
