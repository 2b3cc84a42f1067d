// WireGuard in user space, where the kernel has none: wireguard-go (Debian package) as a process of its own that goes on while the worker restarts. Its end
// takes the interface along, which the network helper's events tell; `ensure` starts it again. Configured through its socket.
import { spawn } from 'node:child_process';
import { access, open, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, TswarmError } from '#protocol/errors';
import { readTextFile, removeTree, writeFileAtomic } from '../../files.ts';
import {
  TUNNEL_END_TIMEOUT_MS,
  TUNNEL_START_POLL_MS,
  TUNNEL_START_TIMEOUT_MS,
  UAPI_TIMEOUT_MS,
} from '../limits.ts';
import { publicKeyOf } from './keys.ts';
import { checkSet, GET_REQUEST, parseGet, setRequest } from './uapi.ts';
import type { DeviceChange, DeviceState, WireguardDevice } from './wireguard.ts';

/** Compiled into wireguard-go. */
const SOCKET_FOLDER = '/var/run/wireguard';

export interface UserspaceOptions {
  readonly link: string;
  /** Looked for in this order. */
  readonly programs: readonly string[];
  readonly pidFile: string;
  readonly logFile: string;
}

export class UserspaceDevice implements WireguardDevice {
  readonly #options: UserspaceOptions;

  constructor(options: UserspaceOptions) {
    this.#options = options;
  }

  /** Makes sure that the process runs and answers. @throws TswarmError failed_precondition when there is no such program */
  async ensure(): Promise<void> {
    if (await this.#answers()) return;
    const { link, pidFile, logFile } = this.#options;
    await this.end();
    const program = await this.#program();
    const output = await open(logFile, 'w', 0o600);
    let failure = '';
    try {
      const child = spawn(program, ['-f', link], {
        // So that everybody sees whose it is.
        argv0: join(dirname(pidFile), 'wireguard-go'),
        detached: true,
        stdio: ['ignore', output.fd, output.fd],
        env: { LOG_LEVEL: 'error' },
        cwd: '/',
      });
      child.on('error', (error) => {
        failure = messageOf(error);
      });
      child.on('exit', (code, signal) => {
        failure = `it ended with ${signal ?? code}`;
      });
      child.unref();
      if (child.pid !== undefined) await writeFileAtomic(pidFile, `${child.pid}\n`);
    } finally {
      await output.close();
    }
    for (let waited = 0; waited < TUNNEL_START_TIMEOUT_MS; waited += TUNNEL_START_POLL_MS) {
      if (await this.#answers()) return;
      if (failure !== '') break;
      await sleep(TUNNEL_START_POLL_MS);
    }
    const said = ((await readTextFile(logFile)) ?? '').trim().split('\n').slice(-3).join(' ');
    throw new TswarmError(
      'unavailable',
      `wireguard-go does not start: ${failure === '' ? 'it does not get ready' : failure} ${said}`,
      { retryable: true },
    );
  }

  async read(): Promise<DeviceState> {
    return parseGet(await this.#ask(GET_REQUEST), (hex) =>
      publicKeyOf(Buffer.from(hex, 'hex').toString('base64')),
    );
  }

  async write(change: DeviceChange): Promise<void> {
    checkSet(await this.#ask(setRequest(change)), change);
  }

  /** Ends the process, and with it the interface. */
  async end(): Promise<void> {
    const { pidFile, link } = this.#options;
    const pid = Number(((await readTextFile(pidFile)) ?? '').trim());
    if (pid > 1) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const [program = '', ...args] = command.split('\0');
      if (program.endsWith('wireguard-go') && args.includes(link)) await endProcess(pid);
    }
    // One that was killed left it.
    await removeTree(this.#socket);
    await removeTree(pidFile);
  }

  async #answers(): Promise<boolean> {
    return this.#ask(GET_REQUEST).then(
      () => true,
      () => false,
    );
  }

  async #program(): Promise<string> {
    for (const path of this.#options.programs) {
      const found = await access(path).then(
        () => true,
        () => false,
      );
      if (found) return path;
    }
    throw new TswarmError(
      'failed_precondition',
      'this kernel has no WireGuard, and wireguard-go is not installed',
      { hint: 'Install the package wireguard-go, or a kernel with the module wireguard.' },
    );
  }

  get #socket(): string {
    return `${SOCKET_FOLDER}/${this.#options.link}.sock`;
  }

  #ask(request: string): Promise<string> {
    const path = this.#socket;
    return new Promise((resolve, reject) => {
      const socket = connect({ path });
      let text = '';
      const fail = (error: Error): void => {
        socket.destroy();
        reject(
          new TswarmError('unavailable', `wireguard-go does not answer: ${error.message}`, {
            retryable: true,
          }),
        );
      };
      socket.setTimeout(UAPI_TIMEOUT_MS, () => fail(new Error('timeout')));
      socket.on('error', fail);
      socket.on('close', () => fail(new Error('closed')));
      socket.on('data', (data) => {
        text += data.toString('latin1');
        if (!text.endsWith('\n\n')) return;
        socket.destroy();
        resolve(text);
      });
      socket.write(request);
    });
  }
}

/** Resolves when the process is gone. */
async function endProcess(pid: number): Promise<void> {
  for (let waited = 0; isAlive(pid); waited += TUNNEL_START_POLL_MS) {
    if (waited === 0) process.kill(pid, 'SIGTERM');
    if (waited >= TUNNEL_END_TIMEOUT_MS) {
      process.kill(pid, 'SIGKILL');
      return;
    }
    await sleep(TUNNEL_START_POLL_MS);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
