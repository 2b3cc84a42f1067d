// What the controllers do when nodes change, when tasks keep failing and when tasks leave service; each sentence is in a test's name.
import { describe, expect, it } from 'vitest';
import { writeAcknowledged } from '#manager/dispatcher/drains';
import {
  JobStatus,
  NodeDescription,
  NodeState,
  NodeStatus,
  Service,
  type Task,
  TaskState,
} from '#protocol/generated/objects';
import {
  DependencyCondition,
  GlobalJobMode,
  GlobalMode,
  Mount,
  MountType,
  NetworkSpec,
  NodeAvailability,
  NodeSpec,
  Placement,
  ReplicatedJobMode,
  ReplicatedMode,
  ResourceRequirements,
  Resources,
  RestartPolicy,
  ServiceDependency,
  ServiceMode,
  UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { attach, network, template } from '../support/objects.ts';
import { exited, SECOND, TestCluster } from './cluster.ts';

const replicated = (replicas: number): ServiceMode =>
  ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });
const DOWN = { status: NodeStatus.create({ state: NodeState.DOWN }) };
const DRAIN = { spec: NodeSpec.create({ availability: NodeAvailability.DRAIN }) };

function twoNodes(): TestCluster {
  const c = new TestCluster();
  c.addNode('n1');
  c.addNode('n2');
  return c;
}

describe('a drained node', () => {
  it.each([
    ['start-first', UpdateConfig.create({ order: UpdateOrder.START_FIRST }), 2],
    ['unset order', undefined, 2],
    ['stop-first', UpdateConfig.create({ order: UpdateOrder.STOP_FIRST }), 0],
  ])('with %s: never fewer running than it may', (_, updateConfig, least) => {
    const c = twoNodes();
    const id = c.createService({
      name: 'web',
      mode: replicated(2),
      taskTemplate: template({}),
      ...(updateConfig ? { updateConfig } : {}),
    });
    c.run(10);
    c.setNode('n1', DRAIN);
    let fewest = 2;
    for (let round = 0; round < 30; round++) {
      c.run(1);
      fewest = Math.min(fewest, c.running(id).length);
    }
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n2', 'n2']);
    if (least === 2) expect(fewest).toBe(2);
    else expect(fewest).toBeLessThan(2);
  });

  it('is left also when there is no other place', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({ name: 'web', mode: replicated(1), taskTemplate: template({}) });
    c.run(10);
    c.setNode('n1', DRAIN);
    c.run(20);
    expect(c.running(id)).toHaveLength(0);
    expect(c.wanted(id)[0]?.status?.err).toBe(
      'no suitable node (1 node not available for new tasks)',
    );
  });

  it('keeps its tasks when the drain is taken back before their successors run', () => {
    const c = twoNodes();
    const id = c.createService({ name: 'web', mode: replicated(2), taskTemplate: template({}) });
    c.run(10);
    const before = c
      .running(id)
      .map((t) => t.id)
      .sort();
    c.setNode('n1', DRAIN);
    c.run(2);
    expect(c.wanted(id)).toHaveLength(3);
    c.setNode('n1', { spec: NodeSpec.create({}) });
    c.run(20);
    expect(
      c
        .running(id)
        .map((t) => t.id)
        .sort(),
    ).toEqual(before);
  });
});

describe('a node that no longer fits', () => {
  it('loses the tasks whose constraints it does not meet any more', () => {
    const c = new TestCluster();
    c.addNode('n1', { disk: 'ssd' });
    c.addNode('n2', { disk: 'ssd' });
    const placement = Placement.create({ constraints: ['node.labels.disk == ssd'] });
    const id = c.createService({
      name: 'db',
      mode: replicated(2),
      taskTemplate: template({ placement }),
    });
    c.run(10);
    c.setNode('n1', { spec: NodeSpec.create({ labels: { disk: 'hdd' } }) });
    c.run(20);
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n2', 'n2']);
  });

  it('loses the newest of its tasks when it has less than what is reserved on it', () => {
    const c = twoNodes();
    const resources = ResourceRequirements.create({
      reservations: Resources.create({ nanoCpus: 1e9 }),
    });
    const id = c.createService({
      name: 'web',
      mode: replicated(6),
      taskTemplate: template({ resources }),
    });
    c.run(10);
    const on = (node: string): Task[] => c.running(id).filter((t) => t.nodeId === node);
    expect([on('n1').length, on('n2').length]).toEqual([3, 3]);
    const small = NodeDescription.create({
      hostname: 'n1',
      resources: Resources.create({ nanoCpus: 2e9, memoryBytes: 8e9 }),
    });
    c.setNode('n1', { description: small });
    c.run(30);
    expect([on('n1').length, on('n2').length]).toEqual([2, 4]);
  });

  it('loses a task only by the rolling update when the service changes its constraints', () => {
    const c = new TestCluster();
    c.addNode('n1', { disk: 'ssd' });
    c.addNode('n2', { disk: 'hdd' });
    const id = c.createService({ name: 'db', mode: replicated(2), taskTemplate: template({}) });
    c.run(10);
    const stays = c.running(id).find((t) => t.nodeId === 'n1')?.id;
    const placement = Placement.create({ constraints: ['node.labels.disk == ssd'] });
    c.updateService(id, () => ({ taskTemplate: template({ placement }) }));
    c.run(30);
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n1', 'n1']);
    expect(c.running(id).map((t) => t.id)).toContain(stays);
  });
});

