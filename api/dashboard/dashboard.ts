// The dashboard's listener: pages, sign-in, and the HTTP API below /api for whoever has signed in. It listens on loopback only, unless the node is told
// otherwise, and then with TLS only. It starts with the first link, or with the daemon when an address was set. Refuses what a page of another origin
// could send: a Host that is a foreign name, changes without the session's secret, viewers who want more than to look.
import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { ROLES, type Role } from '#protocol/access';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Clock, Log, Random } from '#protocol/world';
import { EXEC_PATH } from '../cluster/exec.ts';
import type { DashboardLink } from '../cluster/types.ts';
import type { Route } from '../context.ts';
import { problemOf, statusOf } from '../http/errors.ts';
import type { Reply } from '../http/reply.ts';
import { type Caller, emptyBody, readJson, textKey } from '../http/request.ts';
import { HttpServer, type RawRequest, splitTarget } from '../http/server.ts';
import { proposedProtocols, requireSameOrigin, wantsSocket } from '../http/websocket.ts';
import { SESSIONS_LOOK_MS, SIGN_IN_LINK_MS } from '../limits.ts';
import { type PageFolders, Pages } from './pages.ts';
import { type Session, SignIn } from './sign-in.ts';

export interface DashboardOptions {
  /** `host:port`; '' = loopback, with the first link. */
  readonly address: string;
  /** Files in PEM, needed when the address is not of loopback; '' = none. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly folders: PageFolders;
}

export interface DashboardDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The gateway's own handling of a request, for another target than the one in its first line. */
  dispatch(raw: RawRequest, reply: Reply, url: string, caller: Caller): Promise<void>;
}

const PORT_DEFAULT = 7480;
const LOOPBACK = '127.0.0.1';
const API_PREFIX = '/api';
const CSRF_HEADER = 'x-tswarm-csrf';
const CSRF_PROTOCOL = 'tswarm.csrf.';
const LINK_BODY_BYTES_MAX = 1024;

interface Place {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

export class Dashboard {
  readonly #options: DashboardOptions;
  readonly #deps: DashboardDeps;
  readonly #signIn: SignIn;
  #pages: Pages | undefined;
  #server: HttpServer | undefined;
  #watch: NodeJS.Timeout | undefined;
  #starting: Promise<Place> | undefined;

  constructor(options: DashboardOptions, deps: DashboardDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#signIn = new SignIn(deps.clock, deps.random);
  }

  /** Listens at once when an address was set. @throws when it cannot. */
  async start(): Promise<void> {
    if (this.#options.address !== '') await this.#listening();
  }

  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#watch);
    await this.#server?.close(graceMs);
  }

  /** On the unix sockets, where only root and the group tswarm come. */
  routes(): readonly Route[] {
    return [
      {
        method: 'POST',
        pattern: '/tswarm/v1/dashboard/links',
        handler: async (request, reply) => {
          const role = roleOf(textKey((await request.optionalJson()) ?? {}, 'role'));
          const { host, port, isTls } = await this.#listening();
          const name = host.includes(':') ? `[${host}]` : host;
          const link: DashboardLink = {
            url: `${isTls ? 'https' : 'http'}://${name}:${port}/#link=${this.#signIn.link(role)}`,
            role,
            validSeconds: SIGN_IN_LINK_MS / 1000,
          };
          reply.json(201, link);
        },
      },
    ];
  }

  /** The listener, started if it was not. */
  #listening(): Promise<Place> {
    this.#starting ??= this.#listen().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async #listen(): Promise<Place> {
    const { address, certFile, keyFile, folders } = this.#options;
    const { host, port } = parsePlace(address);
    const tls = certFile === '' ? undefined : readPair(certFile, keyFile);
    if (!tls && !isLoopback(host)) {
      throw new TswarmError(
        'invalid_argument',
        `dashboard-addr ${address} is not of loopback and there is no certificate`,
        {
          field: 'dashboard-addr',
          hint: 'Give dashboard-cert and dashboard-key, or keep it on 127.0.0.1 and go there with: ssh -L 7480:127.0.0.1:7480 HOST.',
        },
      );
    }
    this.#pages ??= new Pages(folders);
    const make = (): HttpServer =>
      new HttpServer({
        dispatch: (raw, reply) => this.#serve(raw, reply),
        upgrades: isSocketCall,
        ...(tls ? { tls } : {}),
      });
    let server = make();
    let bound: number;
    try {
      bound = await server.listenTcp(host, port);
    } catch (error) {
      // The usual port may belong to another node on this host; a port that was asked for is not replaced.
      if (address !== '') {
        throw new TswarmError('unavailable', `dashboard-addr ${address}: ${messageOf(error)}`, {
          field: 'dashboard-addr',
        });
      }
      server = make();
      bound = await server.listenTcp(host, 0);
    }
    this.#server = server;
    this.#watch = setInterval(() => this.#signIn.endOld(), SESSIONS_LOOK_MS);
    this.#watch.unref();
    this.#deps.log.info('dashboard listens', { host, port: bound });
    const isAny = host === '0.0.0.0' || host === '::';
    return { host: isAny ? hostname() : host, port: bound, isTls: tls !== undefined };
  }

