// `.env` files and `env_file` entries: KEY=VALUE lines, quotes, escapes, comments, `export`, `KEY:`,
// bare keys that inherit, and `${…}` (compose.md §2.3). With format `raw` a line is KEY=VALUE and
// nothing more. Pure text in, variables out.

import { describeFault, type Lookup, substitute } from './template.ts';

/** Variables in file order, or the first line that is wrong. */
export type DotenvResult =
  | { readonly ok: true; readonly variables: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly line: number; readonly message: string };

export interface DotenvOptions {
  /** Variables from outside: they win over the file's inside `${…}`, and bare keys take them. */
  readonly lookup: Lookup;
  readonly onUnset: (name: string) => void;
}

class Fault extends Error {}

/** Parses the text of an env file. */
export function parseDotenv(text: string, options: DotenvOptions): DotenvResult {
  const parser = new Parser(text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n'), options);
  try {
    return { ok: true, variables: parser.parse() };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { ok: false, line: parser.line, message: error.message };
  }
}

/** Parses an env file with `format: raw`. */
export function parseRawEnv(text: string, lookup: Lookup): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const full of text.replace(/^\uFEFF/, '').split('\n')) {
    const line = full.replace(/\r$/, '').trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    const key = equals === -1 ? line.trimEnd() : line.slice(0, equals);
    const value = equals === -1 ? lookup(key) : line.slice(equals + 1);
    if (value !== undefined) variables.set(key, value);
  }
  return variables;
}

class Parser {
  readonly #text: string;
  readonly #options: DotenvOptions;
  readonly #variables = new Map<string, string>();
  #at = 0;

  constructor(text: string, options: DotenvOptions) {
    this.#text = text;
    this.#options = options;
  }

  /** 1-based line that was being read. */
  get line(): number {
    let line = 1;
    for (let i = this.#text.indexOf('\n'); i !== -1 && i < this.#at; ) {
      line += 1;
      i = this.#text.indexOf('\n', i + 1);
    }
    return line;
  }

  parse(): ReadonlyMap<string, string> {
    while (this.#skipToStatement()) {
      const key = this.#key();
      if (key.inherited) {
        const value = this.#options.lookup(key.name);
        if (value !== undefined) this.#variables.set(key.name, value);
      } else {
        this.#variables.set(key.name, this.#value());
      }
    }
    return this.#variables;
  }

  /** Moves to the next statement over blank lines and comments; false at the end. */
  #skipToStatement(): boolean {
    for (;;) {
      while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
      if (this.#at >= this.#text.length) return false;
      if (this.#text[this.#at] !== '#') return true;
      const end = this.#text.indexOf('\n', this.#at);
      if (end === -1) return false;
      this.#at = end;
    }
  }

  #key(): { name: string; inherited: boolean } {
    const exported = /^export[ \t]+/.exec(this.#text.slice(this.#at, this.#at + 64));
    if (exported !== null) this.#at += exported[0].length;
    const start = this.#at;
    let end = start;
    for (; end < this.#text.length; end += 1) {
      const char = this.#text[end] ?? '';
      if (char === '=' || char === ':' || char === '\n') break;
      if (/[ \t\v\f\r\u0085\u00a0]/.test(char)) continue;
      if (!/[\p{L}\p{N}_.\-[\]]/u.test(char)) {
        const lineEnd = this.#text.indexOf('\n', start);
        const near = this.#text.slice(start, lineEnd === -1 ? undefined : lineEnd);
        throw new Fault(
          `unexpected character ${JSON.stringify(char)} in variable name ${JSON.stringify(near)}`,
        );
      }
    }
    const name = this.#text.slice(start, end).trimEnd();
    if (/\s/.test(name)) throw new Fault('key cannot contain a space');
    const inherited = end >= this.#text.length || this.#text[end] === '\n';
    this.#at = inherited ? end : end + 1;
    return { name, inherited };
  }

  #value(): string {
    while (/[ \t\v\f\r\u0085\u00a0]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
    const quote = this.#text[this.#at];
    if (quote === '"' || quote === "'") return this.#quoted(quote);
    const newline = this.#text.indexOf('\n', this.#at);
    const end = newline === -1 ? this.#text.length : newline;
    const raw = this.#text.slice(this.#at, end);
    const comment = /(^|\s)#/.exec(raw);
    const value = (comment === null ? raw : raw.slice(0, comment.index)).trimEnd();
    const expanded = this.#expand(value);
    this.#at = end;
    return expanded;
  }

  #quoted(quote: string): string {
    const start = this.#at + 1;
    let end = start;
    for (; end < this.#text.length; end += 1) {
      if (this.#text[end] === '\\') end += 1;
      else if (this.#text[end] === quote) break;
    }
    if (end >= this.#text.length) {
      const newline = this.#text.indexOf('\n', this.#at);
      const shown = this.#text.slice(this.#at, newline === -1 ? undefined : newline);
      throw new Fault(`unterminated quoted value ${shown}`);
    }
    const inner = this.#text.slice(start, end);
    const value = quote === "'" ? inner.replaceAll("\\'", "'") : this.#expand(expandEscapes(inner));
    this.#at = this.#afterQuoted(end + 1);
    return value;
  }

  /** What follows a closing quote up to the end of the line is only ever blank or a comment. */
  #afterQuoted(from: number): number {
    const newline = this.#text.indexOf('\n', from);
    const end = newline === -1 ? this.#text.length : newline;
    const rest = this.#text.slice(from, end);
    return /^\s*(#.*)?$/.test(rest) ? end : from;
  }

  #expand(value: string): string {
    const lookup: Lookup = (name) => this.#options.lookup(name) ?? this.#variables.get(name);
    const result = substitute(value, lookup, this.#options.onUnset);
    if (result.ok) return result.text;
    throw new Fault(describeFault(result.fault));
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  '\\': '\\',
  // An escaped dollar sign must stay one through the expansion that follows.
  $: '$$',
};

function expandEscapes(text: string): string {
  return text.replace(/\\(0[0-7]{0,3}|[abcfnrtv$"\\])/g, (whole, code: string) => {
    if (code.startsWith('0')) {
      const value = Number.parseInt(code, 8);
      return value < 256 ? String.fromCharCode(value) : whole;
    }
    return ESCAPES[code] ?? whole;
  });
}
