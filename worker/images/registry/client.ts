// One registry, one user: the distribution API's calls (distribution-spec 1.1) with authorization,
// redirects and retries. A redirect to another host is followed without the Authorization header
// and only to HTTPS (plain HTTP stays where it was allowed). 429 and 5xx are tried again with
// growing pauses; everything else fails at once, with the registry's own words.
import type { RegistryAuth } from '#protocol/engine';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Clock, Random } from '#protocol/world';
import { delay } from '../concurrency.ts';
import { checkedDigest, Digester, sha256 } from '../digest.ts';
import {
  CONFIG_BYTES_MAX,
  CONNECT_TIMEOUT_MS,
  ERROR_BODY_BYTES_MAX,
  MANIFEST_BYTES_MAX,
  REDIRECTS_MAX,
  REQUEST_ATTEMPTS,
  RETRY_DELAY_MS,
  RETRY_DELAY_MS_MAX,
} from '../limits.ts';
import { ACCEPT_MANIFESTS, parseConfig } from '../manifest.ts';
import type { OciImageConfig } from '../types.ts';
import { errorsOf, errorTextOf, RegistryAuthenticator } from './auth.ts';
import type { Endpoint } from './endpoint.ts';
import {
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  readBytes,
  readText,
} from './http.ts';

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: string;
}

export interface ClientDeps {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly random: Random;
}

type Call = Omit<HttpRequest, 'url' | 'headers'> & {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Token scope, e.g. `repository:library/redis:pull`. */
  readonly scope: string;
};

