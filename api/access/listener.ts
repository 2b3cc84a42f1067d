// The HTTP API for other hosts: TLS only, on an address that the node was given (`api-addr`; none without it). Its certificate is signed by the cluster's
// root for the names and addresses of this host, lives in memory and is renewed at half its life, when the root changes and when the host gets
// another address. It is a manager's: a worker has no cluster to check a credential against. Until there is one, a handshake fails. What comes in without
// a credential gets an answer to three questions only: whether the process lives, the root certificate, and why it was refused.
import { X509Certificate } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { messageOf, TswarmError } from '#protocol/errors';
import { certificateRequestFor, newNodeKey } from '#protocol/transport/csr';
import type { Clock, Log } from '#protocol/world';
import { OPERATIONS } from '../cluster/operations.ts';
import type { Reply } from '../http/reply.ts';
import type { Caller } from '../http/request.ts';
import {
  HttpServer,
  type HttpServerOptions,
  type RawRequest,
  splitTarget,
} from '../http/server.ts';
import {
  API_CERTIFICATE_LOOK_MS,
  API_CERTIFICATE_RENEW_AT,
  API_CERTIFICATE_RETRY_MS,
  CONTROL_CALL_TIMEOUT_MS,
} from '../limits.ts';
import type { ClusterSession, NodeControl } from '../node-control.ts';
import { Authenticator } from './authenticator.ts';

export interface ApiListenerOptions {
  /** `IP:PORT`; '' = none. */
  readonly address: string;
  /** DNS names and addresses that clients use beside the host's own. */
  readonly names: readonly string[];
}

export interface ApiListenerDeps {
  readonly node: NodeControl;
  readonly clock: Clock;
  readonly log: Log;
  readonly upgrades: HttpServerOptions['upgrades'];
  /** The gateway's own handling; undefined = nobody is signed in, and `error` says why. */
  dispatch(
    raw: RawRequest,
    reply: Reply,
    caller: Caller | undefined,
    error: unknown,
  ): Promise<void>;
}

/** Paths that need no credential. */
const OPEN_PATHS: ReadonlySet<string> = new Set([
  '/healthz',
  ...OPERATIONS.filter(({ isOpen }) => isOpen).map(({ path }) => path),
]);
/** What has no credential may ask that much. */
const ANYBODY: Caller = { name: 'anybody', role: 'viewer', credentialId: '' };

interface Certificate {
  readonly names: string;
  /** The roots that it was made under. */
  readonly roots: string;
  readonly renewAtMs: number;
}

export class ApiListener {
  readonly #options: ApiListenerOptions;
  readonly #deps: ApiListenerDeps;
  readonly #authenticator: Authenticator;
  #server: HttpServer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #certificate: Certificate | undefined;
  #isSigning = false;
  #nextTryMs = 0;

  constructor(options: ApiListenerOptions, deps: ApiListenerDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#authenticator = new Authenticator(deps.clock);
  }

  /** @throws TswarmError when the address is none, or cannot be had */
  async start(): Promise<void> {
    if (this.#options.address === '') return;
    const { host, port } = parseApiAddress(this.#options.address);
    const server = new HttpServer({
      dispatch: (raw, reply) => this.#serve(raw, reply),
      upgrades: this.#deps.upgrades,
      tls: { askForCertificates: true },
    });
    let bound: number;
    try {
      bound = await server.listenTcp(host, port);
    } catch (error) {
      throw new TswarmError(
        'unavailable',
        `api-addr ${this.#options.address}: ${messageOf(error)}`,
        {
          field: 'api-addr',
        },
      );
    }
    this.#server = server;
    this.#deps.log.info('API listens with TLS', { host, port: bound });
    this.#timer = setInterval(() => void this.#look(), API_CERTIFICATE_LOOK_MS);
    this.#timer.unref();
    await this.#look();
  }

  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#timer);
    await this.#server?.close(graceMs);
  }

  async #serve(raw: RawRequest, reply: Reply): Promise<void> {
    const { dispatch, node } = this.#deps;
    const session = node.session();
    let caller: Caller | undefined;
    let failure: unknown;
    try {
      const { path } = splitTarget(raw.message.url ?? '/');
      if (raw.message.method === 'GET' && OPEN_PATHS.has(path)) caller = ANYBODY;
      else if (session?.cache.isReady) {
        caller = this.#authenticator.authenticate(session.cache, raw.message);
      } else failure = notNow();
    } catch (error) {
      failure = error;
    }
    await dispatch(raw, reply, caller, failure);
  }

