// A command line as words, the way compose-go splits it (mattn/go-shellwords): quotes and
// backslashes count, variables and substitutions do not. There is no shell, so the words end at the
// first unquoted `;` `&` `|` `<` `>`; `rest` is what was cut off, for a warning.

/** Words of a command line, or why it cannot be split. */
export type ShellWordsResult =
  | { readonly ok: true; readonly words: readonly string[]; readonly rest: string }
  | { readonly ok: false; readonly message: string };

const INVALID: ShellWordsResult = { ok: false, message: 'invalid command line string' };

/** Splits `line`. */
export function splitShellWords(line: string): ShellWordsResult {
  const words: string[] = [];
  let word = '';
  let isWord = false;
  let quote: '' | '"' | "'" | '`' | '(' = '';
  for (let i = 0; i < line.length; i += 1) {
    const char = line[i] ?? '';
    if (char === '\\' && quote !== "'") {
      if (i + 1 >= line.length) return INVALID;
      i += 1;
      word += line[i] ?? '';
      isWord = true;
      continue;
    }
    if (/[ \t\r\n]/.test(char)) {
      if (quote !== '') word += char;
      else if (isWord) {
        words.push(word);
        word = '';
        isWord = false;
      }
      continue;
    }
    if (quote === '' && ';&|<>'.includes(char)) {
      // `2>` redirects: the number is no word of its own.
      if (char === '>' && /^\d/.test(word)) isWord = false;
      if (isWord) words.push(word);
      return { ok: true, words, rest: line.slice(i) };
    }
    const next = nextQuote(char, quote, word);
    if (next === undefined) return INVALID;
    const isDelimiter = (char === '"' || char === "'") && next !== quote;
    // Closing a quote makes a word even of nothing.
    if (isDelimiter && next === '') isWord = true;
    quote = next;
    if (isDelimiter) continue;
    word += char;
    isWord = true;
  }
  if (quote !== '') return INVALID;
  if (isWord) words.push(word);
  return { ok: true, words, rest: '' };
}

type Quote = '' | '"' | "'" | '`' | '(';

/** The quoting that holds after `char`; `undefined` when it cannot stand there. */
function nextQuote(char: string, quote: Quote, word: string): Quote | undefined {
  switch (char) {
    case '"':
    case "'":
      if (quote === '' || quote === '`') return char;
      return quote === char ? '' : quote;
    case '`':
      if (quote === '') return '`';
      return quote === '`' ? '' : quote;
    case '(':
      if (quote === '"' || quote === "'" || quote === '`') return quote;
      return quote === '' && word.endsWith('$') ? '(' : undefined;
    case ')':
      if (quote === '(') return '';
      return quote === '' ? undefined : quote;
    default:
      return quote;
  }
}
