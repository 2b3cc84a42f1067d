// Finds one object by what a user typed: full id, else exact name, else a prefix of the id that only one object has.
import { TswarmError } from '#protocol/errors';
import type { KindName, ObjectOf } from './kinds.ts';
import type { ObjectCache } from './object-cache.ts';

/** Name of an object: of its spec; a node's hostname. '' when it has none (tasks). */
export function nameOf<K extends KindName>(kind: K, object: ObjectOf<K>): string {
  if (kind === 'node') {
    const node = object as ObjectOf<'node'>;
    return node.spec?.name || node.description?.hostname || '';
  }
  return (object as { spec?: { name?: string } }).spec?.name ?? '';
}

/** @throws not_found `service x not found`, invalid_argument when a prefix or a node's name fits several. */
export function lookup<K extends KindName>(
  cache: ObjectCache,
  kind: K,
  idOrName: string,
): ObjectOf<K> {
  const found = tryLookup(cache, kind, idOrName);
  if (!found) throw new TswarmError('not_found', `${kind} ${idOrName} not found`);
  return found;
}

/** The same; undefined when there is none. @throws invalid_argument when it is ambiguous. */
export function tryLookup<K extends KindName>(
  cache: ObjectCache,
  kind: K,
  idOrName: string,
): ObjectOf<K> | undefined {
  if (idOrName === '') return undefined;
  const byId = cache.get(kind, idOrName);
  if (byId) return byId;
  const named: ObjectOf<K>[] = [];
  const prefixed: ObjectOf<K>[] = [];
  for (const object of cache.all(kind)) {
    if (nameOf(kind, object) === idOrName) named.push(object);
    else if (object.id.startsWith(idOrName)) prefixed.push(object);
  }
  const candidates = named.length > 0 ? named : prefixed;
  if (candidates.length > 1) {
    throw new TswarmError(
      'invalid_argument',
      `${kind} ${idOrName} is ambiguous (${candidates.length} matches found)`,
      {
        hint: `Use the full id: ${candidates
          .slice(0, 3)
          .map((c) => c.id)
          .join(', ')}.`,
      },
    );
  }
  return candidates[0];
}
