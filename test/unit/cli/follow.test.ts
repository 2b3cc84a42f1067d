// From a task to a line of progress, and whether that is the end of waiting.
import { describe, expect, it } from 'vitest';
import type { WatchLine } from '#api/cluster/types';
import { StackModel, type TaskView } from '#cli/client/stack-model';
import { assess, type Goal, needsStart, STEADY_MS, Watched } from '#cli/tcompose/follow';

const TASK: TaskView = {
  id: 't',
  serviceId: 's',
  serviceName: 'p_web',
  slot: 1,
  nodeId: 'n',
  nodeName: 'host',
  state: 'running',
  desired: 'running',
  error: '',
  message: '',
  waitingFor: '',
  containerId: 'c',
  containerName: 'p-web-1',
  exitCode: 0,
  health: '',
  stopped: false,
  paused: false,
  upToDate: true,
  run: 1,
  restartRequest: 0,
  runState: 'running',
  hasHealthcheck: false,
  restarts: false,
  hasProcess: true,
  backsOff: false,
  since: '',
};

describe('assess', () => {
  it.each<[string, Partial<TaskView>, Goal, string, string]>([
    ['runs', {}, 'started', 'Started', 'ok'],
    ['is being made', { state: 'preparing' }, 'started', 'Creating', 'pending'],
    ['waits for another', { state: 'pending', waitingFor: 'x' }, 'started', 'Waiting', 'pending'],
    [
      'waits in vain',
      { state: 'pending', waitingFor: 'dependency failed to start: x' },
      'started',
      'Error',
      'failed',
    ],
    ['is healthy', { health: 'healthy' }, 'healthy', 'Healthy', 'ok'],
    ['has to become healthy', { state: 'starting' }, 'healthy', 'Waiting', 'pending'],
    ['need not be healthy', { state: 'starting' }, 'started', 'Started', 'ok'],
    ['is unhealthy', { health: 'unhealthy' }, 'healthy', 'Unhealthy', 'failed'],
    ['is unhealthy, unasked', { health: 'unhealthy' }, 'started', 'Unhealthy', 'ok'],
    ['was rejected', { state: 'rejected', error: 'no' }, 'started', 'Error', 'failed'],
    ['has done its work', { state: 'complete' }, 'started', 'Exited', 'ok'],
    ['has failed', { state: 'failed', exitCode: 3 }, 'started', 'Exited', 'failed'],
    [
      'fails and is started again',
      { state: 'failed', exitCode: 3, restarts: true },
      'started',
      'Restarting',
      'pending',
    ],
    [
      'is between two runs on request',
      { state: 'starting', hasProcess: false },
      'started',
      'Restarting',
      'pending',
    ],
    [
      'waits for its next start',
      { state: 'starting', exitCode: 3, restarts: true, backsOff: true },
      'started',
      'Restarting',
      'pending',
    ],
    [
      'ends again and again, and should work',
      { state: 'starting', restarts: true, backsOff: true },
      'healthy',
      'Restarting',
      'failed',
    ],
    [
      'is to start after a stop',
      { state: 'shutdown', stopped: true },
      'started',
      'Starting',
      'pending',
    ],
    ['stops', {}, 'stopped', 'Stopping', 'pending'],
    ['has stopped', { state: 'shutdown' }, 'stopped', 'Stopped', 'ok'],
    ['never had a container', { containerId: '' }, 'stopped', 'Stopped', 'ok'],
    ['is paused', { paused: true }, 'paused', 'Paused', 'ok'],
  ])('a task that %s', (_, change, goal, text, verdict) => {
    expect(assess({ ...TASK, ...change }, goal)).toMatchObject({ text, verdict });
  });

  it('says the exit code when there is no other reason', () => {
    expect(assess({ ...TASK, state: 'failed', exitCode: 3 }, 'started').details).toBe('exit 3');
    expect(assess({ ...TASK, state: 'failed', exitCode: 3, error: 'why' }, 'started').details).toBe(
      'why',
    );
  });
});

describe('needsStart', () => {
  it.each<[string, Partial<TaskView>, boolean]>([
    ['runs', {}, false],
    ['was stopped by hand', { stopped: true }, true],
    ['has failed for good', { state: 'failed' }, true],
    ['has failed and is started again by itself', { state: 'failed', restarts: true }, false],
    ['has done its work', { state: 'complete' }, false],
    ['has no container', { state: 'failed', containerId: '' }, false],
  ])('a task that %s', (_, change, expected) => {
    expect(needsStart({ ...TASK, ...change })).toBe(expected);
  });
});

describe('what is watched while waiting', () => {
  const wall = Date.parse('2026-01-01T00:00:10Z');

  it('a container without a health check has to run for a while', () => {
    const watched = new Watched();
    const task = { ...TASK, since: '2026-01-01T00:00:10Z' };
    expect(watched.unsteadyMs(task, 5000, wall)).toBe(STEADY_MS);
    expect(watched.unsteadyMs(task, 5500, wall + 500)).toBe(STEADY_MS - 500);
    expect(watched.unsteadyMs({ ...task, run: 2 }, 5500, wall)).toBe(STEADY_MS);
    expect(watched.unsteadyMs(task, 5000 + STEADY_MS, wall)).toBe(0);
  });

  it('one that has run for long, or has a health check, need not', () => {
    const watched = new Watched();
    const since = '2026-01-01T00:00:00Z';
    expect(watched.unsteadyMs({ ...TASK, since }, 5000, wall)).toBe(0);
    expect(watched.unsteadyMs({ ...TASK, health: 'healthy' }, 5000, wall)).toBe(0);
    expect(watched.unsteadyMs({ ...TASK, health: 'none' }, 5000, wall)).toBe(STEADY_MS);
  });

  it('a task that failed and was replaced meanwhile is told once; older ones are history', () => {
    const task = (ID: string, State: string, DesiredState: string): object => ({
      ID,
      ServiceID: 's',
      DesiredState,
      Status: { State },
    });
    const line = (...tasks: object[]): WatchLine =>
      ({
        type: 'snapshot',
        index: 1,
        stack: null,
        tasks,
        services: [],
        networks: [],
      }) as unknown as WatchLine;
    const model = new StackModel();
    const watched = new Watched();
    model.apply({
      ...line(task('old', 'failed', 'shutdown')),
      volumes: [],
      secrets: [],
      configs: [],
    } as WatchLine);
    expect(watched.replacedFailures(model, 's')).toEqual([]);
    model.apply({
      ...line(
        task('old', 'failed', 'shutdown'),
        task('new', 'failed', 'shutdown'),
        task('now', 'failed', 'running'),
      ),
      volumes: [],
      secrets: [],
      configs: [],
    } as WatchLine);
    expect(watched.replacedFailures(model, 's').map(({ id }) => id)).toEqual(['new']);
    expect(watched.replacedFailures(model, 'other')).toEqual([]);
  });
});
