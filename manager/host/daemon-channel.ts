// The IPC channel to tswarmd, as questions and answers (protocol/manager-ipc). One question is open
// at a time. Answers that nobody waits for are dropped with a word in the log.
import type { TswarmError } from '#protocol/errors';
import type {
  FromManager,
  ManagerError,
  ManagerRequest,
  ManagerSigned,
  ToManager,
} from '#protocol/manager-ipc';
import type { Log } from '#protocol/world';

type Answer<T extends ToManager['type']> = Extract<ToManager, { readonly type: T }>;

const REQUESTS: readonly string[] = ['bootstrap', 'start', 'join', 'restore'];

export class DaemonChannel {
  readonly #log: Log;
  #waiting: { accepts(type: string): boolean; resolve(message: ToManager): void } | undefined;
  /** Came before anybody asked. */
  #early: ToManager[] = [];

  constructor(log: Log) {
    this.#log = log;
    process.on('message', (message) => this.#take(message as ToManager));
  }

  /** What this process was started for. */
  request(): Promise<ManagerRequest> {
    return this.#next((type) => REQUESTS.includes(type)) as Promise<ManagerRequest>;
  }

  /** Has a certificate request (PEM) signed. */
  async sign(csr: string): Promise<ManagerSigned> {
    await this.send({ type: 'sign', csr });
    return (await this.#next((type) => type === 'signed')) as Answer<'signed'>;
  }

  /** Says that the keys are sealed and waits for the unlock key, as the user typed it. */
  async unlockKey(error: TswarmError | undefined): Promise<string> {
    await this.send({ type: 'locked', error: error ? errorForDaemon(error) : null });
    const { key } = (await this.#next((type) => type === 'unlock')) as Answer<'unlock'>;
    return key;
  }

  send(message: FromManager): Promise<void> {
    return new Promise((resolve) => {
      if (!process.connected) resolve();
      else process.send?.(message, () => resolve());
    });
  }

  #next(accepts: (type: string) => boolean): Promise<ToManager> {
    const at = this.#early.findIndex(({ type }) => accepts(type));
    const [early] = at < 0 ? [] : this.#early.splice(at, 1);
    if (early) return Promise.resolve(early);
    return new Promise((resolve) => {
      this.#waiting = { accepts, resolve };
    });
  }

  #take(message: ToManager): void {
    const waiting = this.#waiting;
    if (waiting?.accepts(message.type)) {
      this.#waiting = undefined;
      waiting.resolve(message);
    } else if (REQUESTS.includes(message.type)) {
      this.#early.push(message);
    } else {
      this.#log.warn('an answer to no question', { type: message.type });
    }
  }
}

/** An error as it crosses the channel. */
export function errorForDaemon(error: TswarmError): ManagerError {
  return { code: error.code, message: error.message, hint: error.hint ?? '' };
}
