// A small cluster on a virtual clock for the controllers' tests: the real store and the real pass, agents that move tasks forward one step a
// tick unless a test says otherwise. Same seed, same run.
import { taken } from '#manager/dispatcher/status-queue';
import { type ControllerMemory, newControllerMemory } from '#manager/orchestrator/memory';
import { reconcile } from '#manager/orchestrator/reconcile';
import { Store } from '#manager/store/store';
import type { DecisionContext, StoreChange, WriteView } from '#manager/store/view';
import {
  ContainerStatus,
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
import { NodeSpec, Platform, Resources, ServiceSpec } from '#protocol/generated/specs';
import { cluster, testRandom } from '../support/objects.ts';

/** What an agent makes of a task that should run: the next state, or undefined to leave it. */
export type AgentRule = (task: Task) => Partial<TaskStatus> | undefined;

export const SECOND = 1_000_000;

const STEPS = [
  TaskState.ASSIGNED,
  TaskState.ACCEPTED,
  TaskState.PREPARING,
  TaskState.READY,
  TaskState.STARTING,
  TaskState.RUNNING,
] as const;

export class TestCluster {
  readonly store = new Store();
  memory: ControllerMemory = newControllerMemory();
  nowMicros = 1_000_000 * SECOND;
  wakeAtMicros: number | undefined;
  #index = 0;
  #ids = 0;
  #transactions = 0;
  #changes: StoreChange[] | 'all' = 'all';
  readonly #random: () => number;
  /** Overrides what agents do with a task that may run. */
  rule: AgentRule = () => undefined;
  entries = 0;

  constructor(seed = 1) {
    const random = testRandom(seed);
    this.#random = () => random.next();
    this.store.subscribe((entry) => {
      if (entry === 'reset') this.#changes = 'all';
      else if (this.#changes !== 'all') this.#changes.push(...entry.changes);
    });
    this.write((tx) => tx.create('cluster', cluster()));
  }

  get context(): DecisionContext {
    return {
      nowMicros: this.nowMicros,
      newId: () => `id${String(++this.#ids).padStart(6, '0')}`,
      random: this.#random,
    };
  }

  write(change: (tx: WriteView) => void): boolean {
    const stamp = {
      nowMicros: this.nowMicros,
      newTransactionId: () => ++this.#transactions,
      author: 'test',
      summary: '',
      splittable: true,
    };
    const { proposals } = this.store.transact(stamp, change);
    for (const { bytes } of proposals) this.store.apply(bytes, ++this.#index);
    this.entries += proposals.length;
    return proposals.length > 0;
  }

  addNode(id: string, labels: Record<string, string> = {}): void {
    this.write((tx) =>
      tx.create(
        'node',
        Node.create({
          id,
          spec: NodeSpec.create({ labels }),
          status: NodeStatus.create({ state: NodeState.READY }),
          description: NodeDescription.create({
            hostname: id,
            platform: Platform.create({ architecture: 'x86_64', os: 'linux' }),
            resources: Resources.create({ nanoCpus: 4e9, memoryBytes: 8e9 }),
          }),
        }),
      ),
    );
  }

  setNode(id: string, changed: Partial<Node>): void {
    this.write((tx) => {
      const node = tx.get('node', id);
      if (node) tx.update('node', Node.create({ ...node, ...changed }));
    });
  }

  createService(spec: Partial<ServiceSpec> & { name: string }): string {
    const id = `svc-${spec.name}`;
    this.write((tx) =>
      tx.create(
        'service',
        Service.create({
          id,
          spec: ServiceSpec.create(spec),
          specVersion: Version.create({ index: 1 }),
        }),
      ),
    );
    return id;
  }

  /** As the control API does it: previous spec kept, status cleared, a new spec version. */
  updateService(id: string, change: (spec: ServiceSpec) => Partial<ServiceSpec>): void {
    this.write((tx) => {
      const service = tx.get('service', id);
      if (!service?.spec) throw new Error(`no service ${id}`);
      const spec = ServiceSpec.create({ ...service.spec, ...change(service.spec) });
      tx.update(
        'service',
        Service.create({
          ...service,
          spec,
          previousSpec: service.spec,
          updateStatus: undefined,
          specVersion: Version.create({ index: (service.specVersion?.index ?? 0) + 1 }),
        }),
      );
    });
  }

  removeService(id: string): void {
    this.write((tx) => tx.remove('service', id));
  }

  /** One pass of the controllers. @returns true when it wrote something */
  pass(): boolean {
    const changes = this.#changes;
    this.#changes = [];
    return this.write((tx) => {
      this.wakeAtMicros = reconcile(tx, changes, this.context, this.memory).wakeAtMicros;
    });
  }

  /** Passes until one writes nothing. */
  settle(): void {
    for (let pass = 0; pass < 50; pass++) if (!this.pass()) return;
    throw new Error('the passes do not come to an end');
  }

  /** Whether a pass over everything, with nothing remembered, would write something. */
  get hasMoreToDo(): boolean {
    return this.write((tx) => {
      reconcile(tx, 'all', this.context, newControllerMemory());
    });
  }

  /** The next pass is not told what has happened so far. */
  forgetChanges(): void {
    this.#changes = [];
  }

  /** A new leader: nothing is remembered. */
  changeLeader(): void {
    this.memory = newControllerMemory();
    this.#changes = 'all';
  }

  /** Passes and agent steps until nothing moves; time goes on by `tick` each round. */
  run(rounds: number, tickMicros = 100_000): void {
    for (let round = 0; round < rounds; round++) {
      this.pass();
      this.agents();
      this.nowMicros += tickMicros;
    }
  }

  /** Each agent takes each of its tasks one step further. */
  agents(): void {
    for (const task of [...this.store.view.list('task')]) {
      const node = this.store.view.get('node', task.nodeId);
      if (!node || node.status?.state === NodeState.DOWN) continue;
      const next = this.#nextStatus(task);
      if (next) this.report(task.id, next);
    }
  }

  report(taskId: string, changed: Partial<TaskStatus>): void {
    this.write((tx) => {
      const task = tx.get('task', taskId);
      if (!task) return;
      const status = TaskStatus.create({
        ...task.status,
        err: '',
        ...changed,
        timestamp: this.nowMicros,
      });
      tx.update(
        'task',
        Task.create({ ...task, status: taken(task.status, status, this.nowMicros) }),
      );
    });
  }

  #nextStatus(task: Task): Partial<TaskStatus> | undefined {
    const state = task.status?.state ?? TaskState.NEW;
    if (state >= TaskState.COMPLETE) return undefined;
    if (task.desiredState > TaskState.COMPLETE) return { state: TaskState.SHUTDOWN };
    const special = this.rule(task);
    if (special) return special;
    const at = STEPS.indexOf(state as (typeof STEPS)[number]);
    const next = STEPS[at + 1];
    if (at < 0 || next === undefined) return undefined;
    if (next > TaskState.READY && task.desiredState < TaskState.RUNNING) return undefined;
    return { state: next };
  }

  tasks(serviceId: string): Task[] {
    return [...this.store.view.tasksByService(serviceId)];
  }

  wanted(serviceId: string): Task[] {
    return this.tasks(serviceId).filter((task) => task.desiredState <= TaskState.COMPLETE);
  }

  running(serviceId: string): Task[] {
    return this.wanted(serviceId).filter((task) => task.status?.state === TaskState.RUNNING);
  }
}

/** A status of a container that has ended. */
export function exited(exitCode: number): Partial<TaskStatus> {
  return {
    state: exitCode === 0 ? TaskState.COMPLETE : TaskState.FAILED,
    containerStatus: ContainerStatus.create({ exitCode }),
  };
}
