// depends_on across hosts: which of a service's dependencies are not met yet, and why. A dependency is met when every replica of the other
// service has got there (started, healthy, completed). A reason that cannot mend itself starts with DEPENDENCY_FAILED, so that clients can stop waiting.
import type { ReadView } from '#manager/store/view';
import type { ServiceDependency } from '#protocol/generated/specs';
import { hasEnded, isWanted, stateOf } from './tasks.ts';
import { DependencyCondition, HealthState, type Service, type Task, TaskState } from './types.ts';

export const DEPENDENCY_FAILED = 'dependency failed to start: ';

/** Why the service has to wait; '' when all dependencies are met. */
export function waitingFor(service: Service, view: ReadView): string {
  for (const dependency of service.spec?.taskTemplate?.dependsOn ?? []) {
    const reason = unmetReason(dependency, view);
    if (reason !== '') return reason;
  }
  return '';
}

function unmetReason(dependency: ServiceDependency, view: ReadView): string {
  const name = dependency.service;
  const service = view.byName('service', name);
  if (!service)
    return dependency.required ? `waiting for service ${name}, which does not exist` : '';
  const tasks = [...view.tasksByService(service.id)].filter(isWanted);
  const replicas = tasksWanted(service);
  const current = newestPerSlot(tasks);
  if (current.length < replicas || (current.length === 0 && replicas > 0)) {
    return `waiting for service ${name} to start`;
  }
  for (const task of current) {
    const reason = unmetByTask(dependency, name, task);
    if (reason !== '') return reason;
  }
  return '';
}

/** How many tasks there must be; a service with a task per node has as many as it has. */
function tasksWanted(service: Service): number {
  const mode = service.spec?.mode;
  if (mode?.global || mode?.globalJob) return 0;
  const job = mode?.replicatedJob;
  if (job) return job.totalCompletions ?? job.maxConcurrent ?? 1;
  return mode?.replicated?.replicas ?? 1;
}

function newestPerSlot(tasks: readonly Task[]): Task[] {
  const newest = new Map<string, Task>();
  for (const task of tasks) {
    const key = task.slot > 0 ? String(task.slot) : task.nodeId;
    const other = newest.get(key);
    if (!other || (task.meta?.createdAt ?? 0) >= (other.meta?.createdAt ?? 0))
      newest.set(key, task);
  }
  return [...newest.values()];
}

function unmetByTask(dependency: ServiceDependency, name: string, task: Task): string {
  const state = stateOf(task);
  if (state === TaskState.REJECTED) {
    return `${DEPENDENCY_FAILED}service ${name}: ${task.status?.err ?? 'rejected'}`;
  }
  const exitCode = task.status?.containerStatus?.exitCode ?? 0;
  switch (dependency.condition) {
    case DependencyCondition.COMPLETED:
      if (state === TaskState.COMPLETE) return '';
      if (hasEnded(task)) {
        return `${DEPENDENCY_FAILED}service "${name}" didn't complete successfully: exit ${exitCode}`;
      }
      return `waiting for service ${name} to complete`;
    case DependencyCondition.HEALTHY:
      return unmetHealth(name, task, exitCode);
    default:
      return state >= TaskState.STARTING ? '' : `waiting for service ${name} to start`;
  }
}

function unmetHealth(name: string, task: Task, exitCode: number): string {
  if (hasEnded(task)) return `${DEPENDENCY_FAILED}service ${name} exited (${exitCode})`;
  const health = task.status?.containerStatus?.health ?? HealthState.NONE;
  if (health === HealthState.HEALTHY) return '';
  if (health === HealthState.UNHEALTHY) return `${DEPENDENCY_FAILED}service ${name} is unhealthy`;
  if (stateOf(task) === TaskState.RUNNING && health === HealthState.NONE) {
    return `${DEPENDENCY_FAILED}service ${name} has no healthcheck configured`;
  }
  return `waiting for service ${name} to be healthy`;
}
