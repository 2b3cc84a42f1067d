// Variables and quotes in Dockerfile words: $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?m} ${v?m}
// ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}. Single quotes keep everything, double quotes
// keep blanks, the escape character keeps what follows. Patterns know *, ? and [sets].
import { TswarmError } from '#protocol/errors';
import { endsOf, type Piece, setOf } from '#protocol/wildcards';
import { EXPANSION_DEPTH_MAX, WORD_BYTES_MAX } from '../limits.ts';

export interface Scope {
  /** Undefined = not set. */
  get(name: string): string | undefined;
}

/** One word with quotes taken away and variables put in. @throws TswarmError `invalid_argument` */
export function expandWord(word: string, scope: Scope, escapeChar: string): string {
  return new Expander(word, scope, escapeChar, 0).all();
}

/** As expandWord, then split at blanks that came from variables or were unquoted. */
export function expandWords(word: string, scope: Scope, escapeChar: string): readonly string[] {
  return new Expander(word, scope, escapeChar, 0).words();
}

/**
 * A here-document: variables are put in and quotes stay. A backslash takes the meaning from what follows and goes, whatever the file's escape character is (as BuildKit has it).
 */
export function expandText(text: string, scope: Scope): string {
  return new Expander(text, scope, '\\', 0).raw();
}

const NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const SPECIAL = /[0-9@*#?$!-]/;

class Expander {
  readonly #text: string;
  readonly #scope: Scope;
  readonly #escapeChar: string;
  readonly #depth: number;
  #at = 0;
  #out = '';
  /** Finished words, and whether one has begun. */
  readonly #words: string[] = [];
  #isIn = false;

  constructor(text: string, scope: Scope, escapeChar: string, depth: number) {
    if (depth > EXPANSION_DEPTH_MAX) throw syntax('variables are nested too deeply');
    this.#text = text;
    this.#scope = scope;
    this.#escapeChar = escapeChar;
    this.#depth = depth;
  }

  all(): string {
    while (this.#at < this.#text.length) this.#step((text) => this.#add(text));
    return this.#out;
  }

  raw(): string {
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === '$') {
        this.#add(this.#dollar());
        continue;
      }
      this.#at += 1;
      if (char === this.#escapeChar) this.#escaped(char);
      else this.#add(char);
    }
    return this.#out;
  }

  words(): readonly string[] {
    while (this.#at < this.#text.length) this.#step((text) => this.#split(text));
    if (this.#isIn) this.#words.push(this.#out);
    return this.#words;
  }

  #step(addUnquoted: (text: string) => void): void {
    const char = this.#text.charAt(this.#at);
    if (char === "'") this.#single();
    else if (char === '"') this.#double();
    else if (char === '$') addUnquoted(this.#dollar());
    else {
      this.#at += 1;
      if (char === this.#escapeChar) this.#escaped(char);
      else addUnquoted(char);
    }
  }

  #escaped(char: string): void {
    // A single escape character at the end stands for itself.
    const next = this.#text.charAt(this.#at);
    this.#at += 1;
    this.#add(next === '' ? char : next);
  }

  #add(text: string): void {
    this.#out += text;
    this.#isIn = true;
    if (this.#out.length > WORD_BYTES_MAX) throw syntax('a word becomes too long');
  }

  #split(text: string): void {
    for (const part of text.split(/(\s+)/)) {
      if (part === '') continue;
      if (!/^\s/.test(part)) this.#add(part);
      else if (this.#isIn) {
        this.#words.push(this.#out);
        this.#out = '';
        this.#isIn = false;
      }
    }
  }

  #single(): void {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0)
      throw syntax('unexpected end of statement while looking for matching single-quote');
    this.#add(this.#text.slice(this.#at + 1, end));
    this.#at = end + 1;
  }

  #double(): void {
    this.#at += 1;
    this.#add('');
    for (;;) {
      const char = this.#text.charAt(this.#at);
      if (char === '') {
        throw syntax('unexpected end of statement while looking for matching double-quote');
      }
      if (char === '$') {
        this.#add(this.#dollar());
        continue;
      }
      this.#at += 1;
      if (char === '"') return;
      const next = this.#text.charAt(this.#at);
      const isEscape = char === this.#escapeChar && (next === '"' || next === '$' || next === char);
      if (isEscape) this.#at += 1;
      this.#add(isEscape ? next : char);
    }
  }

  #dollar(): string {
    this.#at += 1;
    if (this.#text.charAt(this.#at) === '{') return this.#braces();
    const name = this.#name();
    return name === '' ? '$' : (this.#scope.get(name) ?? '');
  }

  #name(): string {
    NAME.lastIndex = this.#at;
    const found = NAME.exec(this.#text)?.[0];
    if (found !== undefined) {
      this.#at += found.length;
      return found;
    }
    const char = this.#text.charAt(this.#at);
    if (char === '' || !SPECIAL.test(char)) return '';
    this.#at += 1;
    return char;
  }

  #braces(): string {
    this.#at += 1;
    const name = this.#name();
    if (name === '') throw syntax('bad substitution: a variable without a name');
    const value = this.#scope.get(name);
    const rest = this.#untilBrace();
    if (rest === '') return value ?? '';
    const colon = rest.startsWith(':') ? ':' : '';
    const operator = rest.charAt(colon.length);
    const word = rest.slice(colon.length + 1);
    const isSet = colon === ':' ? value !== undefined && value !== '' : value !== undefined;
    switch (operator) {
      case '-':
        return isSet ? (value ?? '') : this.#nested(word);
      case '+':
        return isSet ? this.#nested(word) : '';
      case '?':
        if (isSet) return value ?? '';
        throw syntax(`${name}: ${this.#nested(word) || 'not allowed to be unset'}`);
    }
    if (colon === '' && operator !== '' && '#%/'.includes(operator)) {
      return this.#pattern(value ?? '', rest);
    }
    throw syntax(`unsupported modifier (${rest}) in substitution`);
  }

  /** The text up to the closing brace, which may hold braces of its own. */
  #untilBrace(): string {
    const start = this.#at;
    let depth = 1;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#text.charAt(this.#at);
      if (char === this.#escapeChar) this.#at += 1;
      else if (char === '{') depth += 1;
      else if (char === '}') depth -= 1;
      if (depth > 0) continue;
      this.#at += 1;
      return this.#text.slice(start, this.#at - 1);
    }
    throw syntax('syntax error: missing "}" in a substitution');
  }

  #nested(word: string): string {
    return new Expander(word, this.#scope, this.#escapeChar, this.#depth + 1).all();
  }

  #pattern(value: string, rest: string): string {
    const operator = rest.charAt(0);
    const isDoubled = rest.charAt(1) === operator;
    const word = rest.slice(isDoubled ? 2 : 1);
    if (operator === '/') return this.#replace(value, word, isDoubled);
    const pieces = piecesOf(this.#nested(word));
    const chars = [...value];
    if (operator === '#') return chars.slice(endOf(pieces, chars, isDoubled) ?? 0).join('');
    const size = endOf(pieces.toReversed(), chars.toReversed(), isDoubled) ?? 0;
    return chars.slice(0, chars.length - size).join('');
  }

  #replace(value: string, word: string, isAll: boolean): string {
    const slash = word.indexOf('/');
    const pieces = piecesOf(this.#nested(slash < 0 ? word : word.slice(0, slash)));
    if (pieces.length === 0) return value;
    const replacement = slash < 0 ? '' : this.#nested(word.slice(slash + 1));
    return replaced([...value], pieces, replacement, isAll);
  }
}

