// The rolling update, level-triggered: from the tasks as they are, which slots may be replaced now, and what the service's update status is.
// Nothing is remembered outside the store, so that a new leader goes on where the old one was. Semantics: swarmkit orchestrator/update, with an
// end for updates that cannot progress (progress deadline).
import { Service as ServiceType, UpdateStatus, Version } from '#protocol/generated/objects';
import { addTask, retire, type Slot, wantedIn } from './slots.ts';
import { endedBadly, isCurrent, stateOf } from './tasks.ts';
import {
  FailureAction,
  microsOf,
  type Pass,
  RunState,
  type Service,
  type Task,
  TaskState,
  type UpdateConfig,
  UpdateOrder,
  UpdateState,
} from './types.ts';

const MONITOR_NANOS = 5_000_000_000;
const PROGRESS_DEADLINE_NANOS = 600_000_000_000;

const PAUSED_STATES: ReadonlySet<number> = new Set([
  UpdateState.PAUSED,
  UpdateState.ROLLBACK_PAUSED,
  UpdateState.FAILED,
]);

interface Progress {
  readonly dirty: Slot[];
  readonly between: Slot[];
  readonly unsettled: number;
  readonly failed: number;
  readonly total: number;
  /** Latest time (µs) at which a task of the update changed. */
  readonly lastMove: number;
}

function isRollback(service: Service): boolean {
  const state = service.updateStatus?.state;
  return state === UpdateState.ROLLBACK_STARTED || state === UpdateState.ROLLBACK_PAUSED;
}

function configOf(service: Service): UpdateConfig | undefined {
  return isRollback(service) ? service.spec?.rollbackConfig : service.spec?.updateConfig;
}

/** Carries the update of the service's slots one step further. @returns the service, changed when its update status changed. */
export function rollForward(pass: Pass, service: Service, slots: readonly Slot[]): Service {
  const progress = measure(pass, service, slots);
  const status = service.updateStatus;
  const running =
    status?.state === UpdateState.UPDATING || status?.state === UpdateState.ROLLBACK_STARTED;
  if (status && PAUSED_STATES.has(status.state)) return service;
  if (progress.dirty.length === 0 && progress.between.length === 0 && !running) return service;
  let current = service;
  if (!running) current = setStatus(pass, service, UpdateState.UPDATING, 'update in progress');
  const config = configOf(current);
  const failing = checkFailures(pass, current, config, progress);
  if (failing) return failing;
  replaceSlots(pass, current, config, progress);
  finishSlots(pass, progress.between, current);
  return checkEnd(pass, current, config, progress);
}

function measure(pass: Pass, service: Service, slots: readonly Slot[]): Progress {
  const dirty: Slot[] = [];
  const between: Slot[] = [];
  const startedAt = service.updateStatus?.startedAt ?? pass.context.nowMicros;
  const delay = microsOf(configOf(service)?.delay ?? 0);
  let unsettled = 0;
  let failed = 0;
  let lastMove = startedAt;
  for (const slot of slots) {
    const wanted = wantedIn(slot);
    const stale = wanted.filter((task) => !isCurrent(task, service));
    const fresh = wanted.filter((task) => isCurrent(task, service));
    if (stale.length > 0) (fresh.length > 0 ? between : dirty).push(slot);
    const ours = slot.tasks.filter(
      (task) => (task.meta?.createdAt ?? startedAt) >= startedAt && isCurrent(task, service),
    );
    if (ours.some(endedBadly)) failed += 1;
    for (const task of ours) lastMove = Math.max(lastMove, task.status?.timestamp ?? 0);
    if (fresh.some((task) => ours.includes(task) && !isSettled(pass, service, task, delay)))
      unsettled += 1;
  }
  return { dirty, between, unsettled, failed, total: slots.length, lastMove };
}

function isSettled(pass: Pass, service: Service, task: Task, delayMicros: number): boolean {
  if (service.spec?.runState !== RunState.RUNNING) return true;
  if (stateOf(task) === TaskState.COMPLETE) return true;
  if (stateOf(task) !== TaskState.RUNNING) return false;
  const until = (task.status?.timestamp ?? 0) + delayMicros;
  if (until <= pass.context.nowMicros) return true;
  pass.wakeAt(service.id, until);
  return false;
}

