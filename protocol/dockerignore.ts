// .dockerignore: which paths of a build context stay at home. Patterns in order, the last that matches wins, `!` takes back; `*` and `?` stop at
// slashes, `**` does not; a pattern also covers everything below what it names (moby/patternmatcher). Pure.
import { TswarmError } from './errors.ts';
import { endsOf, type Piece, setOf } from './wildcards.ts';

/** As long as a path can be. */
const PATTERN_LENGTH_MAX = 4096;

interface Pattern {
  /** It names the path, or a folder above it. */
  readonly covers: (path: string) => boolean;
  readonly negated: boolean;
  /** Literal beginning, to tell whether something below a folder could be taken back. */
  readonly prefix: string;
}

export class Dockerignore {
  readonly #patterns: readonly Pattern[];

  /** `text`: content of the file; a `#` in the first column starts a comment. @throws TswarmError too_large */
  constructor(text: string) {
    this.#patterns = text
      .replace(/^\uFEFF/, '')
      .split(/\r?\n/)
      .filter((line) => !line.startsWith('#') && line.trim() !== '')
      .map((line) => compile(line.trim()));
  }

  /** True when the path (relative, with `/`, no leading one) is left out. */
  ignores(path: string): boolean {
    let ignored = false;
    for (const { covers, negated } of this.#patterns) {
      if (ignored === negated && covers(path)) ignored = !negated;
    }
    return ignored;
  }

  /** True when nothing below an ignored folder can be taken back: it need not be read. */
  mayTakeBackBelow(folder: string): boolean {
    return this.#patterns.some(
      ({ negated, prefix }) =>
        negated &&
        (prefix === '' || prefix.startsWith(`${folder}/`) || `${folder}/`.startsWith(prefix)),
    );
  }
}

function compile(line: string): Pattern {
  const negated = line.startsWith('!');
  const clean = (negated ? line.slice(1) : line).trim();
  const parts = clean.split('/').filter((part) => part !== '' && part !== '.');
  const pattern = parts.join('/');
  const prefix = /^[^*?[\\]*/.exec(pattern)?.[0] ?? '';
  if (pattern.length > PATTERN_LENGTH_MAX) {
    const start = JSON.stringify(`${pattern.slice(0, 40)}…`);
    throw new TswarmError('too_large', `.dockerignore: the pattern ${start} is too long`);
  }
  return { covers: coveringOf(pattern, prefix), negated, prefix };
}

/** Stars with which a regular expression is still done in time. */
const STARS_OF_EXPRESSION_MAX = 2;

/** Whether a path is what the pattern names, or below it. Regular expressions are many times faster, where they may be used. */
function coveringOf(pattern: string, prefix: string): (path: string) => boolean {
  const parts = translate(pattern);
  const stars = parts.filter(({ piece }) => piece.kind !== 'one').length;
  const sources = parts.map(({ source }) => source);
  if (stars <= STARS_OF_EXPRESSION_MAX && !sources.includes(undefined)) {
    const expression = new RegExp(`^${sources.join('')}(?:/.*)?$`, 's');
    return (path) => expression.test(path);
  }
  const pieces = parts.map(({ piece }) => piece);
  return (path) => {
    if (!path.startsWith(prefix)) return false;
    const chars = [...path];
    for (const end of endsOf(pieces, chars))
      if (end === chars.length || chars[end] === '/') return true;
    return false;
  };
}

interface Part {
  readonly piece: Piece;
  /** The same as a regular expression; undefined for sets. */
  readonly source: string | undefined;
}

const notSlash = (char: string): boolean => char !== '/';
const FOLDERS: Part = { piece: { kind: 'folders' }, source: '(?:.*/)?' };
const ANYTHING: Part = { piece: { kind: 'many', matches: () => true }, source: '.*' };
const STAR: Part = { piece: { kind: 'many', matches: notSlash }, source: '[^/]*' };
const ONE: Part = { piece: { kind: 'one', matches: notSlash }, source: '[^/]' };

function literal(wanted: string): Part {
  const source = /[.+^${}()|[\]\\*?/]/.test(wanted) ? `\\${wanted}` : wanted;
  return { piece: { kind: 'one', matches: (char) => char === wanted }, source };
}

function translate(pattern: string): readonly Part[] {
  const parts: Part[] = [];
  const chars = [...pattern];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? '';
    const end = char === '[' ? chars.indexOf(']', at + 1) : -1;
    if (char === '*' && chars[at + 1] === '*') {
      at += 1;
      if (chars[at + 1] === '/') at += 1;
      parts.push(chars[at] === '/' ? FOLDERS : ANYTHING);
    } else if (char === '*') {
      parts.push(STAR);
    } else if (char === '?') {
      parts.push(ONE);
    } else if (end >= 0) {
      const matches = memberOf(chars.slice(at + 1, end).join(''));
      parts.push({ piece: { kind: 'one', matches }, source: undefined });
      at = end;
    } else if (char === '\\' && at + 1 < chars.length) {
      at += 1;
      parts.push(literal(chars[at] ?? ''));
    } else {
      parts.push(literal(char));
    }
  }
  return parts;
}

function memberOf(body: string): (char: string) => boolean {
  if (!body.startsWith('^')) return setOf(body, '\\');
  const isMember = setOf(body.slice(1), '\\');
  return (char) => !isMember(char);
}