  async #serve(raw: RawRequest, reply: Reply): Promise<void> {
    const { message } = raw;
    const { path, query } = splitTarget(message.url ?? '/');
    try {
      this.#addHeaders(reply);
      requireKnownHost(message);
      if (path === '/session') await this.#session(raw, reply);
      else if (path.startsWith(`${API_PREFIX}/`))
        await this.#api(raw, reply, path.slice(API_PREFIX.length), query);
      else this.#page(message, reply, path);
    } catch (error) {
      if (reply.started || raw.signal.aborted) return void message.socket.destroy();
      if (!message.complete) reply.header('Connection', 'close');
      reply.text(statusOf(error), JSON.stringify(problemOf(error)), 'application/problem+json');
    }
  }

  #addHeaders(reply: Reply): void {
    reply.header('Content-Security-Policy', this.#pages?.policy ?? "default-src 'none'");
    reply.header('X-Content-Type-Options', 'nosniff');
    reply.header('Referrer-Policy', 'no-referrer');
    reply.header('Cross-Origin-Opener-Policy', 'same-origin');
    reply.header('Cross-Origin-Resource-Policy', 'same-origin');
  }

  #page(message: IncomingMessage, reply: Reply, path: string): void {
    const page = this.#pages?.find(path);
    if (!page || (message.method !== 'GET' && message.method !== 'HEAD')) {
      throw new TswarmError('not_found', `there is no page ${path.slice(0, 200)}`);
    }
    reply.header('ETag', page.etag);
    reply.header('Cache-Control', 'no-cache');
    if (message.headers['if-none-match'] === page.etag) reply.empty(304);
    else reply.text(200, page.body.toString('utf8'), page.contentType);
  }

  /** POST {link}: sign in; GET: who I am; DELETE: sign out. */
  async #session(raw: RawRequest, reply: Reply): Promise<void> {
    const { message } = raw;
    const name = cookieName(message);
    reply.header('Cache-Control', 'no-store');
    if (message.method === 'POST') {
      requireSameOrigin(message.headers);
      const type = message.headers['content-type'];
      const body = await readJson(raw.body, type, LINK_BODY_BYTES_MAX);
      if (!body) throw emptyBody();
      const { cookie, session } = this.#signIn.redeem(textKey(body, 'link'));
      reply.header('Set-Cookie', `${name}=${cookie}; ${cookieFlags(message)}`);
      reply.json(201, { role: session.role, csrf: session.csrf });
      return;
    }
    const { cookie, session } = this.#require(message);
    if (message.method === 'DELETE') {
      requireCsrf(message, session);
      this.#signIn.end(cookie);
      reply.header('Set-Cookie', `${name}=; ${cookieFlags(message)}; Max-Age=0`);
      reply.empty(204);
    } else reply.json(200, { role: session.role, csrf: session.csrf });
  }

  async #api(raw: RawRequest, reply: Reply, path: string, query: string): Promise<void> {
    const { message } = raw;
    const { session } = this.#require(message);
    const method = message.method ?? 'GET';
    if (wantsSocket(message.headers)) requireSocketCsrf(message, session);
    else if (method !== 'GET' && method !== 'HEAD') requireCsrf(message, session);
    reply.header('Cache-Control', 'no-store');
    // A stream or a shell must not outlive the session.
    const ended = this.#signIn.hold(session, () => message.socket.destroy());
    const caller: Caller = { name: 'dashboard', role: session.role, credentialId: '' };
    try {
      await this.#deps.dispatch(raw, reply, `${path}?${query}`, caller);
    } finally {
      // A connection that was taken over is nobody else's; another one may serve the next request of somebody else.
      if (wantsSocket(message.headers)) message.socket.once('close', ended);
      else ended();
    }
  }

  #require(message: IncomingMessage): { readonly cookie: string; readonly session: Session } {
    const cookie = cookieOf(message) ?? '';
    const session = this.#signIn.session(cookie);
    if (session) return { cookie, session };
    throw new TswarmError('unauthenticated', 'not signed in', {
      hint: 'Make a link on the host: tswarm dashboard',
    });
  }
}

