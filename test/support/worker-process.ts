// A worker that can be killed at any moment and started again on the same folders.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';

const CHILD = new URL('./worker-child.ts', import.meta.url).pathname;
const NATIVE = new URL('../../native/build', import.meta.url).pathname;

interface Answer {
  readonly call: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly code?: string;
}

export class KillableWorker {
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #calls = 0;
  readonly #waiting = new Map<number, (answer: Answer) => void>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(): Promise<void> {
    const child = fork(CHILD, [this.#folder, NATIVE], { execArgv: ['--conditions=source'] });
    this.#child = child;
    child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.call)?.(answer);
      this.#waiting.delete(answer.call);
    });
    child.on('exit', () => {
      for (const [call, resolve] of this.#waiting)
        resolve({ call, error: 'killed', code: 'killed' });
      this.#waiting.clear();
    });
    await new Promise<void>((resolve, reject) => {
      this.#waiting.set(0, (answer) =>
        answer.error === undefined ? resolve() : reject(new Error(answer.error)),
      );
    });
  }

  /** Calls a method of the engine (`containers.create`) or of the worker (`worker.join`). @throws with the code of the error; `killed` when it was */
  async call<T = Record<string, unknown>>(path: string, ...args: readonly unknown[]): Promise<T> {
    this.#calls += 1;
    const call = this.#calls;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(call, resolve);
      this.#child?.send({ call, path, args });
    });
    if (answer.error === undefined) return answer.result as T;
    throw Object.assign(new Error(answer.error), { code: answer.code });
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill(signal);
    });
  }
}
