// Who a container's process runs as: `USER` of the image or `--user`, resolved in the container's own passwd and group files by tswarm-layer (which opens them
// inside the root only). A lookup is a process, so the answer for an image whose files are still untouched is kept per image.
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import type { ResolvedUser } from './bundle.ts';
import { callNative } from './native-call.ts';

const CACHE_MAX = 256;

export interface LookupRequest {
  readonly rootDir: string;
  readonly user: string;
  readonly groups: readonly string[];
  /** Image id while the container's own layer is still empty; '' when it may have changed the files. */
  readonly cacheKey: string;
}

export class UserLookup {
  readonly #program: string;
  readonly #cache = new Map<string, ResolvedUser>();

  constructor(nativeDir: string) {
    this.#program = join(nativeDir, 'tswarm-layer');
  }

  /** @throws invalid_argument / not_found with the name that is missing */
  async resolve(request: LookupRequest): Promise<ResolvedUser> {
    const key =
      request.cacheKey === ''
        ? ''
        : JSON.stringify([request.cacheKey, request.user, request.groups]);
    const known = key === '' ? undefined : this.#cache.get(key);
    if (known) return known;
    const found = await this.#lookup(request);
    if (key !== '') {
      if (this.#cache.size >= CACHE_MAX) this.#cache.clear();
      this.#cache.set(key, found);
    }
    return found;
  }

  async #lookup(request: LookupRequest): Promise<ResolvedUser> {
    const text = await callNative(this.#program, [
      'lookup',
      '--root',
      request.rootDir,
      '--user',
      request.user,
      ...request.groups.flatMap((group) => ['--group-add', group]),
    ]);
    try {
      const value = JSON.parse(text) as Partial<ResolvedUser>;
      return {
        uid: Number(value.uid ?? 0),
        gid: Number(value.gid ?? 0),
        gids: (value.gids ?? []).map(Number),
        home: value.home ?? '/',
      };
    } catch (error) {
      throw new TswarmError('internal', 'tswarm-layer lookup: answer is not JSON', {
        cause: error,
      });
    }
  }
}
