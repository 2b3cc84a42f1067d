// How a command ends when it fails: one clear message on stderr, what to do next, and the exit code. Never a stack trace for a user's error;
// for a bug of ours the trace is what the report needs.
import { TswarmError } from '#protocol/errors';
import { styleFor } from './style.ts';

/** Exit codes that scripts can rely on. */
export const EXIT = { ok: 0, failed: 1, usage: 2, internal: 70, interrupted: 130 } as const;

/** Thrown to end with a code when everything has been said already. */
export class ExitError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** `tswarm … | head -1`: nobody reads on, and that is no error. Ends at once, with the code that was reached. */
export function endQuietlyWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit();
      throw error;
    });
  }
}

/** Prints what went wrong. @returns the exit code */
export function reportFailure(error: unknown): number {
  if (error instanceof ExitError) return error.exitCode;
  const style = styleFor(process.stderr, process.env);
  if (error instanceof TswarmError) {
    process.stderr.write(`${style.red('Error:')} ${error.message}\n`);
    if (error.hint) process.stderr.write(`${style.dim('Hint:')}  ${error.hint}\n`);
    return error.code === 'cancelled' ? EXIT.interrupted : EXIT.failed;
  }
  const fault = systemFault(error);
  if (fault !== undefined) {
    process.stderr.write(`${style.red('Error:')} ${fault}\n`);
    return EXIT.failed;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${style.red('Internal error, please report it:')}\n${text}\n`);
  return EXIT.internal;
}

/** What the kernel refused, as `open /x: permission denied`; undefined = the error is of another kind. It is about the user's own files or connection, so no bug. */
export function systemFault(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  const { syscall, path, dest, message } = error as NodeJS.ErrnoException & { dest?: string };
  const words = /^E[A-Z0-9]+: (.+?), /.exec(message)?.[1];
  if (words === undefined) return message;
  return `${[syscall, path, dest].filter((part) => part !== undefined).join(' ')}: ${words}`;
}

/** Does the same for each name; one that fails is reported and does not stop the others. @returns the exit code */
export async function forEachName(
  names: readonly string[],
  work: (name: string) => Promise<void>,
): Promise<number> {
  let code: number = EXIT.ok;
  for (const name of names) {
    try {
      await work(name);
    } catch (error) {
      if (!(error instanceof TswarmError)) throw error;
      code = reportFailure(error);
    }
  }
  return code;
}
