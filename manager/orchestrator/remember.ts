// What a pass begins with: the changes fed to the controllers' memory, and which services, and of each which slots, have to be looked at. Objects are taken
// as they are now, not as the change left them: a change may be older than our own pending writes.
import type { ReadView, StoreChange } from '#manager/store/view';
import { isAttachment } from '#protocol/attachments';
import { companionServices } from '#protocol/companions';
import { evictOverload } from './lost.ts';
import type { ControllerMemory } from './memory.ts';
import { hasEnded, isWanted } from './tasks.ts';
import { type Node, type Pass, type Service, type Task, TaskState } from './types.ts';

/** Which services to look at, and of each all slots or some. */
export class Dirty {
  readonly #services: Map<string, Set<string> | 'all'> = new Map();
  readonly #attachments: Set<string> = new Set();

  task(task: Task, key: string | undefined): void {
    if (isAttachment(task)) this.#attachments.add(task.id);
    else this.slot(task.serviceId, key);
  }

  all(serviceId: string): void {
    this.#services.set(serviceId, 'all');
  }

  /** `key` undefined = all of its slots. */
  slot(serviceId: string, key: string | undefined): void {
    const known = this.#services.get(serviceId);
    if (known === 'all') return;
    if (key === undefined) this.all(serviceId);
    else this.#services.set(serviceId, (known ?? new Set()).add(key));
  }

  /** Ids of attachments to look at. */
  attachments(): readonly string[] {
    return [...this.#attachments].sort();
  }

  /** By id, so that a pass does the same wherever it runs. */
  inOrder(): (readonly [string, ReadonlySet<string> | 'all'])[] {
    return [...this.#services].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** Notes the slot of a task; one of a service that is gone stands in none. */
export function indexTask(tx: ReadView, memory: ControllerMemory, task: Task): void {
  const mode = tx.get('service', task.serviceId)?.spec?.mode;
  if (!mode) memory.slots.delete(task.id);
  else {
    const perNode = mode.global !== undefined || mode.globalJob !== undefined;
    memory.slots.set(task.id, task.serviceId, perNode ? task.nodeId : String(task.slot));
  }
}

/** Everything: a new leader, or after a proposal was lost. */
export function rememberAll(pass: Pass): Dirty {
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
    dirty.task(task, undefined);
    if (needsNode(task)) pass.unassigned.add(task.id);
  }
  for (const info of memory.nodes.nodes.values()) evictOverload(pass, info);
  return dirty;
}

/** Wanted, and not placed yet. Attachments have their node from the beginning. */
export function needsNode(task: Task): boolean {
  return !isAttachment(task) && isWanted(task) && (task.status?.state ?? 0) < TaskState.ASSIGNED;
}

function rememberDependencies(memory: ControllerMemory, service: Service): void {
  const { dependsOn = [], containerSpec } = service.spec?.taskTemplate ?? {};
  const names = [...dependsOn.map((one) => one.service), ...companionServices(containerSpec)];
  for (const name of names) {
    const set = memory.dependents.get(name) ?? new Set();
    memory.dependents.set(name, set.add(service.id));
  }
}

/** Feeds the changes to the memory. */
export function remember(pass: Pass, changes: readonly StoreChange[]): Dirty {
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
      const before = change.before as Service | undefined;
      // It may have given back addresses and ports.
      if (before && (before.spec !== now?.spec || before.endpoint !== now?.endpoint)) {
        roomMayHaveGrown = true;
      }
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
  dirty.task(task, key);
  const before = (change.before as Task | undefined)?.status;
  const after = (change.after as Task | undefined)?.status;
  const moved =
    before?.state !== after?.state ||
    before?.containerStatus?.health !== after?.containerStatus?.health;
  if (!moved) return;
  for (const id of pass.memory.dependents.get(task.serviceName) ?? []) {
    dirty.all(id);
    placeBeside(pass, id);
  }
}

/** Tasks that waited for the place of a companion are tried again when it may have got one. */
function placeBeside(pass: Pass, serviceId: string): void {
  const { tx, memory } = pass;
  if (memory.unplaced.size === 0) return;
  const container = tx.get('service', serviceId)?.spec?.taskTemplate?.containerSpec;
  if (companionServices(container).length === 0) return;
  for (const { id } of tx.tasksByService(serviceId))
    if (memory.unplaced.has(id)) pass.unassigned.add(id);
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
    dirty.task(task, undefined);
  }
  const info = pass.memory.nodes.nodes.get(id);
  if (info) evictOverload(pass, info);
  for (const service of pass.tx.list('service')) {
    if (service.spec?.mode?.global || service.spec?.mode?.globalJob) dirty.all(service.id);
  }
  return true;
}
