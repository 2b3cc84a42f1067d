// Addresses and a node for each task that needs them, as many as one pass has room for. What cannot be placed says why and is tried again when something
// may have become free.
import { namedVolumes } from '#manager/scheduler/filters';
import { Placer } from '#manager/scheduler/schedule';
import { messageOf } from '#protocol/errors';
import { Task as TaskType, Volume } from '#protocol/generated/objects';
import { VolumeSpec } from '#protocol/generated/specs';
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
