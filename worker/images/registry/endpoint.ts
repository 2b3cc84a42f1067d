// Where a registry is and how it may be spoken to. HTTPS always; plain HTTP and unverified
// certificates only for loopback hosts and those that the administrator named. Such a host is asked
// once whether it speaks TLS; the answer is kept until a connection fails.
import { isIP } from 'node:net';
import { hasCode, TswarmError } from '#protocol/errors';
import { CONNECT_TIMEOUT_MS } from '../limits.ts';
import { DEFAULT_DOMAIN } from '../reference.ts';
import type { HttpClient } from './http.ts';

const DOCKER_HUB_HOST = 'registry-1.docker.io';

export interface Endpoint {
  /** With a trailing slash, e.g. `https://registry-1.docker.io/`. */
  readonly base: URL;
  /** Loopback or named: its certificate is not verified, its token server may be plain HTTP. */
  readonly isInsecure: boolean;
}

export class EndpointFinder {
  readonly #http: HttpClient;
  readonly #insecure: ReadonlySet<string>;
  readonly #mirrors: readonly string[];
  /** host → endpoint found */
  readonly #found = new Map<string, Endpoint>();

  constructor(
    http: HttpClient,
    options: {
      readonly insecureRegistries: readonly string[];
      readonly registryMirrors: readonly string[];
    },
  ) {
    this.#http = http;
    this.#insecure = new Set(options.insecureRegistries.map((host) => host.toLowerCase()));
    this.#mirrors = options.registryMirrors;
  }

  /** To be tried in order: mirrors (docker.io, reading only), then the registry itself. */
  async find(
    domain: string,
    use: 'read' | 'write',
    signal: AbortSignal | undefined,
  ): Promise<readonly Endpoint[]> {
    const endpoints: Endpoint[] = [];
    if (domain === DEFAULT_DOMAIN && use === 'read') {
      for (const mirror of this.#mirrors) endpoints.push(this.#mirror(mirror));
    }
    endpoints.push(await this.#registry(domain, signal));
    return endpoints;
  }

  /** To be called when a connection failed: the host may have changed its mind. */
  forget(domain: string): void {
    this.#found.delete(domain);
  }

  #mirror(text: string): Endpoint {
    const withScheme = text.includes('://') ? text : `https://${text}`;
    if (!URL.canParse(withScheme)) {
      throw new TswarmError('invalid_argument', `registry mirror "${text}" is no URL`, {
        field: 'registryMirrors',
      });
    }
    const base = new URL(withScheme.endsWith('/') ? withScheme : `${withScheme}/`);
    const isInsecure = this.#isInsecure(base.host);
    if (base.protocol === 'http:' && !isInsecure) {
      throw new TswarmError('permission_denied', `registry mirror ${text} is plain HTTP`, {
        field: 'registryMirrors',
        hint: 'Use HTTPS, or name its host among the insecure registries.',
      });
    }
    return { base, isInsecure };
  }

  async #registry(domain: string, signal: AbortSignal | undefined): Promise<Endpoint> {
    const known = this.#found.get(domain);
    if (known !== undefined) return known;
    const host = domain === DEFAULT_DOMAIN ? DOCKER_HUB_HOST : domain;
    const isInsecure = this.#isInsecure(host);
    const isTls = !isInsecure || (await this.#speaksTls(host, signal));
    const endpoint = { base: new URL(`${isTls ? 'https' : 'http'}://${host}/`), isInsecure };
    this.#found.set(domain, endpoint);
    return endpoint;
  }

  async #speaksTls(host: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      const url = new URL(`https://${host}/v2/`);
      const response = await this.#http.send({
        method: 'GET',
        url,
        headers: {},
        signal,
        isInsecure: true,
        answerMs: CONNECT_TIMEOUT_MS,
      });
      response.body.resume();
      return true;
    } catch (error) {
      // Plain HTTP answers a greeting in TLS at once, with an error: who says nothing is not alive.
      if (hasCode(error, 'cancelled') || hasCode(error, 'deadline_exceeded')) throw error;
      return false;
    }
  }

  #isInsecure(host: string): boolean {
    const name = hostName(host);
    return (
      isLoopback(name) ||
      this.#insecure.has(host.toLowerCase()) ||
      this.#insecure.has(name.toLowerCase())
    );
  }
}

function hostName(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'));
  return host.replace(/:\d+$/, '');
}

/** `localhost` and literal addresses only: a name could lead anywhere. */
function isLoopback(name: string): boolean {
  if (name === 'localhost' || name === '::1') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}