describe('a node that stays down', () => {
  it('is waited for a day, then its tasks are orphaned and go with the history', () => {
    const c = twoNodes();
    const id = c.createService({ name: 'web', mode: replicated(2), taskTemplate: template({}) });
    c.run(10);
    c.setNode('n1', DOWN);
    c.run(10);
    const left = (): Task | undefined => c.tasks(id).find((t) => t.nodeId === 'n1');
    expect(left()?.status?.state).toBe(TaskState.RUNNING);
    c.nowMicros += 23 * 3600 * SECOND;
    c.pass();
    expect(left()?.status?.state).toBe(TaskState.RUNNING);
    expect(c.wakeAtMicros).toBeLessThan(c.nowMicros + 3600 * SECOND + 1);
    c.nowMicros += 3601 * SECOND;
    c.settle();
    expect(left()?.status).toMatchObject({
      state: TaskState.ORPHANED,
      message: 'its node has been down for a day',
    });
    c.updateService(id, () => ({ mode: replicated(0) }));
    c.run(5);
    c.removeService(id);
    c.run(5);
    expect(c.tasks(id)).toEqual([]);
  });
});

describe('a node whose removal is on its way', () => {
  it('gets no task and no volume, although the set of nodes has not heard of it', () => {
    const c = new TestCluster();
    c.addNode('n1');
    c.run(2);
    c.write((tx) => tx.remove('node', 'n1'));
    c.forgetChanges();
    const mounts = [Mount.create({ type: MountType.VOLUME, source: 'data', target: '/data' })];
    const web = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({}, { mounts }),
    });
    c.run(3);
    expect(c.tasks(web)[0]).toMatchObject({ nodeId: '', status: { state: TaskState.PENDING } });
    expect(c.store.view.byName('volume', 'data')).toBeUndefined();
    c.addNode('n2');
    c.run(10);
    expect(c.tasks(web)[0]).toMatchObject({ nodeId: 'n2', status: { state: TaskState.RUNNING } });
  });
});

describe('restart delays', () => {
  it('hold for tasks that fail before they are let go, too: nobody asks for a wrong image all the time', () => {
    const c = twoNodes();
    const restartPolicy = RestartPolicy.create({ delay: 1e9 });
    const id = c.createService({
      name: 'x',
      mode: replicated(1),
      taskTemplate: template({ restartPolicy }),
    });
    c.rule = (task) =>
      task.status?.state === TaskState.PREPARING ? { state: TaskState.REJECTED } : undefined;
    const seen = new Map<string, number>();
    for (let round = 0; round < 400; round++) {
      c.run(1);
      for (const task of c.tasks(id)) if (!seen.has(task.id)) seen.set(task.id, c.nowMicros);
    }
    const times = [...seen.values()];
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(gaps.slice(0, 5).map((gap) => Math.floor(gap / SECOND))).toEqual([1, 2, 4, 8, 16]);
    expect(c.hasMoreToDo).toBe(false);
  });

  it('double while a task fails soon after its start, and begin again after a long run', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({ restartPolicy: RestartPolicy.create({ delay: 1e9 }) }),
    });
    c.run(10);
    const delays: number[] = [];
    const fail = (): void => {
      c.report(c.running(id)[0]?.id ?? '', exited(1));
      const failedAt = c.nowMicros;
      for (let round = 0; round < 400 && c.running(id).length === 0; round++) c.run(1);
      // Up to eight rounds of it are the agent's steps.
      delays.push(Math.floor((c.nowMicros - failedAt) / SECOND));
    };
    for (let i = 0; i < 4; i++) fail();
    expect(delays).toEqual([1, 2, 4, 8]);
    c.run(120);
    fail();
    expect(delays.at(-1)).toBe(1);
  });

  it('count attempts in the window that ends with the failure', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const policy = RestartPolicy.create({ delay: 0, maxAttempts: 2, window: 60e9 });
    const id = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({ restartPolicy: policy }),
    });
    for (let i = 0; i < 2; i++) {
      c.run(30);
      c.report(c.running(id)[0]?.id ?? '', exited(1));
    }
    c.nowMicros += 120 * SECOND;
    c.run(30);
    c.report(c.running(id)[0]?.id ?? '', exited(1));
    c.run(30);
    expect(c.running(id)).toHaveLength(1);
    for (let i = 0; i < 2; i++) {
      c.report(c.running(id)[0]?.id ?? '', exited(1));
      c.run(30);
    }
    expect(c.running(id)).toHaveLength(0);
    c.nowMicros += 600 * SECOND;
    c.run(30);
    expect(c.running(id)).toHaveLength(0);
  });
});

