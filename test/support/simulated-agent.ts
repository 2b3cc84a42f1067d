// A node without containers, for benchmarks of the manager: the worker's side of the protocol (session, heartbeats, assignments, acknowledgements, reports),
// tasks that run as soon as they may. A session that is lost is opened again, and what was not taken is reported again, as a real worker does.
import type { DispatcherMethods } from '#protocol/generated/dispatcher';
import { NodeDescription, type Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import { Resources } from '#protocol/generated/specs';
import type { Client } from '#protocol/transport/grpc';

const HEARTBEAT_MS = 2000;
const RETRY_MS = 500;

/** What all agents of a benchmark count together. */
export interface Counters {
  /** Ids of the tasks that have come to an agent. */
  readonly assigned: Set<string>;
  /** Ids of those whose running the manager has taken. */
  readonly running: Set<string>;
  lostSessions: number;
}

export function newCounters(): Counters {
  return { assigned: new Set(), running: new Set(), lostSessions: 0 };
}

export class SimulatedAgent {
  readonly #client: Client<DispatcherMethods>;
  readonly #name: string;
  readonly #counters: Counters;
  /** task id → the state that the manager has taken */
  readonly #taken: Map<string, TaskState> = new Map();

  constructor(client: Client<DispatcherMethods>, name: string, counters: Counters) {
    this.#client = client;
    this.#name = name;
    this.#counters = counters;
  }

  /** Resolves with the first session; from then on the agent keeps one open. */
  async start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    void this.#keep(first).catch(first.reject);
    await first.promise;
  }

  async #keep(first: PromiseWithResolvers<void>): Promise<never> {
    for (let opened = 0; ; ) {
      try {
        await this.#session(() => {
          opened += 1;
          first.resolve();
        });
      } catch (error) {
        // Before the first session it is the caller who tries again.
        if (opened === 0) throw error;
      }
      this.#counters.lostSessions += 1;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** One session, from opening it to its end. */
  async #session(onOpen: () => void): Promise<void> {
    const ended = new AbortController();
    const { signal } = ended;
    const description = NodeDescription.create({
      hostname: this.#name,
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: Resources.create({ nanoCpus: 64e9, memoryBytes: 256e9 }),
    });
    const request = { description, sessionId: '', protocol: 1 };
    try {
      let isOpen = false;
      const inside: Promise<void>[] = [];
      const failed = Promise.withResolvers<never>();
      const reading = (async () => {
        for await (const { sessionId } of this.#client.session(request, { signal })) {
          if (isOpen) continue;
          isOpen = true;
          onOpen();
          inside.push(this.#beat(sessionId, signal), this.#follow(sessionId, signal));
          for (const work of inside) work.catch(failed.reject);
        }
      })();
      await Promise.race([reading, failed.promise]);
    } finally {
      ended.abort();
    }
  }

  async #beat(sessionId: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_MS));
      if (!signal.aborted) await this.#client.heartbeat({ sessionId }, { signal });
    }
  }

  async #follow(sessionId: string, signal: AbortSignal): Promise<void> {
    for await (const message of this.#client.assignments({ sessionId }, { signal })) {
      await this.#client.ackEndpoints({ sessionId, sequence: message.resultsIn }, { signal });
      const tasks = message.changes.flatMap(({ assignment }) => assignment?.task ?? []);
      for (const task of tasks) this.#counters.assigned.add(task.id);
      await this.#report(sessionId, tasks, signal);
    }
  }

  /** What a worker with the image would say: prepared at once, running as soon as it may. */
  async #report(sessionId: string, tasks: readonly Task[], signal: AbortSignal): Promise<void> {
    const updates = tasks.flatMap((task) => {
      const state = task.desiredState >= TaskState.RUNNING ? TaskState.RUNNING : TaskState.READY;
      if ((this.#taken.get(task.id) ?? 0) >= state) return [];
      return [{ taskId: task.id, status: TaskStatus.create({ state, message: 'simulated' }) }];
    });
    if (updates.length === 0) return;
    const request = { sessionId, description: undefined, updates };
    await this.#client.updateTaskStatus(request, { signal });
    for (const { taskId, status } of updates) {
      this.#taken.set(taskId, status.state);
      if (status.state === TaskState.RUNNING) this.#counters.running.add(taskId);
    }
  }
}
