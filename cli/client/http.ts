// The CLIs' HTTP client over a unix socket or TLS: JSON calls, line streams, raw upgraded streams. Errors come back as TswarmError with the server's
// code and hint. Nothing else in cli/ opens a connection.
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request } from 'node:http';
import { Agent, type RequestOptions, request as requestTls } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { type ErrorCode, errorCodeFromText } from '#protocol/error-codes';
import { TswarmError } from '#protocol/errors';
import { connectionLost, type Endpoint, type TlsTarget, unreachable } from './endpoint.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface CallOptions {
  /** A list is the same key once for each. */
  readonly query?: Readonly<
    Record<string, string | number | boolean | readonly string[] | undefined>
  >;
  readonly body?: unknown;
  /** A body that is streamed, with its content type. */
  readonly stream?: { readonly data: AsyncIterable<Uint8Array>; readonly type: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Codes for Engine API errors, which carry only a status. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  409: 'conflict',
  413: 'too_large',
  501: 'not_supported',
  503: 'unavailable',
};

/** Header of lists of all nodes: those that did not answer. */
const MISSING_NODES = 'x-tswarm-missing-nodes';
/** Header of what no leader has confirmed. */
const UNCONFIRMED = 'x-tswarm-unconfirmed';

/** How long is waited for a sign of life. */
const ANSWERS_TIMEOUT_MS = 2_000;

/**
 * A connection for each call, which is not said to end with it: a server that is to close it after an early refusal of a long body resets it, and the
 * refusal is lost.
 */
const ONE_CALL = { keepAlive: true } as const;

class FreshAgent extends Agent {
  /** Nothing, which means no. */
  override keepSocketAlive(): void {}
}

class FreshHttpAgent extends HttpAgent {
  override keepSocketAlive(): void {}
}

