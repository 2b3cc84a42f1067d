// The placer against a naive twin that looks at every node and every task each time: the chosen node passes all filters, no other node is better,
// and a task stays without a node only when no node fits. Also: the counters of the node set equal a scan.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NodeSet, occupiesNode } from '#manager/scheduler/node-set';
import { Placer } from '#manager/scheduler/schedule';
import type { ReadView } from '#manager/store/view';
import {
  Node,
  NodeDescription,
  NodeState,
  NodeStatus,
  Task,
  TaskState,
  TaskStatus,
  Version,
} from '#protocol/generated/objects';
import {
  ContainerSpec,
  EndpointSpec,
  GenericResource,
  NodeAvailability,
  NodeSpec,
  Placement,
  PortConfig,
  PublishMode,
  Resources,
  TaskSpec,
} from '#protocol/generated/specs';
import { Prng } from '../../../support/prng.ts';
import { TestCluster } from '../orchestrator/cluster.ts';

function viewOf(nodes: readonly Node[]): ReadView {
  const cluster = new TestCluster();
  cluster.write((tx) => {
    for (const node of nodes) tx.create('node', node);
  });
  return cluster.store.view;
}

const discrete = (kind: string, value: number): GenericResource =>
  GenericResource.create({ discreteResourceSpec: { kind, value } });

const nodeOf = fc.record({
  zone: fc.constantFrom('a', 'b', ''),
  rack: fc.constantFrom('1', '2'),
  cpus: fc.integer({ min: 1, max: 4 }),
  gpus: fc.integer({ min: 0, max: 2 }),
  state: fc.constantFrom(NodeState.READY, NodeState.READY, NodeState.READY, NodeState.DOWN),
  availability: fc.constantFrom(
    NodeAvailability.ACTIVE,
    NodeAvailability.ACTIVE,
    NodeAvailability.PAUSE,
    NodeAvailability.DRAIN,
  ),
});

const serviceOf = fc.record({
  tasks: fc.integer({ min: 1, max: 12 }),
  cpus: fc.constantFrom(0, 0.5, 1),
  gpu: fc.constantFrom(0, 0, 1),
  max: fc.constantFrom(0, 0, 2),
  port: fc.constantFrom(0, 0, 80),
  constraint: fc.constantFrom('', 'node.labels.zone == a', 'node.labels.zone != a'),
  spread: fc.constantFrom<readonly string[]>([], ['zone'], ['zone', 'rack']),
});

type NodeSeed = typeof nodeOf extends fc.Arbitrary<infer T> ? T : never;
type ServiceSeed = typeof serviceOf extends fc.Arbitrary<infer T> ? T : never;

function makeNode(seed: NodeSeed, index: number): Node {
  const generic = Array.from({ length: seed.gpus }, (_, gpu) =>
    GenericResource.create({ namedResourceSpec: { kind: 'GPU', value: `g${gpu}` } }),
  );
  return Node.create({
    id: `n${index}`,
    spec: NodeSpec.create({
      labels: seed.zone === '' ? { rack: seed.rack } : { zone: seed.zone, rack: seed.rack },
      availability: seed.availability,
    }),
    status: NodeStatus.create({ state: seed.state }),
    description: NodeDescription.create({
      resources: Resources.create({ nanoCpus: seed.cpus * 1e9, genericResources: generic }),
    }),
  });
}

function makeTasks(seed: ServiceSeed, index: number): Task[] {
  const spec = TaskSpec.create({
    containerSpec: ContainerSpec.create({ image: 'i' }),
    resources: {
      limits: undefined,
      reservations: Resources.create({
        nanoCpus: seed.cpus * 1e9,
        genericResources: seed.gpu > 0 ? [discrete('GPU', seed.gpu)] : [],
      }),
      swapBytes: undefined,
      memorySwappiness: undefined,
      cpuShares: 0,
      cpusetCpus: '',
      blkioWeight: 0,
      blkioDevices: [],
      oomKillDisable: false,
    },
    placement: Placement.create({
      constraints: seed.constraint === '' ? [] : [seed.constraint],
      maxReplicas: seed.max,
      preferences: seed.spread.map((label) => ({
        spread: { spreadDescriptor: `node.labels.${label}` },
      })),
    }),
  });
  const ports =
    seed.port > 0
      ? [PortConfig.create({ publishedPort: seed.port, publishMode: PublishMode.HOST })]
      : [];
  return Array.from({ length: seed.tasks }, (_, slot) =>
    Task.create({
      id: `s${index}-${slot}`,
      serviceId: `s${index}`,
      slot: slot + 1,
      spec,
      specVersion: Version.create({ index: 1 }),
      endpoint: EndpointSpec.create({ ports }),
      desiredState: TaskState.RUNNING,
      status: TaskStatus.create({ state: TaskState.PENDING }),
    }),
  );
}

