// The restart supervisor: whether a task that ended is replaced, and when its successor may start. Condition, attempts and window as in swarmkit
// orchestrator/restart; unlike there, the delay doubles while a task keeps failing soon after its start. All from the tasks of the slot, so that a new
// leader decides the same. Delays go by the managers' clock (TaskStatus.appliedAt).
import {
  RESTART_BACKOFF_MICROS_MAX,
  RESTART_BACKOFF_MICROS_MIN,
  RESTART_DELAY_NANOS,
  RESTART_RESET_MICROS,
} from './limits.ts';
import { byAge, changedAt, endedBadly, hasEnded, stateOf } from './tasks.ts';
import { microsOf, RestartCondition, type Service, type Task, TaskState } from './types.ts';

/** Whether the policy wants a successor for a task that has ended. `tasks`: all of its slot, newest first. */
export function mayRestart(service: Service, tasks: readonly Task[], task: Task): boolean {
  if (task.spec?.engineRestart || wasStopped(task)) return false;
  const policy = service.spec?.taskTemplate?.restartPolicy;
  const condition = policy?.condition ?? RestartCondition.ANY;
  if (condition === RestartCondition.NONE) return false;
  if (condition === RestartCondition.ON_FAILURE && !endedBadly(task)) return false;
  const maxAttempts = policy?.maxAttempts ?? 0;
  if (maxAttempts === 0) return true;
  // Counted from when it ended, so that the answer stays the same however late it is asked.
  const since = policy?.window ? changedAt(task) - microsOf(policy.window) : 0;
  const restarts = tasks.filter(
    (other) =>
      other.id !== task.id &&
      hasEnded(other) &&
      isSameVersion(other, task) &&
      changedAt(other) >= since,
  ).length;
  return restarts < maxAttempts;
}

/** It ended because it was asked to, and its node starts it again when it is to run. A successor would be stopped at once, and followed by the next one. */
export function wasStopped(task: Task): boolean {
  return task.status?.containerStatus?.stopped === true;
}

function isSameVersion(a: Task, b: Task): boolean {
  return a.specVersion?.index === b.specVersion?.index;
}

/** When a successor may start (µs since 1970); 0 = at once, because the task before it did not end by itself. */
export function restartTime(service: Service, tasks: readonly Task[], task: Task): number {
  const earlier = tasks.filter((other) => other.id !== task.id && hasEnded(other));
  const [before] = earlier;
  if (!before || !isSameVersion(before, task) || !endedByItself(before)) return 0;
  return timeAfter(service, tasks, before);
}

/** When what comes after a task that has ended by itself may start (µs since 1970). */
export function timeAfter(service: Service, tasks: readonly Task[], ended: Task): number {
  const policy = service.spec?.taskTemplate?.restartPolicy;
  const base = microsOf(policy?.delay ?? RESTART_DELAY_NANOS);
  const upToIt = tasks.filter((other) => hasEnded(other)).sort(byAge);
  const from = upToIt.findIndex((other) => other.id === ended.id);
  return changedAt(ended) + delayAfter(base, failuresInRow(upToIt.slice(from), ended));
}

function endedByItself(task: Task): boolean {
  const state = stateOf(task);
  return state !== TaskState.SHUTDOWN && state !== TaskState.ORPHANED;
}

/** How many tasks before this one ended soon after their start, one after the other. */
function failuresInRow(earlier: readonly Task[], task: Task): number {
  let count = 0;
  for (const other of earlier) {
    if (!isSameVersion(other, task) || !endedByItself(other)) break;
    const ranMicros = other.status?.runningSince ? changedAt(other) - other.status.runningSince : 0;
    if (ranMicros >= RESTART_RESET_MICROS) break;
    count += 1;
  }
  return count;
}

function delayAfter(base: number, failures: number): number {
  if (failures <= 1) return base;
  const grown = Math.max(base, RESTART_BACKOFF_MICROS_MIN) * 2 ** Math.min(failures - 1, 20);
  return Math.min(grown, Math.max(base, RESTART_BACKOFF_MICROS_MAX));
}
