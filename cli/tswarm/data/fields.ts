// Small readings of what people type and of what the API answers, for the verbs of several nouns.
import { createInterface } from 'node:readline';
import { TswarmError } from '#protocol/errors';

/** `key=value` words of a repeatable flag, labels unless said; a key alone has an empty value. @throws TswarmError invalid_argument for no key */
export function labelsOf(
  words: readonly string[] | undefined,
  flag = '--label',
): Record<string, string> {
  return Object.fromEntries(
    (words ?? []).map((word) => {
      const at = word.indexOf('=');
      if (at === 0) throw new TswarmError('invalid_argument', `${flag} ${word}: key=value`);
      return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

/** '' for nothing. */
export function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}

/** Of `prune`, whatever is removed. */
export interface PruneFlags {
  readonly all?: boolean;
  readonly force?: boolean;
  readonly filter?: readonly string[];
}

/** Asks on the terminal; a standard input that is none is read as the answer. Anything but y and yes is no. */
export async function confirmed(warning: string): Promise<boolean> {
  process.stdout.write(`${warning}\nAre you sure you want to continue? [y/N] `);
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) {
    lines.close();
    return /^y(es)?$/i.test(line.trim());
  }
  return false;
}
