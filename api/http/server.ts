// An HTTP/1.1 server whose requests, upgraded or not, all go to one dispatch function. Owns limits and time-outs of connections, the unix socket
// file (mode, group, leftovers of a killed run) and an orderly stop. Refuses a second server on a socket that answers.
import { Buffer } from 'node:buffer';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { TswarmError } from '#protocol/errors';
import {
  CONNECTIONS_MAX,
  HANDSHAKE_TIMEOUT_MS,
  HEADER_BYTES_MAX,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
} from '../limits.ts';
import { type Connection, HttpReply, type Reply } from './reply.ts';
import { type BodySource, bodyOf } from './request.ts';

// An import statement would evaluate every export of the module, and some of them load a whole HTTP client: 13 MB of memory that is never used.
const http: typeof import('node:http') = process.getBuiltinModule('node:http');

const SOCKET_MODE = 0o660;
/** Who may use the unix sockets, beside root. */
export const SOCKET_GROUP = 'tswarm';
/** sun_path has 108 bytes; the temporary folder's name and the final zero take ten. */
const SOCKET_PATH_BYTES_MAX = 98;

/** A request before it is routed. */
export interface RawRequest {
  readonly message: IncomingMessage;
  readonly body: BodySource;
  readonly signal: AbortSignal;
}

export interface HttpServerOptions {
  /** Must not reject: it answers errors itself. */
  readonly dispatch: (request: RawRequest, reply: Reply) => Promise<void>;
  /** True for targets whose handler takes the connection over; others ignore an Upgrade header. */
  readonly upgrades: (message: IncomingMessage) => boolean;
  /** The server speaks TLS: with this pair (PEM), or asks clients for certificates and is given its own by `useTls`. */
  readonly tls?:
    | { readonly cert: string; readonly key: string }
    | { readonly askForCertificates: true };
}

