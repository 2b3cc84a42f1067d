// The manager as a child process: starts it, hands it its one request, answers what it asks in between (a signature, the unlock key), waits for its answer,
// starts it again with a growing pause when it dies, stops it. One that was removed from the Raft group stays ended. Kills nothing but its own child.
import { type ChildProcess, fork } from 'node:child_process';
import { errorCodeFromText } from '#protocol/error-codes';
import { messageOf, TswarmError } from '#protocol/errors';
import {
  type FromManager,
  MANAGER_EXIT,
  type ManagerError,
  type ManagerReady,
  type ManagerRequest,
  type ManagerSigned,
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

/**
 * V8 24 on processors with protection keys aborts now and then when a process has several threads
 * ("Check failed: jit_page.has_value()"); the manager has two.
 */
const NO_PROTECTION_KEYS = process.arch === 'x64' ? ['--no-memory-protection-keys'] : [];

export interface ManagerProcessOptions {
  /** Path of manager/main.ts or its compiled form. */
  readonly script: string;
  /** Flags of the manager. */
  readonly args: readonly string[];
}

export interface ManagerProcessDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Request for every start that nobody waits for. */
  restartRequest(): ManagerRequest;
  /** Told of every successful start, the first too. */
  onReady(ready: ManagerReady): Promise<void>;
  /** Has the manager's own key signed. */
  sign(csr: string): Promise<{ readonly certificate: string; readonly caCert: string }>;
  /** It waits for the unlock key. */
  onLocked(): void;
  /** Told when it has died and will be started again; `reason` is for people. */
  onDown(reason: string): void;
  /** It ended because it is no member any more. */
  onRemoved(): void;
}

interface Answer<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

export class ManagerProcess {
  readonly #options: ManagerProcessOptions;
  readonly #deps: ManagerProcessDeps;
  #child: ChildProcess | undefined;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = MANAGER_RESTART_MIN_MS;
  #unlocking: Answer<void> | undefined;

  constructor(options: ManagerProcessOptions, deps: ManagerProcessDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it once and waits for its answer. @throws what the manager said; then nothing runs. */
  async start(request: ManagerRequest): Promise<ManagerReady> {
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

  /** Gives it the unlock key it waits for. @throws what it says when that is the wrong one. */
  unlock(key: string): Promise<void> {
    if (this.#unlocking) {
      return Promise.reject(new TswarmError('conflict', 'another unlock is under way'));
    }
    if (!this.#child?.connected) {
      const message = 'the manager process is just starting again';
      return Promise.reject(new TswarmError('unavailable', message, { retryable: true }));
    }
    return new Promise<void>((resolve, reject) => {
      this.#unlocking = { resolve, reject };
      this.#send({ type: 'unlock', key });
    });
  }

  async #again(): Promise<void> {
    if (this.#stopping) return;
    try {
      await this.start(this.#deps.restartRequest());
    } catch (error) {
      this.#down(messageOf(error));
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

  #spawn(request: ManagerRequest): Promise<ManagerReady> {
    const startedMs = this.#deps.clock.monotonicMs();
    const child = fork(this.#options.script, [...this.#options.args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'json',
      execArgv: [...process.execArgv, ...NO_PROTECTION_KEYS],
    });
    this.#child = child;
    return new Promise((resolve, reject) => {
      let isReady = false;
      let spoken: string | undefined;
      const timer = setTimeout(() => {
        spoken = 'it did not get ready in time';
        child.kill('SIGKILL');
      }, MANAGER_READY_TIMEOUT_MS);
      child.on('message', (message: FromManager) => {
        if (message.type === 'ready') {
          isReady = true;
          clearTimeout(timer);
          this.#endUnlock(undefined);
          resolve(message);
        } else if (message.type === 'failed') {
          spoken = message.message;
          reject(errorOf(message));
        } else if (message.type === 'locked') {
          // It now waits for a person.
          clearTimeout(timer);
          if (message.error) this.#endUnlock(errorOf(message.error));
          this.#deps.onLocked();
        } else void this.#sign(message.csr);
      });
      child.on('error', (error) => {
        spoken = error.message;
      });
      child.on('exit', (code, signal) => {
        clearTimeout(timer);
        const reason = spoken ?? exitText(code, signal);
        this.#endUnlock(new TswarmError('unavailable', `the manager process: ${reason}`));
        if (code === MANAGER_EXIT.removed && this.#child === child) {
          this.#stopping = true;
          this.#deps.onRemoved();
        }
        if (!isReady) {
          reject(new TswarmError('unavailable', `the manager process: ${reason}`));
          return;
        }
        const ranMs = this.#deps.clock.monotonicMs() - startedMs;
        if (ranMs > MANAGER_STABLE_AFTER_MS) this.#pauseMs = MANAGER_RESTART_MIN_MS;
        if (this.#child === child) this.#down(reason);
      });
      this.#send(request);
    });
  }

  async #sign(csr: string): Promise<void> {
    let answer: ManagerSigned;
    try {
      answer = { type: 'signed', ...(await this.#deps.sign(csr)), error: null };
    } catch (error) {
      const known = error instanceof TswarmError ? error : undefined;
      const text = {
        code: known?.code ?? 'internal',
        message: messageOf(error),
        hint: known?.hint ?? '',
      };
      answer = { type: 'signed', certificate: '', caCert: '', error: text };
    }
    this.#send(answer);
  }

  /** A child that has just gone says so by its exit. */
  #send(message: ToManager): void {
    if (this.#child?.connected) this.#child.send(message, () => undefined);
  }

  #endUnlock(error: unknown): void {
    const waiting = this.#unlocking;
    this.#unlocking = undefined;
    if (error === undefined) waiting?.resolve();
    else waiting?.reject(error);
  }
}

function errorOf({ code, message, hint }: ManagerError): TswarmError {
  return new TswarmError(errorCodeFromText(code), message, hint === '' ? {} : { hint });
}

function exitText(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal) return `ended by ${signal}`;
  if (code === MANAGER_EXIT.removed) return 'is not a member of the cluster’s managers any more';
  if (code === MANAGER_EXIT.fatal) return 'stopped itself (a write failed or a bug was found)';
  return `ended with exit code ${code}`;
}
