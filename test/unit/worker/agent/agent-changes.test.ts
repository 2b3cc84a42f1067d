// Goal: what the agent does with a container that it has: restarts, what is wanted changes, no manager in reach, a restart of the worker, a container that
// is removed behind its back. Method: as in agent.test.ts, one fact at a time.
import { describe, expect, it } from 'vitest';
import { TaskState } from '#protocol/generated/objects';
import { EngineRestart, RestartCondition, RunState } from '#protocol/generated/specs';
import type { ObservedContainer, SavedTask } from '#worker/agent/types';
import { Driver, type TaskOptions, task } from './agent-driver.ts';

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

  it('restarts no run that has begun after the one that was meant', () => {
    const driver = new Driver();
    driver.run(options);
    driver.change(options, { runState: RunState.STOPPED });
    driver.exited(143);
    driver.change(options, { runState: RunState.RUNNING });
    driver.started();
    driver.change(options, { restartRequest: 1, restartAfterRun: 1 });
    expect(driver.kinds()).toEqual([]);
    driver.change(options, { restartRequest: 2, restartAfterRun: 2 });
    expect(driver.kinds()).toEqual(['stop']);
    driver.exited(143);
    driver.started();
    driver.change(options, { restartRequest: 3, restartAfterRun: 2 });
    driver.exited(0);
    expect(driver.kinds()).toEqual([]);
  });

  it('starts what has ended again, whichever run was meant', () => {
    const driver = new Driver();
    driver.run(options);
    driver.exited(1);
    driver.change(options, { restartRequest: 1, restartAfterRun: 1 });
    expect(driver.kinds()).toEqual(['start']);
    driver.started();
    driver.exited(1);
    driver.change(options, { restartRequest: 2, restartAfterRun: 1 });
    expect(driver.kinds()).toEqual(['start']);
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
