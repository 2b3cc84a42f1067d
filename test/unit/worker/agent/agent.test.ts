// Goal: the agent's decisions, one fact at a time, without a container in sight. Method: a small driver that answers the agent's effects as the host would
// and keeps what was reported. Times are given, never taken.
import { describe, expect, it } from 'vitest';
import { HealthState, Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import {
  ContainerSpec,
  EndpointSpec,
  EngineRestart,
  EngineRestartPolicy,
  PortConfig,
  RestartCondition,
  RestartPolicy,
  RunState,
  SecretReference,
  TaskSpec,
} from '#protocol/generated/specs';
import { Agent } from '#worker/agent/agent';
import type { AgentInput, Effect, ObservedContainer, SavedTask } from '#worker/agent/types';

interface TaskOptions {
  /** TCP ports inside the container that the service publishes. */
  readonly ports?: readonly number[];
  readonly engineRestart?: EngineRestart;
  readonly retries?: number;
  readonly desired?: TaskState;
  readonly secret?: string;
  readonly condition?: RestartCondition;
}

function task(options: TaskOptions = {}): Task {
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
class Driver {
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

describe('from assigned to running', () => {
  it('prepares, then starts, and says each step once', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task() });
    expect(driver.kinds()).toEqual(['prepare']);
    driver.prepared();
    expect(driver.asked).toEqual([{ type: 'start', taskId: 't1', containerId: 'c1' }]);
    driver.started();
    expect(driver.reports.map((status) => status.state)).toEqual([
      TaskState.PREPARING,
      TaskState.READY,
      TaskState.RUNNING,
    ]);
    expect(driver.last.run).toBe(1);
    expect(driver.last.containerStatus).toMatchObject({ containerId: 'c1', pid: 42 });
  });

  it('saves the run number before the start that it belongs to', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task() });
    const effects = driver.agent.step(
      { type: 'prepared', taskId: 't1', containerId: 'c1' },
      driver.nowMs,
    );
    const saves = effects.flatMap((effect, index) =>
      effect.type === 'save' && effect.saved.run === 1 ? [index] : [],
    );
    const start = effects.findIndex((effect) => effect.type === 'start');
    expect(saves.some((index) => index < start)).toBe(true);
  });

  it('holds at READY until RUNNING is desired', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task({ desired: TaskState.READY }) });
    driver.prepared();
    expect(driver.kinds()).toEqual([]);
    expect(driver.state).toBe(TaskState.READY);
    driver.change({}, {});
    expect(driver.kinds()).toEqual(['start']);
  });

  it('waits for a secret that is not here, and names it', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task({ secret: 'x1' }) });
    expect(driver.kinds()).toEqual([]);
    expect(driver.last.message).toContain('secret pw');
    driver.step({ type: 'files', present: new Set(['x1']) });
    expect(driver.kinds()).toEqual(['prepare']);
  });

  it('rejects a task that cannot be prepared, with the reason', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task() });
    driver.step({ type: 'prepareFailed', taskId: 't1', error: 'No such image: web:1' });
    expect(driver.last).toMatchObject({ state: TaskState.REJECTED, err: 'No such image: web:1' });
    expect(driver.kinds()).toEqual([]);
  });

  it('is STARTING until the first healthy probe', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task() });
    driver.prepared();
    driver.started(true);
    expect(driver.state).toBe(TaskState.STARTING);
    driver.step({ type: 'health', taskId: 't1', health: 'healthy', output: '' });
    expect(driver.state).toBe(TaskState.RUNNING);
    expect(driver.last.containerStatus?.health).toBe(HealthState.HEALTHY);
  });
});