function roleOf(text: string): Role {
  const role = ROLES.find((known) => known === (text || 'admin'));
  if (role !== undefined) return role;
  throw new TswarmError('invalid_argument', 'role: must be viewer, operator or admin', {
    field: 'role',
  });
}

function parsePlace(address: string): { readonly host: string; readonly port: number } {
  if (address === '') return { host: LOOPBACK, port: PORT_DEFAULT };
  const [, host = '', portText = ''] = /^(.*?)(?::(\d{1,5}))?$/.exec(address) ?? [];
  const bare = host.replace(/^\[|\]$/g, '') || '0.0.0.0';
  const port = portText === '' ? PORT_DEFAULT : Number(portText);
  if ((isIP(bare) > 0 || bare === 'localhost') && port <= 65_535) return { host: bare, port };
  throw new TswarmError('invalid_argument', `dashboard-addr "${address}" is not IP:PORT`, {
    field: 'dashboard-addr',
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function readPair(certFile: string, keyFile: string): { cert: string; key: string } {
  try {
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  } catch (error) {
    throw new TswarmError('invalid_argument', `dashboard-cert, dashboard-key: ${messageOf(error)}`);
  }
}

/** A name that somebody else's DNS points at this host must not reach it: addresses, localhost and our own name only. */
function requireKnownHost(message: IncomingMessage): void {
  const [, name = ''] =
    /^(\[[0-9a-f:.]+\]|[^:]+)(?::\d+)?$/i.exec(message.headers.host ?? '') ?? [];
  const bare = name.replace(/^\[|\]$/g, '').toLowerCase();
  const own = hostname().toLowerCase();
  if (isIP(bare) > 0 || bare === 'localhost' || bare === own || bare.startsWith(`${own}.`)) return;
  throw new TswarmError('permission_denied', `${bare.slice(0, 100)} is not a name of this host`, {
    hint: 'Use the address that "tswarm dashboard" printed.',
  });
}

function requireCsrf(message: IncomingMessage, session: Session): void {
  requireSameOrigin(message.headers);
  requireSecret(String(message.headers[CSRF_HEADER] ?? ''), session, `header ${CSRF_HEADER}`);
}

/** A page cannot give a WebSocket headers of its own: the secret comes as one of the protocols that it proposes. */
function requireSocketCsrf(message: IncomingMessage, session: Session): void {
  if (message.headers.origin === undefined) {
    throw new TswarmError('permission_denied', 'the header Origin is missing');
  }
  requireSameOrigin(message.headers);
  const proposed = proposedProtocols(message.headers);
  const sent = proposed.find((name) => name.startsWith(CSRF_PROTOCOL)) ?? '';
  requireSecret(sent.slice(CSRF_PROTOCOL.length), session, `protocol ${CSRF_PROTOCOL}SECRET`);
}

function requireSecret(text: string, session: Session, where: string): void {
  const sent = Buffer.from(text);
  const wanted = Buffer.from(session.csrf);
  if (sent.length === wanted.length && timingSafeEqual(sent, wanted)) return;
  throw new TswarmError('permission_denied', `the ${where} is missing or wrong`, {
    hint: 'Load the page again.',
  });
}

function isSocketCall(message: IncomingMessage): boolean {
  const { path } = splitTarget(message.url ?? '/');
  return path === `${API_PREFIX}${EXEC_PATH}` && wantsSocket(message.headers);
}

/** Browsers send a host's cookies to all of its ports: each node has its own name. */
function cookieName(message: IncomingMessage): string {
  return `tswarm_session_${message.socket.localPort ?? 0}`;
}

function cookieOf(message: IncomingMessage): string | undefined {
  const prefix = `${cookieName(message)}=`;
  const parts = (message.headers.cookie ?? '').split(';').map((part) => part.trim());
  return parts.find((part) => part.startsWith(prefix))?.slice(prefix.length);
}

function cookieFlags(message: IncomingMessage): string {
  const secure = 'encrypted' in message.socket ? '; Secure' : '';
  return `Path=/; HttpOnly; SameSite=Strict${secure}`;
}