describe('jobs', () => {
  const job = (c: TestCluster, mode: ServiceMode): string => {
    const id = c.createService({ name: 'job', mode, taskTemplate: template({}) });
    c.write((tx) => {
      const service = tx.get('service', id);
      const jobStatus = JobStatus.create({ jobIteration: { index: 0 } });
      if (service) tx.update('service', Service.create({ ...service, jobStatus }));
    });
    return id;
  };

  it('want their tasks complete, and replace the one on a dead node at once', () => {
    const c = twoNodes();
    const mode = ServiceMode.create({
      replicatedJob: ReplicatedJobMode.create({ maxConcurrent: 2, totalCompletions: 2 }),
    });
    const id = job(c, mode);
    c.run(10);
    expect(c.running(id).map((t) => [t.slot, t.desiredState])).toEqual(
      expect.arrayContaining([
        [0, TaskState.COMPLETE],
        [1, TaskState.COMPLETE],
      ]),
    );
    c.setNode('n1', DOWN);
    c.run(10);
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n2', 'n2']);
    for (const task of c.running(id)) c.report(task.id, exited(0));
    c.run(10);
    c.setNode('n2', DRAIN);
    c.setNode('n1', { status: NodeStatus.create({ state: NodeState.READY }) });
    c.run(20);
    expect(c.running(id)).toEqual([]);
    expect(c.wanted(id)).toHaveLength(2);
  });

  it('keep the place of a task that is to be tried again', () => {
    const c = twoNodes();
    const mode = ServiceMode.create({
      replicatedJob: ReplicatedJobMode.create({ maxConcurrent: 1, totalCompletions: 2 }),
    });
    // Slots have their tasks in order; the first one is refused by its node before it starts.
    c.rule = (task) =>
      task.slot === 0 && task.status?.state === TaskState.PREPARING
        ? { state: TaskState.REJECTED }
        : undefined;
    const id = job(c, mode);
    for (let round = 0; round < 100; round++) {
      c.run(1);
      expect(c.tasks(id).filter(({ slot }) => slot === 1)).toEqual([]);
    }
    expect(c.tasks(id).length).toBeGreaterThan(1);
  });

  it('are complete for those who depend on them when all of them are', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const mode = ServiceMode.create({
      replicatedJob: ReplicatedJobMode.create({ maxConcurrent: 1, totalCompletions: 2 }),
    });
    const id = job(c, mode);
    const dependsOn = [
      ServiceDependency.create({
        service: 'job',
        condition: DependencyCondition.COMPLETED,
        required: true,
      }),
    ];
    const web = c.createService({
      name: 'web',
      mode: replicated(1),
      taskTemplate: template({ dependsOn }),
    });
    c.run(12);
    c.report(c.running(id)[0]?.id ?? '', exited(0));
    c.run(12);
    expect(c.running(web)).toEqual([]);
    c.report(c.running(id)[0]?.id ?? '', exited(0));
    c.run(12);
    expect(c.running(web)).toHaveLength(1);
  });

  it('with one task per node get one on a new node, and none on a drained one', () => {
    const c = new TestCluster();
    c.addNode('n1');
    const id = job(c, ServiceMode.create({ globalJob: GlobalJobMode.create() }));
    c.run(10);
    c.report(c.running(id)[0]?.id ?? '', exited(0));
    c.addNode('n2');
    c.run(10);
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n2']);
    c.setNode('n2', DRAIN);
    c.run(10);
    expect(c.running(id)).toEqual([]);
    c.setNode('n2', { spec: NodeSpec.create({}) });
    c.run(10);
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n2']);
  });
});