describe('a task that publishes a port', () => {
  const ports = [8080, 8443];
  const listens = (driver: Driver, missing: readonly number[], pid = 42): readonly Effect[] =>
    driver.step({ type: 'listening', taskId: 't1', pid, missing });

  function starting(hasHealthCheck = false): Driver {
    const driver = new Driver();
    driver.step({ type: 'connected', connected: true });
    driver.step({ type: 'assign', task: task({ ports }) });
    driver.prepared();
    driver.started(hasHealthCheck);
    return driver;
  }

  it('counts as running, and gets connections, once it listens', () => {
    const driver = starting();
    expect(driver.asked).toEqual([
      { type: 'awaitListening', taskId: 't1', containerId: 'c1', pid: 42, ports },
    ]);
    expect(driver.last).toMatchObject({
      state: TaskState.STARTING,
      message: 'starting: nothing listens on ports 8080, 8443 yet',
    });
    expect(driver.serving).toBe(false);
    listens(driver, []);
    expect(driver.last).toMatchObject({ state: TaskState.RUNNING, message: 'started' });
    expect(driver.serving).toBe(true);
  });

  it('says on which ports nothing listens when it was waited for long enough', () => {
    const driver = starting();
    listens(driver, [8443]);
    expect(driver.state).toBe(TaskState.RUNNING);
    expect(driver.last.message).toContain('nothing listens on port 8443');
  });

  it('is judged by its health check alone when it has one', () => {
    const driver = starting(true);
    expect(driver.asked).toEqual([]);
    driver.step({ type: 'health', taskId: 't1', health: 'healthy', output: '' });
    expect(driver.state).toBe(TaskState.RUNNING);
  });

  it('is asked again after a restart of the worker, and never for a run that was running', () => {
    const observed: ObservedContainer = {
      ...{ containerId: 'c1', taskId: 't1', status: 'running', pid: 42, paused: false },
      ...{ exitCode: 0, oomKilled: false, endedUnseen: false, reason: '', ranMs: 5 },
      ...{ health: 'none', hasHealthCheck: false, ports: [] },
    };
    const before = starting();
    const restart = (): readonly Effect[] =>
      new Agent({ nodeId: 'n1' }).restore([...before.saved.values()], [observed], before.nowMs);
    expect(restart().some(({ type }) => type === 'awaitListening')).toBe(true);
    listens(before, []);
    expect(restart().map(({ type }) => type)).toEqual(['serving']);
  });

  it('does not take the answer about a run that has ended for the next one', () => {
    const driver = starting();
    driver.exited(1);
    const reports = driver.reports.length;
    listens(driver, []);
    expect(driver.reports.length).toBe(reports);
    expect(driver.state).toBe(TaskState.FAILED);
  });
});

describe('ends', () => {
  it('completes with exit code 0 and fails with another, when the orchestrator restarts', () => {
    const good = new Driver();
    good.run();
    good.exited(0);
    expect(good.state).toBe(TaskState.COMPLETE);
    const bad = new Driver();
    bad.run();
    bad.exited(137, { oomKilled: true });
    expect(bad.state).toBe(TaskState.FAILED);
    expect(bad.last.err).toContain('OOM killed');
    expect(bad.last.containerStatus).toMatchObject({ exitCode: 137, oomKilled: true });
    expect(bad.kinds()).toEqual([]);
  });

  it('stops and fails an unhealthy container of a Swarm task', () => {
    const driver = new Driver();
    driver.run();
    driver.step({ type: 'health', taskId: 't1', health: 'unhealthy', output: 'no answer' });
    expect(driver.asked).toEqual([
      { type: 'stop', taskId: 't1', containerId: 'c1', drainMs: 0, graceMs: 3000 },
    ]);
    driver.exited(143);
    expect(driver.last).toMatchObject({
      state: TaskState.FAILED,
      err: 'task: unhealthy container',
    });
  });

  it('leaves an unhealthy Compose container running and says so', () => {
    const driver = new Driver();
    driver.run({ engineRestart: EngineRestart.ALWAYS });
    driver.step({ type: 'health', taskId: 't1', health: 'unhealthy', output: 'no answer' });
    expect(driver.kinds()).toEqual([]);
    expect(driver.last.state).toBe(TaskState.RUNNING);
    expect(driver.last.containerStatus).toMatchObject({
      health: HealthState.UNHEALTHY,
      healthOutput: 'no answer',
    });
  });
});

