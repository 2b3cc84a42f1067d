// One pass of the controllers: from what changed to new tasks with addresses and nodes, in one transaction, so that a service is created,
// allocated, scheduled and assigned in a single Raft entry. Level-triggered: a change only says where to look.
// Pure: time, ids and randomness come with the context; what is remembered can be rebuilt by a pass over 'all'.
import { NODE_LOCAL_NETWORKS } from '#manager/allocator/allocator';
import { namedVolumes } from '#manager/scheduler/filters';
import { Placer } from '#manager/scheduler/schedule';
import type { DecisionContext, ReadView, StoreChange, WriteView } from '#manager/store/view';
import { messageOf } from '#protocol/errors';
import {
  Endpoint,
  type EndpointVip,
  Network,
  Service as ServiceType,
  Task as TaskType,
  Volume,
} from '#protocol/generated/objects';
import { EndpointSpec, type PortConfig, VolumeSpec } from '#protocol/generated/specs';
import { RETRY_UNPLACED_MICROS, TASKS_PER_PASS } from './limits.ts';
import { evictOverload } from './lost.ts';
import type { ControllerMemory } from './memory.ts';
import { orchestrateRemoved, orchestrateService, orchestrateSlots } from './services.ts';
import { hasEnded, isWanted } from './tasks.ts';
import { type Node, type Pass, type Service, type Task, TaskState, TaskStatus } from './types.ts';

export interface ReconcileResult {
  /** Look again at this time (µs since 1970) even if nothing changes. */
  readonly wakeAtMicros: number | undefined;
}

export function reconcile(
  tx: WriteView,
  changes: readonly StoreChange[] | 'all',
  context: DecisionContext,
  memory: ControllerMemory,
): ReconcileResult {
  const pass = newPass(tx, context, memory);
  const dirty = changes === 'all' ? rememberAll(pass) : remember(pass, changes);
  for (const [serviceId, at] of memory.wakeups) {
    if (at <= context.nowMicros) dirty.all(serviceId);
  }
  for (const network of tx.list('network'))
    if (network.ipam.length === 0) allocateNetwork(pass, network);
  for (const [serviceId, touched] of dirty.inOrder()) {
    const service = tx.get('service', serviceId);
    if (!service) orchestrateRemoved(pass, serviceId);
    else if (touched === 'all' || !orchestrateSlots(pass, service, touched)) {
      memory.wakeups.delete(serviceId);
      orchestrateService(pass, allocateService(pass, service));
    }
  }
  assignTasks(pass);
  return { wakeAtMicros: memory.backlog.size > 0 ? context.nowMicros : nextWakeUp(pass) };
}

/** Which services to look at, and of each all slots or some. */
class Dirty {
  readonly #services: Map<string, Set<string> | 'all'> = new Map();

  all(serviceId: string): void {
    this.#services.set(serviceId, 'all');
  }

  slot(serviceId: string, key: string | undefined): void {
    const known = this.#services.get(serviceId);
    if (known === 'all') return;
    if (key === undefined) this.all(serviceId);
    else this.#services.set(serviceId, (known ?? new Set()).add(key));
  }