export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly #deps: ClientDeps;
  readonly #authenticator: RegistryAuthenticator;

  constructor(endpoint: Endpoint, auth: RegistryAuth | undefined, deps: ClientDeps) {
    this.endpoint = endpoint;
    this.#deps = deps;
    this.#authenticator = new RegistryAuthenticator(auth, {
      http: deps.http,
      clock: deps.clock,
      isPlainAllowed: endpoint.isInsecure,
    });
  }

  /** `<base>v2/<path>`. */
  url(path: string): URL {
    return new URL(`v2/${path}`, this.endpoint.base);
  }

  /** GET /v2/: are we let in? @throws TswarmError `unauthenticated`, `unavailable` */
  async ping(signal?: AbortSignal): Promise<void> {
    const response = await this.call({
      method: 'GET',
      url: this.url(''),
      scope: '',
      signal,
      answerMs: CONNECT_TIMEOUT_MS,
    });
    if (response.status === 200) return void response.body.resume();
    throw await failure(response, this.url(''));
  }

  /** A manifest or index by tag or digest, verified when asked for by digest. */
  async manifest(path: string, selector: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const url = this.url(`${path}/manifests/${selector}`);
    const response = await this.call({
      method: 'GET',
      url,
      headers: { accept: ACCEPT_MANIFESTS },
      scope: pullScope(path),
      signal,
    });
    if (response.status !== 200) throw await failure(response, url);
    const bytes = await readBytes(response.body, MANIFEST_BYTES_MAX, `manifest ${url.pathname}`);
    const mediaType = response.headers['content-type'] ?? '';
    if (!selector.includes(':')) return { bytes, mediaType, digest: sha256(bytes) };
    const digester = Digester.like(checkedDigest(selector, 'manifest'));
    digester.update(bytes);
    const digest = digester.digest();
    if (digest === selector) return { bytes, mediaType, digest };
    throw new TswarmError(
      'digest_mismatch',
      `manifest verification failed for digest ${selector}: got ${digest}`,
    );
  }

  /** An image's configuration, verified. */
  async config(path: string, digest: string, signal?: AbortSignal): Promise<OciImageConfig> {
    const response = await this.blob(path, digest, 0, signal);
    const bytes = await readBytes(response.body, CONFIG_BYTES_MAX, `configuration ${digest}`);
    const digester = Digester.like(digest);
    digester.update(bytes);
    if (digester.digest() === digest) return parseConfig(bytes, digest);
    throw new TswarmError('digest_mismatch', `configuration ${digest}: its content differs`);
  }

  /** A blob from `offset` on. 200 in place of 206 means that it starts at 0 again. */
  async blob(
    path: string,
    digest: string,
    offset: number,
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    const url = this.url(`${path}/blobs/${digest}`);
    const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const response = await this.call({
      method: 'GET',
      url,
      headers,
      scope: pullScope(path),
      signal,
    });
    if (response.status === 200 || response.status === 206) return response;
    if (response.status === 416 && offset > 0) {
      response.body.resume();
      return this.blob(path, digest, 0, signal);
    }
    throw await failure(response, url);
  }

  /** A layer that is kept elsewhere: no authorization, no redirects. */
  foreign(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    return this.#deps.http.send({ method: 'GET', url, headers, signal });
  }

  /** The response, whatever its status, after authorization, redirects and retries. */
  async call(call: Call): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt += 1) {
      const isLast = attempt >= REQUEST_ATTEMPTS || !isRepeatable(call);
      const response = await this.#authorized(call);
      const isPassing = response.status === 429 || response.status >= 500;
      if (!isPassing || isLast) return response;
      response.body.resume();
      await delay(this.#pauseMs(attempt, response.headers['retry-after']), call.signal);
    }
  }

  #pauseMs(attempt: number, retryAfter: string | undefined): number {
    const asked = Number(retryAfter) * 1000;
    const own = RETRY_DELAY_MS * 2 ** (attempt - 1) * (0.5 + this.#deps.random.next());
    return Math.min(Number.isFinite(asked) && asked > 0 ? asked : own, RETRY_DELAY_MS_MAX);
  }

  async #authorized(call: Call): Promise<HttpResponse> {
    const first = await this.#following(call, this.#authenticator.header(call.scope));
    const challenge = first.headers['www-authenticate'];
    if (first.status !== 401 || challenge === undefined) return first;
    // The body holds the reason, should there be no way to answer.
    const body = await readText(first.body, ERROR_BODY_BYTES_MAX);
    const canGoOn = await this.#authenticator.answer(challenge, call.scope, call.signal);
    const header = this.#authenticator.header(call.scope);
    if (!canGoOn || header === undefined) throw new RegistryError(401, body, call.url);
    return this.#following(call, header);
  }

  async #following(call: Call, authorization: string | undefined): Promise<HttpResponse> {
    let url = call.url;
    for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
      const isHome = url.origin === this.endpoint.base.origin;
      const headers = { ...call.headers };
      if (isHome && authorization !== undefined) headers.authorization = authorization;
      const isInsecure = isHome && this.endpoint.isInsecure;
      const response = await this.#deps.http.send({ ...call, url, headers, isInsecure });
      if (![301, 302, 303, 307, 308].includes(response.status)) return response;
      const location = response.headers.location ?? '';
      if (call.method !== 'GET' && call.method !== 'HEAD') return response;
      response.body.resume();
      if (!URL.canParse(location, url.href)) {
        throw new TswarmError('unavailable', `${url.origin}: redirect to "${location}"`);
      }
      url = new URL(location, url);
      if (url.protocol !== 'https:' && !(url.protocol === 'http:' && this.endpoint.isInsecure)) {
        throw new TswarmError('permission_denied', `refusing a redirect to ${url.origin}`);
      }
    }
    throw new TswarmError('unavailable', `${call.url.href}: more than ${REDIRECTS_MAX} redirects`);
  }
}

export function pullScope(path: string): string {
  return `repository:${path}:pull`;
}

export function pushScope(path: string): string {
  return `repository:${path}:pull,push`;
}

/**
 * An error with the registry's status and words; `registryCodes` are the codes of its error body.
 */
export class RegistryError extends TswarmError {
  readonly status: number;
  readonly registryCodes: readonly string[];

  constructor(status: number, body: string, url: URL) {
    const code =
      status === 404
        ? 'not_found'
        : status === 401
          ? 'unauthenticated'
          : status === 403
            ? 'permission_denied'
            : 'unavailable';
    const text = errorTextOf(body);
    const fallback = `${url.href}: unexpected status ${status}`;
    super(code, text === '' ? fallback : text, { retryable: status === 429 || status >= 500 });
    this.status = status;
    this.registryCodes = errorsOf(body).map((error) => error.code);
  }
}

/** Reads the rest of a failed response. */
export async function failure(response: HttpResponse, url: URL): Promise<RegistryError> {
  const body = await readText(response.body, ERROR_BODY_BYTES_MAX).catch(messageOf);
  return new RegistryError(response.status, body, url);
}

/** A stream cannot be sent twice. */
function isRepeatable(call: Call): boolean {
  return call.body === undefined || call.body instanceof Uint8Array;
}