/** Written from the reference alone: no counters, no heap. */
class Twin {
  readonly nodes: readonly Node[];
  readonly placed: Task[] = [];

  constructor(nodes: readonly Node[]) {
    this.nodes = nodes;
  }

  on(node: Node): Task[] {
    return this.placed.filter((task) => task.nodeId === node.id);
  }

  fits(task: Task, node: Node): boolean {
    if (node.status?.state !== NodeState.READY) return false;
    if (node.spec?.availability !== NodeAvailability.ACTIVE) return false;
    const here = this.on(node);
    const asked = task.spec?.resources?.reservations;
    const used = here.reduce((sum, t) => sum + (t.spec?.resources?.reservations?.nanoCpus ?? 0), 0);
    const total = node.description?.resources;
    if (used + (asked?.nanoCpus ?? 0) > (total?.nanoCpus ?? 0) && (asked?.nanoCpus ?? 0) > 0)
      return false;
    const gpus = (t: Task): number =>
      (t.spec?.resources?.reservations?.genericResources ?? []).length;
    const gpusUsed = here.reduce((sum, t) => sum + gpus(t), 0);
    if (gpus(task) > 0 && gpusUsed + 1 > (total?.genericResources.length ?? 0)) return false;
    if (asked && used > (total?.nanoCpus ?? 0)) return false;
    const [constraint] = task.spec?.placement?.constraints ?? [];
    const zone = node.spec?.labels.zone;
    if (constraint?.includes('== a') && zone !== 'a') return false;
    if (constraint?.includes('!= a') && zone === 'a') return false;
    const max = task.spec?.placement?.maxReplicas ?? 0;
    const copies = here.filter((t) => t.serviceId === task.serviceId).length;
    if (max > 0 && copies >= max) return false;
    const hasPort = (t: Task): boolean => (t.endpoint?.ports.length ?? 0) > 0;
    return !(hasPort(task) && here.some(hasPort));
  }

  /** What counts, from the left: tasks of the service per branch, then copies on the node. */
  cost(task: Task, node: Node): number[] {
    const labels = (task.spec?.placement?.preferences ?? []).map(
      (p) => p.spread?.spreadDescriptor.slice('node.labels.'.length) ?? '',
    );
    const same = (other: Node, count: number): boolean =>
      labels
        .slice(0, count)
        .every((l) => (other.spec?.labels[l] ?? '') === (node.spec?.labels[l] ?? ''));
    const mine = this.placed.filter((t) => t.serviceId === task.serviceId);
    const branches = labels.map(
      (_, level) =>
        mine.filter((t) => {
          const other = this.nodes.find((n) => n.id === t.nodeId);
          return other !== undefined && same(other, level + 1);
        }).length,
    );
    return [...branches, mine.filter((t) => t.nodeId === node.id).length];
  }
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) {
    if (value !== (b[index] ?? 0)) return value < (b[index] ?? 0);
  }
  return false;
}

function setOf(nodes: readonly Node[]): NodeSet {
  const set = new NodeSet();
  for (const node of nodes) set.setNode(node);
  return set;
}

