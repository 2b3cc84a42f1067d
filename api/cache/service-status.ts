// Figures about a service's tasks, counted from the cache: ServiceStatus of the Engine API, and which tasks are made from the present spec
// (the `_up-to-date` filter). swarmkit manager/controlapi/service.go ListServiceStatuses.
import { type Service, type Task, TaskState } from '#protocol/generated/objects';
import type { ObjectCache } from './object-cache.ts';

export interface ServiceStatus {
  readonly RunningTasks: number;
  readonly DesiredTasks: number;
  readonly CompletedTasks: number;
}

/** Counts for one service. For jobs only tasks of the present iteration count. */
export function serviceStatus(cache: ObjectCache, service: Service): ServiceStatus {
  const mode = service.spec?.mode;
  const isJob = mode?.replicatedJob !== undefined || mode?.globalJob !== undefined;
  const perNode = mode?.global !== undefined || mode?.globalJob !== undefined;
  let running = 0;
  let wanted = 0;
  let completed = 0;
  for (const task of cache.tasksOf(service.id)) {
    if (isJob && iterationOf(task.jobIteration) !== iterationOf(service.jobStatus?.jobIteration)) {
      continue;
    }
    const state = task.status?.state ?? TaskState.NEW;
    if (state === TaskState.RUNNING && task.desiredState <= TaskState.COMPLETE) running++;
    if (state === TaskState.COMPLETE && isJob) completed++;
    if (perNode && isWanted(task, isJob)) wanted++;
  }
  const desired = perNode ? wanted : replicasOf(service);
  return { RunningTasks: running, DesiredTasks: desired, CompletedTasks: completed };
}

function isWanted(task: Task, isJob: boolean): boolean {
  if (!isJob) return task.desiredState === TaskState.RUNNING;
  const state = task.status?.state ?? TaskState.NEW;
  return task.desiredState === TaskState.COMPLETE && state <= TaskState.COMPLETE;
}

function replicasOf(service: Service): number {
  const mode = service.spec?.mode;
  if (mode?.replicatedJob) {
    const total = mode.replicatedJob.totalCompletions ?? mode.replicatedJob.maxConcurrent ?? 1;
    return mode.replicatedJob.maxConcurrent ?? total;
  }
  return mode?.replicated?.replicas ?? 1;
}

/** True when the task was made from the service's present task spec (for jobs: belongs to the present iteration). */
export function isUpToDate(service: Service, task: Task): boolean {
  if (service.jobStatus?.jobIteration !== undefined) {
    return iterationOf(task.jobIteration) === iterationOf(service.jobStatus.jobIteration);
  }
  return (service.specVersion?.index ?? 0) === (task.specVersion?.index ?? 0);
}

function iterationOf(version: { readonly index: number } | undefined): number {
  return version?.index ?? 0;
}
