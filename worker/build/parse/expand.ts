// Variables and quotes in Dockerfile words: $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?m} ${v?m}
// ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}. Single quotes keep everything, double quotes
// keep blanks, the escape character keeps what follows. Patterns know *, ? and [sets].
import { TswarmError } from '#protocol/errors';
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
    const pattern = globSource(this.#nested(word), isDoubled);
    if (operator === '#') return value.replace(new RegExp(`^(?:${pattern})`, 's'), '');
    return withoutSuffix(value, pattern, isDoubled);
  }

  #replace(value: string, word: string, isAll: boolean): string {
    const slash = word.indexOf('/');
    const pattern = globSource(this.#nested(slash < 0 ? word : word.slice(0, slash)), true);
    if (pattern === '') return value;
    const replacement = slash < 0 ? '' : this.#nested(word.slice(slash + 1));
    return value.replace(new RegExp(pattern, isAll ? 'gs' : 's'), () => replacement);
  }
}

/** The shortest (%) or longest (%%) end that matches goes. */
function withoutSuffix(value: string, pattern: string, isLongest: boolean): string {
  const whole = new RegExp(`^(?:${pattern})$`, 's');
  const starts = Array.from({ length: value.length + 1 }, (_, i) => i);
  const order = isLongest ? starts : starts.reverse();
  const start = order.find((i) => whole.test(value.slice(i)));
  return start === undefined ? value : value.slice(0, start);
}

function globSource(pattern: string, isGreedy: boolean): string {
  let source = '';
  for (let i = 0; i < pattern.length; i += 1) {
    const char = pattern.charAt(i);
    const set = char === '[' ? /^\[!?\]?[^\]]*\]/.exec(pattern.slice(i))?.[0] : undefined;
    if (char === '*') source += isGreedy ? '.*' : '.*?';
    else if (char === '?') source += '.';
    else if (set !== undefined) {
      source += set.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
      i += set.length - 1;
    } else if (char === '\\' && i + 1 < pattern.length) {
      i += 1;
      source += literal(pattern.charAt(i));
    } else source += literal(char);
  }
  return source;
}

function literal(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}

function syntax(message: string): TswarmError {
  return new TswarmError('invalid_argument', message);
}
