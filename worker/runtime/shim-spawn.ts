// Starts a container's shim, which creates the container. The foreground process ends when the container is created (then the socket listens) or could not
// be; its error is sorted into ours, with Docker's wording for a program that is missing or not executable, because clients look for those words.
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { SHIM_SPAWN_TIMEOUT_MS } from '../limits.ts';
import { callNative } from './native-call.ts';

export interface ShimSpawn {
  readonly id: string;
  readonly bundleDir: string;
  readonly shimDir: string;
  readonly nativeDir: string;
  readonly runtimePath: string;
  readonly runtimeRoot: string;
  /** '' = no log. */
  readonly logPath: string;
  /** 0 = unlimited. */
  readonly logBytesMax: number;
  readonly logFilesMax: number;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** The program asked for, for the error text. */
  readonly program: string;
}

/** @throws command_not_found, command_not_executable, or what the runtime said */
export async function spawnShim(options: ShimSpawn): Promise<void> {
  const log =
    options.logPath === ''
      ? []
      : [
          '--log-file',
          options.logPath,
          '--log-max-bytes',
          String(options.logBytesMax),
          '--log-max-files',
          String(options.logFilesMax),
        ];
  const args = [
    '--id',
    options.id,
    '--bundle',
    options.bundleDir,
    '--state',
    options.shimDir,
    '--runtime',
    options.runtimePath,
    '--runtime-root',
    options.runtimeRoot,
    ...log,
    ...(options.tty ? ['--tty'] : []),
    ...(options.stdin ? ['--stdin'] : []),
  ];
  try {
    await callNative(join(options.nativeDir, 'tswarm-shim'), args, {
      timeoutMs: SHIM_SPAWN_TIMEOUT_MS,
    });
  } catch (error) {
    throw createError(error, options.program);
  }
}

const PREFIX = 'failed to create task for container: OCI runtime create failed: ';

/** The error of a failed create or exec, in the words that Docker's clients look for. */
export function createError(error: unknown, program: string): TswarmError {
  if (!(error instanceof TswarmError)) {
    return new TswarmError('internal', `${PREFIX}${String(error)}`, { cause: error });
  }
  const start = 'unable to start container process: ';
  if (error.code === 'command_not_found') {
    const text = program.includes('/')
      ? `exec: "${program}": stat ${program}: no such file or directory`
      : `exec: "${program}": executable file not found in $PATH`;
    return new TswarmError(error.code, `${PREFIX}${start}${text}`, { cause: error });
  }
  if (error.code === 'command_not_executable') {
    const reason = /format/i.test(error.message) ? 'exec format error' : 'permission denied';
    return new TswarmError(error.code, `${PREFIX}${start}exec: "${program}": ${reason}`, {
      cause: error,
    });
  }
  const folder = /^process\.cwd: cannot change to (.*): No such file or directory$/.exec(
    error.message,
  );
  const text = folder
    ? `${start}chdir to cwd ("${folder[1]}") set in config.json failed: no such file or directory`
    : error.message;
  return new TswarmError(error.code, `${PREFIX}${text}`, { cause: error });
}

/** The exit code that a shell or Docker shows for a container that could not be started. */
export function startExitCode(error: unknown): number {
  const code = error instanceof TswarmError ? error.code : undefined;
  if (code === 'command_not_found') return 127;
  if (code === 'command_not_executable') return 126;
  return 128;
}
