// Addresses and a node for each task that needs them, as many as one pass has room for. What cannot be placed says why and is tried again when something
// may have become free.
import { namedVolumes } from '#manager/scheduler/filters';
import { Placer } from '#manager/scheduler/schedule';
import { companionServices } from '#protocol/companions';
import { messageOf } from '#protocol/errors';
import { Task as TaskType, Volume } from '#protocol/generated/objects';
import { type TaskSpec, VolumeSpec } from '#protocol/generated/specs';
import { companionsOf, unplacedCompanion } from './companions.ts';
import { RETRY_UNPLACED_MICROS, TASKS_PER_PASS } from './limits.ts';
import { needsNode } from './remember.ts';
import { type Pass, type Task, TaskState, TaskStatus } from './types.ts';

/** Takes tasks from `pass.unassigned` until there are no more, or the pass is full. */
export function assignTasks(pass: Pass): void {
  const { memory, tx, context } = pass;
  const placer = new Placer({
    nodes: memory.nodes,
    view: tx,
    nowMicros: context.nowMicros,
    random: () => context.random(),
    specsBeside: (task) => specsBeside(pass, task),
  });
  let done = 0;
  const beside: Task[] = [];
  for (const id of pass.unassigned) {
    if (done >= TASKS_PER_PASS) break;
    pass.unassigned.delete(id);
    const task = tx.get('task', id);
    if (!task || !needsNode(task)) memory.unplaced.delete(id);
    else {
      done += 1;
      if (companionServices(task.spec?.containerSpec).length > 0) beside.push(task);
      else assignTask(pass, placer, task);
    }
  }
  assignBeside(pass, placer, beside);
}

/** Those that stand beside others come after them; of these, again, whoever's companions have their places. */
function assignBeside(pass: Pass, placer: Placer, tasks: readonly Task[]): void {
  let left = tasks;
  for (;;) {
    const later: { readonly task: Task; readonly reason: string }[] = [];
    for (const task of left) {
      const companions = companionsOf(pass.tx, task);
      const ids = companions.reason === undefined ? companions.ids : [];
      const reason = companions.reason ?? unplacedCompanion(pass.tx, ids);
      if (reason !== '') later.push({ task, reason });
      else assignTask(pass, placer, TaskType.create({ ...task, beside: [...ids] }));
    }
    if (later.length === 0) return;
    if (later.length === left.length) {
      for (const { task, reason } of later) wait(pass, task, TaskState.PENDING, reason);
      return;
    }
    left = later.map(({ task }) => task);
  }
}

/** What tasks of services that will stand beside this one's ask of their node, which is this one's as well. */
function specsBeside(pass: Pass, task: Task): readonly TaskSpec[] {
  const specs: TaskSpec[] = [];
  for (const id of pass.memory.dependents.get(task.serviceName) ?? []) {
    const template = pass.tx.get('service', id)?.spec?.taskTemplate;
    const isBeside = companionServices(template?.containerSpec).includes(task.serviceName);
    if (template && isBeside) specs.push(template);
  }
  return specs;
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
  const { memory, context } = pass;
  if (memory.unplaced.size === 0) memory.retryAtMicros = context.nowMicros + RETRY_UNPLACED_MICROS;
  memory.unplaced.add(task.id);
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
