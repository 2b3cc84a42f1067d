// Go's filepath.Match, which COPY's wildcards follow: `*` and `?` stop at slashes, `[a-z]` and
// `[^a-z]` are sets, `\` takes the meaning from what follows. `**` as a whole path component
// matches any number of folders (BuildKit).
import { TswarmError } from '#protocol/errors';
import { matchesWhole, type Piece, setOf } from '#protocol/wildcards';
import type { RootView } from './root-view.ts';

export function hasWildcards(pattern: string): boolean {
  return /[*?[\\]/.test(pattern);
}

/**
 * A whole name (no slashes) against one component of a pattern. @throws TswarmError
 * `invalid_argument` for a bad pattern
 */
export function matchesName(pattern: string, name: string): boolean {
  return matchesWhole(piecesOf(pattern), name);
}

/** Paths (absolute in the view) that match, sorted. */
export async function expandGlob(view: RootView, pattern: string): Promise<readonly string[]> {
  const parts = pattern.split('/').filter((part) => part !== '' && part !== '.');
  const walked: Walked = { found: new Set(), seen: new Set() };
  await walk(view, '/', parts, walked);
  return [...walked.found].toSorted();
}

interface Walked {
  readonly found: Set<string>;
  /** Folders with how much of the pattern was left there: the ways to one of them are many, what is below it is the same. */
  readonly seen: Set<string>;
}

async function walk(
  view: RootView,
  folder: string,
  parts: readonly string[],
  walked: Walked,
): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) {
    walked.found.add(folder);
    return;
  }
  const place = `${parts.length} ${folder}`;
  if (walked.seen.has(place)) return;
  walked.seen.add(place);
  const { path, info } = await view.resolve(folder);
  if (info?.isDirectory() !== true) return;
  if (part === '**') await walk(view, folder, rest, walked);
  for (const name of await view.list(path)) {
    const child = folder === '/' ? `/${name}` : `${folder}/${name}`;
    if (part === '**') {
      const below = await view.resolve(child, true);
      if (below.info?.isDirectory() === true) await walk(view, child, parts, walked);
      else if (rest.length === 0) walked.found.add(child);
    } else if (matchesName(part, name)) {
      await walk(view, child, rest, walked);
    }
  }
}

const notSlash = (char: string): boolean => char !== '/';

function piecesOf(pattern: string): readonly Piece[] {
  const pieces: Piece[] = [];
  const chars = [...pattern];
  const literal = (wanted: string): void => {
    pieces.push({ kind: 'one', matches: (char) => char === wanted });
  };
  for (let i = 0; i < chars.length; i += 1) {
    const char = chars[i] ?? '';
    if (char === '*') pieces.push({ kind: 'many', matches: notSlash });
    else if (char === '?') pieces.push({ kind: 'one', matches: notSlash });
    else if (char === '\\') {
      i += 1;
      if (i >= chars.length) throw bad(pattern);
      literal(chars[i] ?? '');
    } else if (char === '[') {
      const end = chars.indexOf(']', i + (chars[i + 1] === '^' ? 3 : 2));
      if (end < 0) throw bad(pattern);
      pieces.push({ kind: 'one', matches: memberOf(chars.slice(i + 1, end).join('')) });
      i = end;
    } else literal(char);
  }
  return pieces;
}

function memberOf(body: string): (char: string) => boolean {
  if (!body.startsWith('^')) return setOf(body, '\\');
  const isMember = setOf(body.slice(1), '\\');
  return (char) => !isMember(char);
}

function bad(pattern: string): TswarmError {
  return new TswarmError('invalid_argument', `syntax error in pattern "${pattern}"`);
}
