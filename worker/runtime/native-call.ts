// Runs one of the native programs and gives back what it said: stdout on success, its error line as a TswarmError otherwise. No shell, an empty
// environment (the programs read none), bounded output, a time limit after which the program is killed.
import { type ChildProcess, spawn } from 'node:child_process';
import type { ErrorCode } from '#protocol/error-codes';
import { errorCodeFromText } from '#protocol/error-codes';
import { TswarmError } from '#protocol/errors';
import { NATIVE_STDERR_BYTES_MAX, SHIM_SPAWN_TIMEOUT_MS } from '../limits.ts';

export interface NativeOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Codes of exits that are not failures. */
  readonly okCodes?: readonly number[];
}

/** Runs `program` with `args`. @returns its stdout. @throws TswarmError with the program's own code and message */
export function callNative(
  program: string,
  args: readonly string[],
  options: NativeOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
    const out: Buffer[] = [];
    let errorText = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      if (errorText.length < NATIVE_STDERR_BYTES_MAX) errorText += chunk.toString('utf8');
    });
    const timeoutMs = options.timeoutMs ?? SHIM_SPAWN_TIMEOUT_MS;
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const onAbort = (): void => {
      child.kill('SIGKILL');
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(notStarted(program, error));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      if (code !== null && (options.okCodes ?? [0]).includes(code)) {
        resolve(Buffer.concat(out).toString('utf8'));
      } else if (options.signal?.aborted) {
        reject(new TswarmError('cancelled', `${program}: cancelled`));
      } else if (signal !== null) {
        reject(new TswarmError('deadline_exceeded', `${program}: no answer in ${timeoutMs} ms`));
      } else {
        reject(nativeError(program, errorText));
      }
    });
  });
}

/** Waits for a native program that somebody else started and whose other streams they handle. @returns why it failed; null: it did not. Never rejects */
export function endOf(child: ChildProcess, program: string): Promise<TswarmError | null> {
  let errorText = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    if (errorText.length < NATIVE_STDERR_BYTES_MAX) errorText += chunk.toString('utf8');
  });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(notStarted(program, error)));
    child.on('close', (code) => resolve(code === 0 ? null : nativeError(program, errorText)));
  });
}

function notStarted(program: string, error: Error): TswarmError {
  return new TswarmError('internal', `${program}: ${error.message}`, {
    cause: error,
    hint: 'Build the native programs (npm run build:native).',
  });
}

/** What a native program wrote to stderr, as an error: the last JSON line if there is one, else the text. */
export function nativeError(program: string, text: string): TswarmError {
  const lines = text.trim().split('\n').reverse();
  for (const line of lines) {
    const parsed = parseErrorLine(line);
    if (parsed) return parsed;
  }
  const name = program.split('/').at(-1) ?? program;
  const shown = text.trim() === '' ? 'failed without a message' : text.trim();
  return new TswarmError('internal', `${name}: ${shown}`);
}

/** Codes of the native programs that are not ours by name. */
const NATIVE_CODES: Readonly<Record<string, ErrorCode>> = {
  not_found: 'command_not_found',
  not_executable: 'command_not_executable',
  bad_request: 'invalid_argument',
};

/** An error object of a native program or of the shim's answer; undefined when the text is none. */
export function parseErrorLine(line: string): TswarmError | undefined {
  if (!line.startsWith('{')) return undefined;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const message = value.message ?? value.msg;
  if (typeof message !== 'string') return undefined;
  return nativeFailure(String(value.code ?? ''), message);
}

/** An error from its parts; ENOSPC and the two codes for programs get our codes. */
export function nativeFailure(code: string, message: string): TswarmError {
  const known = NATIVE_CODES[code] ?? guessCode(message) ?? errorCodeFromText(code);
  return new TswarmError(known, message);
}

/** For runtimes that have no codes (runc, crun): what their messages say. */
function guessCode(message: string): ErrorCode | undefined {
  if (/executable file .*not found|no such file or directory: (exec|executable)/i.test(message)) {
    return 'command_not_found';
  }
  if (/exec: .*no such file or directory|exec.*: No such file or directory$/i.test(message)) {
    return 'command_not_found';
  }
  if (/exec.*(permission denied|exec format error)/i.test(message)) return 'command_not_executable';
  if (/no space left on device/i.test(message)) return 'no_space';
  return undefined;
}
