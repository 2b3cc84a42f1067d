// Credentials for one registry: answers `WWW-Authenticate` with Basic or with a bearer token from
// the realm (distribution token specification and its OAuth2 form). Tokens are kept per scope until
// shortly before they end. Refuses to send a password over plain HTTP unless the registry itself is
// spoken to that way, and never sends what belongs to one registry to another: an object of this
// class lives for one registry and one user.
import type { RegistryAuth } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Clock } from '#protocol/world';
import { TOKEN_BYTES_MAX, TOKEN_MARGIN_MS, TOKEN_SECONDS_DEFAULT } from '../limits.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { type HttpClient, readText } from './http.ts';

interface Token {
  readonly value: string;
  readonly endsAtMs: number;
}

export class RegistryAuthenticator {
  readonly #auth: RegistryAuth | undefined;
  readonly #http: HttpClient;
  readonly #clock: Clock;
  readonly #isPlainAllowed: boolean;
  #isBasic = false;
  /** scope → token */
  readonly #tokens = new Map<string, Token>();

  /**
   * `isPlainAllowed`: the registry is loopback or named insecure, so its token server may be plain
   * HTTP as well.
   */
  constructor(
    auth: RegistryAuth | undefined,
    deps: { readonly http: HttpClient; readonly clock: Clock; readonly isPlainAllowed: boolean },
  ) {
    this.#auth = auth;
    this.#http = deps.http;
    this.#clock = deps.clock;
    this.#isPlainAllowed = deps.isPlainAllowed;
  }

  /** The `Authorization` header to try first; undefined when nothing is known yet. */
  header(scope: string): string | undefined {
    if (this.#isBasic) return this.#basicHeader();
    const token = this.#tokens.get(scope);
    if (token === undefined || token.endsAtMs <= this.#clock.monotonicMs()) return undefined;
    return `Bearer ${token.value}`;
  }

  /**
   * Does what a 401 asks for. False: nothing that we could do. @throws TswarmError
   * `unauthenticated` with the server's words
   */
  async answer(header: string, scope: string, signal: AbortSignal | undefined): Promise<boolean> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
    if (bearer !== undefined) {
      this.#tokens.set(scope, await this.#fetchToken(bearer, scope, signal));
      return true;
    }
    if (!challenges.some((challenge) => challenge.scheme === 'basic')) return false;
    if (this.#isBasic || this.#basicHeader() === undefined) return false;
    this.#isBasic = true;
    return true;
  }

  #basicHeader(): string | undefined {
    if (this.#auth === undefined || this.#auth.username === '') return undefined;
    const pair = `${this.#auth.username}:${this.#auth.password}`;
    return `Basic ${Buffer.from(pair).toString('base64')}`;
  }

  async #fetchToken(
    challenge: Challenge,
    scope: string,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const realm = this.#realm(challenge);
    const service = challenge.parameters.service ?? '';
    const identity = this.#auth?.identityToken ?? '';
    if (identity !== '') {
      const token = await this.#postOauth(realm, { service, scope, identity }, signal);
      if (token !== undefined) return token;
    }
    const url = new URL(realm);
    if (service !== '') url.searchParams.set('service', service);
    for (const one of scope.split(' ')) if (one !== '') url.searchParams.append('scope', one);
    const basic = this.#basicHeader();
    if (basic !== undefined) url.searchParams.set('account', this.#auth?.username ?? '');
    const headers: Record<string, string> = basic === undefined ? {} : { authorization: basic };
    const response = await this.#http.send({
      method: 'GET',
      url,
      headers,
      signal,
      isInsecure: this.#isPlainAllowed,
    });
    const text = await readText(response.body, TOKEN_BYTES_MAX);
    if (response.status !== 200) throw refused(url, response.status, text);
    return this.#readToken(text, url);
  }

  /** Undefined when the server does not know this way (404, 405): then the older GET is tried. */
  async #postOauth(
    realm: URL,
    form: { readonly service: string; readonly scope: string; readonly identity: string },
    signal: AbortSignal | undefined,
  ): Promise<Token | undefined> {
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      service: form.service,
      client_id: 'tswarm',
      scope: form.scope,
      refresh_token: form.identity,
    });
    const response = await this.#http.send({
      method: 'POST',
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new TextEncoder().encode(body.toString()),
      signal,
      isInsecure: this.#isPlainAllowed,
    });
    const text = await readText(response.body, TOKEN_BYTES_MAX);
    if (response.status === 404 || response.status === 405) return undefined;
    if (response.status !== 200) throw refused(realm, response.status, text);
    return this.#readToken(text, realm);
  }

  #realm(challenge: Challenge): URL {
    const text = challenge.parameters.realm ?? '';
    if (!URL.canParse(text)) {
      throw new TswarmError('unavailable', `the registry's token server "${text}" is no URL`);
    }
    const url = new URL(text);
    if (url.protocol === 'https:' || (url.protocol === 'http:' && this.#isPlainAllowed)) return url;
    throw new TswarmError(
      'permission_denied',
      `refusing to ask ${url.origin} for a token: it is not HTTPS`,
      { hint: 'Use a registry whose token server has a certificate.' },
    );
  }

  #readToken(text: string, url: URL): Token {
    let json: Readonly<Record<string, unknown>>;
    try {
      json = JSON.parse(text) as Record<string, unknown>;
    } catch (cause) {
      throw new TswarmError('unavailable', `${url.origin}: the token answer is not JSON`, {
        cause,
      });
    }
    const value = json.token ?? json.access_token;
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
      throw new TswarmError(
        'unavailable',
        `${url.origin}: authorization server did not include a token`,
      );
    }
    const seconds = Number(json.expires_in ?? TOKEN_SECONDS_DEFAULT);
    const lifeMs = (Number.isFinite(seconds) ? seconds : TOKEN_SECONDS_DEFAULT) * 1000;
    const endsAtMs = this.#clock.monotonicMs() + Math.max(lifeMs - TOKEN_MARGIN_MS, lifeMs / 2);
    return { value, endsAtMs };
  }
}

function refused(url: URL, status: number, text: string): TswarmError {
  const code = status === 401 || status === 403 ? 'unauthenticated' : 'unavailable';
  const reason = errorTextOf(text) || `status ${status}`;
  const retryable = status >= 500 || status === 429;
  return new TswarmError(code, `Get "${url.origin}${url.pathname}": ${reason}`, { retryable });
}

/** `code: message` of a registry's error body, in Docker's words; '' when there is none. */
export function errorTextOf(body: string): string {
  return errorsOf(body)
    .map(({ code, message }) => [code.toLowerCase().replaceAll('_', ' '), message])
    .map((parts) => parts.filter((part) => part !== '').join(': '))
    .join('; ');
}

/** The `errors` of a registry's error body. */
export function errorsOf(
  body: string,
): readonly { readonly code: string; readonly message: string }[] {
  try {
    const json = JSON.parse(body) as Readonly<Record<string, unknown>>;
    if (typeof json.details === 'string') return [{ code: '', message: json.details }];
    const list = json.errors;
    if (!Array.isArray(list)) return [];
    return list.map((item: Readonly<Record<string, unknown>> | null) => ({
      code: typeof item?.code === 'string' ? item.code : '',
      message: typeof item?.message === 'string' ? item.message : '',
    }));
  } catch {
    return [];
  }
}
