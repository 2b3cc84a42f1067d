// What a change would come to: the controllers themselves, pass after pass, on a copy of the state, in time that jumps to the next moment at which they want to
// look again. The nodes are played here: on those that are ready everything succeeds at once, those that are down say nothing. So rolling updates,
// dependencies, delays and the scheduler's choice are what the cluster would do by itself. Pure; the caller decides when to go on, so that a long
// rehearsal does not hold up anybody.
import { newControllerMemory } from '#manager/orchestrator/memory';
import { reconcile } from '#manager/orchestrator/reconcile';
import type { Rehearsal } from '#manager/store/rehearsal';
import type { StoreView } from '#manager/store/state';
import type { DecisionContext, StoreChange } from '#manager/store/view';
import {
  ContainerStatus,
  Drain,
  HealthState,
  NodeState,
  type Service,
  type Task,
  TaskState,
  TaskStatus,
  Task as TaskType,
  UpdateState,
} from '#protocol/generated/objects';
import { DependencyCondition, RunState } from '#protocol/generated/specs';
import { REHEARSAL_IDLE_WAKES_MAX, REHEARSAL_MICROS_MAX, REHEARSAL_PASSES_MAX } from '../limits.ts';
import { collectUnused } from './stack-remove.ts';

/** How a rehearsal ended. */
export interface RehearsalEnd {
  /** Microseconds from the change to the last thing that happened because of it. */
  readonly durationMicros: number;
  /** False: it was given up before everything had come to rest. */
  readonly complete: boolean;
}

/**
 * Goes on from the state of `rehearsal` until what belongs to the services `about` has come to rest. Yields after each pass. `about` are ids.
 */
export function* rehearse(
  rehearsal: Rehearsal,
  context: DecisionContext,
  about: ReadonlySet<string>,
): Generator<void, RehearsalEnd> {
  const memory = newControllerMemory();
  const isAbout = ({ before, after }: StoreChange): boolean => {
    const object = (after ?? before) as Partial<Task & Service> | undefined;
    return about.has(object?.serviceId ?? object?.id ?? '');
  };
  let nowMicros = context.nowMicros;
  let lastMicros = nowMicros;
  let idleWakes = 0;
  let feed: readonly StoreChange[] | 'all' = 'all';
  for (let pass = 0; pass < REHEARSAL_PASSES_MAX; pass++) {
    const changes: readonly StoreChange[] | 'all' = feed;
    const now: DecisionContext = { ...context, nowMicros };
    const decided = rehearsal.step(nowMicros, (tx) => {
      const { wakeAtMicros } = reconcile(tx, changes, now, memory);
      collectUnused(tx);
      return wakeAtMicros;
    });
    const touched =
      changes === 'all'
        ? [...about].flatMap((id) => [...rehearsal.view.tasksByService(id)])
        : tasksOf(decided.changes).filter(({ serviceId }) => about.has(serviceId));
    const reported = playNodes(rehearsal, touched, nowMicros);
    const made: readonly StoreChange[] = [...decided.changes, ...reported];
    yield;
    if (made.some(isAbout)) {
      idleWakes = 0;
      lastMicros = nowMicros;
    }
    feed = made;
    if (made.length > 0) {
      nowMicros += 1000;
      continue;
    }
    const updating = isUpdating(rehearsal.view, about);
    idleWakes += 1;
    const ended = !updating && idleWakes > REHEARSAL_IDLE_WAKES_MAX;
    const wakeAt = decided.value;
    if (ended || wakeAt === undefined)
      return { durationMicros: lastMicros - context.nowMicros, complete: !updating };
    nowMicros = Math.max(nowMicros + 1000, wakeAt);
    if (nowMicros - context.nowMicros > REHEARSAL_MICROS_MAX) break;
  }
  const complete = !isUpdating(rehearsal.view, about);
  return { durationMicros: lastMicros - context.nowMicros, complete };
}

function tasksOf(changes: readonly StoreChange[]): Task[] {
  return changes.flatMap(({ kind, after }) => (kind === 'task' && after ? [after as Task] : []));
}

function isUpdating(view: StoreView, about: ReadonlySet<string>): boolean {
  return [...about].some((id) => {
    const state = view.get('service', id)?.updateStatus?.state;
    return state === UpdateState.UPDATING || state === UpdateState.ROLLBACK_STARTED;
  });
}

/** The reports of the nodes on these tasks. */
function playNodes(
  rehearsal: Rehearsal,
  tasks: readonly Task[],
  nowMicros: number,
): readonly StoreChange[] {
  return rehearsal.step(nowMicros, (tx) => {
    const done = completing(tx);
    for (const { id } of tasks) {
      const task = tx.get('task', id);
      const isThere = task && tx.get('node', task.nodeId)?.status?.state === NodeState.READY;
      const after = isThere ? reported(task, done.has(task.serviceName), nowMicros) : undefined;
      if (after) tx.update('task', after);
    }
  }).changes;
}

/** Names of services that others wait for to complete: their tasks are taken to do their work and end. */
function completing(view: StoreView): ReadonlySet<string> {
  const names = new Set<string>();
  for (const service of view.list('service'))
    for (const { service: name, condition } of service.spec?.taskTemplate?.dependsOn ?? [])
      if (condition === DependencyCondition.COMPLETED) names.add(name);
  return names;
}

/** The task as its node reports it next; undefined when there is nothing to report. */
function reported(task: Task, completes: boolean, nowMicros: number): Task | undefined {
  const state = task.status?.state ?? TaskState.NEW;
  if (task.nodeId === '' || state < TaskState.ASSIGNED) return undefined;
  const isLeaving = task.desiredState > TaskState.COMPLETE;
  const hasContainer = (task.status?.containerStatus?.containerId ?? '') !== '';
  if (isLeaving) {
    if (state >= TaskState.COMPLETE && !hasContainer) return undefined;
    const drain = task.drain && Drain.create({ ...task.drain, acknowledgedAt: nowMicros });
    const ended = state >= TaskState.COMPLETE ? state : TaskState.SHUTDOWN;
    const status = statusOf(task, ended, nowMicros);
    return TaskType.create({ ...task, drain, status: { ...status, containerStatus: undefined } });
  }
  const target = targetState(task, completes);
  if (state >= target) return undefined;
  return TaskType.create({ ...task, status: statusOf(task, target, nowMicros) });
}

function targetState(task: Task, completes: boolean): TaskState {
  if (task.desiredState < TaskState.RUNNING || task.runState === RunState.STOPPED)
    return TaskState.READY;
  return completes || task.desiredState === TaskState.COMPLETE
    ? TaskState.COMPLETE
    : TaskState.RUNNING;
}

function statusOf(task: Task, state: TaskState, nowMicros: number): TaskStatus {
  const runs = state === TaskState.RUNNING || state === TaskState.COMPLETE;
  return TaskStatus.create({
    ...task.status,
    timestamp: nowMicros,
    appliedAt: nowMicros,
    state,
    err: '',
    runningSince: runs ? task.status?.runningSince || nowMicros : (task.status?.runningSince ?? 0),
    containerStatus: ContainerStatus.create({
      ...task.status?.containerStatus,
      exitCode: 0,
      health: HealthState.HEALTHY,
    }),
  });
}
