// `npm run bench:scheduler`: the scheduler alone, in memory: decisions per second and the time of single decisions at 100, 1,000 and 5,000 nodes; for one
// large service (a group in a heap) and for many services of one task (each ranks all nodes), with and without tasks there already; and one pass of the
// controllers, which also makes the tasks, their transaction and its bytes.
import { newControllerMemory } from '#manager/orchestrator/memory';
import { reconcile } from '#manager/orchestrator/reconcile';
import { NodeSet } from '#manager/scheduler/node-set';
import { Placer } from '#manager/scheduler/schedule';
import { Store } from '#manager/store/store';
import {
  Cluster,
  Node,
  NodeDescription,
  NodeState,
  NodeStatus,
  Service,
  Task,
  TaskState,
  TaskStatus,
  Version,
} from '#protocol/generated/objects';
import {
  ContainerSpec,
  Placement,
  ReplicatedMode,
  ResourceRequirements,
  Resources,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
} from '#protocol/generated/specs';
import { Prng } from '../support/prng.ts';

const prng = new Prng(7);
const random = (): number => prng.next();

function node(index: number): Node {
  return Node.create({
    id: `node${index}`,
    spec: { name: '', labels: { zone: `z${index % 10}` }, role: 0, availability: 0 },
    status: NodeStatus.create({ state: NodeState.READY }),
    description: NodeDescription.create({
      hostname: `node${index}`,
      resources: Resources.create({ nanoCpus: 64e9, memoryBytes: 256e9 }),
    }),
  });
}

function template(image: string): TaskSpec {
  return TaskSpec.create({
    containerSpec: ContainerSpec.create({ image }),
    resources: ResourceRequirements.create({
      reservations: Resources.create({ nanoCpus: 1e7, memoryBytes: 1e6 }),
    }),
    placement: Placement.create({ constraints: ['node.labels.zone != z3'] }),
  });
}

function taskOf(serviceId: string, slot: number, spec: TaskSpec): Task {
  return Task.create({
    id: `${serviceId}-${slot}`,
    serviceId,
    slot,
    spec,
    specVersion: Version.create({ index: 1 }),
    desiredState: TaskState.RUNNING,
    status: TaskStatus.create({ state: TaskState.PENDING }),
  });
}

interface Run {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function place(set: NodeSet, tasks: readonly Task[]): Run {
  const view = new Store().view;
  const placer = new Placer({ nodes: set, view, nowMicros: 1, random, specsBeside: () => [] });
  const times: number[] = [];
  const begin = performance.now();
  for (const task of tasks) {
    const started = performance.now();
    const { nodeId } = placer.place(task);
    if (nodeId === undefined) throw new Error(`no node for ${task.id}`);
    set.setTask(task.id, {
      ...task,
      nodeId,
      status: TaskStatus.create({ state: TaskState.ASSIGNED }),
    });
    times.push(performance.now() - started);
  }
  const took = performance.now() - begin;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)] ?? 0;
  return { perSecond: tasks.length / (took / 1000), p50: at(0.5), p99: at(0.99), max: at(1) };
}

function nodes(count: number): NodeSet {
  const set = new NodeSet();
  for (let index = 0; index < count; index++) set.setNode(node(index));
  return set;
}

function row(what: string, { perSecond, p50, p99, max }: Run): void {
  const micros = (ms: number): string => (ms * 1000).toFixed(0).padStart(7);
  process.stdout.write(
    `| ${what.padEnd(58)} | ${Math.round(perSecond).toString().padStart(9)} | ${micros(p50)} | ${micros(p99)} | ${micros(max)} |\n`,
  );
}

process.stdout.write(
  `| decisions | per second | p50 µs | p99 µs | max µs |\n| --- | --- | --- | --- | --- |\n`,
);
for (const count of [100, 1000, 5000]) {
  const one = nodes(count);
  const spec = template('image');
  const tasks = Array.from({ length: 20_000 }, (_, slot) => taskOf('one', slot, spec));
  row(`${count} nodes, one service of 20,000 tasks`, place(one, tasks));
  const more = Array.from({ length: 2000 }, (_, slot) => taskOf('two', slot, template('image')));
  for (const task of more) Object.assign(task, { spec });
  row(`${count} nodes, 2,000 more beside 20,000`, place(one, more));
  const many = Array.from({ length: 1000 }, (_, index) =>
    taskOf(`s${index}`, 1, template(`image${index}`)),
  );
  row(`${count} nodes, 1,000 services of one task`, place(nodes(count), many));
}

process.stdout.write('\n| a whole pass of the controllers (500 new tasks) | ms |\n| --- | --- |\n');
for (const count of [100, 1000, 5000]) {
  const store = new Store();
  let index = 0;
  let ids = 0;
  const memory = newControllerMemory();
  const write = (fn: Parameters<Store['transact']>[1]): void => {
    const stamp = {
      nowMicros: 1e15 + index,
      newTransactionId: () => ++ids,
      author: '',
      summary: '',
      splittable: true,
    };
    for (const { bytes } of store.transact(stamp, fn).proposals) store.apply(bytes, ++index);
  };
  write((tx) => tx.create('cluster', Cluster.create({ id: 'c' })));
  write((tx) => {
    for (let i = 0; i < count; i++) tx.create('node', node(i));
  });
  write((tx) =>
    tx.create(
      'service',
      Service.create({
        id: 'svc',
        specVersion: Version.create({ index: 1 }),
        spec: ServiceSpec.create({
          name: 'web',
          taskTemplate: template('image'),
          mode: ServiceMode.create({ replicated: ReplicatedMode.create({ replicas: 500 }) }),
        }),
      }),
    ),
  );
  const context = { nowMicros: 1e15, newId: () => `id${++ids}`, random };
  const started = performance.now();
  write((tx) => reconcile(tx, 'all', context, memory));
  process.stdout.write(`| ${count} nodes | ${(performance.now() - started).toFixed(1)} |\n`);
}
