// Goal: heartbeats keep a node up, their absence takes it down, a suspended manager blames nobody;
// task reports only ever move forward and only by the task's own node. Method: the pure parts with
// given times.
import { describe, expect, it } from 'vitest';
import { markDown, nodesToExpect, registerNode, requireNode } from '#manager/dispatcher/nodes';
import { Sessions } from '#manager/dispatcher/sessions';
import { StatusQueue, writeStatuses } from '#manager/dispatcher/status-queue';
import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import { NodeState, TaskState, TaskStatus } from '#protocol/generated/objects';
import { node, service, task, testStamp } from '../support/objects.ts';

describe('sessions', () => {
  it('end after three periods without a heartbeat', () => {
    const sessions = new Sessions(2000);
    sessions.expect([], 0);
    sessions.open('n1', 's1', 0);
    expect(sessions.expire(2000)).toEqual([]);
    sessions.beat('n1', 's1', 2000);
    for (const now of [4000, 6000, 7999]) expect(sessions.expire(now)).toEqual([]);
    expect(sessions.expire(8000)).toEqual(['n1']);
    expect(() => sessions.beat('n1', 's1', 8001)).toThrow('not known');
  });

  it('of the same node replace each other', () => {
    const sessions = new Sessions(2000);
    sessions.open('n1', 's1', 0);
    sessions.open('n1', 's2', 10);
    expect(() => sessions.check('n1', 's1')).toThrow('not known');
    expect(() => sessions.check('n1', '')).toThrow('not known');
    sessions.check('n1', 's2');
  });

  it('of one identity on two hosts: the second is refused while the first lives', () => {
    const sessions = new Sessions(2000);
    sessions.open('n1', 's1', 0, '10.0.0.1');
    expect(() => sessions.open('n1', 's2', 100, '10.0.0.2')).toThrow(
      'node n1 is in session from 10.0.0.1: two hosts have the same identity',
    );
    sessions.check('n1', 's1');
    sessions.beat('n1', 's1', 2000);
    expect(() => sessions.open('n1', 's2', 4900, '10.0.0.2')).toThrow('two hosts');
    // The same host may begin anew at any time; another one once the first is silent: the node has moved.
    sessions.open('n1', 's3', 4950, '10.0.0.1');
    sessions.open('n1', 's4', 7951, '10.0.0.2');
    sessions.check('n1', 's4');
    // A new leader knows nobody's address.
    sessions.expect(['n1'], 8000);
    sessions.open('n1', 's5', 8001, '10.0.0.3');
  });

  it('give nodes twice the time after a change of leader', () => {
    const sessions = new Sessions(2000);
    sessions.expect(['n1', 'n2'], 0);
    for (let now = 1000; now < 12_000; now += 1000) expect(sessions.expire(now)).toEqual([]);
    sessions.open('n2', 's', 11_500);
    expect(sessions.expire(12_000)).toEqual(['n1']);
  });

  it('move their deadlines by the time that the manager itself was away', () => {
    const sessions = new Sessions(2000);
    sessions.expect([], 0);
    sessions.open('n1', 's1', 0);
    sessions.expire(1000);
    expect(sessions.expire(61_000)).toEqual([]);
    expect(sessions.expire(64_000)).toEqual([]);
    expect(sessions.expire(66_001)).toEqual(['n1']);
  });
});

function storeWith(fn: (tx: StoreWriteView) => void) {
  const store = new Store();
  const counter = { next: 1 };
  const run = (change: (tx: StoreWriteView) => void): number => {
    const { proposals } = store.transact(testStamp(counter), change);
    for (const { bytes } of proposals) store.apply(bytes, store.index + 1);
    return proposals.length;
  };
  run(fn);
  return { store, run };
}