describe('placer', () => {
  it('agrees with a twin that looks at everything', () => {
    fc.assert(
      fc.property(
        fc.array(nodeOf, { minLength: 1, maxLength: 12 }),
        fc.array(serviceOf, { minLength: 1, maxLength: 4 }),
        fc.integer(),
        (nodeSeeds, serviceSeeds, seed) => {
          const nodes = nodeSeeds.map(makeNode);
          const prng = new Prng(seed);
          const tasks = serviceSeeds.flatMap(makeTasks);
          tasks.sort(() => prng.next() - 0.5);
          const set = setOf(nodes);
          const twin = new Twin(nodes);
          const random = (): number => prng.next();
          const placer = new Placer({
            nodes: set,
            view: viewOf(nodes),
            nowMicros: 0,
            random,
            specsBeside: () => [],
          });
          for (const task of tasks) {
            const { nodeId, generic, reason } = placer.place(task);
            const fitting = nodes.filter((node) => twin.fits(task, node));
            if (nodeId === undefined) {
              expect(fitting).toEqual([]);
              expect(reason).toMatch(/^no suitable node \(/);
              continue;
            }
            const chosen = fitting.find((node) => node.id === nodeId);
            expect(chosen).toBeDefined();
            if (!chosen) return;
            const cost = twin.cost(task, chosen);
            expect(fitting.some((node) => isLess(twin.cost(task, node), cost))).toBe(false);
            const placed = Task.create({
              ...task,
              nodeId,
              assignedGenericResources: generic,
              status: TaskStatus.create({ state: TaskState.ASSIGNED }),
            });
            set.setTask(task.id, placed);
            twin.placed.push(placed);
          }
          expectNoNameTwice(twin.placed);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('repeats itself for a seed', () => {
    const run = (seed: number): string[] => {
      const nodes = Array.from({ length: 20 }, (_, index) =>
        makeNode(
          {
            zone: 'a',
            rack: '1',
            cpus: 4,
            gpus: 0,
            state: NodeState.READY,
            availability: NodeAvailability.ACTIVE,
          },
          index,
        ),
      );
      const prng = new Prng(seed);
      const set = setOf(nodes);
      const placer = new Placer({
        nodes: set,
        view: viewOf(nodes),
        nowMicros: 0,
        random: () => prng.next(),
        specsBeside: () => [],
      });
      const service: ServiceSeed = {
        tasks: 12,
        cpus: 0,
        gpu: 0,
        max: 0,
        port: 0,
        constraint: '',
        spread: [],
      };
      return makeTasks(service, 0).map((task) => placer.place(task).nodeId ?? '');
    };
    expect(run(7)).toEqual(run(7));
    expect(run(7)).not.toEqual(run(8));
  });

  it('the counters equal a scan, whatever comes twice, changes or goes', () => {
    const stateOf = fc.constantFrom(
      TaskState.ASSIGNED,
      TaskState.RUNNING,
      TaskState.COMPLETE,
      TaskState.FAILED,
    );
    const step = fc.record({
      task: fc.integer({ min: 0, max: 5 }),
      node: fc.integer({ min: 0, max: 2 }),
      state: stateOf,
      desired: fc.constantFrom(TaskState.RUNNING, TaskState.SHUTDOWN),
      gone: fc.boolean(),
      cpus: fc.constantFrom(0, 1),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const nodes = [0, 1, 2].map((index) =>
          makeNode(
            {
              zone: 'a',
              rack: '1',
              cpus: 4,
              gpus: 0,
              state: NodeState.READY,
              availability: NodeAvailability.ACTIVE,
            },
            index,
          ),
        );
        const set = setOf(nodes);
        const tasks = new Map<string, Task>();
        for (const { task: number, node, state, desired, gone, cpus } of steps) {
          const id = `t${number}`;
          if (gone) {
            tasks.delete(id);
            set.setTask(id, undefined);
            continue;
          }
          const [base] = makeTasks(
            { tasks: 1, cpus, gpu: 0, max: 0, port: 80, constraint: '', spread: [] },
            number % 2,
          );
          const task = Task.create({
            ...base,
            id,
            nodeId: `n${node}`,
            desiredState: desired,
            status: TaskStatus.create({ state }),
          });
          tasks.set(id, task);
          set.setTask(id, task);
          set.setTask(id, task);
        }
        for (const info of set.nodes.values()) {
          const here = [...tasks.values()].filter(
            (task) => task.nodeId === info.node.id && occupiesNode(task),
          );
          const wanted = here.filter((task) => task.desiredState === TaskState.RUNNING);
          expect(info.taskCount).toBe(wanted.length);
          expect(info.nanoCpusReserved).toBe(
            here.reduce((sum, t) => sum + (t.spec?.resources?.reservations?.nanoCpus ?? 0), 0),
          );
          expect(info.isPortFree({ key: '0/80', ip: '' })).toBe(here.length === 0);
          for (const service of ['s0', 's1']) {
            const copies = wanted.filter((task) => task.serviceId === service).length;
            expect(info.tasksOfService.get(service) ?? 0).toBe(copies);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

function expectNoNameTwice(tasks: readonly Task[]): void {
  const seen = new Set<string>();
  for (const task of tasks) {
    for (const { namedResourceSpec: named } of task.assignedGenericResources) {
      const key = `${task.nodeId}/${named?.kind}/${named?.value}`;
      expect(seen.has(key)).toBe(false);
      seen.add(key);
    }
  }
}
