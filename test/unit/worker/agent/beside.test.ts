// Tasks whose containers join namespaces of other tasks' containers: when they are prepared, started, started again and made anew. Method: an agent with two tasks, `web` and, beside it,
// `side`, whose effects are answered as the host would.
import { describe, expect, it } from 'vitest';
import { modeOfService } from '#protocol/companions';
import { Task, TaskState, type TaskStatus } from '#protocol/generated/objects';
import {
  ContainerSpec,
  EngineRestart,
  EngineRestartPolicy,
  RunState,
  TaskSpec,
} from '#protocol/generated/specs';
import { Agent } from '#worker/agent/agent';
import type { AgentInput, Effect, SavedTask } from '#worker/agent/types';
import { task } from './agent-driver.ts';

const WEB = task({ engineRestart: EngineRestart.ALWAYS });
const SIDE = Task.create({
  ...WEB,
  id: 'side',
  serviceName: 'side',
  beside: [WEB.id],
  spec: TaskSpec.create({
    containerSpec: ContainerSpec.create({ image: 'side:1', networkMode: modeOfService('web') }),
    engineRestart: EngineRestartPolicy.create({ name: EngineRestart.NO }),
  }),
});

class Host {
  agent = new Agent({ nodeId: 'n1' });
  nowMs = 1_000_000;
  readonly statuses = new Map<string, TaskStatus>();
  readonly saved = new Map<string, SavedTask>();
  pids = 100;

  /** @returns kinds of what is asked for, each with its task: `start side` */
  step(input: AgentInput): readonly string[] {
    return this.take(this.agent.step(input, this.nowMs));
  }

  effects: Effect[] = [];

  take(effects: readonly Effect[]): readonly string[] {
    this.effects = [];
    for (const effect of effects) {
      if (effect.type === 'report') this.statuses.set(effect.taskId, effect.status);
      else if (effect.type === 'save') this.saved.set(effect.taskId, effect.saved);
      else if (effect.type !== 'serving' && effect.type !== 'awaitListening')
        this.effects.push(effect);
    }
    return this.effects.map((effect) => {
      const id = effect.type === 'prepare' ? effect.task.id : effect.taskId;
      return `${effect.type} ${id}`;
    });
  }

  prepared(taskId: string, containerId = `c-${taskId}`): readonly string[] {
    return this.step({ type: 'prepared', taskId, containerId });
  }

  started(taskId: string, containerId = `c-${taskId}`): readonly string[] {
    const pid = ++this.pids;
    return this.step({
      type: 'started',
      taskId,
      containerId,
      pid,
      hasHealthCheck: false,
      ports: [],
    });
  }

  exited(taskId: string, exitCode = 0): readonly string[] {
    const more = { oomKilled: false, byUser: false, reason: '' };
    return this.step({ type: 'exited', taskId, exitCode, ...more });
  }

  /** Both run. */
  run(): this {
    this.step({ type: 'connected', connected: true });
    this.step({ type: 'assign', task: WEB });
    this.prepared('t1');
    this.started('t1');
    this.step({ type: 'assign', task: SIDE });
    this.prepared('side');
    this.started('side');
    expect(this.statuses.get('side')?.state).toBe(TaskState.RUNNING);
    return this;
  }
}

describe('a task beside another one', () => {
  it('is prepared when the other container is there, and started when it runs', () => {
    const host = new Host();
    expect(host.step({ type: 'assign', task: SIDE })).toEqual([]);
    expect(host.step({ type: 'assign', task: WEB })).toEqual(['prepare t1']);
    expect(host.prepared('t1')).toEqual(['start t1', 'prepare side']);
    expect(host.effects[1]).toMatchObject({
      companions: [{ service: 'web', containerId: 'c-t1' }],
    });
    expect(host.prepared('side')).toEqual([]);
    expect(host.statuses.get('side')?.message).toContain('the container of service web');
    expect(host.started('t1')).toEqual(['start side']);
  });

  it('goes on while the other one is down, and is started again with it', () => {
    const host = new Host().run();
    expect(host.exited('t1', 1)).toEqual([]);
    host.nowMs += 60_000;
    expect(host.step({ type: 'wake' })).toEqual(['start t1']);
    expect(host.started('t1')).toEqual(['stop side']);
    expect(host.exited('side', 143)).toEqual(['start side']);
    host.started('side');
    expect(host.statuses.get('side')).toMatchObject({ state: TaskState.RUNNING, run: 2 });
  });

  it('is not started again for nothing', () => {
    const host = new Host().run();
    expect(host.step({ type: 'wake' })).toEqual([]);
    expect(host.step({ type: 'assign', task: WEB })).toEqual([]);
    expect(host.step({ type: 'assign', task: SIDE })).toEqual([]);
  });

  it('does not follow a stop, but the start after it', () => {
    const host = new Host().run();
    expect(
      host.step({ type: 'assign', task: Task.create({ ...WEB, runState: RunState.STOPPED }) }),
    ).toEqual(['stop t1']);
    expect(host.exited('t1')).toEqual([]);
    expect(host.step({ type: 'assign', task: WEB })).toEqual(['start t1']);
    expect(host.started('t1')).toEqual(['stop side']);
  });

  it('is made anew when the other container is another one', () => {
    const host = new Host().run();
    expect(host.step({ type: 'removed', taskId: 't1' })).toEqual(['prepare t1']);
    host.prepared('t1', 'c-new');
    expect(host.started('t1', 'c-new')).toEqual(['stop side']);
    expect(host.exited('side', 143)).toEqual(['remove side']);
    expect(host.step({ type: 'removed', taskId: 'side' })).toEqual(['prepare side']);
    expect(host.effects[0]).toMatchObject({
      companions: [{ service: 'web', containerId: 'c-new' }],
    });
    expect(host.prepared('side', 'c-side2')).toEqual(['start side']);
  });

  it('has not failed when the other one ended while it was started', () => {
    const host = new Host();
    host.step({ type: 'assign', task: WEB });
    host.prepared('t1');
    host.started('t1');
    host.step({ type: 'assign', task: SIDE });
    expect(host.prepared('side')).toEqual(['start side']);
    host.exited('t1', 1);
    const error = 'cannot join network namespace of a non running container: c-t1';
    host.step({ type: 'startFailed', taskId: 'side', error, exitCode: 0, retryable: false });
    expect(host.statuses.get('side')?.state).toBe(TaskState.STARTING);
    host.nowMs += 60_000;
    expect(host.step({ type: 'wake' })).toEqual(['start t1']);
    expect(host.started('t1')).toEqual(['start side']);
  });

  it.each([
    [1, []],
    [2, ['stop side']],
  ])('knows in the next life of the worker what it has joined (run %d)', (run, asked) => {
    const host = new Host().run();
    const saved = [...host.saved.values()].map((one) =>
      one.task.id === 't1' ? { ...one, run } : one,
    );
    const observed = ['t1', 'side'].map((taskId) => ({
      containerId: `c-${taskId}`,
      taskId,
      status: 'running' as const,
      pid: 7,
      paused: false,
      exitCode: 0,
      oomKilled: false,
      endedUnseen: false,
      reason: '',
      ranMs: 5,
      health: 'none' as const,
      hasHealthCheck: false,
      ports: [],
    }));
    host.agent = new Agent({ nodeId: 'n1' });
    expect(host.take(host.agent.restore(saved, observed, host.nowMs))).toEqual(asked);
  });
});
