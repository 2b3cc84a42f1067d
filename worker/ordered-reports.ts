// Reports of tasks leave in order, and not before this node's own rules follow what they say: other nodes send connections to a task as soon as the managers
// have heard that it serves, and this node must take them by then. While no rule is on its way into the kernel a report leaves at once.
import type { TaskStatus } from '#protocol/generated/objects';

type Send = (taskId: string, status: TaskStatus) => void;

export class OrderedReports {
  readonly #send: Send;
  readonly #waiting: [taskId: string, status: TaskStatus][] = [];
  #applied: Promise<unknown> = Promise.resolve();
  #pending = 0;

  constructor(send: Send) {
    this.#send = send;
  }

  /** `applied`: settles when the rules of a change are in the kernel, or could not be put there, which is repaired and reported elsewhere. */
  holdUntil(applied: Promise<void>): void {
    this.#pending += 1;
    const settled = applied
      .catch(() => undefined)
      .then(() => {
        this.#pending -= 1;
        if (this.#pending === 0) this.#release();
      });
    this.#applied = Promise.all([this.#applied, settled]);
  }

  add(taskId: string, status: TaskStatus): void {
    if (this.#pending > 0) this.#waiting.push([taskId, status]);
    else this.#send(taskId, status);
  }

  /** Resolves when the rules of all changes so far are in the kernel. */
  async applied(): Promise<void> {
    await this.#applied;
  }

  #release(): void {
    for (const [taskId, status] of this.#waiting.splice(0)) this.#send(taskId, status);
  }
}