describe('engine_restart', () => {
  it('starts the same container again after 100 ms, doubling, as a new run each time', () => {
    const driver = new Driver();
    driver.run({ engineRestart: EngineRestart.ALWAYS });
    for (const [index, delayMs] of [100, 200, 400, 800].entries()) {
      driver.exited(1);
      expect(driver.last).toMatchObject({ state: TaskState.STARTING, run: index + 2 });
      expect(driver.agent.nextWakeMs()).toBe(driver.nowMs + delayMs);
      expect(driver.wake(delayMs - 1)).toEqual([]);
      driver.wake(1);
      expect(driver.asked).toEqual([{ type: 'start', taskId: 't1', containerId: 'c1' }]);
      driver.started();
      expect(driver.last).toMatchObject({ state: TaskState.RUNNING, run: index + 2 });
      expect(driver.last.containerStatus?.restartCount).toBe(index + 1);
    }
  });

  it('does not ask to be woken all the time while a start that is due waits for a secret', () => {
    const driver = new Driver();
    driver.step({
      type: 'assign',
      task: task({ engineRestart: EngineRestart.ALWAYS, secret: 'x1' }),
    });
    driver.step({ type: 'files', present: new Set(['x1']) });
    driver.prepared();
    driver.started();
    driver.exited(1);
    driver.step({ type: 'files', present: new Set() });
    expect(driver.agent.nextWakeMs()).toBe(driver.nowMs + 100);
    driver.wake(101);
    expect(driver.kinds()).toEqual([]);
    expect(driver.agent.nextWakeMs()).toBeUndefined();
    driver.step({ type: 'files', present: new Set(['x1']) });
    expect(driver.kinds()).toEqual(['start']);
  });

  it('resets the back-off after ten seconds of running, and caps it at a minute', () => {
    const driver = new Driver();
    driver.run({ engineRestart: EngineRestart.ALWAYS });
    for (let index = 0; index < 15; index += 1) {
      driver.exited(1);
      driver.wake(60_000);
      driver.started();
    }
    driver.exited(1);
    expect(driver.agent.nextWakeMs()).toBe(driver.nowMs + 60_000);
    driver.wake(60_000);
    driver.started();
    driver.nowMs += 10_000;
    driver.exited(1);
    expect(driver.agent.nextWakeMs()).toBe(driver.nowMs + 100);
  });

  it('gives up after on-failure:2, and never restarts a success', () => {
    const driver = new Driver();
    driver.run({ engineRestart: EngineRestart.ON_FAILURE, retries: 2 });
    for (const wait of [100, 200]) {
      driver.exited(1);
      driver.wake(wait);
      driver.started();
    }
    driver.exited(1);
    expect(driver.state).toBe(TaskState.FAILED);
    const done = new Driver();
    done.run({ engineRestart: EngineRestart.ON_FAILURE });
    done.exited(0);
    expect(done.state).toBe(TaskState.COMPLETE);
  });

  it('stays down after a stop through the Engine API until a restart is asked for', () => {
    const options = { engineRestart: EngineRestart.ALWAYS };
    const driver = new Driver();
    driver.run(options);
    driver.exited(143, { byUser: true });
    expect(driver.last.state).toBe(TaskState.SHUTDOWN);
    expect(driver.last.containerStatus?.stopped).toBe(true);
    expect(driver.wake(100_000)).toEqual([]);
    driver.change(options, { restartRequest: 1 });
    expect(driver.kinds()).toEqual(['start']);
    driver.started();
    expect(driver.last).toMatchObject({ state: TaskState.RUNNING, run: 2 });
  });

  it('takes a start that it did not ask for as a new run', () => {
    const driver = new Driver();
    driver.run({ engineRestart: EngineRestart.ALWAYS });
    driver.exited(0, { byUser: true });
    driver.started();
    expect(driver.last).toMatchObject({ state: TaskState.RUNNING, run: 2 });
  });
});

describe('run state and restart requests', () => {
  const options = { engineRestart: EngineRestart.NO };

  it('stops on STOPPED and starts the same container on RUNNING', () => {
    const driver = new Driver();
    driver.run(options);
    driver.change(options, { runState: RunState.STOPPED });
    expect(driver.kinds()).toEqual(['stop']);
    driver.exited(143);
    expect(driver.last).toMatchObject({ state: TaskState.SHUTDOWN, run: 1 });
    expect(driver.last.containerStatus?.stopped).toBe(true);
    driver.change(options, { runState: RunState.RUNNING });
    expect(driver.asked).toEqual([{ type: 'start', taskId: 't1', containerId: 'c1' }]);
    driver.started();
    expect(driver.last).toMatchObject({ state: TaskState.RUNNING, run: 2 });
  });

  it('pauses and goes on', () => {
    const driver = new Driver();
    driver.run(options);
    driver.change(options, { runState: RunState.PAUSED });
    expect(driver.kinds()).toEqual(['pause']);
    driver.step({ type: 'paused', taskId: 't1', paused: true });
    expect(driver.last.containerStatus?.paused).toBe(true);
    driver.change(options, { runState: RunState.RUNNING });
    expect(driver.kinds()).toEqual(['unpause']);
  });

  it('restarts once per step of restart_request', () => {
    const driver = new Driver();
    driver.run(options);
    driver.change(options, { restartRequest: 1 });
    expect(driver.kinds()).toEqual(['stop']);
    driver.exited(143);
    expect(driver.kinds()).toEqual(['start']);
    driver.started();
    expect(driver.last).toMatchObject({ state: TaskState.RUNNING, run: 2 });
    driver.change(options, { restartRequest: 1 });
    expect(driver.kinds()).toEqual([]);
  });
});

