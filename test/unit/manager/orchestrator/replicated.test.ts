// Replicated and global services: from a spec to running tasks, scaling, restarts, nodes that go away. Each test drives the real pass over the real
// store; the sentence it checks is in its name (semantics: Swarm mode).
import { describe, expect, it } from 'vitest';
import { ContainerStatus, NodeState, NodeStatus, TaskState } from '#protocol/generated/objects';
import {
  EngineRestartPolicy,
  GlobalMode,
  NodeAvailability,
  NodeSpec,
  Placement,
  ReplicatedMode,
  RestartCondition,
  RestartPolicy,
  RunState,
  ServiceMode,
} from '#protocol/generated/specs';
import { template } from '../support/objects.ts';
import { exited, SECOND, TestCluster } from './cluster.ts';

function replicated(replicas: number): ServiceMode {
  return ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });
}

describe('replicated service', () => {
  it('is created, allocated, scheduled and assigned in a single entry', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({ name: 'web', mode: replicated(3), taskTemplate: template({}) });
    const before = c.entries;
    c.pass();
    expect(c.entries - before).toBe(1);
    const tasks = c.tasks(id);
    expect(tasks.map((t) => t.slot).sort()).toEqual([1, 2, 3]);
    expect(tasks.every((t) => t.nodeId === 'n1' && t.status?.state === TaskState.ASSIGNED)).toBe(
      true,
    );
    expect(tasks.every((t) => t.desiredState === TaskState.RUNNING)).toBe(true);
  });

  it('says of each of ten thousand tasks why it has no node, and gives them up when it is scaled back', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const nowhere = template({
      placement: Placement.create({ constraints: ['node.labels.x==1'] }),
    });
    const id = c.createService({ name: 'web', mode: replicated(10_000), taskTemplate: nowhere });
    for (let pass = 0; pass < 30; pass++) c.pass();
    const tasks = c.tasks(id);
    expect(tasks).toHaveLength(10_000);
    expect(new Set(tasks.map((task) => task.status?.err))).toEqual(
      new Set(['no suitable node (scheduling constraints not satisfied on 1 node)']),
    );
    const before = c.entries;
    expect(c.pass()).toBe(false);
    c.updateService(id, () => ({ mode: replicated(5) }));
    c.settle();
    expect(c.tasks(id).map((task) => task.slot)).toEqual(expect.arrayContaining([1, 2, 3, 4, 5]));
    expect(c.tasks(id)).toHaveLength(5);
    expect(c.entries - before).toBeLessThan(20);
  });

  it('places more tasks than one pass takes, pass after pass', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({
      name: 'many',
      mode: replicated(1200),
      taskTemplate: template({}),
    });
    for (let pass = 0; pass < 4; pass++) c.pass();
    expect(c.tasks(id).filter((t) => t.status?.state === TaskState.ASSIGNED)).toHaveLength(1200);
  });

  it('writes nothing when nothing has to change', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.createService({ name: 'web', mode: replicated(2), taskTemplate: template({}) });
    c.run(20);
    const before = c.entries;
    c.run(5);
    expect(c.entries).toBe(before);
  });

  it('spreads its tasks over the nodes', () => {
    const c = new TestCluster();
    for (const n of ['n1', 'n2', 'n3']) c.addNode(n);
    const id = c.createService({ name: 'web', mode: replicated(6), taskTemplate: template({}) });
    c.run(10);
    const perNode = ['n1', 'n2', 'n3'].map((n) => c.tasks(id).filter((t) => t.nodeId === n).length);
    expect(perNode).toEqual([2, 2, 2]);
  });

  it('gives up the highest slots when scaled down and fills the lowest when scaled up', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({ name: 'web', mode: replicated(4), taskTemplate: template({}) });
    c.run(10);
    c.updateService(id, () => ({ mode: replicated(2) }));
    c.run(10);
    expect(
      c
        .tasks(id)
        .map((t) => t.slot)
        .sort(),
    ).toEqual([1, 2]);
    c.updateService(id, () => ({ mode: replicated(3) }));
    c.run(10);
    expect(
      c
        .running(id)
        .map((t) => t.slot)
        .sort(),
    ).toEqual([1, 2, 3]);
  });

  it('does not restart tasks for a change of replicas or labels alone', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({ name: 'web', mode: replicated(2), taskTemplate: template({}) });
    c.run(10);
    const before = c
      .running(id)
      .map((t) => t.id)
      .sort();
    c.updateService(id, () => ({ mode: replicated(3), labels: { a: 'b' } }));
    c.run(10);
    const after = c.running(id).map((t) => t.id);
    expect(after).toHaveLength(3);
    expect(before.every((task) => after.includes(task))).toBe(true);
  });

  it('replaces a failed task after the restart delay, in the same slot', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const policy = RestartPolicy.create({ delay: 2e9 });
    const id = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({ restartPolicy: policy }),
    });
    c.run(10);
    const [first] = c.running(id);
    c.report(first?.id ?? '', exited(1));
    const failedAt = c.nowMicros;
    c.pass();
    const held = c.wanted(id);
    expect(held).toHaveLength(1);
    expect(held[0]?.desiredState).toBe(TaskState.READY);
    expect(held[0]?.waitingFor).toBe('waiting for the restart delay');
    expect(c.wakeAtMicros).toBe(failedAt + 2 * SECOND);
    c.run(15);
    expect(c.running(id)).toHaveLength(0);
    c.run(15);
    expect(c.running(id).map((t) => t.slot)).toEqual([1]);
    expect(c.running(id)[0]?.id).not.toBe(first?.id);
  });

  it.each([
    [RestartCondition.NONE, 1, false],
    [RestartCondition.ON_FAILURE, 0, false],
    [RestartCondition.ON_FAILURE, 1, true],
    [RestartCondition.ANY, 0, true],
  ])('restart condition %i after exit %i: replaced %s', (condition, exitCode, replaced) => {
    const c = new TestCluster();
    c.addNode('n1');
    const policy = RestartPolicy.create({ condition, delay: 0 });
    const id = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({ restartPolicy: policy }),
    });
    c.run(10);
    c.report(c.running(id)[0]?.id ?? '', exited(exitCode));
    c.run(10);
    expect(c.running(id)).toHaveLength(replaced ? 1 : 0);
  });

  it('stops after max attempts', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.rule = (task) => (task.status?.state === TaskState.STARTING ? exited(1) : undefined);
    const policy = RestartPolicy.create({ delay: 0, maxAttempts: 3 });
    const id = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({ restartPolicy: policy }),
    });
    c.run(100);
    expect(c.tasks(id)).toHaveLength(4);
    expect(c.tasks(id).every((t) => t.status?.state === TaskState.FAILED)).toBe(true);
  });

  it('leaves a task with a Compose restart policy to its agent', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({
      name: 'once',
      mode: replicated(1),
      taskTemplate: template({ engineRestart: EngineRestartPolicy.create() }),
    });
    c.run(10);
    const task = c.running(id)[0]?.id ?? '';
    c.report(task, exited(3));
    c.run(10);
    expect(c.wanted(id).map((t) => t.id)).toEqual([task]);
  });

  it('keeps at most the history limit of old tasks in a slot', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.rule = (task) => (task.status?.state === TaskState.STARTING ? exited(1) : undefined);
    const policy = RestartPolicy.create({ delay: 0 });
    const id = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({ restartPolicy: policy }),
    });
    c.run(200);
    expect(c.tasks(id).length).toBeLessThanOrEqual(5);
  });

  it('copies the run state to its tasks without replacing them', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({ name: 'web', mode: replicated(2), taskTemplate: template({}) });
    c.run(10);
    const before = c.running(id).map((t) => t.id);
    c.updateService(id, () => ({ runState: RunState.STOPPED }));
    c.run(3);
    expect(c.wanted(id).map((t) => t.id)).toEqual(before);
    expect(c.wanted(id).every((t) => t.runState === RunState.STOPPED)).toBe(true);
  });

  it('leaves a task that was stopped on request where it is, to be started again, whatever its policy', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.addNode('n2');
    const id = c.createService({ name: 'web', mode: replicated(1), taskTemplate: template({}) });
    c.run(10);
    const [task] = c.running(id);
    c.updateService(id, () => ({ runState: RunState.STOPPED }));
    const containerStatus = ContainerStatus.create({ containerId: 'made', stopped: true });
    const report = { state: TaskState.SHUTDOWN, message: 'stopped', containerStatus };
    c.report(task?.id ?? '', report);
    c.run(100);
    expect(c.tasks(id).map((one) => one.id)).toEqual([task?.id]);
    c.updateService(id, () => ({ runState: RunState.RUNNING }));
    c.pass();
    expect(c.tasks(id).map((one) => [one.id, one.runState])).toEqual([
      [task?.id, RunState.RUNNING],
    ]);
    // Its node has gone meanwhile: then another one starts it.
    c.updateService(id, () => ({ runState: RunState.STOPPED }));
    c.report(task?.id ?? '', report);
    c.run(3);
    c.setNode(task?.nodeId ?? '', { status: NodeStatus.create({ state: NodeState.DOWN }) });
    c.run(3);
    expect(c.wanted(id).map((one) => one.id)).not.toContain(task?.id);
    expect(c.wanted(id)).toHaveLength(1);
  });

  describe('with a task that has ended, when it is removed', () => {
    const ended = (): { c: TestCluster; id: string; taskId: string } => {
      const c = new TestCluster();
      c.addNode('n1');
      const restartPolicy = RestartPolicy.create({ condition: RestartCondition.NONE });
      const taskTemplate = template({ restartPolicy });
      const id = c.createService({ name: 'once', mode: replicated(1), taskTemplate });
      c.run(10);
      const [task] = c.tasks(id);
      const taskId = task?.id ?? '';
      const containerStatus = ContainerStatus.create({ containerId: 'made', exitCode: 0 });
      c.report(taskId, { state: TaskState.COMPLETE, containerStatus });
      c.run(3);
      c.removeService(id);
      c.run(5);
      return { c, id, taskId };
    };

    it('keeps the task until its node says that the container is gone', () => {
      const { c, id, taskId } = ended();
      expect(c.tasks(id).map((task) => task.desiredState)).toEqual([TaskState.REMOVE]);
      c.report(taskId, { containerStatus: ContainerStatus.create({ exitCode: 0 }) });
      c.run(2);
      expect(c.tasks(id)).toEqual([]);
    });

    it('does not wait for a node that is down', () => {
      const { c, id } = ended();
      c.setNode('n1', { status: NodeStatus.create({ state: NodeState.DOWN }) });
      c.run(2);
      expect(c.tasks(id)).toEqual([]);
    });
  });

  it('takes all its tasks with it when it is removed', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({ name: 'web', mode: replicated(3), taskTemplate: template({}) });
    c.run(10);
    c.removeService(id);
    c.run(10);
    expect(c.tasks(id)).toHaveLength(0);
  });

  it('says why a task finds no node, and places it as soon as it can', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const placement = Placement.create({ constraints: ['node.labels.disk == ssd'] });
    const id = c.createService({
      name: 'db',
      mode: replicated(1),
      taskTemplate: template({ placement }),
    });
    c.run(3);
    const [task] = c.tasks(id);
    expect(task?.status?.state).toBe(TaskState.PENDING);
    expect(task?.status?.err).toBe(
      'no suitable node (scheduling constraints not satisfied on 1 node)',
    );
    c.setNode('n1', { spec: NodeSpec.create({ labels: { disk: 'ssd' } }) });
    c.run(10);
    expect(c.running(id)).toHaveLength(1);
  });
});

