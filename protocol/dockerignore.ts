// .dockerignore: which paths of a build context stay at home. Patterns in order, the last that matches wins, `!` takes back; `*` and `?` stop at
// slashes, `**` does not; a pattern also covers everything below what it names (moby/patternmatcher). Pure.

interface Pattern {
  readonly expression: RegExp;
  readonly negated: boolean;
  /** Literal beginning, to tell whether something below a folder could be taken back. */
  readonly prefix: string;
}

export class Dockerignore {
  readonly #patterns: readonly Pattern[];

  /** `text`: content of the file; a `#` in the first column starts a comment. */
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
    for (const { expression, negated } of this.#patterns) {
      if (ignored === negated && expression.test(path)) ignored = !negated;
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
  return { expression: new RegExp(`^${translate(pattern)}(?:/.*)?$`, 's'), negated, prefix };
}

function translate(pattern: string): string {
  let out = '';
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (char === '*' && pattern.charAt(at + 1) === '*') {
      at += 1;
      if (pattern.charAt(at + 1) === '/') {
        at += 1;
        out += '(?:.*/)?';
      } else {
        out += '.*';
      }
    } else if (char === '*') {
      out += '[^/]*';
    } else if (char === '?') {
      out += '[^/]';
    } else if (char === '[') {
      const end = pattern.indexOf(']', at + 1);
      if (end < 0) {
        out += '\\[';
      } else {
        out += `[${pattern.slice(at + 1, end).replace(/\\/g, '\\\\')}]`;
        at = end;
      }
    } else if (char === '\\' && at + 1 < pattern.length) {
      at += 1;
      out += escapeChar(pattern.charAt(at));
    } else {
      out += escapeChar(char);
    }
  }
  return out;
}

function escapeChar(char: string): string {
  return /[.+^${}()|[\]\\*?]/.test(char) ? `\\${char}` : char;
}
