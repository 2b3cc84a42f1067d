// "Did you mean": the known word nearest to one that is not known, and the place where a key belongs
// that was written one level off.

import { ownValue } from './records.ts';
import { COMPOSE_FILE, SERVICE_KEYS } from './schema.ts';
import type { Schema, ShapeSchema } from './shapes.ts';
import type { Path } from './tree.ts';

/** The word of `words` that `word` was most likely meant to be. */
export function nearestWord(word: string, words: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of words) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(lower.replaceAll('-', '_'), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours between two words. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

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
