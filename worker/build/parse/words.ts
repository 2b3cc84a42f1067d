// Splitting into words as the Dockerfile grammar does: blanks separate, quotes and the escape
// character keep together. Quotes stay in the words; expand.ts takes them away.

/** Words with their quotes, at most `wordsMax`. An open quote runs to the end. */
export function splitWords(
  text: string,
  escapeChar: string,
  wordsMax: number = Number.POSITIVE_INFINITY,
): readonly string[] {
  const words: string[] = [];
  let word = '';
  let isIn = false;
  let quote = '';
  for (let i = 0; i < text.length && words.length < wordsMax; i += 1) {
    const char = text.charAt(i);
    if (char === escapeChar && quote !== "'") {
      word += char + text.charAt(i + 1);
      isIn = true;
      i += 1;
      continue;
    }
    if (quote === '' && /\s/.test(char)) {
      if (isIn) words.push(word);
      word = '';
      isIn = false;
      continue;
    }
    if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
    word += char;
    isIn = true;
  }
  if (isIn) words.push(word);
  return words;
}

export interface Flag {
  readonly name: string;
  /** Undefined for `--link` without a value. */
  readonly value: string | undefined;
}

/** Leading `--name[=value]` words, and what follows them. */
export function splitFlags(
  text: string,
  escapeChar: string,
): { readonly flags: readonly Flag[]; readonly rest: string } {
  const flags: Flag[] = [];
  let rest = text.trimStart();
  for (;;) {
    if (!rest.startsWith('--')) return { flags, rest };
    const [word = ''] = splitWords(rest, escapeChar, 1);
    const after = rest.slice(word.length).trimStart();
    if (word === '--') return { flags, rest: after };
    const equals = word.indexOf('=');
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    flags.push({ name, value: equals < 0 ? undefined : word.slice(equals + 1) });
    rest = after;
  }
}

/**
 * Texts of a JSON array of strings; `mixed` when something else is in it; undefined when it is no JSON array (then the shell form is meant).
 */
export function jsonForm(text: string): readonly string[] | 'mixed' | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith('[')) return undefined;
  try {
    const value = JSON.parse(trimmed) as readonly unknown[];
    const isTexts = value.every((item) => typeof item === 'string');
    return isTexts ? (value as readonly string[]) : 'mixed';
  } catch {
    return undefined;
  }
}
