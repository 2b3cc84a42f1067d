// Making, comparing and classifying tasks. A task's spec is never changed; a different wish is a new task in the same slot.
import type { DecisionContext } from '#manager/store/view';
import { TaskStatus, Task as TaskType, Version } from '#protocol/generated/objects';
import { EndpointSpec, TaskSpec } from '#protocol/generated/specs';
import { type Service, type Task, TaskState } from './types.ts';

export function stateOf(task: Task): TaskState {
  return task.status?.state ?? TaskState.NEW;
}

/** Wanted: not replaced and not on its way out. */
export function isWanted(task: Task): boolean {
  return task.desiredState <= TaskState.COMPLETE;
}

/** Ended: its container has stopped (or never ran). */
export function hasEnded(task: Task): boolean {
  return stateOf(task) >= TaskState.COMPLETE;
}

export function endedBadly(task: Task): boolean {
  const state = stateOf(task);
  return state === TaskState.FAILED || state === TaskState.REJECTED || state === TaskState.ORPHANED;
}

export interface NewTaskOptions {
  readonly slot: number;
  /** '' = the scheduler chooses. */
  readonly nodeId: string;
  readonly desiredState: TaskState;
}

/** A task of the service as it is now. */
export function newTask(service: Service, options: NewTaskOptions, context: DecisionContext): Task {
  return TaskType.create({
    id: context.newId(),
    labels: {},
    spec: service.spec?.taskTemplate ?? TaskSpec.create(),
    serviceId: service.id,
    serviceName: service.spec?.name ?? '',
    slot: options.slot,
    nodeId: options.nodeId,
    desiredState: options.desiredState,
    status: TaskStatus.create({
      timestamp: context.nowMicros,
      state: TaskState.NEW,
      message: 'created',
    }),
    specVersion: service.specVersion ?? Version.create(),
    endpoint: EndpointSpec.create({
      mode: service.spec?.endpointSpec?.mode ?? 0,
      ports: service.endpoint?.ports ?? [],
    }),
    jobIteration: service.jobStatus?.jobIteration,
    runState: service.spec?.runState ?? 0,
    restartRequest: service.restartRequest,
  });
}

/** True when the task is what the service's spec asks for now (swarmkit: IsTaskDirty, negated). */
export function isCurrent(task: Task, service: Service): boolean {
  if (task.specVersion?.index === service.specVersion?.index) return true;
  const wanted = service.spec?.taskTemplate;
  if (!wanted || !task.spec) return false;
  // A change of placement alone leaves tasks where they are; the constraint check looks at them separately.
  const template = TaskSpec.create({ ...task.spec, placement: wanted.placement });
  if (!sameBytes(TaskSpec.encode(template), TaskSpec.encode(wanted))) return false;
  const ports = EndpointSpec.create({ ports: service.endpoint?.ports ?? [] });
  const had = EndpointSpec.create({ ports: task.endpoint?.ports ?? [] });
  return sameBytes(EndpointSpec.encode(ports), EndpointSpec.encode(had));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** What a task that is no longer wanted becomes. Compose's containers are replaced, Swarm's kept as history. */
export function retiredState(task: Task): TaskState {
  return task.spec?.engineRestart ? TaskState.REMOVE : TaskState.SHUTDOWN;
}

/** Newest first; ids break ties, so that the order is the same everywhere. */
export function byAge(a: Task, b: Task): number {
  const difference = (b.meta?.createdAt ?? Infinity) - (a.meta?.createdAt ?? Infinity);
  if (Number.isNaN(difference) || difference === 0) return a.id < b.id ? 1 : -1;
  return difference;
}
