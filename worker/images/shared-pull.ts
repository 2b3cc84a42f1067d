// One pull for all who ask for the same thing at the same time. Who comes later gets the lines that
// were written so far; the pull is given up when the last one has left.
import type { EngineJson } from '#protocol/engine';
import { cancelled } from './concurrency.ts';
import type { ImageEntry } from './image-db.ts';
import { platformText } from './platform.ts';
import type { OnLine } from './progress.ts';
import type { Puller, PullPlan, PullRequest } from './pull.ts';
import { fullText } from './reference.ts';

export class SharedPulls {
  readonly #puller: Puller;
  /** request → pull under way */
  readonly #running = new Map<string, SharedPull>();

  constructor(puller: Puller) {
    this.#puller = puller;
  }

  /** Joins the pull under way or starts one. The caller must `leave`. */
  join(request: PullRequest, onLine: OnLine): Membership {
    // Other credentials may see another image, or none.
    const user = request.auth?.username ?? request.auth?.identityToken ?? '';
    const key = JSON.stringify([fullText(request.ref), platformText(request.platform), user]);
    let pull = this.#running.get(key);
    if (pull === undefined || pull.isAbandoned) {
      pull = new SharedPull(this.#puller, request);
      const started = pull;
      this.#running.set(key, started);
      const forget = (): void => {
        if (this.#running.get(key) === started) this.#running.delete(key);
      };
      started.done.then(forget, forget);
    }
    return pull.join(onLine);
  }

  /** Gives up everything under way and waits for its end. */
  async stop(): Promise<void> {
    const pulls = [...this.#running.values()];
    for (const pull of pulls) pull.abort();
    await Promise.allSettled(pulls.map((pull) => pull.done));
  }
}

export interface Membership {
  /** The registry knows the image. */
  readonly planned: Promise<PullPlan>;
  readonly done: Promise<ImageEntry>;
  leave(): void;
}

class SharedPull {
  readonly planned: Promise<PullPlan>;
  readonly done: Promise<ImageEntry>;
  readonly #abort = new AbortController();
  readonly #listeners = new Set<OnLine>();
  /** What a newcomer has missed: all lines but bars. */
  readonly #said: EngineJson[] = [];
  #members = 0;

  constructor(puller: Puller, request: PullRequest) {
    this.planned = puller.plan(request, this.#abort.signal);
    this.done = this.planned.then((plan) =>
      puller.run(plan, (line) => this.#say(line), this.#abort.signal),
    );
    // Members see failures; with none left nobody has to.
    this.planned.catch(() => {});
    this.done.catch(() => {});
  }

  get isAbandoned(): boolean {
    return this.#abort.signal.aborted;
  }

  abort(): void {
    this.#abort.abort(cancelled('pull'));
  }

  join(onLine: OnLine): Membership {
    for (const line of this.#said) onLine(line);
    this.#listeners.add(onLine);
    this.#members += 1;
    let isIn = true;
    const leave = (): void => {
      if (!isIn) return;
      isIn = false;
      this.#listeners.delete(onLine);
      this.#members -= 1;
      if (this.#members === 0) this.abort();
    };
    return { planned: this.planned, done: this.done, leave };
  }

  #say(line: EngineJson): void {
    if (line.progress === undefined) this.#said.push(line);
    for (const listener of this.#listeners) listener(line);
  }
}
