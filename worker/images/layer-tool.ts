// Runs `tswarm-layer` (native/PROTOCOL.md): everything that touches an image's or a container's
// files as root happens there, by descriptors. Owns the processes while they run: a cancelled call
// kills its own and waits for its end. Refuses to interpret archives.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { type ErrorCode, errorCodeFromText } from '#protocol/error-codes';
import { messageOf, TswarmError } from '#protocol/errors';
import { cancelled } from './concurrency.ts';
import { TOOL_STDERR_BYTES_MAX } from './limits.ts';

export interface ApplyOptions {
  /** Folder to unpack into. */
  readonly root: string;
  /**
   * Folder in `root` that the names are relative to; '' or absent = the root itself. Must exist.
   */
  readonly path?: string;
  readonly bytesMax: number;
  readonly entriesMax: number;
  /** Every entry belongs to this owner. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** `layer` writes overlayfs's marks for `.wh.` names; `plain` gives them no meaning. */
  readonly mode: 'layer' | 'plain';
  /** The archive may lack its end marker. */
  readonly isUnterminatedOk?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface ApplyResult {
  /** Data bytes of the entries. */
  readonly bytes: number;
  readonly entries: number;
}

/** As `docker cp` describes a path; `mode` in Go's bits, `unixMode` is st_mode. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly unixMode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: string;
  readonly linkTarget: string;
}

type Tool = ChildProcessByStdio<Writable, Readable, Readable>;

export class LayerTool {
  readonly #program: string;
  readonly #mountProgram: string;

  constructor(nativeDir: string) {
    this.#program = `${nativeDir}/tswarm-layer`;
    this.#mountProgram = `${nativeDir}/tswarm-mount`;
  }

  /**
   * Unpacks an uncompressed tar. @throws TswarmError `no_space`, `too_large`, `invalid_argument`,
   * `cancelled`, what the source throws
   */
  async apply(tar: AsyncIterable<Uint8Array>, options: ApplyOptions): Promise<ApplyResult> {
    const args = ['apply', '--root', options.root];
    args.push('--max-bytes', String(options.bytesMax), '--max-entries', String(options.entriesMax));
    if (options.owner !== undefined) {
      args.push('--chown-uid', String(options.owner.uid), '--chown-gid', String(options.owner.gid));
    }
    args.push(options.mode === 'layer' ? '--overlay-whiteouts' : '--plain');
    if (options.path !== undefined && options.path !== '') args.push('--path', options.path);
    if (options.isUnterminatedOk === true) args.push('--unterminated-ok');
    const text = await this.#run(this.#program, args, tar, options.signal);
    return JSON.parse(text) as ApplyResult;
  }

  /** The layer that an upper folder is, as a tar; the same bytes for the same files. */
  diff(upper: string, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#stream(['diff', '--upper', upper], signal);
  }

  /** A file or a folder tree below `root` as a tar whose names begin with `name`. */
  tar(root: string, path: string, name: string, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#stream(['tar', '--root', root, '--path', path, '--name', name], signal);
  }

  /** Of a path as a process in `root` would find it, a last link itself unless a slash follows it. Undefined when there is no such path. */
  async stat(root: string, path: string): Promise<PathStat | undefined> {
    try {
      const text = await this.#run(this.#program, ['stat', '--root', root, '--path', path]);
      return JSON.parse(text) as PathStat;
    } catch (error) {
      if (error instanceof ToolError && ABSENT.includes(error.errno)) return undefined;
      throw error;
    }
  }

  /** Owner as `user[:group]` names it in the image's own passwd and group. */
  async lookup(
    root: string,
    user: string,
  ): Promise<{ readonly uid: number; readonly gid: number }> {
    const text = await this.#run(this.#program, ['lookup', '--root', root, '--user', user]);
    return JSON.parse(text) as { uid: number; gid: number };
  }

  /** Everything that was written to the file system of `dir` is on its disk. */
  async sync(dir: string): Promise<void> {
    await this.#run(this.#mountProgram, ['sync', dir]);
  }

  async #run(
    program: string,
    args: readonly string[],
    input?: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<string> {
    const child = this.#spawn(program, args);
    const running = watch(program, child, signal);
    // It may fail while we still feed it; that is looked at below.
    running.catch(() => {});
    let output = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      output += text;
    });
    try {
      if (input !== undefined) await pump(input, child.stdin);
    } catch (error) {
      child.kill('SIGKILL');
      await running.catch(() => {});
      throw signal?.aborted === true ? cancelled('unpacking') : error;
    }
    child.stdin.end();
    await running;
    return output;
  }

  async *#stream(args: readonly string[], signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const child = this.#spawn(this.#program, args);
    const running = watch(this.#program, child, signal);
    // Seen below; a reader that stops early must not leave it unseen.
    running.catch(() => {});
    child.stdin.end();
    try {
      for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) yield chunk;
      await running;
    } finally {
      child.kill('SIGKILL');
      await running.catch(() => {});
    }
  }

  #spawn(program: string, args: readonly string[]): Tool {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: {}, cwd: '/' });
    // A tool that has failed closes its input; its own words come from stderr.
    child.stdin.on('error', () => {});
    return child;
  }
}

/** What a native program said on stderr. */
export class ToolError extends TswarmError {
  readonly errno: number;

  constructor(code: ErrorCode, message: string, errno: number) {
    super(code, message);
    this.errno = errno;
  }
}

/** ENOENT, ENOTDIR. */
const ABSENT: readonly number[] = [2, 20];

/** Resolves when the program has ended well. */
async function watch(program: string, child: Tool, signal: AbortSignal | undefined): Promise<void> {
  let words = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    if (words.length < TOOL_STDERR_BYTES_MAX) words += text;
  });
  const kill = (): void => void child.kill('SIGKILL');
  if (signal?.aborted === true) kill();
  signal?.addEventListener('abort', kill, { once: true });
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code === 0) return;
    if (signal?.aborted === true) throw cancelled('unpacking');
    throw toolError(program, words, code);
  } catch (error) {
    if (error instanceof TswarmError) throw error;
    throw new TswarmError('internal', `${program} cannot be run: ${messageOf(error)}`, {
      cause: error,
      hint: 'Build the native programs (`npm run build:native`).',
    });
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

/** Writes with back-pressure; returns early when the reader is gone. */
async function pump(input: AsyncIterable<Uint8Array>, output: Writable): Promise<void> {
  let wake: (() => void) | undefined;
  const go = (): void => wake?.();
  output.on('drain', go);
  output.on('close', go);
  for await (const chunk of input) {
    if (output.destroyed) return;
    if (output.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (output.destroyed) resolve();
    });
  }
}

interface NativeWords {
  readonly code: string;
  readonly errno: number;
  readonly message: string;
}

/**
 * Words of the native programs that mean one of our codes; others keep their name or are
 * `invalid_argument` (a bad archive).
 */
const CODES: Readonly<Record<string, ErrorCode>> = {
  no_space: 'no_space',
  too_large: 'too_large',
  kernel: 'internal',
  unsupported: 'not_supported',
  bad_request: 'internal',
  not_found: 'not_found',
};

function toolError(program: string, words: string, exitCode: number | null): TswarmError {
  try {
    const { code, errno, message } = JSON.parse(words.trim()) as NativeWords;
    const mapped = CODES[code] ?? 'invalid_argument';
    return new ToolError(mapped, message, errno);
  } catch {
    const text = words.trim() || `ended with ${exitCode ?? 'a signal'}`;
    return new ToolError(errorCodeFromText('internal'), `${program}: ${text}`, 0);
  }
}
