// A long-lived native helper that answers one JSON line for each JSON line it is asked: {"id":N,"op":…} → {"id":N,"ok":…}; it may also send lines of
// its own, {"event":…}. Started with the first request, started again when it has died, ended by `stop`. Does not keep the worker's event loop alive
// while nothing is asked.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { ErrorCode } from '#protocol/error-codes';
import { TswarmError } from '#protocol/errors';

export interface HelperError {
  readonly code: string;
  readonly errno: number;
  readonly message: string;
}

export interface HelperAnswer {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: HelperError;
  readonly [member: string]: unknown;
}

/** A line that answers nothing. */
export interface HelperEvent {
  readonly event: string;
  readonly [member: string]: unknown;
}

/** The helpers' codes that callers tell apart. */
const ERROR_CODES: Readonly<Record<string, ErrorCode>> = {
  invalid: 'invalid_argument',
  unsupported: 'not_supported',
};

interface Waiting {
  readonly resolve: (answer: HelperAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

export interface JsonLineProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Longest time for one answer, in ms. */
  readonly timeoutMs: number;
  readonly onEvent?: (event: HelperEvent) => void;
  /** It has ended without `stop`; the next request starts it again. */
  readonly onLost?: (error: TswarmError) => void;
}

export class JsonLineProcess {
  readonly #options: JsonLineProcessOptions;
  #child: Child | undefined;
  #nextId = 1;
  #stopped = false;
  readonly #waiting = new Map<number, Waiting>();

  constructor(options: JsonLineProcessOptions) {
    this.#options = options;
  }

  /** The answer, also a failing one. @throws TswarmError unavailable (the helper died: ask again), deadline_exceeded. */
  ask(request: Readonly<Record<string, unknown>>): Promise<HelperAnswer> {
    const { program, timeoutMs } = this.#options;
    if (this.#stopped) {
      return Promise.reject(new TswarmError('unavailable', `${program}: the worker is stopping`));
    }
    const id = this.#nextId++;
    const child = this.#start();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new TswarmError('deadline_exceeded', `${program}: no answer to ${request.op}`));
      }, timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      setReferenced(child, true);
      child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  /** Asks and turns a failing answer into a TswarmError with the helper's words. */
  async demand(request: Readonly<Record<string, unknown>>): Promise<HelperAnswer> {
    const answer = await this.ask(request);
    if (answer.ok) return answer;
    const code = ERROR_CODES[answer.error?.code ?? ''] ?? 'internal';
    throw new TswarmError(code, answer.error?.message ?? `${this.#options.program} failed`);
  }

  /** Ends the process after the requests under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const child = this.#child;
    if (!child) return;
    setReferenced(child, true);
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin.end();
    await ended;
  }

  #start(): Child {
    if (this.#child) return this.#child;
    const child = spawn(this.#options.program, [...this.#options.args], {
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
      for (const line of lines) this.#receive(JSON.parse(line) as HelperAnswer | HelperEvent);
      setReferenced(child, this.#waiting.size > 0);
    });
    child.stdin.on('error', () => {});
    child.once('error', (cause) => this.#lost(child, cause));
    child.once('close', () => this.#lost(child, undefined));
    setReferenced(child, false);
    return child;
  }

  #receive(answer: HelperAnswer | HelperEvent): void {
    if (isEvent(answer)) {
      this.#options.onEvent?.(answer);
      return;
    }
    const waiting = this.#waiting.get(answer.id);
    if (!waiting) return;
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    waiting.resolve(answer);
  }

  #lost(child: Child, cause: Error | undefined): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    const { program } = this.#options;
    const error = new TswarmError(
      'unavailable',
      `${program} ended${cause ? `: ${cause.message}` : ''}`,
      {
        retryable: true,
        ...(cause ? { cause } : {}),
      },
    );
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
    this.#waiting.clear();
    if (!this.#stopped) this.#options.onLost?.(error);
  }
}

function isEvent(line: HelperAnswer | HelperEvent): line is HelperEvent {
  return typeof line.event === 'string';
}

function setReferenced(child: Child, referenced: boolean): void {
  const streams = [child.stdout, child.stdin] as unknown as { ref?(): void; unref?(): void }[];
  if (referenced) {
    child.ref();
    for (const stream of streams) stream.ref?.();
  } else {
    child.unref();
    for (const stream of streams) stream.unref?.();
  }
}