describe('nodes', () => {
  it('become ready with a session and down without one; a down node is not waited for', () => {
    const { store, run } = storeWith((tx) => {
      tx.create('node', node('n1'));
      tx.create('node', node('n2'));
    });
    run((tx) => registerNode(tx, 'n1', { description: undefined, address: '192.0.2.1' }));
    expect(store.view.get('node', 'n1')?.status).toMatchObject({
      state: NodeState.READY,
      addr: '192.0.2.1',
    });
    const version = store.view.get('node', 'n1')?.meta?.version;
    run((tx) => markDown(tx, ['n1', 'gone']));
    expect(store.view.get('node', 'n1')?.status).toMatchObject({
      state: NodeState.DOWN,
      addr: '192.0.2.1',
    });
    expect(store.view.get('node', 'n1')?.meta?.version).toEqual(version);
    expect(nodesToExpect(store.view)).toEqual(['n2']);
    expect(run((tx) => markDown(tx, ['n1']))).toBe(0);
    expect(() =>
      run((tx) => registerNode(tx, 'x', { description: undefined, address: '' })),
    ).toThrow('no longer in the cluster');
  });

  it('are known by a node’s certificate only', () => {
    expect(requireNode({ nodeId: 'n1', role: 'swarm-worker' })).toBe('n1');
    expect(() => requireNode({ nodeId: '', role: '' })).toThrow('certificate of a node is needed');
    expect(() => requireNode({ nodeId: 'a', role: 'swarm-admin' })).toThrow('not that of a node');
  });
});

describe('status reports', () => {
  const web = service('web');
  const setup = () =>
    storeWith((tx) => {
      tx.create('service', web);
      tx.create(
        'task',
        task('t1', web, { nodeId: 'n1', status: TaskStatus.create({ state: TaskState.ASSIGNED }) }),
      );
    });
  const report = (state: TaskState, over: Partial<TaskStatus> = {}) => ({
    taskId: 't1',
    status: TaskStatus.create({ state, ...over }),
  });

  it('move a task forward, never back, unless its container runs anew', () => {
    const { store, run } = setup();
    const send = (state: TaskState, over: Partial<TaskStatus> = {}) => {
      const queue = new StatusQueue();
      queue.add(store.view, 'n1', [report(state, over)]);
      run((tx) => writeStatuses(tx, queue.take(), 7));
      return store.view.get('task', 't1')?.status;
    };
    expect(send(TaskState.RUNNING)).toMatchObject({ state: TaskState.RUNNING, appliedBy: 'n1' });
    expect(send(TaskState.PREPARING)?.state).toBe(TaskState.RUNNING);
    expect(send(TaskState.RUNNING, { message: 'healthy now' })?.message).toBe('healthy now');
    expect(send(TaskState.FAILED)?.state).toBe(TaskState.FAILED);
    expect(send(TaskState.RUNNING)?.state).toBe(TaskState.FAILED);
    expect(send(TaskState.STARTING, { run: 1 })?.state).toBe(TaskState.STARTING);
    expect(send(TaskState.COMPLETE, { run: 0 })?.state).toBe(TaskState.STARTING);
  });

  it('are taken from the task’s own node only', () => {
    const { store, run } = setup();
    const queue = new StatusQueue();
    queue.add(store.view, 'n2', [report(TaskState.RUNNING)]);
    queue.add(store.view, 'n1', [{ taskId: 'other', status: TaskStatus.create({}) }]);
    expect(queue.size).toBe(0);
    queue.add(store.view, 'n1', [report(TaskState.RUNNING)]);
    run((tx) => tx.update('task', { ...task('t1', web), nodeId: 'n2' }));
    expect(run((tx) => writeStatuses(tx, queue.take(), 7))).toBe(0);
  });

  it('in the queue are folded to the newest', () => {
    const { store, run } = setup();
    const queue = new StatusQueue();
    queue.add(store.view, 'n1', [
      report(TaskState.RUNNING),
      report(TaskState.PREPARING),
      report(TaskState.ACCEPTED, { run: 2 }),
    ]);
    expect(queue.size).toBe(1);
    expect(run((tx) => writeStatuses(tx, queue.take(), 7))).toBe(1);
    expect(store.view.get('task', 't1')?.status).toMatchObject({
      state: TaskState.ACCEPTED,
      run: 2,
    });
    expect(queue.size).toBe(0);
  });
});
