// Wildcards of file names and variables, matched without going back: all ways through a pattern are followed at once (Thompson 1968), so the time is at most the pattern's length times the
// text's, whatever stars it has. As regular expressions a few stars in a Dockerfile would stop whoever reads it for ever. What is a star or a set, and what it may match, is its reader's to say. Pure.
import { TswarmError } from './errors.ts';

export type Piece =
  /** One character, or any number of them. */
  | { readonly kind: 'one' | 'many'; readonly matches: (char: string) => boolean }
  /** Any folders or none: nothing, or anything that ends with a slash. */
  | { readonly kind: 'folders' };

/** Steps of one match: a second, about. */
const STEPS_MAX = 50_000_000;

/**
 * Where the beginnings of `chars` end that the pattern matches, the shortest first. `anywhere`: those of all parts of it.
 * @throws TswarmError too_large for a pattern and a text that would take too long
 */
export function* endsOf(
  pieces: readonly Piece[],
  chars: readonly string[],
  { from = 0, anywhere = false }: { readonly from?: number; readonly anywhere?: boolean } = {},
): Generator<number> {
  if (pieces.length * (chars.length - from) > STEPS_MAX)
    throw new TswarmError('too_large', 'a pattern with wildcards is too long for its text');
  let places = new Places(pieces);
  let next = new Places(pieces);
  places.reach(0);
  for (let at = from; ; at += 1) {
    if (places.isEnd) yield at;
    const char = chars[at];
    if (char === undefined || (places.list.length === 0 && !anywhere)) return;
    next.clear();
    if (anywhere) next.reach(0);
    for (const place of places.list) follow(pieces[place >> 1], place, char, next);
    [places, next] = [next, places];
  }
}

/** True when the pattern matches all of the text. */
export function matchesWhole(pieces: readonly Piece[], text: string): boolean {
  const chars = [...text];
  let last = -1;
  for (const end of endsOf(pieces, chars)) last = end;
  return last === chars.length;
}

/** What a set like `a-z0` (without brackets and negation) holds. A range that ends before it begins holds nothing. `escapeChar`: takes the meaning from what follows; '' = nothing does. */
export function setOf(body: string, escapeChar: string): (char: string) => boolean {
  const chars = [...body];
  const single = new Set<string>();
  const ranges: (readonly [number, number])[] = [];
  let at = 0;
  const next = (): string => {
    if (escapeChar !== '' && chars[at] === escapeChar && at + 1 < chars.length) at += 1;
    const char = chars[at] ?? '';
    at += 1;
    return char;
  };
  while (at < chars.length) {
    const first = next();
    if (chars[at] !== '-' || at + 1 >= chars.length) {
      single.add(first);
      continue;
    }
    at += 1;
    ranges.push([codeOf(first), codeOf(next())]);
  }
  return (char) => {
    const code = codeOf(char);
    return single.has(char) || ranges.some(([low, high]) => low <= code && code <= high);
  };
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}

/** Where a match may stand: before piece N (2 N), or inside the folders of piece N (2 N + 1). */
class Places {
  readonly #pieces: readonly Piece[];
  readonly #reached: Uint8Array;
  readonly list: number[] = [];
  /** Behind the last piece. */
  isEnd = false;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
    this.#reached = new Uint8Array(2 * pieces.length);
  }

  clear(): void {
    for (const place of this.list) this.#reached[place] = 0;
    this.list.length = 0;
    this.isEnd = false;
  }

  /** Before that piece, and behind it where it may be nothing. */
  reach(piece: number): void {
    for (let at = piece; ; at += 1) {
      if (at === this.#pieces.length) {
        this.isEnd = true;
        return;
      }
      if (this.#reached[2 * at] === 1) return;
      this.#add(2 * at);
      if (this.#pieces[at]?.kind === 'one') return;
    }
  }

  enter(piece: number): void {
    if (this.#reached[2 * piece + 1] === 0) this.#add(2 * piece + 1);
  }

  #add(place: number): void {
    this.#reached[place] = 1;
    this.list.push(place);
  }
}

function follow(piece: Piece | undefined, place: number, char: string, next: Places): void {
  const at = place >> 1;
  if (piece?.kind === 'folders') {
    next.enter(at);
    if (char === '/') next.reach(at + 1);
  } else if (piece?.matches(char)) {
    next.reach(piece.kind === 'many' ? at : at + 1);
  }
}
