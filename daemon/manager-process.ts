// The manager as a child process: starts it, hands it its one request, waits for its one answer, starts it again with a growing pause when it dies, stops
// it. The last answer is kept for whoever needs the certificates. Never kills anything but its own child.
import { type ChildProcess, fork } from 'node:child_process';
import { errorCodeFromText } from '#protocol/error-codes';
import { TswarmError } from '#protocol/errors';
import {
  type FromManager,
  MANAGER_EXIT,
  type ManagerReady,
  type ToManager,
} from '#protocol/manager-ipc';
import type { Clock, Log } from '#protocol/world';
import {
  MANAGER_READY_TIMEOUT_MS,
  MANAGER_RESTART_MAX_MS,
  MANAGER_RESTART_MIN_MS,
  MANAGER_STABLE_AFTER_MS,
  MANAGER_STOP_TIMEOUT_MS,
} from './limits.ts';

export interface ManagerProcessOptions {
  /** Path of manager/main.ts or its compiled form. */
  readonly script: string;
  /** Flags of the manager. */
  readonly args: readonly string[];
}

export interface ManagerProcessDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Request for every start after the first (new CSRs are not needed: the keys stay). */
  readonly restartRequest: () => Promise<ToManager>;
  /** Told of every successful start, the first too. */
  readonly onReady: (ready: ManagerReady) => Promise<void>;
  /** Told when it has died and how long the pause is; `reason` is for people. */
  readonly onDown: (reason: string) => void;
}

export class ManagerProcess {
  readonly #options: ManagerProcessOptions;
  readonly #deps: ManagerProcessDeps;
  #child: ChildProcess | undefined;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = MANAGER_RESTART_MIN_MS;
  #lastError = '';

  constructor(options: ManagerProcessOptions, deps: ManagerProcessDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it once and waits for its answer. @throws what the manager said; then nothing runs. */
  async start(request: ToManager): Promise<ManagerReady> {
    const ready = await this.#spawn(request);
    await this.#deps.onReady(ready);
    return ready;
  }

  /** Starts it now, and again and again until it runs (after a reboot, for instance). */
  keepStarting(): void {
    void this.#again();
  }

  /** SIGTERM, then SIGKILL. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), MANAGER_STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  /** Stops and starts it, for new certificates. The control plane is away for about a second. */
  recycle(): void {
    this.#child?.kill('SIGTERM');
  }

  async #again(): Promise<void> {
    if (this.#stopping) return;
    try {
      const ready = await this.#spawn(await this.#deps.restartRequest());
      await this.#deps.onReady(ready);
    } catch (error) {
      this.#down(error instanceof Error ? error.message : String(error));
    }
  }

  #down(reason: string): void {
    if (this.#stopping) return;
    this.#deps.log.warn('manager is down', { reason, retryMs: this.#pauseMs });
    this.#deps.onDown(reason);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#again(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, MANAGER_RESTART_MAX_MS);
  }

  #spawn(request: ToManager): Promise<ManagerReady> {
    const startedMs = this.#deps.clock.monotonicMs();
    const child = fork(this.#options.script, [...this.#options.args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'json',
    });
    this.#child = child;
    this.#lastError = '';
    return new Promise((resolve, reject) => {
      let answered = false;
      const timer = setTimeout(() => {
        this.#lastError = 'it did not get ready in time';
        child.kill('SIGKILL');
      }, MANAGER_READY_TIMEOUT_MS);
      child.on('message', (message: FromManager) => {
        if (message.type === 'failed') {
          this.#lastError = message.message;
          answered = true;
          clearTimeout(timer);
          reject(
            new TswarmError(
              errorCodeFromText(message.code),
              message.message,
              message.hint === '' ? {} : { hint: message.hint },
            ),
          );
          return;
        }
        if (message.type !== 'ready') return;
        answered = true;
        clearTimeout(timer);
        resolve(message);
      });
      child.on('error', (error) => {
        this.#lastError = error.message;
      });
      child.on('exit', (code, signal) => {
        clearTimeout(timer);
        const reason = this.#lastError !== '' ? this.#lastError : exitText(code, signal);
        if (!answered) {
          reject(new TswarmError('unavailable', `the manager process: ${reason}`));
          return;
        }
        const ranMs = this.#deps.clock.monotonicMs() - startedMs;
        if (ranMs > MANAGER_STABLE_AFTER_MS) this.#pauseMs = MANAGER_RESTART_MIN_MS;
        if (this.#child === child && this.#lastError === '') this.#down(reason);
      });
      child.send(request, (error) => {
        if (error) this.#lastError = error.message;
      });
    });
  }
}

function exitText(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal) return `ended by ${signal}`;
  if (code === MANAGER_EXIT.fatal) return 'stopped itself (a write failed or a bug was found)';
  return `ended with exit code ${code}`;
}
