// How far an update is, measured from the tasks alone. A slot is dirty (only tasks of an older version), in progress (its new task does not run yet, the
// delay after it is not over, or an old one is still beside it), or updated. A slot whose new task failed soon after its start has failed; where the
// failure is tolerated it no longer holds up the others, although the restart supervisor goes on with it (as in swarmkit).
import { MONITOR_NANOS } from './limits.ts';
import { type Slot, wantedIn } from './slots.ts';
import { changedAt, endedBadly, isCurrent, isOfPresentSpec, stateOf } from './tasks.ts';
import {
  microsOf,
  type Pass,
  RestartCondition,
  RunState,
  type Service,
  type Task,
  TaskState,
  type UpdateConfig,
} from './types.ts';

export interface Progress {
  readonly dirty: readonly Slot[];
  /** start-first: old and new side by side. */
  readonly between: readonly Slot[];
  readonly inProgress: number;
  /** Slots whose new task has come to run (or has been tried, where failures are tolerated). */
  readonly updated: number;
  readonly failed: number;
  readonly total: number;
  /** Latest time (µs) at which a task of this update came to run; 0 = none. */
  readonly settledAt: number;
  /** The first slot that is in progress, if any. */
  readonly waiting: Slot | undefined;
  /** What became of a task that failed: ": …", or ''. */
  readonly failure: string;
  /** Tasks of the present specification are replaced, because they have a better place. */
  readonly moves: boolean;
}

export function measure(
  pass: Pass,
  service: Service,
  config: UpdateConfig | undefined,
  slots: readonly Slot[],
): Progress {
  const dirty: Slot[] = [];
  const between: Slot[] = [];
  const count = { inProgress: 0, updated: 0, failed: 0, settledAt: 0 };
  let waiting: Slot | undefined;
  let failure = '';
  const delayMicros = microsOf(config?.delay ?? 0);
  const startedAt = service.updateStatus?.startedAt ?? pass.context.nowMicros;
  for (const slot of slots) {
    const wanted = wantedIn(slot);
    const fresh = wanted.filter((task) => isCurrent(task, service, pass.tx));
    const failing = slot.tasks.find(
      (task) =>
        isCurrent(task, service, pass.tx) && failedInUpdate(service, config, task, startedAt),
    );
    if (failing) {
      count.failed += 1;
      failure ||= failureText(failing);
    }
    if (fresh.length === 0) {
      dirty.push(slot);
      continue;
    }
    const isBetween = fresh.length < wanted.length;
    if (isBetween) between.push(slot);
    const runs = fresh.find((task) => runsOrNeedNot(service, task));
    if (runs || (failing && !isBetween)) count.updated += 1;
    for (const task of fresh) {
      if ((task.meta?.createdAt ?? startedAt) < startedAt) continue;
      count.settledAt = Math.max(count.settledAt, task.status?.runningSince ?? 0);
    }
    const isSettled = runs !== undefined && isPast(pass, service, runs, delayMicros);
    if (!isBetween && (isSettled || failing)) continue;
    count.inProgress += 1;
    waiting ??= slot;
  }
  const moves = slots.some(({ tasks }) => tasks.some((task) => isMoved(pass, service, task)));
  return { dirty, between, ...count, total: slots.length, waiting, failure, moves };
}

function isMoved(pass: Pass, service: Service, task: Task): boolean {
  return task.toMove && isOfPresentSpec(task, service, pass.tx);
}

function runsOrNeedNot(service: Service, task: Task): boolean {
  if (service.spec?.runState !== RunState.RUNNING) return true;
  const state = stateOf(task);
  return state === TaskState.RUNNING || state === TaskState.COMPLETE;
}

/** The delay after it came to run is over. */
function isPast(pass: Pass, service: Service, task: Task, delayMicros: number): boolean {
  if (stateOf(task) !== TaskState.RUNNING) return true;
  const until = (task.status?.runningSince || changedAt(task)) + delayMicros;
  if (until <= pass.context.nowMicros) return true;
  pass.wakeAt(service.id, until);
  return false;
}

/** A task of this update that ended before it ran, or within the time for which it is watched. */
function failedInUpdate(
  service: Service,
  config: UpdateConfig | undefined,
  task: Task,
  startedAt: number,
): boolean {
  if ((task.meta?.createdAt ?? startedAt) < startedAt) return false;
  const policy = service.spec?.taskTemplate?.restartPolicy;
  const mustRunOn =
    !task.spec?.engineRestart &&
    (policy?.condition ?? RestartCondition.ANY) === RestartCondition.ANY;
  const ended = endedBadly(task) || (stateOf(task) === TaskState.COMPLETE && mustRunOn);
  if (!ended) return false;
  const ranSince = task.status?.runningSince ?? 0;
  return ranSince === 0 || changedAt(task) - ranSince <= microsOf(config?.monitor ?? MONITOR_NANOS);
}

function failureText(task: Task): string {
  const err = task.status?.err ?? '';
  const exitCode = task.status?.containerStatus?.exitCode ?? 0;
  if (err !== '') return `: ${err}`;
  return stateOf(task) === TaskState.COMPLETE ? `: it ended with exit code ${exitCode}` : '';
}

/** Why the update does not go on, in words. */
export function blockedReason(pass: Pass, service: Service, progress: Progress): string {
  const slot = progress.waiting;
  const task = slot && wantedIn(slot).find((one) => isCurrent(one, service, pass.tx));
  if (!slot || !task) return 'no task could be replaced';
  const name =
    slot.nodeId === '' ? `${service.spec?.name}.${slot.number}` : `the task on node ${slot.nodeId}`;
  const why = task.waitingFor || task.status?.err || task.status?.message || 'no report';
  return `${name}: ${why}`;
}
