// A host by hand for tests of the agent: answers the agent's effects as the real one would, and keeps what was reported and saved. One task, `t1`, with
// one container, `c1`. Times are given, never taken.
import { expect } from 'vitest';
import { Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import {
  ContainerSpec,
  EndpointSpec,
  type EngineRestart,
  EngineRestartPolicy,
  PortConfig,
  type RestartCondition,
  RestartPolicy,
  SecretReference,
  TaskSpec,
} from '#protocol/generated/specs';
import { Agent } from '#worker/agent/agent';
import type { AgentInput, Effect, SavedTask } from '#worker/agent/types';

export interface TaskOptions {
  /** TCP ports inside the container that the service publishes. */
  readonly ports?: readonly number[];
  readonly engineRestart?: EngineRestart;
  readonly retries?: number;
  readonly desired?: TaskState;
  readonly secret?: string;
  readonly condition?: RestartCondition;
}

export function task(options: TaskOptions = {}): Task {
  return Task.create({
    id: 't1',
    serviceId: 's1',
    serviceName: 'web',
    slot: 1,
    nodeId: 'n1',
    desiredState: options.desired ?? TaskState.RUNNING,
    status: TaskStatus.create({ state: TaskState.ASSIGNED }),
    endpoint: EndpointSpec.create({
      ports: (options.ports ?? []).map((targetPort) => PortConfig.create({ targetPort })),
    }),
    spec: TaskSpec.create({
      containerSpec: ContainerSpec.create({
        image: 'web:1',
        stopGracePeriod: 3_000_000_000,
        secrets:
          options.secret === undefined
            ? []
            : [SecretReference.create({ secretId: options.secret, secretName: 'pw' })],
      }),
      ...(options.engineRestart === undefined
        ? {}
        : {
            engineRestart: EngineRestartPolicy.create({
              name: options.engineRestart,
              maximumRetryCount: options.retries ?? 0,
            }),
          }),
      ...(options.condition === undefined
        ? {}
        : { restartPolicy: RestartPolicy.create({ condition: options.condition }) }),
    }),
  });
}

/** Feeds the agent and keeps what it asks for. */
export class Driver {
  readonly agent = new Agent({ nodeId: 'n1' });
  nowMs = 1_000_000;
  readonly reports: TaskStatus[] = [];
  readonly saved = new Map<string, SavedTask>();
  asked: Effect[] = [];
  serving = false;

  step(input: AgentInput): readonly Effect[] {
    return this.take(this.agent.step(input, this.nowMs));
  }

  take(effects: readonly Effect[]): readonly Effect[] {
    this.asked = [];
    for (const effect of effects) {
      if (effect.type === 'report') this.reports.push(effect.status);
      else if (effect.type === 'save') this.saved.set(effect.taskId, effect.saved);
      else if (effect.type === 'forget') this.saved.delete(effect.taskId);
      else if (effect.type === 'serving') this.#tellServing(effect.serving);
      else this.asked.push(effect);
    }
    return this.asked;
  }

  /** Before the report or the stop that goes with it. */
  #tellServing(serving: boolean): void {
    expect(this.asked).toEqual([]);
    this.serving = serving;
  }

  get state(): TaskState | undefined {
    return this.reports.at(-1)?.state;
  }

  get last(): TaskStatus {
    const status = this.reports.at(-1);
    if (!status) throw new Error('nothing was reported');
    return status;
  }

  kinds(): readonly string[] {
    return this.asked.map((effect) => effect.type);
  }

  prepared(): readonly Effect[] {
    return this.step({ type: 'prepared', taskId: 't1', containerId: 'c1' });
  }

  started(hasHealthCheck = false): readonly Effect[] {
    return this.step({
      type: 'started',
      taskId: 't1',
      containerId: 'c1',
      pid: 42,
      hasHealthCheck,
      ports: [],
    });
  }

  exited(
    exitCode: number,
    more: { byUser?: boolean; oomKilled?: boolean } = {},
  ): readonly Effect[] {
    return this.step({
      type: 'exited',
      taskId: 't1',
      exitCode,
      oomKilled: more.oomKilled ?? false,
      byUser: more.byUser ?? false,
      reason: '',
    });
  }

  /** From nothing to a running container. */
  run(options: TaskOptions = {}): void {
    this.step({ type: 'connected', connected: true });
    this.step({ type: 'assign', task: task(options) });
    this.prepared();
    this.started();
    expect(this.state).toBe(TaskState.RUNNING);
  }

  change(options: TaskOptions, change: Partial<Task>): readonly Effect[] {
    return this.step({ type: 'assign', task: Task.create({ ...task(options), ...change }) });
  }

  wake(ms: number): readonly Effect[] {
    this.nowMs += ms;
    return this.step({ type: 'wake' });
  }
}
