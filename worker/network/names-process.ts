// Keeps the node's DNS responder running. It is a process of its own that outlives the worker, so that names go on while the worker restarts:
// found again by its pid file, started when it is gone. Its data is one file, replaced as a whole; it notices by itself.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import { writeFileAtomic } from '../files.ts';

/** `nobody` on every Linux: the responder needs no rights after it has bound its port. */
const RESPONDER_UID = 65534;

export interface NamesProcessOptions {
  readonly program: string;
  readonly configFile: string;
  readonly pidFile: string;
}

export class NamesProcess {
  readonly #options: NamesProcessOptions;
  readonly #log: Log;
  #written = '';

  constructor(options: NamesProcessOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  /** Writes the data if it is new and makes sure that somebody answers from it. */
  async update(config: string): Promise<void> {
    if (config !== this.#written) {
      await writeFileAtomic(this.#options.configFile, config, { mode: 0o644 });
      this.#written = config;
    }
    if (!(await this.#runningPid())) this.#start();
  }

  async stop(): Promise<void> {
    const pid = await this.#runningPid();
    if (pid) process.kill(pid, 'SIGTERM');
  }

  /** The responder's pid if it is alive and really ours (its command line names our file). */
  async #runningPid(): Promise<number | undefined> {
    const text = await readFile(this.#options.pidFile, 'utf8').catch(() => '');
    const pid = Number.parseInt(text, 10);
    if (!(pid > 1)) return undefined;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return command.includes(this.#options.configFile) ? pid : undefined;
  }

  #start(): void {
    const { program, configFile, pidFile } = this.#options;
    const args = ['--config', configFile, '--pid-file', pidFile, '--user', String(RESPONDER_UID)];
    const child = spawn(program, args, { detached: true, stdio: 'ignore', env: {}, cwd: '/' });
    child.on('error', (error) => {
      this.#log.error('dns responder does not start', { error: messageOf(error) });
    });
    child.unref();
  }
}