/** Where the shortest or longest beginning ends that matches. */
function endOf(
  pieces: readonly Piece[],
  chars: readonly string[],
  isLongest: boolean,
  from = 0,
): number | undefined {
  let last: number | undefined;
  for (const end of endsOf(pieces, chars, { from })) {
    last = end;
    if (!isLongest) break;
  }
  return last;
}

/** With the first, or all, of the longest parts that match replaced. */
function replaced(
  chars: readonly string[],
  pieces: readonly Piece[],
  replacement: string,
  isAll: boolean,
): string {
  // Where matches begin is where those of the pattern from behind end: nothing else is tried.
  const reversed = endsOf(pieces.toReversed(), chars.toReversed(), { anywhere: true });
  const starts = [...reversed].map((end) => chars.length - end).reverse();
  let out = '';
  let at = 0;
  for (const start of starts) {
    // What stands right behind a match and is nothing is none.
    if (start < at || (start === at && start > 0 && start === chars.length)) continue;
    const end = endOf(pieces, chars, true, start) ?? start;
    out += chars.slice(at, start).join('') + replacement;
    if (out.length > WORD_BYTES_MAX) throw syntax('a word becomes too long');
    at = end;
    if (!isAll) break;
  }
  return out + chars.slice(at).join('');
}

const anything = (): boolean => true;

function piecesOf(pattern: string): readonly Piece[] {
  const pieces: Piece[] = [];
  const literal = (wanted: string): void => {
    pieces.push({ kind: 'one', matches: (char) => char === wanted });
  };
  const chars = [...pattern];
  for (let i = 0; i < chars.length; i += 1) {
    const char = chars[i] ?? '';
    const end = char === '[' ? setEnd(chars, i) : -1;
    if (char === '*') pieces.push({ kind: 'many', matches: anything });
    else if (char === '?') pieces.push({ kind: 'one', matches: anything });
    else if (end >= 0) {
      pieces.push({ kind: 'one', matches: memberOf(chars.slice(i + 1, end).join('')) });
      i = end;
    } else if (char === '\\' && i + 1 < chars.length) {
      i += 1;
      literal(chars[i] ?? '');
    } else literal(char);
  }
  return pieces;
}

/** Of a set that begins at `start`: a closing bracket right at its beginning is a member. */
function setEnd(chars: readonly string[], start: number): number {
  return chars.indexOf(']', start + (chars[start + 1] === '!' ? 3 : 2));
}

function memberOf(body: string): (char: string) => boolean {
  if (!body.startsWith('!')) return setOf(body, '');
  const isMember = setOf(body.slice(1), '');
  return (char) => !isMember(char);
}

function syntax(message: string): TswarmError {
  return new TswarmError('invalid_argument', message);
}