describe('on the way out', () => {
  it('SHUTDOWN stops and keeps the dead container until the task is unassigned', () => {
    const driver = new Driver();
    driver.run();
    driver.change({}, { desiredState: TaskState.SHUTDOWN });
    expect(driver.kinds()).toEqual(['stop']);
    driver.exited(143);
    expect(driver.state).toBe(TaskState.SHUTDOWN);
    expect(driver.kinds()).toEqual([]);
    driver.step({ type: 'unassign', taskId: 't1' });
    expect(driver.kinds()).toEqual(['remove']);
    driver.step({ type: 'removed', taskId: 't1' });
    expect(driver.saved.size).toBe(0);
    expect(driver.agent.taskIds()).toEqual([]);
  });

  it('REMOVE deletes the container and only then says that the task is over', () => {
    const driver = new Driver();
    driver.run({ engineRestart: EngineRestart.ALWAYS });
    const before = driver.reports.length;
    driver.change({ engineRestart: EngineRestart.ALWAYS }, { desiredState: TaskState.REMOVE });
    driver.exited(143);
    expect(driver.kinds()).toEqual(['remove']);
    expect(
      driver.reports.slice(before).filter((status) => status.state >= TaskState.COMPLETE),
    ).toEqual([]);
    driver.step({ type: 'removed', taskId: 't1' });
    expect(driver.state).toBe(TaskState.SHUTDOWN);
  });

  it('REMOVE of a task that was over says when its container is gone', () => {
    const driver = new Driver();
    driver.run({ condition: RestartCondition.NONE });
    driver.exited(3);
    expect(driver.last).toMatchObject({ state: TaskState.FAILED });
    expect(driver.last?.containerStatus?.containerId).toBeTruthy();
    driver.change({ condition: RestartCondition.NONE }, { desiredState: TaskState.REMOVE });
    expect(driver.kinds()).toEqual(['remove']);
    const before = driver.reports.length;
    driver.step({ type: 'removed', taskId: 't1' });
    expect(driver.reports.slice(before)).toMatchObject([
      { state: TaskState.FAILED, containerStatus: { containerId: '', exitCode: 3 } },
    ]);
  });

  it('gives up a pull that is no longer wanted', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task() });
    driver.change({}, { desiredState: TaskState.SHUTDOWN });
    expect(driver.kinds()).toEqual(['cancelPrepare']);
    driver.step({ type: 'prepareFailed', taskId: 't1', error: 'cancelled' });
    expect(driver.state).toBe(TaskState.SHUTDOWN);
  });

  it('does not start what was unwanted while it was being prepared', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task() });
    driver.change({}, { desiredState: TaskState.REMOVE });
    driver.prepared();
    expect(driver.kinds()).toEqual(['remove']);
  });

  it('stops a container whose start was under way when the task went', () => {
    const driver = new Driver();
    driver.step({ type: 'assign', task: task() });
    driver.prepared();
    driver.step({ type: 'unassign', taskId: 't1' });
    // Hooks that run after the start need not be waited for.
    expect(driver.kinds()).toEqual(['cancelPrepare']);
    driver.started();
    expect(driver.kinds()).toEqual(['stop']);
  });
});

describe('with no manager in reach', () => {
  it('restarts a Swarm task by its own policy, and leaves it to the orchestrator otherwise', () => {
    const driver = new Driver();
    driver.run({ condition: RestartCondition.ON_FAILURE });
    driver.step({ type: 'connected', connected: false });
    driver.exited(1);
    expect(driver.last).toMatchObject({ state: TaskState.STARTING, run: 2 });
    driver.wake(5000);
    expect(driver.kinds()).toEqual(['start']);
    driver.started();
    driver.exited(0);
    expect(driver.state).toBe(TaskState.COMPLETE);
  });
});

describe('a task that leaves service', () => {
  it('is stopped with the time that its connections may have, once its node is told', () => {
    const driver = new Driver();
    driver.run();
    const drain = { startedAt: 1, acknowledgedAt: 2, timeout: 4_000_000_000 };
    const leaving = { ...task(), desiredState: TaskState.SHUTDOWN, drain };
    driver.step({ type: 'assign', task: leaving });
    expect(driver.asked).toEqual([
      { type: 'stop', taskId: 't1', containerId: 'c1', drainMs: 4000, graceMs: 3000 },
    ]);
    expect(driver.serving).toBe(false);
    driver.exited(0);
    expect(driver.state).toBe(TaskState.SHUTDOWN);
  });
});

