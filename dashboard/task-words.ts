// What the state of a task means: whether it lives, whether it is wanted, and why it is not as it should be. Pure.
import type { TaskRow } from '#api/cluster/feed-types';

/** Whether a task is meant to run, or ran to its end: the others are history. */
export function isWanted(task: TaskRow): boolean {
  return task.desired === 'running' || task.desired === 'ready' || task.desired === 'complete';
}

const DEAD = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);

/** Whether a task has a container, or is on its way to one. */
export function isAlive(task: TaskRow): boolean {
  return !DEAD.has(task.state);
}

/** In words: why a task is not running as it should; '' when it is. */
export function reasonOf(task: TaskRow): string {
  if (task.err !== '') return task.err;
  if (task.waitingFor !== '') return task.waitingFor;
  if (task.state === 'running') {
    if (task.health === 'unhealthy') return 'its health check fails';
    if (task.health === 'starting') return 'its health check has not passed yet';
    return '';
  }
  return task.message;
}

/** By service, slot, and the newest first. */
export function bySlot(a: TaskRow, b: TaskRow): number {
  return (
    a.serviceName.localeCompare(b.serviceName) ||
    a.slot - b.slot ||
    b.createdAt.localeCompare(a.createdAt)
  );
}
