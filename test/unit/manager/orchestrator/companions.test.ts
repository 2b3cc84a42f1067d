// Services whose containers join the namespaces of another service's: they stand on one node, whatever happens to either; each sentence is in a test's name.
import { describe, expect, it } from 'vitest';
import { modeOfService } from '#protocol/companions';
import { NodeState, NodeStatus, type Task, TaskState } from '#protocol/generated/objects';
import {
  EngineRestartPolicy,
  GlobalMode,
  Mount,
  MountType,
  NodeAvailability,
  NodeSpec,
  Placement,
  ReplicatedMode,
  ServiceMode,
  UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { template } from '../support/objects.ts';
import { exited, TestCluster } from './cluster.ts';

const replicated = (replicas: number): ServiceMode =>
  ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });
const beside = (name: string, task = {}, container = {}) =>
  template(task, { networkMode: modeOfService(name), ...container });
const NODES = ['n1', 'n2', 'n3', 'n4'];

function cluster(seed = 1): TestCluster {
  const c = new TestCluster(seed);
  for (const id of NODES) c.addNode(id, { disk: id });
  return c;
}

/** The one running task. */
function only(c: TestCluster, id: string): Task {
  const [task, ...more] = c.running(id);
  if (!task || more.length > 0) throw new Error(`${more.length + (task ? 1 : 0)} tasks run`);
  return task;
}

function expectTogether(c: TestCluster, web: string, side: string): void {
  const [a, b] = [only(c, web), only(c, side)];
  expect(b.beside).toEqual([a.id]);
  expect(b.nodeId).toBe(a.nodeId);
}

function pair(c: TestCluster, replicas = 1, task = {}): { web: string; side: string } {
  // The one that waits comes first, in the order of ids as well.
  const side = c.createService({
    name: 'a-side',
    mode: replicated(replicas),
    taskTemplate: beside('web', task),
  });
  const web = c.createService({
    name: 'web',
    mode: replicated(replicas),
    taskTemplate: template({}),
  });
  return { web, side };
}

describe('a service beside another one', () => {
  it.each([1, 2, 3, 4, 5])('stands on its node (seed %d)', (seed) => {
    const c = cluster(seed);
    const { web, side } = pair(c);
    c.run(10);
    expectTogether(c, web, side);
  });

  it('is placed in the same pass, whatever the order', () => {
    const c = cluster();
    const { web, side } = pair(c);
    c.pass();
    expect(c.wanted(side)[0]?.nodeId).toBe(c.wanted(web)[0]?.nodeId);
    expect(c.wanted(side)[0]?.status?.state).toBe(TaskState.ASSIGNED);
  });

  it('stands slot by slot beside as many replicas', () => {
    const c = cluster();
    const { web, side } = pair(c, 4);
    c.run(12);
    const bySlot = new Map(c.running(web).map((task) => [task.slot, task]));
    expect(c.running(side)).toHaveLength(4);
    for (const task of c.running(side)) {
      expect(task.beside).toEqual([bySlot.get(task.slot)?.id]);
      expect(task.nodeId).toBe(bySlot.get(task.slot)?.nodeId);
    }
  });

  it('stands beside the one replica when it has more', () => {
    const c = cluster();
    const web = c.createService({ name: 'web', mode: replicated(1), taskTemplate: template({}) });
    const side = c.createService({
      name: 'side',
      mode: replicated(3),
      taskTemplate: beside('web'),
    });
    c.run(12);
    expect(c.running(side).map(({ nodeId }) => nodeId)).toEqual(Array(3).fill(only(c, web).nodeId));
  });

  it('stands on each node beside a service that does', () => {
    const c = cluster();
    const mode = ServiceMode.create({ global: GlobalMode.create() });
    const web = c.createService({ name: 'web', mode, taskTemplate: template({}) });
    const side = c.createService({ name: 'side', mode, taskTemplate: beside('web') });
    c.run(12);
    const byNode = new Map(c.running(web).map((task) => [task.nodeId, task.id]));
    expect(c.running(side)).toHaveLength(4);
    for (const task of c.running(side)) expect(task.beside).toEqual([byNode.get(task.nodeId)]);
  });

  it('waits with the reason for a service that is not there, and goes once it is', () => {
    const c = cluster();
    const side = c.createService({
      name: 'side',
      mode: replicated(1),
      taskTemplate: beside('web'),
    });
    c.run(5);
    expect(c.tasks(side)[0]?.status?.err).toBe('waiting for service web, which does not exist');
    const web = c.createService({ name: 'web', mode: replicated(1), taskTemplate: template({}) });
    c.run(12);
    expectTogether(c, web, side);
  });

  it('waits for the node of one that finds none', () => {
    const c = cluster();
    const placement = Placement.create({ constraints: ['node.labels.disk==none'] });
    const web = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({ placement }),
    });
    const side = c.createService({
      name: 'side',
      mode: replicated(1),
      taskTemplate: beside('web'),
    });
    c.run(5);
    expect(c.tasks(side)[0]?.status?.err).toContain('waiting for a node for service web');
    c.setNode('n3', { spec: NodeSpec.create({ labels: { disk: 'none' } }) });
    c.run(12);
    expect(only(c, web).nodeId).toBe('n3');
    expectTogether(c, web, side);
  });

  it.each([1, 2, 3, 4])('brings its own constraints to the other (seed %d)', (seed) => {
    const c = cluster(seed);
    const placement = Placement.create({ constraints: ['node.labels.disk==n2'] });
    const { web, side } = pair(c, 1, { placement });
    c.run(12);
    expect(only(c, web).nodeId).toBe('n2');
    expectTogether(c, web, side);
  });

  it('brings its volumes to the other', () => {
    const c = cluster();
    const mounts = [Mount.create({ type: MountType.VOLUME, source: 'data', target: '/data' })];
    const first = c.createService({
      name: 'first',
      mode: replicated(1),
      taskTemplate: template({}, { mounts }),
    });
    c.run(10);
    const web = c.createService({ name: 'web', mode: replicated(1), taskTemplate: template({}) });
    const side = c.createService({
      name: 'side',
      mode: replicated(1),
      taskTemplate: beside('web', {}, { mounts }),
    });
    c.run(12);
    expect(only(c, web).nodeId).toBe(only(c, first).nodeId);
    expectTogether(c, web, side);
  });
});