describe('a job with no manager in reach', () => {
  it.each([
    [0, TaskState.COMPLETE],
    [1, TaskState.STARTING],
  ])('that ends with exit code %i is in state %i', (exitCode, state) => {
    const driver = new Driver();
    driver.step({ type: 'connected', connected: true });
    driver.step({
      type: 'assign',
      task: { ...task(), desiredState: TaskState.COMPLETE, jobIteration: { index: 0 } },
    });
    driver.prepared();
    driver.started();
    driver.step({ type: 'connected', connected: false });
    driver.exited(exitCode);
    expect(driver.state).toBe(state);
  });
});

describe('after a restart of the worker', () => {
  const observed: ObservedContainer = {
    containerId: 'c1',
    taskId: 't1',
    status: 'running',
    pid: 42,
    paused: false,
    exitCode: 0,
    oomKilled: false,
    endedUnseen: false,
    reason: '',
    ranMs: 60_000,
    health: 'none',
    hasHealthCheck: false,
    ports: [],
  };

  function savedAfterRun(options: TaskOptions = {}): SavedTask {
    const driver = new Driver();
    driver.run(options);
    const saved = driver.saved.get('t1');
    if (!saved) throw new Error('nothing was saved');
    return saved;
  }

  it('adopts what runs: nothing is started, stopped or reported anew', () => {
    const driver = new Driver();
    driver.take(driver.agent.restore([savedAfterRun()], [observed], driver.nowMs));
    expect(driver.kinds()).toEqual([]);
    expect(driver.reports).toEqual([]);
    expect(driver.serving).toBe(true);
  });

  it('tells of an end that happened meanwhile', () => {
    const driver = new Driver();
    driver.step({ type: 'connected', connected: true });
    const ended = { ...observed, status: 'ended', exitCode: 7, endedUnseen: true } as const;
    driver.take(driver.agent.restore([savedAfterRun()], [ended], driver.nowMs));
    expect(driver.last).toMatchObject({ state: TaskState.FAILED, run: 1 });
    expect(driver.last.containerStatus?.exitCode).toBe(7);
  });

  it('brings back a Compose container that a reboot ended', () => {
    const driver = new Driver();
    const saved = savedAfterRun({ engineRestart: EngineRestart.UNLESS_STOPPED });
    const ended = {
      ...observed,
      status: 'ended',
      exitCode: 255,
      endedUnseen: true,
      reason: 'the host was restarted',
    } as const;
    driver.take(driver.agent.restore([saved], [ended], driver.nowMs));
    expect(driver.last).toMatchObject({ state: TaskState.STARTING, run: 2 });
    driver.wake(100);
    expect(driver.kinds()).toEqual(['start']);
  });

  it('keeps a container stopped that somebody had stopped', () => {
    const first = new Driver();
    first.run({ engineRestart: EngineRestart.ALWAYS });
    first.exited(143, { byUser: true });
    const saved = first.saved.get('t1');
    if (!saved) throw new Error('nothing was saved');
    const driver = new Driver();
    driver.take(driver.agent.restore([saved], [{ ...observed, status: 'ended' }], driver.nowMs));
    expect(driver.kinds()).toEqual([]);
  });

  it('starts a container that was created but not started yet', () => {
    const first = new Driver();
    first.step({ type: 'assign', task: task() });
    first.prepared();
    const saved = first.saved.get('t1');
    if (!saved) throw new Error('nothing was saved');
    const driver = new Driver();
    driver.take(driver.agent.restore([saved], [{ ...observed, status: 'created' }], driver.nowMs));
    expect(driver.asked).toEqual([{ type: 'start', taskId: 't1', containerId: 'c1' }]);
  });

  it('removes containers of tasks that it does not know', () => {
    const driver = new Driver();
    driver.take(driver.agent.restore([], [{ ...observed, taskId: 'old' }], driver.nowMs));
    expect(driver.asked).toEqual([{ type: 'remove', taskId: 'old', containerId: 'c1' }]);
  });
});

describe('when a container is removed on the node', () => {
  it('makes a Compose task a new one and fails a Swarm task', () => {
    const swarm = new Driver();
    swarm.run();
    swarm.step({ type: 'removed', taskId: 't1' });
    expect(swarm.state).toBe(TaskState.FAILED);
    const compose = new Driver();
    compose.run({ engineRestart: EngineRestart.ALWAYS });
    compose.step({ type: 'removed', taskId: 't1' });
    expect(compose.kinds()).toEqual(['prepare']);
  });
});
