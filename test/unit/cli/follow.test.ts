// From a task to a line of progress, and whether that is the end of waiting.
import { describe, expect, it } from 'vitest';
import type { TaskView } from '#cli/client/stack-model';
import { assess, type Goal, needsStart } from '#cli/tcompose/follow';

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
