// Making, comparing and classifying tasks. A task's spec is never changed; a different wish is a new task in the same slot.
import type { DecisionContext, ReadView } from '#manager/store/view';
import { TaskStatus, Task as TaskType, Version } from '#protocol/generated/objects';
import { EndpointSpec, Placement, TaskSpec } from '#protocol/generated/specs';
import { meetsConstraints } from './constraints.ts';
import { type Service, type Task, TaskState } from './types.ts';

export function stateOf(task: Task): TaskState {
  return task.status?.state ?? TaskState.NEW;
}

/** When a manager took its present state (µs since 1970): nodes' own clocks may be wrong. */
export function changedAt(task: Task): number {
  return task.status?.appliedAt || task.status?.timestamp || 0;
}

/** Wanted: not replaced and not on its way out. */
export function isWanted(task: Task): boolean {
  return task.desiredState <= TaskState.COMPLETE;
}

/** Whether its tasks run to completion. */
export function isJob(service: Service): boolean {
  const mode = service.spec?.mode;
  return mode?.replicatedJob !== undefined || mode?.globalJob !== undefined;
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
export function isCurrent(task: Task, service: Service, view: ReadView): boolean {
  return !task.toMove && isOfPresentSpec(task, service, view);
}

/** The same, whether or not it has a better place. */
export function isOfPresentSpec(task: Task, service: Service, view: ReadView): boolean {
  if (task.specVersion?.index === service.specVersion?.index) return true;
  const wanted = service.spec?.taskTemplate;
  if (!wanted || !task.spec || !isSameButPlacement(task.spec, wanted)) return false;
  // A change of placement alone leaves tasks where they are while their node meets the new constraints.
  const node = view.get('node', task.nodeId);
  const isSamePlace = sameMessage(Placement, task.spec.placement, wanted.placement);
  if (!isSamePlace && !(node && meetsConstraints(wanted, node))) return false;
  const ports = EndpointSpec.create({ ports: service.endpoint?.ports ?? [] });
  const had = EndpointSpec.create({ ports: task.endpoint?.ports ?? [] });
  return sameMessage(EndpointSpec, ports, had);
}

/** Specs never change and are shared by the tasks of a version, so each pair is compared once. */
const compared: WeakMap<TaskSpec, WeakMap<TaskSpec, boolean>> = new WeakMap();

function isSameButPlacement(a: TaskSpec, b: TaskSpec): boolean {
  const known = compared.get(a) ?? new WeakMap<TaskSpec, boolean>();
  compared.set(a, known);
  const before = known.get(b);
  if (before !== undefined) return before;
  const same = sameMessage(
    TaskSpec,
    { ...a, placement: undefined },
    { ...b, placement: undefined },
  );
  known.set(b, same);
  return same;
}

function sameMessage<T>(
  type: { create(): T; encode(message: T): Uint8Array },
  a: T | undefined,
  b: T | undefined,
): boolean {
  return a === b || sameBytes(type.encode(a ?? type.create()), type.encode(b ?? type.create()));
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
