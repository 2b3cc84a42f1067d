// Leaving service before stopping, so that no request is lost. A task that serves and is no longer wanted gets desired state SHUTDOWN (or REMOVE) and a
// Drain: from then on no endpoint list shows it as serving, but its own node is told to stop it only once every node has acknowledged that (the
// dispatcher writes `acknowledgedAt`; dead nodes do not count), or after a limit. Its node then lets open connections end before the stop signal.
// Refuses to look at connections: that is the agent's part.

import { NODE_LOCAL_NETWORKS } from '#manager/allocator/allocator';
import { Drain } from '#protocol/generated/objects';
import { DRAIN_ACKNOWLEDGE_MICROS, DRAIN_NANOS } from './limits.ts';
import { hasEnded, stateOf } from './tasks.ts';
import {
  NodeState,
  type Pass,
  PublishMode,
  RunState,
  type Service,
  type Task,
  TaskState,
} from './types.ts';

/** How the task has to be drained when it is no longer wanted; undefined = nobody can be connected to it. */
export function drainFor(pass: Pass, task: Task): Drain | undefined {
  if (task.drain || task.desiredState !== TaskState.RUNNING) return task.drain;
  if (stateOf(task) !== TaskState.RUNNING || task.runState !== RunState.RUNNING) return undefined;
  const service = pass.tx.get('service', task.serviceId);
  if (!service || !isReachable(service)) return undefined;
  const timeout = service.spec?.drainTimeout ?? DRAIN_NANOS;
  if (timeout === 0) return undefined;
  if (pass.tx.get('node', task.nodeId)?.status?.state !== NodeState.READY) return undefined;
  const startedAt = pass.context.nowMicros;
  pass.wakeAt(service.id, startedAt + DRAIN_ACKNOWLEDGE_MICROS);
  return Drain.create({ startedAt, timeout });
}

/** Whether others find it by name, by virtual address or by an ingress port. */
function isReachable(service: Service): boolean {
  const networks = service.spec?.taskTemplate?.networks ?? [];
  return (
    networks.some(({ target }) => !NODE_LOCAL_NETWORKS.has(target)) ||
    (service.endpoint?.ports ?? []).some((port) => port.publishMode === PublishMode.INGRESS)
  );
}

/** Its node has not been told to stop it yet. */
export function isLeaving(task: Task): boolean {
  return task.drain !== undefined && task.drain.acknowledgedAt === 0 && !hasEnded(task);
}

/** Ends the wait for acknowledgements that do not come. @returns the task, changed when it was so. */
export function giveUpWaiting(pass: Pass, task: Task): Task {
  if (!task.drain || !isLeaving(task)) return task;
  const until = task.drain.startedAt + DRAIN_ACKNOWLEDGE_MICROS;
  if (pass.context.nowMicros < until) {
    pass.wakeAt(task.serviceId, until);
    return task;
  }
  const acknowledgedAt = pass.context.nowMicros;
  return pass.updateTask(task, { drain: Drain.create({ ...task.drain, acknowledgedAt }) });
}