describe('a task without a place', () => {
  it('is tried again after half a minute, should nobody have said that there is room', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const placement = Placement.create({ constraints: ['node.labels.disk == ssd'] });
    const id = c.createService({
      name: 'db',
      mode: replicated(1),
      taskTemplate: template({ placement }),
    });
    c.run(3);
    // The change is lost on the way.
    c.setNode('n1', { spec: NodeSpec.create({ labels: { disk: 'ssd' } }) });
    const node = c.store.view.get('node', 'n1');
    c.forgetChanges();
    if (node) c.memory.nodes.setNode(node);
    c.settle();
    expect(c.tasks(id)[0]?.status?.state).toBe(TaskState.PENDING);
    c.nowMicros += 31 * SECOND;
    c.settle();
    expect(c.tasks(id)[0]?.status?.state).toBe(TaskState.ASSIGNED);
  });
});

describe('nodes', () => {
  it('moves tasks off a node that is down, at once', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.addNode('n2');
    const id = c.createService({ name: 'web', mode: replicated(2), taskTemplate: template({}) });
    c.run(10);
    c.setNode('n1', { status: NodeStatus.create({ state: NodeState.DOWN }) });
    c.pass();
    expect(c.wanted(id).every((t) => t.nodeId === 'n2')).toBe(true);
    c.run(10);
    expect(c.running(id)).toHaveLength(2);
    c.setNode('n1', { status: NodeStatus.create({ state: NodeState.READY }) });
    c.run(10);
    const live = c.tasks(id).filter((t) => t.status?.state === TaskState.RUNNING);
    expect(live).toHaveLength(2);
  });

  it('moves tasks off a drained node', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.addNode('n2');
    const id = c.createService({ name: 'web', mode: replicated(2), taskTemplate: template({}) });
    c.run(10);
    c.setNode('n1', { spec: NodeSpec.create({ availability: NodeAvailability.DRAIN }) });
    c.run(20);
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n2', 'n2']);
  });

  it('marks tasks of a removed node as orphaned', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.addNode('n2');
    const id = c.createService({ name: 'web', mode: replicated(2), taskTemplate: template({}) });
    c.run(10);
    c.write((tx) => tx.remove('node', 'n1'));
    c.run(10);
    expect(c.running(id)).toHaveLength(2);
    expect(c.running(id).every((t) => t.nodeId === 'n2')).toBe(true);
  });

  it('runs a global service once on each fitting node, also on one that comes later', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.addNode('n2', { role: 'no' });
    const placement = Placement.create({ constraints: ['node.labels.role != no'] });
    const mode = ServiceMode.create({ global: GlobalMode.create() });
    const id = c.createService({ name: 'agent', mode, taskTemplate: template({ placement }) });
    c.run(10);
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n1']);
    c.addNode('n3');
    c.run(10);
    expect(
      c
        .running(id)
        .map((t) => t.nodeId)
        .sort(),
    ).toEqual(['n1', 'n3']);
  });
});
