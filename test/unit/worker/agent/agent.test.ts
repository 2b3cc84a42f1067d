// Goal: the agent's decisions from the assignment of a task to its end, one fact at a time, without a container in sight. Method: a small driver that
// answers the agent's effects as the host would and keeps what was reported. What changes what runs, and restarts: agent-changes.test.ts.
import { describe, expect, it } from 'vitest';
import { HealthState, TaskState } from '#protocol/generated/objects';
import { EngineRestart } from '#protocol/generated/specs';
import { Agent } from '#worker/agent/agent';
import type { Effect, ObservedContainer } from '#worker/agent/types';
import { Driver, task } from './agent-driver.ts';

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
