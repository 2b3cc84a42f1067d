// Containers of a simulated node: they exist beside the agent, take their time to be made, started and
// stopped, fail now and then, end by themselves, and go on while the worker is away.

import type { Task } from '#protocol/generated/objects';
import type { Prng } from '#test/support/prng';
import type { AgentInput, Effect, ObservedContainer } from '#worker/agent/types';
import type { Actor, World } from './world.ts';

/** How containers behave on this node. */
export interface ContainerWeather {
  /** A step (create, start, stop) takes about this long. */
  readonly stepMs: number;
  readonly prepareFails: number;
  readonly startFails: number;
  /** A container ends by itself after about this time; 0 = never. */
  readonly livesMs: number;
}

/** The work of a job's container takes up to this. */
const JOB_MS_MAX = 2_000;

interface SimContainer {
  readonly id: string;
  readonly taskId: string;
  /** It ends when its work is done. */
  readonly isOfJob: boolean;
  status: ObservedContainer['status'];
  exitCode: number;
  startedMs: number;
}

export interface SimContainersDeps {
  readonly world: World;
  readonly prng: Prng;
  /** Of the node. */
  readonly number: number;
  readonly weather: ContainerWeather;
  /** Nothing fails any more. */
  readonly isCalm: () => boolean;
  /** The worker, if it runs. */
  readonly actor: () => Actor | null;
  /** Tells the agent. */
  readonly tell: (input: AgentInput) => void;
}

type ContainerEffect = Exclude<Effect, { readonly type: 'save' | 'forget' | 'report' | 'serving' }>;

export class SimContainers {
  readonly #deps: SimContainersDeps;
  /** By container id. */
  readonly #all = new Map<string, SimContainer>();
  #next = 1;

  constructor(deps: SimContainersDeps) {
    this.#deps = deps;
  }

  get count(): number {
    return this.#all.size;
  }

  /** Tasks whose container runs. */
  runningTasks(): string[] {
    return [...this.#all.values()]
      .filter(({ status }) => status === 'running')
      .map(({ taskId }) => taskId);
  }

  /** What a worker that starts finds. */
  observed(): ObservedContainer[] {
    return [...this.#all.values()].map((one) => this.#observedOf(one));
  }

  /** The host loses power. */
  endAll(): void {
    for (const container of this.#all.values()) {
      if (container.status !== 'running') continue;
      container.status = 'ended';
      container.exitCode = 255;
    }
  }

  perform(effect: ContainerEffect): void {
    switch (effect.type) {
      case 'prepare':
        this.#prepare(effect.task);
        break;
      case 'cancelPrepare':
        break; // It ends as it ends.
      case 'start':
        this.#start(effect.taskId, effect.containerId);
        break;
      case 'stop':
        this.#stop(effect.taskId, effect.containerId);
        break;
      case 'pause':
      case 'unpause': {
        const { taskId, type } = effect;
        this.#soon(() => this.#deps.tell({ type: 'paused', taskId, paused: type === 'pause' }));
        break;
      }
      case 'awaitListening': {
        const { taskId, pid } = effect;
        this.#soon(() => this.#deps.tell({ type: 'listening', taskId, pid, missing: [] }));
        break;
      }
      case 'remove':
        this.#soon(() => {
          this.#all.delete(effect.containerId);
          this.#deps.tell({ type: 'removed', taskId: effect.taskId });
        });
        break;
    }
  }

  #observedOf({ id, taskId, status, exitCode, startedMs }: SimContainer): ObservedContainer {
    return {
      containerId: id,
      taskId,
      status,
      pid: status === 'running' ? 100 : 0,
      paused: false,
      exitCode,
      oomKilled: false,
      endedUnseen: status === 'ended',
      reason: '',
      ranMs: status === 'running' ? this.#worldMs() - startedMs : 0,
      health: 'none',
      hasHealthCheck: false,
      ports: [],
    };
  }

  #worldMs(): number {
    return this.#deps.world.nowUs / 1000;
  }

  #soon(action: () => void): void {
    const { prng, weather } = this.#deps;
    setTimeout(action, weather.stepMs * (0.5 + prng.next()));
  }

  #prepare({ id: taskId, jobIteration }: Task): void {
    const { prng, weather, number } = this.#deps;
    this.#soon(() => {
      if (!this.#deps.isCalm() && prng.chance(weather.prepareFails)) {
        this.#deps.tell({ type: 'prepareFailed', taskId, error: 'no such image' });
        return;
      }
      const id = `c${number}-${this.#next++}`;
      const fields = { status: 'created' as const, exitCode: 0, startedMs: 0 };
      this.#all.set(id, { id, taskId, isOfJob: jobIteration !== undefined, ...fields });
      this.#deps.tell({ type: 'prepared', taskId, containerId: id });
    });
  }

  #start(taskId: string, containerId: string): void {
    const { prng, weather } = this.#deps;
    this.#soon(() => {
      const container = this.#all.get(containerId);
      const isBad = !this.#deps.isCalm() && prng.chance(weather.startFails);
      if (container === undefined || isBad) {
        const failure = { error: 'cannot start', exitCode: 127, retryable: false };
        this.#deps.tell({ type: 'startFailed', taskId, ...failure });
        return;
      }
      container.status = 'running';
      container.startedMs = this.#worldMs();
      this.#liveAndDie(container);
      const facts = { pid: 100, hasHealthCheck: false, ports: [] };
      this.#deps.tell({ type: 'started', taskId, containerId, ...facts });
    });
  }

  /** Containers die as events of the world: they do not need the worker. */
  #liveAndDie(container: SimContainer): void {
    const { prng, weather, world } = this.#deps;
    if (container.isOfJob) {
      this.#work(container);
      return;
    }
    if (weather.livesMs === 0) return;
    const us = weather.livesMs * 1000 * -Math.log(1 - prng.next());
    world.at(us, null, () => {
      if (container.status !== 'running' || !this.#all.has(container.id)) return;
      if (this.#deps.isCalm()) return;
      this.#ended(container, 1);
    });
  }

  /** A job's container ends by itself, done or not. */
  #work(container: SimContainer): void {
    const { prng, world, isCalm } = this.#deps;
    world.at(JOB_MS_MAX * 1000 * prng.next(), null, () => {
      if (container.status !== 'running' || !this.#all.has(container.id)) return;
      this.#ended(container, !isCalm() && prng.chance(0.2) ? 1 : 0);
    });
  }

  #ended(container: SimContainer, exitCode: number): void {
    container.status = 'ended';
    container.exitCode = exitCode;
    const actor = this.#deps.actor();
    if (actor === null) return;
    const facts = { exitCode, oomKilled: false, byUser: false, reason: '' };
    this.#deps.world.at(10, actor, () => {
      this.#deps.tell({ type: 'exited', taskId: container.taskId, ...facts });
    });
  }

  #stop(taskId: string, containerId: string): void {
    this.#soon(() => {
      const container = this.#all.get(containerId);
      if (container?.status === 'running') this.#ended(container, 0);
      else if (container === undefined) this.#deps.tell({ type: 'removed', taskId });
    });
  }
}