export class HttpServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #path = '';

  constructor(options: HttpServerOptions) {
    const limits = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      // Bodies have an idle limit instead: a build context may take long.
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      shouldUpgradeCallback: options.upgrades,
    };
    this.#server = options.tls
      ? process
          .getBuiltinModule('node:https')
          .createServer({ ...limits, ...tlsOptions(options.tls) } satisfies TlsOptions)
      : http.createServer(limits);
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (message, response) => {
      serve(options, message, response, plainConnection(message));
    });
    this.#server.on('upgrade', (message: IncomingMessage, socket: Socket, head: Buffer) => {
      const response = new http.ServerResponse(message);
      response.shouldKeepAlive = false;
      response.assignSocket(socket);
      response.on('finish', () => socket.end(() => socket.destroySoon()));
      serve(options, message, response, upgradedConnection(message, socket, head));
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (socket.writable && error.code !== 'ECONNRESET') {
        const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Too Large' : '400 Bad Request';
        socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      }
      socket.destroy();
    });
  }

  /**
   * The socket is made in a folder that only we can enter and moved to its name with its final mode, so that there is no moment at which it
   * is open to others. @throws already_exists when another process answers there.
   */
  async listenUnix(path: string): Promise<void> {
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
      throw new TswarmError('invalid_argument', `socket ${path}: the path is too long`, {
        hint: `A socket's path may have ${SOCKET_PATH_BYTES_MAX} bytes: choose a shorter --run-root.`,
      });
    }
    await removeDeadSocket(path);
    const folder = mkdtempSync(`${path}.`);
    const made = join(folder, 's');
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(made, resolve);
      });
      chmodSync(made, SOCKET_MODE);
      const gid = groupId(SOCKET_GROUP);
      if (gid !== undefined) chownSync(made, -1, gid);
      renameSync(made, path);
      this.#path = path;
    } finally {
      rmdirSync(folder);
    }
  }

  /** Another identity for new connections (PEM; `ca`: who may sign clients' certificates); undefined: none, and those that are open end. */
  useTls(
    tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined,
  ): void {
    (this.#server as HttpsServer).setSecureContext(tls ?? {});
    if (!tls) for (const socket of this.#sockets) socket.destroy();
  }

  /** Port 0 = any free one. Resolves with the port. @throws the system's error: in use, not an address of this host. */
  async listenTcp(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Stops accepting, lets answers finish for `graceMs`, then closes what is left (streams, kept-alive connections). */
  async close(graceMs: number): Promise<void> {
    if (this.#path !== '') rmSync(this.#path, { force: true });
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }
}

function tlsOptions(tls: NonNullable<HttpServerOptions['tls']>): TlsOptions {
  // A client of a taken-over connection that has nothing more to say still listens; without TLS Node's HTTP server allows that by itself.
  const common = { minVersion: 'TLSv1.2', allowHalfOpen: true } as const;
  if ('cert' in tls) return { ...common, ...tls };
  // Who comes without a certificate has a token, or gets an answer that says what is needed.
  return {
    ...common,
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
}

type UpgradeConnection = Connection & { readonly body: BodySource };

function serve(
  options: HttpServerOptions,
  message: IncomingMessage,
  response: ServerResponse,
  connection: UpgradeConnection,
): void {
  const controller = new AbortController();
  let hijacked = false;
  response.on('close', () => {
    if (!response.writableFinished && !hijacked) controller.abort();
  });
  response.on('error', () => controller.abort());
  const reply = new HttpReply(response, connection, () => {
    hijacked = true;
    connection.socket.on('close', () => controller.abort());
  });
  void options.dispatch({ message, body: connection.body, signal: controller.signal }, reply);
}

function plainConnection(message: IncomingMessage): UpgradeConnection {
  const body = bodyOf(message);
  return {
    message,
    socket: message.socket,
    upgrade: false,
    body,
    rest: () => new Uint8Array(0),
  };
}

/** node stops parsing at an Upgrade, so the body (Content-Length bytes) is still in `head` and in the socket. */
function upgradedConnection(
  message: IncomingMessage,
  socket: Socket,
  head: Buffer,
): UpgradeConnection {
  let rest: Uint8Array = head;
  async function* body(): AsyncIterable<Uint8Array> {
    let left = Number(message.headers['content-length'] ?? 0);
    if (!Number.isSafeInteger(left) || message.headers['transfer-encoding'] !== undefined) {
      throw new TswarmError('invalid_argument', 'a request that upgrades needs a Content-Length');
    }
    while (left > 0) {
      if (rest.length === 0) rest = await nextChunk(socket);
      if (rest.length === 0) return;
      const part = rest.subarray(0, left);
      rest = rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }
  return { message, socket, upgrade: true, body: body(), rest: () => rest };
}

/** The next bytes; empty at the end. */
function nextChunk(socket: Socket): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const finish = (chunk: Uint8Array): void => {
      socket.pause();
      socket.off('data', finish);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      resolve(chunk);
    };
    const onEnd = (): void => finish(new Uint8Array(0));
    socket.on('data', finish);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    socket.resume();
  });
}

/** A socket file that a killed run left is removed; one that answers is somebody else's. */
async function removeDeadSocket(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (alive) {
    throw new TswarmError('already_exists', `socket ${path}: another process answers there`, {
      hint: 'Stop it, or choose another --run-root.',
    });
  }
  unlinkSync(path);
}

function groupId(name: string): number | undefined {
  try {
    const row = new RegExp(`^${name}:[^:]*:(\\d+):`, 'm').exec(readFileSync('/etc/group', 'utf8'));
    return row ? Number(row[1]) : undefined;
  } catch {
    return undefined;
  }
}

/** Target of a request: path (not decoded) and query text. */
export function splitTarget(url: string): { readonly path: string; readonly query: string } {
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  return { path: path.replace(/\/{2,}/g, '/'), query: at < 0 ? '' : url.slice(at + 1) };
}
