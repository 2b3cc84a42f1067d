// `WWW-Authenticate` as RFC 9110 §11.6.1 writes it: schemes with parameters, values as tokens or
// quoted strings with escapes, several in one header.

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;

/** Challenges in the order of the header; what cannot be read ends the list. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const reader = new HeaderReader(header);
  for (;;) {
    reader.skip(/[\s,]*/y);
    const word = reader.take(TOKEN);
    if (word === '') return challenges;
    reader.skip(/\s*/y);
    const current = challenges.at(-1);
    if (current !== undefined && reader.peek() === '=') {
      reader.skip(/=\s*/y);
      current.parameters[word.toLowerCase()] = reader.value();
    } else {
      challenges.push({ scheme: word.toLowerCase(), parameters: {} });
    }
  }
}

class HeaderReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  peek(): string {
    return this.#text.charAt(this.#at);
  }

  take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  skip(pattern: RegExp): void {
    this.take(pattern);
  }

  value(): string {
    if (this.peek() !== '"') return this.take(TOKEN);
    this.#at += 1;
    let value = '';
    for (; this.#at < this.#text.length; this.#at += 1) {
      const char = this.peek();
      if (char === '"') {
        this.#at += 1;
        return value;
      }
      if (char === '\\') this.#at += 1;
      value += this.peek();
    }
    return value;
  }
}
