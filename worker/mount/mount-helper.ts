// The worker's hand for mount(2): one long-lived `tswarm-mount` process, spoken to in JSON lines (native/PROTOCOL.md).
// Owns that process: started with the first request, started again when it has died (its mounts stay), ended by `stop`.
// Refuses to decide anything or to keep a list of mounts: the kernel's is the truth. Requests run one after another, in call order.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { TswarmError } from '#protocol/errors';

/** A mount takes well under a millisecond; only an unmount that must write back to a slow disk comes near this. */
const REQUEST_TIMEOUT_MS = 120_000;

export interface OverlayMount {
  /** Absolute, topmost layer first. */
  readonly lower: readonly string[];
  /** Absent: the mount is read-only. */
  readonly upper?: string;
  /** Empty folder on the file system of `upper`; needed with it. */
  readonly work?: string;
  readonly target: string;
  /** No sync of the upper layer, ever: for what is thrown away after a crash. */
  readonly volatile?: boolean;
}

export interface BindMount {
  readonly source: string;
  readonly target: string;
  readonly readonly?: boolean;
  /** Also what is mounted below the source. */
  readonly recursive?: boolean;
}

export interface TmpfsMount {
  readonly target: string;
  readonly sizeBytes?: number;
  /** e.g. 0o700. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly noexec?: boolean;
}

interface NativeError {
  readonly code: string;
  readonly errno: number;
  readonly message: string;
}

interface Answer {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: NativeError;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

type Helper = ChildProcessByStdio<Writable, Readable, null>;

const ENOSPC = 28;

export class MountHelper {
  readonly #program: string;
  readonly #args: readonly string[];
  #child: Helper | undefined;
  #nextId = 1;
  #stopped = false;
  /** request id → its caller */
  readonly #waiting = new Map<number, Waiting>();

  /** `nativeDir`: folder of the native programs. `oldCalls`: mount(2) even where newer calls exist (tests). */
  constructor(options: { readonly nativeDir: string; readonly oldCalls?: boolean }) {
    this.#program = `${options.nativeDir}/tswarm-mount`;
    this.#args = options.oldCalls === true ? ['serve', '--old-calls'] : ['serve'];
  }

  /** @throws TswarmError `internal`, `no_space`, `unavailable` (the helper died: ask again) */
  async overlay(mount: OverlayMount): Promise<void> {
    await this.#mustSucceed({ op: 'overlay', ...mount });
  }

  async bind(mount: BindMount): Promise<void> {
    await this.#mustSucceed({ op: 'bind', ...mount });
  }

  async tmpfs(mount: TmpfsMount): Promise<void> {
    const { sizeBytes, ...rest } = mount;
    await this.#mustSucceed({ op: 'tmpfs', ...rest, size: sizeBytes });
  }

  /** False when nothing was mounted there. `lazy` detaches at once, also while files are open. */
  async unmount(target: string, options: { readonly lazy?: boolean } = {}): Promise<boolean> {
    const answer = await this.#ask({ op: 'umount', target, lazy: options.lazy === true });
    if (answer.ok) return true;
    if (answer.error?.code === 'not_mounted') return false;
    throw errorOf(answer.error);
  }

  /** Ends the process after the requests under way. Mounts stay. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const child = this.#child;
    if (child === undefined) return;
    child.ref();
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin.end();
    await ended;
  }

  async #mustSucceed(request: Readonly<Record<string, unknown>>): Promise<void> {
    const answer = await this.#ask(request);
    if (!answer.ok) throw errorOf(answer.error);
  }

  #ask(request: Readonly<Record<string, unknown>>): Promise<Answer> {
    if (this.#stopped) {
      return Promise.reject(new TswarmError('unavailable', 'mounts: the worker is stopping'));
    }
    const id = this.#nextId++;
    const child = this.#start();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new TswarmError('deadline_exceeded', `tswarm-mount: no answer to ${request.op}`));
      }, REQUEST_TIMEOUT_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      setReferenced(child, true);
      child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  #start(): Helper {
    if (this.#child !== undefined) return this.#child;
    const child = spawn(this.#program, this.#args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {},
      cwd: '/',
    });
    this.#child = child;
    let rest = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#settle(JSON.parse(line) as Answer);
      setReferenced(child, this.#waiting.size > 0);
    });
    child.stdin.on('error', () => {});
    child.once('error', (cause) => this.#lost(child, cause));
    child.once('close', () => this.#lost(child, undefined));
    setReferenced(child, false);
    return child;
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    waiting.resolve(answer);
  }

  #lost(child: Helper, cause: Error | undefined): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    const options = cause === undefined ? { retryable: true } : { cause, retryable: true };
    const why = cause === undefined ? 'ended unexpectedly' : `cannot be started: ${cause.message}`;
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(new TswarmError('unavailable', `${this.#program} ${why}`, options));
    }
    this.#waiting.clear();
  }
}

/** An idle helper must not keep the process alive; a request under way must. */
function setReferenced(child: Helper, isReferenced: boolean): void {
  const verb = isReferenced ? 'ref' : 'unref';
  child[verb]();
  for (const pipe of [child.stdin, child.stdout]) {
    (pipe as unknown as { ref(): void; unref(): void })[verb]();
  }
}

function errorOf(error: NativeError | undefined): TswarmError {
  const message = error?.message ?? 'tswarm-mount failed without a reason';
  return new TswarmError(error?.errno === ENOSPC ? 'no_space' : 'internal', message);
}