function replaceSlots(
  pass: Pass,
  service: Service,
  config: UpdateConfig | undefined,
  progress: Progress,
): void {
  const parallelism = config ? config.parallelism : 1;
  const room =
    parallelism === 0 ? Infinity : parallelism - progress.unsettled - progress.between.length;
  // Slots that do not run anyway go first: replacing them costs nothing.
  const order = [...progress.dirty].sort((a, b) => runningRank(a) - runningRank(b));
  for (const slot of order.slice(0, Math.max(0, Math.min(room, order.length)))) {
    if (config?.order !== UpdateOrder.START_FIRST || runningRank(slot) === 0) {
      for (const task of wantedIn(slot)) retire(pass, slot, task);
    }
    addTask(pass, service, slot);
  }
}

function runningRank(slot: Slot): number {
  return wantedIn(slot).some((task) => stateOf(task) === TaskState.RUNNING) ? 1 : 0;
}

/** start-first: the old task goes once the new one runs (and is healthy, which RUNNING means). */
function finishSlots(pass: Pass, between: readonly Slot[], service: Service): void {
  for (const slot of between) {
    const wanted = wantedIn(slot);
    const ready = wanted.some(
      (task) =>
        isCurrent(task, service) &&
        (stateOf(task) === TaskState.RUNNING || stateOf(task) === TaskState.COMPLETE),
    );
    if (!ready) continue;
    for (const task of wanted) if (!isCurrent(task, service)) retire(pass, slot, task);
  }
}

function checkFailures(
  pass: Pass,
  service: Service,
  config: UpdateConfig | undefined,
  progress: Progress,
): Service | undefined {
  const action = config?.failureAction ?? FailureAction.PAUSE;
  if (action === FailureAction.CONTINUE || progress.failed === 0) return undefined;
  if (progress.failed / Math.max(1, progress.total) <= (config?.maxFailureRatio ?? 0))
    return undefined;
  const reason = `update paused due to failure or early termination of ${progress.failed} of ${progress.total} tasks`;
  if (isRollback(service))
    return setStatus(pass, service, UpdateState.ROLLBACK_PAUSED, `rollback: ${reason}`);
  if (action === FailureAction.ROLLBACK && service.previousSpec)
    return rollBack(pass, service, reason);
  return setStatus(pass, service, UpdateState.PAUSED, reason);
}

function rollBack(pass: Pass, service: Service, reason: string): Service {
  const rolled = ServiceType.create({
    ...service,
    spec: service.previousSpec,
    previousSpec: undefined,
    specVersion: Version.create({ index: (service.specVersion?.index ?? 0) + 1 }),
  });
  return setStatus(
    pass,
    rolled,
    UpdateState.ROLLBACK_STARTED,
    reason.replace('paused', 'rolled back'),
  );
}

function checkEnd(
  pass: Pass,
  service: Service,
  config: UpdateConfig | undefined,
  progress: Progress,
): Service {
  const now = pass.context.nowMicros;
  if (progress.dirty.length === 0 && progress.between.length === 0 && progress.unsettled === 0) {
    const monitored = progress.lastMove + microsOf(config?.monitor ?? MONITOR_NANOS);
    if (now >= monitored) {
      const rollback = isRollback(service);
      const state = rollback ? UpdateState.ROLLBACK_COMPLETED : UpdateState.COMPLETED;
      return setStatus(pass, service, state, rollback ? 'rollback completed' : 'update completed');
    }
    pass.wakeAt(service.id, monitored);
    return service;
  }
  const deadline =
    progress.lastMove + microsOf(config?.progressDeadline || PROGRESS_DEADLINE_NANOS);
  if (now >= deadline) {
    return setStatus(
      pass,
      service,
      UpdateState.FAILED,
      'update failed: no progress within the deadline',
    );
  }
  pass.wakeAt(service.id, deadline);
  return service;
}

function setStatus(pass: Pass, service: Service, state: UpdateState, message: string): Service {
  const now = pass.context.nowMicros;
  const starting = state === UpdateState.UPDATING || state === UpdateState.ROLLBACK_STARTED;
  const updateStatus = UpdateStatus.create({
    state,
    message,
    startedAt: starting ? now : (service.updateStatus?.startedAt ?? now),
    completedAt: starting ? 0 : now,
  });
  const changed = ServiceType.create({ ...service, updateStatus });
  pass.tx.update('service', changed);
  return changed;
}
