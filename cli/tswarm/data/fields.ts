// Small readings of what people type and of what the API answers, for the verbs of several nouns.
import { createInterface } from 'node:readline';

/** `a=b` flags as labels; `a` alone has an empty value. */
export function labelsOf(flags: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (flags ?? []).map((flag) => {
      const at = flag.indexOf('=');
      return at < 0 ? [flag, ''] : [flag.slice(0, at), flag.slice(at + 1)];
    }),
  );
}

/** '' for nothing. */
export function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
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
