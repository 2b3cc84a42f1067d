// Keeps the node's DNS responder running. It is a process of its own that outlives the worker, so that names go on while the worker restarts:
// found again by its pid file, started when it is gone, watched by the network helper. Its data is one file, replaced as a whole; it notices by itself.
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { writeFileAtomic } from '../files.ts';
import {
  RESPONDER_END_TIMEOUT_MS,
  RESPONDER_RESTART_PAUSE_MS,
  RESPONDER_RESTART_PAUSE_MS_MAX,
  RESPONDER_START_POLL_MS,
  RESPONDER_START_TIMEOUT_MS,
} from './limits.ts';

/** `nobody` on every Linux: the responder needs no rights after it has bound its port. */
const RESPONDER_UID = 65534;

export interface NamesProcessOptions {
  readonly program: string;
  readonly configFile: string;
  readonly pidFile: string;
  /** What it says; begun anew with each start. */
  readonly logFile: string;
}

interface Running {
  readonly pid: number;
  /** In clock ticks since boot: with the pid, names the process for ever. */
  readonly startTime: number;
}

export class NamesProcess {
  readonly #options: NamesProcessOptions;
  readonly #log: Log;
  readonly #watch: (running: Running) => Promise<void>;
  #written = '';
  #watched = 0;
  #stopped = false;
  #isReviving = false;
  /** Starts happen one after another. */
  #ready: Promise<void> = Promise.resolve();

  /** `watch` sees to it that `ended` is called at the end of the process. */
  constructor(options: NamesProcessOptions, log: Log, watch: (running: Running) => Promise<void>) {
    this.#options = options;
    this.#log = log;
    this.#watch = watch;
  }

  /** Writes the data if it is new and makes sure that somebody answers from it. */
  async update(config: string): Promise<void> {
    // What still was under way when the node was taken down starts nothing any more.
    if (this.#stopped) return;
    if (config !== this.#written) {
      // It runs as another user.
      await writeFileAtomic(this.#options.configFile, config, { mode: 0o644 });
      this.#written = config;
    }
    if (this.#watched === 0) await this.#ensure();
  }

  /** The process has ended (or its end may have been missed): it is started again, tried until it runs. */
  async ended(): Promise<void> {
    this.#watched = 0;
    if (this.#isReviving) return;
    this.#isReviving = true;
    let pauseMs = RESPONDER_RESTART_PAUSE_MS;
    while (this.#watched === 0 && this.#written !== '' && !this.#stopped) {
      await sleep(pauseMs, undefined, { ref: false });
      pauseMs = Math.min(pauseMs * 2, RESPONDER_RESTART_PAUSE_MS_MAX);
      // Why it does not start is logged.
      if (!this.#stopped) await this.#ensure().catch(() => {});
    }
    this.#isReviving = false;
  }

  /** Ends the responder until somebody has names again. */
  rest(): Promise<void> {
    this.#written = '';
    const next = this.#ready
      .catch(() => {})
      .then(async () => {
        if (this.#written === '') await this.#end();
      });
    this.#ready = next;
    return next;
  }

  /** Ends the responder for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.rest();
  }

  /** Resolves when the process is gone. */
  async #end(): Promise<void> {
    this.#watched = 0;
    for (let waitedMs = 0; ; waitedMs += RESPONDER_START_POLL_MS) {
      const running = await this.#running();
      if (!running) return;
      if (waitedMs === 0) process.kill(running.pid, 'SIGTERM');
      if (waitedMs >= RESPONDER_END_TIMEOUT_MS) {
        process.kill(running.pid, 'SIGKILL');
        return;
      }
      await sleep(RESPONDER_START_POLL_MS);
    }
  }

  #ensure(): Promise<void> {
    const next = this.#ready
      .catch(() => {})
      .then(async () => {
        if (this.#watched !== 0 || this.#stopped) return;
        const found = await this.#running();
        // One that ends just now is replaced like one that was not there.
        if (found && (await this.#isWatched(found))) return;
        if (!(await this.#isWatched(await this.#start()))) {
          throw new TswarmError('unavailable', 'the DNS responder ended at its start', {
            retryable: true,
          });
        }
      });
    this.#ready = next;
    return next;
  }

  async #isWatched(running: Running): Promise<boolean> {
    try {
      await this.#watch(running);
      this.#watched = running.pid;
      return true;
    } catch (error) {
      this.#log.warn('dns responder cannot be watched', { error: messageOf(error) });
      return false;
    }
  }

  /** The responder if it is alive and really ours (its command line names our file). */
  async #running(): Promise<Running | undefined> {
    const text = await readFile(this.#options.pidFile, 'utf8').catch(() => '');
    const [pid = 0, startTime = 0] = text.trim().split(' ').map(Number);
    if (!(pid > 1)) return undefined;
    const [command, stat] = await Promise.all(
      ['cmdline', 'stat'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
    );
    if (!command?.split('\0').includes(this.#options.configFile)) return undefined;
    // Field 22; the fields before it are counted from behind the name, which may hold spaces.
    const fields = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ');
    return fields[0] !== 'Z' && Number(fields[19]) === startTime ? { pid, startTime } : undefined;
  }

  async #start(): Promise<Running> {
    const { program, configFile, pidFile, logFile } = this.#options;
    const args = ['--config', configFile, '--pid-file', pidFile, '--user', String(RESPONDER_UID)];
    const output = await open(logFile, 'w', 0o600);
    let failure = '';
    try {
      const child = spawn(program, args, {
        detached: true,
        stdio: ['ignore', 'ignore', output.fd],
        env: {},
        cwd: '/',
      });
      child.on('error', (error) => {
        failure = messageOf(error);
      });
      child.on('exit', (code, signal) => {
        failure = `it ended with ${signal ?? code}`;
      });
      child.unref();
    } finally {
      await output.close();
    }
    for (
      let waitedMs = 0;
      waitedMs < RESPONDER_START_TIMEOUT_MS;
      waitedMs += RESPONDER_START_POLL_MS
    ) {
      const running = await this.#running();
      if (running) return running;
      if (failure !== '') break;
      await sleep(RESPONDER_START_POLL_MS);
    }
    const said = await readFile(logFile, 'utf8').catch(() => '');
    const reason = failure === '' ? 'it does not get ready' : failure;
    this.#log.error('dns responder does not start', { error: `${reason} ${said.trim()}` });
    throw new TswarmError('unavailable', `the DNS responder does not start: ${reason}`, {
      retryable: true,
    });
  }
}