export class ApiClient {
  readonly endpoint: Endpoint;
  #checked: boolean;
  /** TLS connections are used again for what only reads: a handshake costs more than most answers. */
  readonly #agent: Agent = new Agent({ keepAlive: true });
  /** A connection for each call that changes something, with a short handshake. */
  readonly #freshAgent: Agent = new FreshAgent(ONE_CALL);
  /** Of sockets none is kept: a new one costs nothing. */
  readonly #socketAgent: HttpAgent = new FreshHttpAgent(ONE_CALL);
  /** Nodes that have been named in a warning. */
  #missing = '';
  #hasWarnedOfOld = false;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
    this.#checked = !endpoint.checkServer;
  }

  async get<T>(path: string, options: CallOptions = {}): Promise<T> {
    return (await this.json('GET', path, options)) as T;
  }

  async post<T>(path: string, options: CallOptions = {}): Promise<T> {
    return (await this.json('POST', path, options)) as T;
  }

  async delete<T>(path: string, options: CallOptions = {}): Promise<T> {
    return (await this.json('DELETE', path, options)) as T;
  }

  /** One JSON answer; undefined for an empty one. */
  async json(method: string, path: string, options: CallOptions = {}): Promise<unknown> {
    const response = await this.open(method, path, options);
    const text = await readText(response).catch(async (error: NodeJS.ErrnoException) => {
      throw await this.#failure(error);
    });
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }

  /** JSON objects of a stream, one per line or back to back. */
  async *lines(method: string, path: string, options: CallOptions = {}): AsyncGenerator<Json> {
    const response = await this.open(method, path, options);
    let rest = '';
    response.setEncoding('utf8');
    try {
      for await (const chunk of response) {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop() ?? '';
        for (const part of parts) if (part.trim() !== '') yield JSON.parse(part) as Json;
      }
      if (rest.trim() !== '') yield JSON.parse(rest) as Json;
    } catch (error) {
      if (!options.signal?.aborted) throw await this.#failure(error as NodeJS.ErrnoException);
    } finally {
      response.destroy();
    }
  }

  /** The raw response of a call that succeeded. */
  async open(method: string, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    await this.#checkServer();
    const response = await this.#send(method, path, options);
    const status = response.statusCode ?? 500;
    if (status >= 400) throw await errorOf(response);
    this.#warnOfMissing(response.headers[MISSING_NODES]);
    if (response.headers[UNCONFIRMED] !== undefined) this.#warnOfOld();
    return response;
  }

  /** A list that some nodes did not answer for is shown, but never as if it were whole. */
  #warnOfMissing(header: string | string[] | undefined): void {
    if (typeof header !== 'string' || header === this.#missing) return;
    this.#missing = header;
    const nodes = header.split(',').map(decodeURIComponent).join(', ');
    process.stderr.write(`Warning: no answer from ${nodes}: what is there is not shown\n`);
  }

  /** Once, also for a command that asks again and again. */
  #warnOfOld(): void {
    if (this.#hasWarnedOfOld) return;
    this.#hasWarnedOfOld = true;
    process.stderr.write(
      'Warning: no leader has confirmed this: it is what this manager knew last, and newer changes may be missing\n',
    );
  }

  /** An upgraded connection (attach, exec): bytes both ways. */
  async hijack(path: string, options: CallOptions = {}): Promise<{ socket: Socket; head: Buffer }> {
    await this.#checkServer();
    const req = this.#request('POST', path, {
      ...options,
      headers: { ...options.headers, connection: 'Upgrade', upgrade: 'tcp' },
    });
    return new Promise((resolve, reject) => {
      req.on('upgrade', (_response, socket, head) => resolve({ socket: socket as Socket, head }));
      req.on('response', (response) => {
        errorOf(response).then(reject, reject);
      });
      req.on('error', (error: NodeJS.ErrnoException) => {
        this.#failure(error).then(reject);
      });
      req.end(options.body === undefined ? undefined : JSON.stringify(options.body));
    });
  }

  async #checkServer(): Promise<void> {
    if (this.#checked) return;
    this.#checked = true;
    const version = JSON.parse(await readText(await this.#send('GET', '/version', {}))) as Json;
    const components = (version.Components as readonly Json[] | undefined) ?? [];
    if (components.some((component) => String(component.Name).toLowerCase().includes('tswarm')))
      return;
    throw new TswarmError(
      'failed_precondition',
      `DOCKER_HOST=${this.endpoint.text} is not a tswarm daemon`,
      {
        hint: 'Set TSWARM_HOST or use -H to choose the tswarm socket.',
      },
    );
  }

  /**
   * A connection that was used before may have been closed by the server just when the next call went out. What only reads is asked again then, on a new one; what
   * changes something never goes over a used one, because nobody could tell whether it was heard.
   */
  async #send(method: string, path: string, options: CallOptions): Promise<IncomingMessage> {
    const first = this.#request(method, path, options);
    try {
      return await answerOf(first, options);
    } catch (error) {
      const canAgain = first.reusedSocket && isLost(error) && !options.signal?.aborted;
      if (!canAgain) throw await this.#failure(error as NodeJS.ErrnoException);
    }
    const again = this.#request(method, path, options, this.#freshAgent);
    return answerOf(again, options).catch(async (error: NodeJS.ErrnoException) => {
      throw await this.#failure(error);
    });
  }

  #request(
    method: string,
    path: string,
    options: CallOptions,
    agent: Agent = method === 'GET' ? this.#agent : this.#freshAgent,
  ): ClientRequest {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(options.query ?? {})) {
      if (value === undefined) continue;
      for (const one of Array.isArray(value) ? value : [value]) query.append(key, String(one));
    }
    const search = query.size > 0 ? `?${query}` : '';
    const type =
      options.stream?.type ?? (options.body === undefined ? undefined : 'application/json');
    const { tls, socketPath } = this.endpoint;
    const common = {
      method,
      path: path + search,
      headers: {
        host: 'tswarm',
        ...(type ? { 'content-type': type } : {}),
        ...(tls && tls.token !== '' ? { authorization: `Bearer ${tls.token}` } : {}),
        ...options.headers,
      },
      ...(options.signal ? { signal: options.signal } : {}),
    };
    return tls
      ? requestTls({ ...common, ...tlsOptions(tls), agent })
      : request({ ...common, socketPath, agent: this.#socketAgent });
  }

  /** Somebody is there, after a connection was lost. */
  async #answers(): Promise<boolean> {
    const signal = AbortSignal.timeout(ANSWERS_TIMEOUT_MS);
    try {
      const req = this.#request('GET', '/_ping', { signal }, this.#freshAgent);
      (await answerOf(req, {})).resume();
      return true;
    } catch {
      return false;
    }
  }

  /** What went wrong with the connection, in words; errors with words of their own stay. */
  async #failure(error: NodeJS.ErrnoException): Promise<Error> {
    if (error instanceof TswarmError || error instanceof SyntaxError) return error;
    const code = error.code ?? '';
    if (isLost(error)) return connectionLost(this.endpoint, await this.#answers());
    if (['ENOENT', 'ECONNREFUSED', 'EACCES', 'ENOTSOCK'].includes(code))
      return unreachable(this.endpoint, code);
    if (this.endpoint.tls && code !== 'ABORT_ERR')
      return unreachable(this.endpoint, code, error.message);
    if (code === 'ABORT_ERR') return new TswarmError('cancelled', 'cancelled');
    return new TswarmError(
      'unavailable',
      `connection to ${this.endpoint.text} failed: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}

function isLost(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** Sends what the call has to send. Resolves when an answer begins. */
function answerOf(req: ClientRequest, options: CallOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    req.on('response', resolve);
    req.on('error', reject);
    if (options.stream) {
      // Without this they would wait for the first bytes of the body, and the server for them no longer than its limit.
      req.flushHeaders();
      sendStream(req, options.stream.data).catch((error: Error) => req.destroy(error));
    } else {
      req.end(options.body === undefined ? undefined : JSON.stringify(options.body));
    }
  });
}

/** The server's certificate must be for the name that the user gave, signed by the cluster. */
function tlsOptions({ host, port, ca, cert, key }: TlsTarget): RequestOptions {
  return {
    host,
    port,
    ...(ca === '' ? {} : { ca }),
    ...(cert === '' ? {} : { cert, key }),
    // Without it Node would take the Host header, which is the same for all.
    ...(isIP(host) > 0 ? { servername: '' } : { servername: host }),
    minVersion: 'TLSv1.2',
  };
}

async function sendStream(req: ClientRequest, data: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of data) {
    if (!req.write(chunk)) await new Promise((resolve) => req.once('drain', resolve));
  }
  req.end();
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

async function errorOf(response: IncomingMessage): Promise<TswarmError> {
  const status = response.statusCode ?? 500;
  const text = await readText(response);
  let body: Json = {};
  try {
    body = JSON.parse(text) as Json;
  } catch {
    body = { message: text.trim() };
  }
  // Docker's words on the Engine's routes, for its clients; here the commands are ours.
  const message = String(body.detail ?? body.message ?? `HTTP ${status}`).replaceAll(
    /"docker swarm (\w+)"/g,
    '"tswarm $1"',
  );
  const code =
    typeof body.code === 'string' ? errorCodeFromText(body.code) : (CODES[status] ?? 'internal');
  return new TswarmError(code, message, {
    ...(typeof body.field === 'string' ? { field: body.field } : {}),
    ...(typeof body.hint === 'string' ? { hint: body.hint } : {}),
  });
}