  /** Gets a certificate when there is none, or it is not as it should be any more. */
  async #look(): Promise<void> {
    const { node, clock, log } = this.#deps;
    const session = node.session();
    if (!session?.cache.isReady) {
      if (node.state().state === 'inactive') this.#forget();
      return;
    }
    const names = namesOf(this.#options, node.state().nodeAddr);
    const roots = rootsOf(session);
    const held = this.#certificate;
    const isGood = held?.names === names.join() && held.roots === roots;
    if (isGood && clock.nowMs() < held.renewAtMs) return;
    if (this.#isSigning || clock.monotonicMs() < this.#nextTryMs) return;
    this.#isSigning = true;
    try {
      await this.#renew(session, names, roots);
    } catch (error) {
      this.#nextTryMs = clock.monotonicMs() + API_CERTIFICATE_RETRY_MS;
      log.warn('no certificate for the API', { reason: messageOf(error) });
    } finally {
      this.#isSigning = false;
    }
  }

  async #renew(session: ClusterSession, names: readonly string[], roots: string): Promise<void> {
    const key = newNodeKey();
    const { certificate, caCert } = await session.control.issueCertificate(
      {
        csr: certificateRequestFor(key),
        credentialId: '',
        names: names.filter((name) => isIP(name) === 0),
        addresses: names.filter((name) => isIP(name) > 0).map(addressBytes),
      },
      { timeoutMs: CONTROL_CALL_TIMEOUT_MS },
    );
    this.#server?.useTls({ cert: certificate, key, ca: caCert });
    const { validFromDate, validToDate } = new X509Certificate(certificate);
    const lifeMs = validToDate.getTime() - validFromDate.getTime();
    const renewAtMs = validFromDate.getTime() + lifeMs * API_CERTIFICATE_RENEW_AT;
    this.#certificate = { names: names.join(), roots, renewAtMs };
    this.#deps.log.info('certificate for the API', { names: names.join(' ') });
  }

  /** The node has left its cluster: whoever was let in is not any more. */
  #forget(): void {
    if (!this.#certificate) return;
    this.#certificate = undefined;
    this.#server?.useTls(undefined);
  }
}

function notNow(): TswarmError {
  return new TswarmError('unavailable', 'this node is no manager of a cluster at the moment', {
    retryable: true,
    hint: 'Use the address of a manager.',
  });
}

function rootsOf({ cache }: ClusterSession): string {
  for (const { rootCa } of cache.all('cluster')) {
    return `${rootCa?.caCertDigest} ${rootCa?.rootRotation?.caCertDigest ?? ''}`;
  }
  return '';
}

/** What clients may call this host, sorted. */
function namesOf({ address, names }: ApiListenerOptions, nodeAddr: string): string[] {
  const { host } = parseApiAddress(address);
  const all = new Set<string>([hostname(), 'localhost', nodeAddr, ...names]);
  if (isIP(host) > 0) all.add(host);
  for (const list of Object.values(networkInterfaces())) {
    for (const { address: own } of list ?? []) all.add(own);
  }
  for (const none of ['', '0.0.0.0', '::']) all.delete(none);
  return [...all].filter((name) => !name.includes('%')).sort();
}

/** 4 or 16 bytes. */
export function addressBytes(text: string): Uint8Array {
  if (!isIPv6(text)) return Uint8Array.from(text.split('.'), Number);
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const before = words(head);
  const after = tail === undefined ? [] : words(tail);
  const middle = new Array<number>(8 - before.length - after.length).fill(0);
  const bytes = [...before, ...middle, ...after].flatMap((word) => [word >> 8, word & 0xff]);
  return Uint8Array.from(bytes);
}

/** @throws TswarmError invalid_argument */
export function parseApiAddress(text: string): { readonly host: string; readonly port: number } {
  const [, name = '', portText = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const host = name.replace(/^\[|\]$/g, '') || '0.0.0.0';
  const port = Number(portText);
  if (portText !== '' && isIP(host) > 0 && port <= 65_535) return { host, port };
  throw new TswarmError('invalid_argument', `api-addr "${text}" is not IP:PORT`, {
    field: 'api-addr',
    hint: /^(tcp|http|https|unix):/.test(text)
      ? 'Write the address only, as 0.0.0.0:2376: it speaks TLS in any case, and nothing else.'
      : 'Write for example 0.0.0.0:2376.',
  });
}