describe('when the other one is replaced', () => {
  it.each([UpdateOrder.STOP_FIRST, UpdateOrder.START_FIRST])(
    'by an update (order %d), it follows',
    (order) => {
      const c = cluster();
      const { web, side } = pair(c);
      c.updateService(web, () => ({ updateConfig: UpdateConfig.create({ order }) }));
      c.run(12);
      const before = only(c, web).id;
      c.updateService(web, () => ({ taskTemplate: template({}, { image: 'web:2' }) }));
      c.run(60);
      expect(only(c, web).id).not.toBe(before);
      expectTogether(c, web, side);
      expect(c.hasMoreToDo).toBe(false);
    },
  );

  it('because its node is down, it follows', () => {
    const c = cluster();
    const { web, side } = pair(c);
    c.run(12);
    c.setNode(only(c, web).nodeId, { status: NodeStatus.create({ state: NodeState.DOWN }) });
    c.run(40);
    expectTogether(c, web, side);
  });

  it('because its node is drained, it follows', () => {
    const c = cluster();
    const { web, side } = pair(c);
    c.run(12);
    const { nodeId } = only(c, web);
    c.setNode(nodeId, { spec: NodeSpec.create({ availability: NodeAvailability.DRAIN }) });
    c.run(60);
    expect(only(c, web).nodeId).not.toBe(nodeId);
    expectTogether(c, web, side);
  });

  it('because it has failed, it follows', () => {
    const c = cluster();
    const { web, side } = pair(c);
    c.run(12);
    c.report(only(c, web).id, exited(1));
    c.run(100);
    expectTogether(c, web, side);
  });

  it('by nothing, because it is only stopped or over, it stays', () => {
    const c = cluster();
    const { web, side } = pair(c);
    c.updateService(web, () => ({
      taskTemplate: template({ engineRestart: EngineRestartPolicy.create() }),
    }));
    c.run(30);
    const { id } = only(c, side);
    c.report(only(c, web).id, exited(1));
    c.run(20);
    expect(c.running(web)).toEqual([]);
    expect(only(c, side).id).toBe(id);
  });

  it('by nothing, and is not wanted any more, it waits, and comes back with it', () => {
    const c = cluster();
    const { web, side } = pair(c);
    c.run(12);
    c.updateService(web, () => ({ mode: replicated(0) }));
    c.run(30);
    expect(c.running(side)).toEqual([]);
    expect(c.wanted(side)[0]?.status?.err).toBe('waiting for a task of service web');
    c.updateService(web, () => ({ mode: replicated(1) }));
    c.run(30);
    expectTogether(c, web, side);
  });
});
