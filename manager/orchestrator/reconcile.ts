// One pass of the controllers: from what changed to new tasks with addresses and nodes, in one transaction, so that a service is created,
// allocated, scheduled and assigned in a single Raft entry. Level-triggered: a change only says where to look.
// Pure: time, ids and randomness come with the context; what is remembered can be rebuilt by a pass over 'all'.
import type { DecisionContext, StoreChange, WriteView } from '#manager/store/view';
import { Task as TaskType } from '#protocol/generated/objects';
import { allocateNetwork, allocateService } from './allocate.ts';
import { assignTasks } from './assign.ts';
import { orchestrateAttachment } from './attachments.ts';
import { RETRY_UNPLACED_MICROS } from './limits.ts';
import type { ControllerMemory } from './memory.ts';
import { type Dirty, indexTask, remember, rememberAll } from './remember.ts';
import { orchestrateRemoved, orchestrateService, orchestrateSlots } from './services.ts';
import type { Pass, Task } from './types.ts';

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
  wakeUp(pass, dirty);
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
  for (const taskId of dirty.attachments()) orchestrateAttachment(pass, taskId);
  assignTasks(pass);
  return { wakeAtMicros: memory.backlog.size > 0 ? context.nowMicros : nextWakeUp(pass) };
}

/** Looks again at services whose time has come, and now and then at all tasks that found no place. */
function wakeUp(pass: Pass, dirty: Dirty): void {
  const { memory, context } = pass;
  for (const [serviceId, at] of memory.wakeups) {
    if (at <= context.nowMicros) dirty.all(serviceId);
  }
  if (memory.unplaced.size === 0 || context.nowMicros < memory.retryAtMicros) return;
  memory.retryAtMicros = context.nowMicros + RETRY_UNPLACED_MICROS;
  for (const taskId of memory.unplaced) pass.unassigned.add(taskId);
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

function nextWakeUp({ memory }: Pass): number | undefined {
  let next = memory.unplaced.size > 0 ? memory.retryAtMicros : undefined;
  for (const at of memory.wakeups.values()) if (next === undefined || at < next) next = at;
  return next;
}
