// "Did you mean": the place where a key belongs that was written one level off.

import { ownValue } from './records.ts';
import { COMPOSE_FILE, SERVICE_KEYS } from './schema.ts';
import type { Schema, ShapeSchema } from './shapes.ts';
import type { Path } from './tree.ts';

/** Where `key` belongs, when it is a key of some other part of the file. */
export function misplacedKeyHint(key: string, path: Path): string | undefined {
  const [top, service] = path;
  if (top === 'services' && path.length === 2) {
    const inside = findKey(key, SERVICE_KEYS, []);
    if (inside !== undefined) return `\`${key}\` belongs under \`${inside.join('.')}\``;
    if (ownValue(COMPOSE_FILE.keys, key) !== undefined) {
      return `\`${key}\` belongs at the top level of the file, without indentation`;
    }
    return undefined;
  }
  if (top === 'services' && path.length > 2 && ownValue(SERVICE_KEYS, key) !== undefined) {
    return `\`${key}\` belongs directly under \`services.${String(service)}\``;
  }
  if (path.length === 0 && ownValue(SERVICE_KEYS, key) !== undefined) {
    return `\`${key}\` belongs under a service: services.NAME.${key}`;
  }
  return undefined;
}

/** The mapping below a service that has `key`, nearest to the service first. */
function findKey(
  key: string,
  keys: Readonly<Record<string, Schema>>,
  path: readonly string[],
): readonly string[] | undefined {
  const deeper: (readonly [string, ShapeSchema])[] = [];
  for (const [name, schema] of Object.entries(keys)) {
    for (const shape of 'oneOf' in schema ? schema.oneOf : [schema]) {
      if (shape.keys === undefined) continue;
      if (ownValue(shape.keys, key) !== undefined) return [...path, name];
      deeper.push([name, shape]);
    }
  }
  for (const [name, shape] of deeper) {
    const found = findKey(key, shape.keys ?? {}, [...path, name]);
    if (found !== undefined) return found;
  }
  return undefined;
}
