// Reads script files of the "datadriven" form: comments and blank lines, then blocks of a command
// line, input lines, `----`, and the expected result up to a blank line (or between doubled `----`
// lines, when the result itself holds blank lines). Keeps everything, so that a file can be printed
// again with other results.

export interface CommandArg {
  readonly key: string;
  /** `key=a` gives one value, `key=(a,b)` several, `key` none. */
  readonly values: readonly string[];
}

export interface ScriptBlock {
  readonly kind: 'block';
  /** 1-based. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly CommandArg[];
  /** Command line and input as they stand in the file. */
  readonly head: readonly string[];
  readonly input: string;
  readonly expected: string;
}

export type ScriptPart = ScriptBlock | { readonly kind: 'text'; readonly text: string };

/** Splits a script into blocks and what stands between them. */
export function parseScript(source: string): ScriptPart[] {
  const lines = source.split('\n');
  if (lines[lines.length - 1] === '') lines.pop();
  const parts: ScriptPart[] = [];
  let i = 0;
  while (i < lines.length) {
    const text = lines[i] as string;
    if (text.trim() === '' || text.startsWith('#')) {
      parts.push({ kind: 'text', text });
      i++;
      continue;
    }
    const start = i;
    let commandLine = text;
    while (commandLine.endsWith('\\')) commandLine = commandLine.slice(0, -1) + (lines[++i] ?? '');
    i++;
    const input: string[] = [];
    while (i < lines.length && lines[i] !== '----') input.push(lines[i++] as string);
    const head = lines.slice(start, i);
    const end = readExpected(lines, i + 1);
    i = end.next;
    const { command, args } = parseCommand(commandLine);
    parts.push({
      kind: 'block',
      line: start + 1,
      command,
      args,
      head,
      input: input.join('\n'),
      expected: end.expected,
    });
  }
  return parts;
}

function readExpected(lines: readonly string[], from: number): { expected: string; next: number } {
  const result: string[] = [];
  let i = from;
  if (lines[i] === '----') {
    i++;
    while (i < lines.length && !(lines[i] === '----' && lines[i + 1] === '----')) {
      result.push(lines[i++] as string);
    }
    return { expected: result.join('\n'), next: i + 2 };
  }
  while (i < lines.length && lines[i] !== '') result.push(lines[i++] as string);
  return { expected: result.join('\n'), next: i };
}

function parseCommand(line: string): { command: string; args: CommandArg[] } {
  const words = line.match(/[^\s(]+(\([^)]*\))?/g) ?? [];
  const [command = '', ...rest] = words;
  return { command, args: rest.map(parseArg) };
}

function parseArg(word: string): CommandArg {
  const equals = word.indexOf('=');
  if (equals < 0) return { key: word, values: [] };
  const key = word.slice(0, equals);
  const value = word.slice(equals + 1);
  if (!value.startsWith('(')) return { key, values: [value] };
  const inner = value.slice(1, -1).trim();
  return { key, values: inner === '' ? [] : inner.split(',').map((item) => item.trim()) };
}

/** Prints a script with `results` in place of what was expected. */
export function printScript(parts: readonly ScriptPart[], results: readonly string[]): string {
  const lines: string[] = [];
  let next = 0;
  for (const part of parts) {
    if (part.kind === 'text') {
      lines.push(part.text);
      continue;
    }
    const result = results[next++] ?? '';
    lines.push(...part.head, '----');
    // A result with blank lines would end early without the doubled marks.
    if (/\n\n/.test(result)) lines.push('----', result, '----', '----');
    else lines.push(result);
  }
  return `${lines.join('\n')}\n`;
}
