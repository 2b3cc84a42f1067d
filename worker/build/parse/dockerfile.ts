// A Dockerfile's text cut into instructions: parser directives, comments, continuation lines,
// here-documents. Grammar: Docker's Dockerfile reference and BuildKit's parser (behaviour, not
// code). Knows no instruction's meaning beyond which ones take here-documents.
import { TswarmError } from '#protocol/errors';
import { splitWords } from './words.ts';

export interface HereDoc {
  /** Without quotes. */
  readonly name: string;
  readonly content: string;
  /** False when the name was quoted: variables stay as they are. */
  readonly isExpanded: boolean;
  /** `<<-`: leading tabs were taken away. */
  readonly isChomped: boolean;
}

export interface RawInstruction {
  /** Upper case. */
  readonly keyword: string;
  /** What follows the keyword, continuation lines joined. */
  readonly rest: string;
  /** The whole instruction on one line, as it is shown. */
  readonly text: string;
  readonly hereDocs: readonly HereDoc[];
  /** First line in the file, from 1. */
  readonly line: number;
}

export interface ParsedFile {
  /** `\` or a backtick. */
  readonly escapeChar: string;
  readonly instructions: readonly RawInstruction[];
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const DIRECTIVES: ReadonlySet<string> = new Set(['syntax', 'escape', 'check']);
const TAKES_HERE_DOCS: ReadonlySet<string> = new Set(['RUN', 'COPY', 'ADD']);
const HERE_DOC = /^\d*<<(-?)([^<]*)$/;

/** @throws TswarmError `invalid_argument` with the line */
export function parseDockerfile(source: string): ParsedFile {
  const lines = source.replace(/^\ufeff/, '').split(/\r?\n/);
  const { escapeChar } = readDirectives(lines);
  const reader = new LineReader(lines, escapeChar);
  const instructions: RawInstruction[] = [];
  for (let next = reader.instruction(); next !== undefined; next = reader.instruction()) {
    instructions.push(next);
  }
  return { escapeChar, instructions };
}

/** One instruction in a string, as `ONBUILD` and `--change` carry it. */
export function parseInstruction(source: string): RawInstruction {
  const { instructions } = parseDockerfile(source);
  const [first, second] = instructions;
  if (first === undefined || second !== undefined) {
    throw new TswarmError('invalid_argument', `"${source}" is not one Dockerfile instruction`);
  }
  return first;
}

export function parseError(line: number, message: string, hint?: string): TswarmError {
  return new TswarmError('invalid_argument', `dockerfile parse error on line ${line}: ${message}`, {
    field: `Dockerfile:${line}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

function readDirectives(lines: readonly string[]): { readonly escapeChar: string } {
  const seen = new Set<string>();
  let escapeChar = '\\';
  for (const [i, line] of lines.entries()) {
    const found = DIRECTIVE.exec(line.trim());
    const name = found?.[1]?.toLowerCase() ?? '';
    // Any other line ends the directives; an unknown one is a comment.
    if (!DIRECTIVES.has(name)) break;
    if (seen.has(name)) throw parseError(i + 1, `only one ${name} parser directive can be used`);
    seen.add(name);
    if (name !== 'escape') continue;
    escapeChar = found?.[2] ?? '';
    if (escapeChar !== '\\' && escapeChar !== '`') {
      throw parseError(i + 1, `invalid escape token '${escapeChar}' does not match ${'` or \\'}`);
    }
  }
  return { escapeChar };
}

class LineReader {
  readonly #lines: readonly string[];
  readonly #escapeChar: string;
  readonly #continuation: RegExp;
  #at = 0;

  constructor(lines: readonly string[], escapeChar: string) {
    this.#lines = lines;
    this.#escapeChar = escapeChar;
    const mark = escapeChar === '\\' ? '\\\\' : '`';
    this.#continuation = new RegExp(`(^|[^${mark}])${mark}[ \\t]*$`);
  }

  instruction(): RawInstruction | undefined {
    const start = this.#skipToContent();
    if (start === undefined) return undefined;
    const line = this.#at + 1;
    const logical = this.#joined().trim();
    const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(logical) ?? [];
    const keyword = word.toUpperCase();
    const hereDocs = this.#hereDocs(keyword, rest, line);
    return { keyword, rest, text: `${keyword} ${rest}`.trim(), hereDocs, line };
  }

  #skipToContent(): string | undefined {
    for (; this.#at < this.#lines.length; this.#at += 1) {
      const line = (this.#lines[this.#at] ?? '').trim();
      if (line !== '' && !line.startsWith('#')) return line;
    }
    return undefined;
  }

  /** The lines of one instruction; comments and empty lines between them are dropped. */
  #joined(): string {
    let text = '';
    let isFirst = true;
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at] ?? '';
      this.#at += 1;
      if (!isFirst && /^\s*(#|$)/.test(line)) continue;
      isFirst = false;
      if (!this.#continuation.test(line)) return text + line;
      text += line.replace(this.#continuation, '$1');
    }
    return text;
  }

  #hereDocs(keyword: string, rest: string, line: number): readonly HereDoc[] {
    const words = keyword === 'ONBUILD' ? rest.trim().split(/\s+/) : [keyword];
    if (!TAKES_HERE_DOCS.has((words[0] ?? '').toUpperCase()) || !rest.includes('<<')) return [];
    // An exec form cannot have any.
    if (/^\[/.test(rest.trim())) return [];
    const docs: HereDoc[] = [];
    for (const word of splitWords(rest, this.#escapeChar)) {
      const found = HERE_DOC.exec(word);
      const name = found?.[2] ?? '';
      if (found === null || name === '') continue;
      const bare = name.replaceAll(/["']/g, '');
      if (!/^[^\s"'\\$`]+$/.test(bare)) continue;
      docs.push(this.#hereDoc(bare, found[1] === '-', bare === name, line));
    }
    return docs;
  }

  #hereDoc(name: string, isChomped: boolean, isExpanded: boolean, line: number): HereDoc {
    let content = '';
    for (; this.#at < this.#lines.length; this.#at += 1) {
      const raw = this.#lines[this.#at] ?? '';
      const text = isChomped ? raw.replace(/^\t+/, '') : raw;
      if (text === name) {
        this.#at += 1;
        return { name, content, isExpanded, isChomped };
      }
      content += `${text}\n`;
    }
    throw parseError(line, `unterminated heredoc: ${name} is missing`);
  }
}