  /** By id, so that a pass does the same wherever it runs. */
  inOrder(): (readonly [string, ReadonlySet<string> | 'all'])[] {
    return [...this.#services].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function newPass(tx: WriteView, context: DecisionContext, memory: ControllerMemory): Pass {
  const note = (before: Task | undefined, after: Task | undefined): void => {
    const id = (after ?? before)?.id ?? '';
    memory.nodes.setTask(id, after);
    memory.allocator.apply({ kind: 'task', before, after });
    if (after) indexTask(tx, memory, after);
    else memory.slots.delete(id);
  };
  return {
    tx,
    context,
    memory,
    unassigned: memory.backlog,
    wakeAt(serviceId, micros): void {
      const before = memory.wakeups.get(serviceId);
      if (before === undefined || micros < before) memory.wakeups.set(serviceId, micros);
    },
    createTask(task): void {
      tx.create('task', task);
      note(undefined, task);
      this.unassigned.add(task.id);
    },
    updateTask(task, changed): Task {
      const after = TaskType.create({ ...task, ...changed });
      tx.update('task', after);
      note(task, after);
      return after;
    },
    removeTask(task): void {
      tx.remove('task', task.id);
      note(task, undefined);
      memory.unplaced.delete(task.id);
      memory.evicted.delete(task.id);
    },
  };
}

// ---- what changed -----------------------------------------------------------------------------------

/** Notes the slot of a task; one of a service that is gone stands in none. */
function indexTask(tx: ReadView, memory: ControllerMemory, task: Task): void {
  const mode = tx.get('service', task.serviceId)?.spec?.mode;
  if (!mode) memory.slots.delete(task.id);
  else {
    const perNode = mode.global !== undefined || mode.globalJob !== undefined;
    memory.slots.set(task.id, task.serviceId, perNode ? task.nodeId : String(task.slot));
  }
}

function rememberAll(pass: Pass): Dirty {
  const { tx, memory } = pass;
  const dirty = new Dirty();
  for (const node of tx.list('node')) memory.nodes.setNode(node);
  memory.allocator.rebuild(tx);
  for (const service of tx.list('service')) {
    dirty.all(service.id);
    rememberDependencies(memory, service);
  }
  for (const task of tx.list('task')) {
    memory.nodes.setTask(task.id, task);
    indexTask(tx, memory, task);
    dirty.all(task.serviceId);
    if (needsNode(task)) pass.unassigned.add(task.id);
  }
  for (const info of memory.nodes.nodes.values()) evictOverload(pass, info);
  return dirty;
}

function needsNode(task: Task): boolean {
  return isWanted(task) && (task.status?.state ?? 0) < TaskState.ASSIGNED;
}

function rememberDependencies(memory: ControllerMemory, service: Service): void {
  for (const { service: name } of service.spec?.taskTemplate?.dependsOn ?? []) {
    const set = memory.dependents.get(name) ?? new Set();
    memory.dependents.set(name, set.add(service.id));
  }
}

/** Feeds the changes to the memory (as the objects are now, not as they were: a change may be older than our own pending writes). */
function remember(pass: Pass, changes: readonly StoreChange[]): Dirty {
  const { tx, memory } = pass;
  const dirty = new Dirty();
  let roomMayHaveGrown = false;
  for (const change of changes) {
    const id = (change.after ?? change.before)?.id ?? '';
    if (change.kind === 'task') {
      const before = change.before as Task | undefined;
      const now = tx.get('task', id);
      memory.nodes.setTask(id, now);
      memory.allocator.apply({
        kind: 'task',
        before: now ?? before ?? (change.after as Task | undefined),
        after: now,
      });
      const key = memory.slots.keyOf(id);
      if (now) indexTask(tx, memory, now);
      else memory.slots.delete(id);
      markTask(pass, dirty, change, memory.slots.keyOf(id) ?? key);
      if (!now || hasEnded(now)) roomMayHaveGrown = true;
      if (now && needsNode(now) && now.nodeId === '') memory.unplaced.add(id);
    } else if (change.kind === 'service') {
      const now = tx.get('service', id);
      memory.allocator.apply({ kind: 'service', before: change.before, after: now });
      if (now) rememberDependencies(memory, now);
      dirty.all(id);
      markDependents(memory, dirty, (change.after ?? change.before) as Service);
    } else if (change.kind === 'network') {
      memory.allocator.apply({
        kind: 'network',
        before: change.before,
        after: tx.get('network', id),
      });
      roomMayHaveGrown = true;
    } else if (change.kind === 'node') {
      roomMayHaveGrown =
        markNode(pass, dirty, id, change.before as Node | undefined) || roomMayHaveGrown;
    } else if (change.kind === 'volume') {
      roomMayHaveGrown = true;
    }
  }
  if (roomMayHaveGrown) for (const id of memory.unplaced) pass.unassigned.add(id);
  return dirty;
}

function markTask(pass: Pass, dirty: Dirty, change: StoreChange, key: string | undefined): void {
  const task = (change.after ?? change.before) as Task;
  dirty.slot(task.serviceId, key);
  const before = (change.before as Task | undefined)?.status;
  const after = (change.after as Task | undefined)?.status;
  const moved =
    before?.state !== after?.state ||
    before?.containerStatus?.health !== after?.containerStatus?.health;
  if (!moved) return;
  for (const id of pass.memory.dependents.get(task.serviceName) ?? []) dirty.all(id);
}

function markDependents(memory: ControllerMemory, dirty: Dirty, service: Service): void {
  for (const id of memory.dependents.get(service.spec?.name ?? '') ?? []) dirty.all(id);
}

/** @returns true when tasks that found no place should be tried again. */
function markNode(pass: Pass, dirty: Dirty, id: string, before: Node | undefined): boolean {
  const now = pass.tx.get('node', id);
  if (now) pass.memory.nodes.setNode(now);
  else pass.memory.nodes.removeNode(id);
  const same =
    now !== undefined &&
    before?.status?.state === now.status?.state &&
    before?.spec === now.spec &&
    before?.description === now.description;
  if (same) return false;
  for (const task of pass.tx.tasksByNode(id)) {
    pass.memory.nodes.setTask(task.id, task);
    dirty.all(task.serviceId);
  }
  const info = pass.memory.nodes.nodes.get(id);
  if (info) evictOverload(pass, info);
  for (const service of pass.tx.list('service')) {
    if (service.spec?.mode?.global || service.spec?.mode?.globalJob) dirty.all(service.id);
  }
  return true;
}

// ---- allocation -------------------------------------------------------------------------------------

function allocateNetwork(pass: Pass, network: Network): void {
  const driver = network.spec?.driverConfig?.name ?? '';
  if (NODE_LOCAL_NETWORKS.has(driver)) return;
  const { memory, tx } = pass;
  try {
    const ipam = memory.allocator.networkIpam(network, tx);
    const after = Network.create({ ...network, ipam });
    tx.update('network', after);
    memory.allocator.apply({ kind: 'network', before: network, after });
    memory.networkFaults.delete(network.id);
  } catch (error) {
    memory.networkFaults.set(network.id, messageOf(error));
  }
}

/** Ports and virtual addresses; a fault leaves the service as it is and shows on its tasks. */
function allocateService(pass: Pass, service: Service): Service {
  const spec = service.spec?.endpointSpec;
  let ports: readonly PortConfig[];
  let virtualIps: readonly EndpointVip[];
  try {
    ports = pass.memory.allocator.servicePorts(service, pass.tx);
    virtualIps = pass.memory.allocator.virtualIps(service, pass.tx);
  } catch (error) {
    pass.memory.serviceFaults.set(service.id, messageOf(error));
    return service;
  }
  pass.memory.serviceFaults.delete(service.id);
  const endpoint = Endpoint.create({ spec: spec ?? EndpointSpec.create(), ports, virtualIps });
  if (sameEndpoint(endpoint, service.endpoint)) return service;
  const after = ServiceType.create({ ...service, endpoint });
  pass.tx.update('service', after);
  pass.memory.allocator.apply({ kind: 'service', before: service, after });
  return after;
}

function sameEndpoint(a: Endpoint, b: Endpoint | undefined): boolean {
  if (!b) return false;
  const left = Endpoint.encode(a);
  const right = Endpoint.encode(b);
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

// ---- assignment -------------------------------------------------------------------------------------

function assignTasks(pass: Pass): void {
  const { memory, tx, context } = pass;
  const placer = new Placer({
    nodes: memory.nodes,
    view: tx,
    nowMicros: context.nowMicros,
    random: () => context.random(),
  });
  let done = 0;
  for (const id of pass.unassigned) {
    if (done >= TASKS_PER_PASS) return;
    pass.unassigned.delete(id);
    const task = tx.get('task', id);
    if (!task || !needsNode(task)) memory.unplaced.delete(id);
    else {
      done += 1;
      assignTask(pass, placer, task);
    }
  }
}

function assignTask(pass: Pass, placer: Placer, task: Task): void {
  const { memory, tx, context } = pass;
  const fault = memory.serviceFaults.get(task.serviceId);
  if (fault !== undefined) {
    wait(pass, task, TaskState.NEW, fault);
    return;
  }
  let attachments = task.networkAttachments;
  if (attachments.length === 0 && (task.spec?.networks ?? []).length > 0) {
    try {
      attachments = memory.allocator.taskAttachments(task, tx);
    } catch (error) {
      wait(pass, task, TaskState.NEW, messageOf(error));
      return;
    }
  }
  const allocated = TaskType.create({ ...task, networkAttachments: attachments });
  const placement = placer.place(allocated);
  if (placement.nodeId === undefined) {
    wait(pass, allocated, TaskState.PENDING, placement.reason);
    return;
  }
  memory.unplaced.delete(task.id);
  pinVolumes(pass, allocated, placement.nodeId);
  pass.updateTask(allocated, {
    nodeId: placement.nodeId,
    assignedGenericResources: placement.generic,
    waitingFor: task.desiredState === TaskState.READY ? task.waitingFor : '',
    status: TaskStatus.create({
      timestamp: context.nowMicros,
      state: TaskState.ASSIGNED,
      message: 'scheduler assigned task to node',
    }),
  });
}

/** Leaves the task where it is and says why, writing only when the reason is a new one. */
function wait(pass: Pass, task: Task, state: TaskState, reason: string): void {
  pass.memory.unplaced.add(task.id);
  pass.wakeAt(task.serviceId, pass.context.nowMicros + RETRY_UNPLACED_MICROS);
  if (task.status?.state === state && task.status.err === reason) return;
  pass.updateTask(task, {
    waitingFor: reason,
    status: TaskStatus.create({
      timestamp: pass.context.nowMicros,
      state,
      message: 'pending task scheduling',
      err: reason,
    }),
  });
}

/** A named volume gets its home with the first task that uses it. Global services have one of their own on each node. */
function pinVolumes(pass: Pass, task: Task, nodeId: string): void {
  const mode = pass.tx.get('service', task.serviceId)?.spec?.mode;
  if (mode?.global || mode?.globalJob) return;
  for (const name of namedVolumes(task)) {
    const volume = pass.tx.byName('volume', name);
    if (volume && volume.nodeId === '')
      pass.tx.update('volume', Volume.create({ ...volume, nodeId }));
    if (!volume) {
      const spec = VolumeSpec.create({ name });
      pass.tx.create('volume', Volume.create({ id: pass.context.newId(), spec, nodeId }));
    }
  }
}

function nextWakeUp(pass: Pass): number | undefined {
  let next: number | undefined;
  for (const at of pass.memory.wakeups.values()) if (next === undefined || at < next) next = at;
  return next;
}