describe('a paused node', () => {
  it('keeps its global task and gets no new one', () => {
    const c = twoNodes();
    c.setNode('n2', { spec: NodeSpec.create({ availability: NodeAvailability.PAUSE }) });
    const mode = ServiceMode.create({ global: GlobalMode.create() });
    const id = c.createService({ name: 'agent', mode, taskTemplate: template({}) });
    c.run(10);
    c.setNode('n1', { spec: NodeSpec.create({ availability: NodeAvailability.PAUSE }) });
    c.run(10);
    expect(c.running(id).map((t) => t.nodeId)).toEqual(['n1']);
  });
});

describe('leaving service', () => {
  function served(updateConfig?: UpdateConfig, drainTimeout?: number) {
    const c = twoNodes();
    c.write((tx) => tx.create('network', network('net1')));
    c.write((tx) => {
      const net = tx.get('network', 'net1');
      const spec = NetworkSpec.create({ name: 'net1' });
      if (net) tx.update('network', { ...net, spec });
    });
    const id = c.createService({
      name: 'web',
      mode: replicated(2),
      taskTemplate: template({ networks: [attach('net1')] }),
      ...(updateConfig ? { updateConfig } : {}),
      ...(drainTimeout === undefined ? {} : { drainTimeout }),
    });
    // An agent stops a task only once its drain is acknowledged.
    c.rule = () => undefined;
    c.run(15);
    expect(c.running(id)).toHaveLength(2);
    return { c, id };
  }
  const leaving = (c: TestCluster, id: string): Task[] =>
    c.tasks(id).filter((t) => t.drain !== undefined && t.status?.state === TaskState.RUNNING);

  it('comes before the stop of a task that serves, with the time for its connections', () => {
    const { c, id } = served(undefined, 3e9);
    c.updateService(id, () => ({ mode: replicated(1) }));
    c.pass();
    expect(leaving(c, id)).toMatchObject([
      {
        desiredState: TaskState.REMOVE,
        drain: { startedAt: c.nowMicros, acknowledgedAt: 0, timeout: 3e9 },
      },
    ]);
    expect(c.wakeAtMicros).toBe(c.nowMicros + 10 * SECOND);
  });

  it('does not wait longer than ten seconds for nodes that do not answer', () => {
    const { c, id } = served();
    c.updateService(id, () => ({ mode: replicated(1) }));
    c.pass();
    const [task] = leaving(c, id);
    c.agents = () => {};
    c.run(99);
    expect(c.store.view.get('task', task?.id ?? '')?.drain?.acknowledgedAt).toBe(0);
    c.run(3);
    expect(c.store.view.get('task', task?.id ?? '')?.drain?.acknowledgedAt).toBeGreaterThan(0);
  });

  it('is left out when the service wants none, has no network, or is removed', () => {
    const none = served(undefined, 0);
    none.c.updateService(none.id, () => ({ mode: replicated(1) }));
    none.c.pass();
    expect(leaving(none.c, none.id)).toEqual([]);
    const removed = served();
    removed.c.removeService(removed.id);
    removed.c.pass();
    expect(leaving(removed.c, removed.id)).toEqual([]);
    const plain = twoNodes();
    const id = plain.createService({
      name: 'w',
      mode: replicated(2),
      taskTemplate: template({}),
    });
    plain.run(10);
    plain.updateService(id, () => ({ mode: replicated(1) }));
    plain.pass();
    expect(leaving(plain, id)).toEqual([]);
  });

  it('holds the successor back in stop-first until the old one has stopped', () => {
    const { c, id } = served(UpdateConfig.create({ parallelism: 1 }));
    const agents = c.agents.bind(c);
    c.updateService(id, () => ({
      taskTemplate: template({ networks: [attach('net1')] }, { image: 'new' }),
    }));
    c.agents = () => {};
    c.run(3);
    const [old] = leaving(c, id);
    const successor = c.wanted(id).find((t) => t.slot === old?.slot);
    expect(successor?.waitingFor).toBe(`waiting for the task before it (${old?.id}) to stop`);
    c.write((tx) => writeAcknowledged(tx, [old?.id ?? ''], c.nowMicros));
    c.agents = agents;
    c.run(5);
    expect(c.store.view.get('task', successor?.id ?? '')?.desiredState).toBe(TaskState.RUNNING);
  });
});
