// Runs seeds in a thread and watches it. A run that is in one event for too long (an endless loop, of
// calls or of promise jobs) is ended, counts as a failure of its seed, and the next seed gets a new
// thread. What can be caught from within is caught there (world.ts, `spend`) and says more.
import { Worker } from 'node:worker_threads';
import { NO_COUNTS, type SeedResult } from './seed-result.ts';
import type { FromSeedThread, ScriptCoverage, ThreadData, ToSeedThread } from './seed-thread.ts';
import { PROGRESS } from './world.ts';

/** One event may take so long; the longest of a healthy run take tens of milliseconds. */
const EVENT_SECONDS_MAX = 60;
/** How often the thread is looked at. */
const LOOK_MS = 250;
/**
 * A run ends as a crash does: nothing is told to stop, and Node never gives back an `AbortSignal.any`
 * that somebody listens to, with all that hangs on it (0.7 MB a run). A new thread begins empty.
 */
const RUNS_PER_THREAD = 500;

export interface SeedRunnerOptions {
  /** Thread to start; for tests of the watch itself. */
  readonly entry?: URL;
  readonly eventSecondsMax?: number;
  /** Has V8 count what runs. */
  readonly isCounted?: boolean;
}

/** One thread at a time, one seed at a time. */
export class SeedRunner implements AsyncDisposable {
  readonly #entry: URL;
  readonly #eventMsMax: number;
  readonly #isCounted: boolean;
  readonly #progress = new Int32Array(
    new SharedArrayBuffer(PROGRESS.length * Int32Array.BYTES_PER_ELEMENT),
  );
  #thread: Worker | null = null;
  #runs = 0;

  constructor(options: SeedRunnerOptions = {}) {
    this.#entry = options.entry ?? new URL('./seed-thread-main.ts', import.meta.url);
    this.#eventMsMax = (options.eventSecondsMax ?? EVENT_SECONDS_MAX) * 1000;
    this.#isCounted = options.isCounted ?? false;
  }

  /** Runs one seed; a run that does not end is a result with a failure. */
  async run(seed: number, steps: number): Promise<SeedResult> {
    if (!this.#isCounted && this.#runs >= RUNS_PER_THREAD) await this[Symbol.asyncDispose]();
    const thread = await this.#loaded();
    this.#runs++;
    this.#progress.fill(0);
    const answered = ask(thread, { type: 'run', seed, steps });
    const answer = await this.#orHang(answered);
    if (answer === 'hung') {
      await this[Symbol.asyncDispose]();
      return this.#hung(seed);
    }
    if (answer.type !== 'result') throw new Error('the thread answers something else');
    return answer.result;
  }

  /** What has run in this thread so far; needs `isCounted`. */
  async takeCoverage(): Promise<readonly ScriptCoverage[]> {
    const answer = await ask(await this.#loaded(), { type: 'coverage' });
    if (answer.type !== 'coverage') throw new Error('the thread answers something else');
    return answer.scripts;
  }

  /** The thread, once it has loaded what is under test: that is not part of a run. */
  async #loaded(): Promise<Worker> {
    if (this.#thread !== null) return this.#thread;
    const data: ThreadData = { progress: this.#progress, isCounted: this.#isCounted };
    const execArgv = ['--conditions=source'];
    const thread = new Worker(this.#entry, { workerData: data, execArgv });
    const { type } = await nextMessage(thread);
    if (type !== 'ready') throw new Error('the thread answers something else');
    this.#thread = thread;
    this.#runs = 0;
    return thread;
  }

  /** What comes first: the answer, or too long a time in which nothing moves. */
  #orHang(answered: Promise<FromSeedThread>): Promise<FromSeedThread | 'hung'> {
    const { promise, resolve, reject } = Promise.withResolvers<FromSeedThread | 'hung'>();
    let last = Atomics.load(this.#progress, PROGRESS.steps);
    let stillMs = 0;
    // Counted in looks, so that time in which this process does not run either is not held against it.
    const looking = setInterval(() => {
      const now = Atomics.load(this.#progress, PROGRESS.steps);
      stillMs = now === last ? stillMs + LOOK_MS : 0;
      last = now;
      if (stillMs >= this.#eventMsMax) resolve('hung');
    }, LOOK_MS);
    answered.then(resolve, reject);
    // Once it hangs, the end of the thread is no news.
    return promise.finally(() => clearInterval(looking));
  }

  #hung(seed: number): SeedResult {
    const steps = Atomics.load(this.#progress, PROGRESS.steps);
    const values = {
      event: steps,
      actor: Atomics.load(this.#progress, PROGRESS.actor),
      seconds: this.#eventMsMax / 1000,
    };
    const rule = 'an event comes to an end';
    const failure = { rule, text: `${rule}: ${JSON.stringify(values)}` };
    return { seed, steps, hash: '', virtualSeconds: 0, counts: NO_COUNTS, failure };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    if (thread === null) return;
    // It is ended on purpose: nobody waits for its answer any more.
    thread.removeAllListeners('exit').removeAllListeners('error');
    await thread.terminate();
  }
}

function ask(thread: Worker, message: ToSeedThread): Promise<FromSeedThread> {
  const answered = nextMessage(thread);
  thread.postMessage(message);
  return answered;
}

/** @throws when the thread ends before it says anything */
function nextMessage(thread: Worker): Promise<FromSeedThread> {
  const { promise, resolve, reject } = Promise.withResolvers<FromSeedThread>();
  const onExit = (): void => reject(new Error('the thread that runs seeds has ended'));
  thread.once('exit', onExit).once('error', reject);
  thread.once('message', (answer: FromSeedThread) => {
    thread.off('exit', onExit).off('error', reject);
    resolve(answer);
  });
  return promise;
}
