// Go's filepath.Match, which COPY's wildcards follow: `*` and `?` stop at slashes, `[a-z]` and
// `[^a-z]` are sets, `\` takes the meaning from what follows. `**` as a whole path component
// matches any number of folders (BuildKit).
import { TswarmError } from '#protocol/errors';
import type { RootView } from './root-view.ts';

export function hasWildcards(pattern: string): boolean {
  return /[*?[\\]/.test(pattern);
}

/**
 * A whole name (no slashes) against one component of a pattern. @throws TswarmError
 * `invalid_argument` for a bad pattern
 */
export function matchesName(pattern: string, name: string): boolean {
  return new RegExp(`^${componentSource(pattern)}$`, 'su').test(name);
}

/** Paths (absolute in the view) that match, sorted. */
export async function expandGlob(view: RootView, pattern: string): Promise<readonly string[]> {
  const parts = pattern.split('/').filter((part) => part !== '' && part !== '.');
  const found = new Set<string>();
  await walk(view, '/', parts, found);
  return [...found].toSorted();
}

async function walk(
  view: RootView,
  folder: string,
  parts: readonly string[],
  found: Set<string>,
): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) {
    found.add(folder);
    return;
  }
  const { path, info } = await view.resolve(folder);
  if (info?.isDirectory() !== true) return;
  if (part === '**') await walk(view, folder, rest, found);
  for (const name of await view.list(path)) {
    const child = folder === '/' ? `/${name}` : `${folder}/${name}`;
    if (part === '**') {
      const below = await view.resolve(child, true);
      if (below.info?.isDirectory() === true) await walk(view, child, parts, found);
      else if (rest.length === 0) found.add(child);
    } else if (matchesName(part, name)) {
      await walk(view, child, rest, found);
    }
  }
}

function componentSource(pattern: string): string {
  let source = '';
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern.charAt(i);
    if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '\\') {
      i += 1;
      if (i >= pattern.length) throw bad(pattern);
      source += literal(pattern.charAt(i));
    } else if (char === '[') {
      const end = pattern.indexOf(']', i + (pattern.charAt(i + 1) === '^' ? 3 : 2));
      if (end < 0) throw bad(pattern);
      source += setSource(pattern.slice(i + 1, end));
      i = end;
    } else source += literal(char);
  }
  return source;
}

function setSource(body: string): string {
  const negation = body.startsWith('^') ? '^' : '';
  const members = body.slice(negation.length).replaceAll(/\\(?=.)/g, '');
  return `[${negation}${members.replaceAll(/[\\\]^]/g, '\\$&')}]`;
}

function literal(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}

function bad(pattern: string): TswarmError {
  return new TswarmError('invalid_argument', `syntax error in pattern "${pattern}"`);
}
