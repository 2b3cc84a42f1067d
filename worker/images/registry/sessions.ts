// Finds the registry of a name and talks to it: mirrors first where there are any, then the
// registry itself. Translates its refusals into Docker's words. Keeps no credentials beyond a call.
import type { EngineJson, RegistryAuth } from '#protocol/engine';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import { familiarName, familiarText, type Reference } from '../reference.ts';
import { type ClientDeps, RegistryClient, RegistryError } from './client.ts';
import type { EndpointFinder } from './endpoint.ts';

export class RegistrySessions {
  readonly #finder: EndpointFinder;
  readonly #deps: ClientDeps;

  constructor(finder: EndpointFinder, deps: ClientDeps) {
    this.#finder = finder;
    this.#deps = deps;
  }

  /**
   * Runs `use` with the first endpoint that can do it. @throws the last endpoint's error,
   * translated for `ref`
   */
  async reading<T>(
    ref: Reference,
    auth: RegistryAuth | undefined,
    signal: AbortSignal | undefined,
    use: (client: RegistryClient) => Promise<T>,
  ): Promise<T> {
    let last: unknown;
    for (const endpoint of await this.#finder.find(ref.domain, 'read', signal)) {
      try {
        return await use(new RegistryClient(endpoint, auth, this.#deps));
      } catch (error) {
        last = error;
        if (hasCode(error, 'unavailable')) this.#finder.forget(ref.domain);
        // These are no better elsewhere.
        if (hasCode(error, 'cancelled') || hasCode(error, 'no_space')) throw error;
      }
    }
    throw translated(last, ref);
  }

  /** The registry itself, never a mirror. */
  async writing(
    domain: string,
    auth: RegistryAuth | undefined,
    signal: AbortSignal | undefined,
  ): Promise<RegistryClient> {
    const [endpoint] = await this.#finder.find(domain, 'write', signal);
    if (endpoint === undefined) throw new TswarmError('unavailable', `no registry for ${domain}`);
    return new RegistryClient(endpoint, auth, this.#deps);
  }

  /** POST /auth: are these credentials good? */
  async authenticate(auth: RegistryAuth): Promise<EngineJson> {
    const address = auth.serverAddress.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
    const isHub = address === '' || address === 'index.docker.io' || address === 'docker.io';
    const domain = isHub ? 'docker.io' : address;
    const client = await this.writing(domain, auth, undefined);
    try {
      await client.ping();
    } catch (error) {
      this.#finder.forget(domain);
      const isRefused = hasCode(error, 'unauthenticated') || hasCode(error, 'permission_denied');
      if (!isRefused) throw error;
      const text = `login attempt to ${client.url('').href} failed with status: 401 Unauthorized`;
      throw new TswarmError('unauthenticated', `${text}: ${messageOf(error)}`, { cause: error });
    }
    return { Status: 'Login Succeeded', IdentityToken: '' };
  }
}

/** What Docker says when a registry refuses (its distribution/errors.go). */
export function translated(error: unknown, ref: Reference): unknown {
  const isDenied = hasCode(error, 'unauthenticated') || hasCode(error, 'permission_denied');
  const reason = messageOf(error);
  if (isDenied && (error instanceof RegistryError || hasCode(error, 'unauthenticated'))) {
    return notFound(
      `pull access denied for ${familiarName(ref)}, repository does not exist or may require 'docker login': ${reason}`,
      error,
    );
  }
  if (!(error instanceof RegistryError) || error.status !== 404) return error;
  if (error.registryCodes.includes('NAME_UNKNOWN')) {
    return notFound(`repository ${familiarName(ref)} not found: ${reason}`, error);
  }
  return notFound(`manifest for ${familiarText(ref)} not found: ${reason}`, error);
}

function notFound(message: string, cause: unknown): TswarmError {
  return new TswarmError('not_found', message, { cause });
}
