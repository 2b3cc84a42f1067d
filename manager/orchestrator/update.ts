// The rolling update, level-triggered: from the tasks as they are, which slots may be replaced now, and what the service's update status is.
// Nothing is remembered outside the store, so that a new leader goes on where the old one was. Semantics: swarmkit orchestrator/update, with an
// end for updates that cannot progress (progress deadline). How far it is: update-progress.ts.
import { Service as ServiceType, UpdateStatus, Version } from '#protocol/generated/objects';
import { MONITOR_NANOS, PROGRESS_DEADLINE_NANOS } from './limits.ts';
import { replacedSpec } from './revisions.ts';
import { addTask, retire, type Slot, wantedIn } from './slots.ts';
import { isCurrent, stateOf } from './tasks.ts';
import {
  FailureAction,
  microsOf,
  type Pass,
  type Service,
  TaskState,
  type UpdateConfig,
  UpdateOrder,
  UpdateState,
} from './types.ts';
import { blockedReason, measure, type Progress } from './update-progress.ts';

/** In these an update does nothing until somebody acts. */
export const PAUSED_STATES: ReadonlySet<number> = new Set([
  UpdateState.PAUSED,
  UpdateState.ROLLBACK_PAUSED,
  UpdateState.FAILED,
]);

export function isRollback(service: Service): boolean {
  const state = service.updateStatus?.state;
  return state === UpdateState.ROLLBACK_STARTED || state === UpdateState.ROLLBACK_PAUSED;
}

function configOf(service: Service): UpdateConfig | undefined {
  return isRollback(service) ? service.spec?.rollbackConfig : service.spec?.updateConfig;
}

/** Carries the update of the service's slots one step further. @returns the service, changed when its update status changed. */
export function rollForward(pass: Pass, service: Service, slots: readonly Slot[]): Service {
  const status = service.updateStatus;
  const running =
    status?.state === UpdateState.UPDATING || status?.state === UpdateState.ROLLBACK_STARTED;
  if (status && PAUSED_STATES.has(status.state)) return service;
  if (!running && !slots.some((slot) => isStale(pass, slot, service))) return service;
  const started = running
    ? service
    : setStatus(pass, service, UpdateState.UPDATING, 'update in progress');
  const config = configOf(started);
  const progress = measure(pass, started, config, slots);
  const current = noteProgress(pass, started, progress);
  const failing = checkFailures(pass, current, config, progress);
  if (failing) return failing;
  replaceSlots(pass, current, config, progress);
  finishSlots(pass, progress.between, current);
  return checkEnd(pass, current, config, progress);
}

function isStale(pass: Pass, slot: Slot, service: Service): boolean {
  return wantedIn(slot).some((task) => !isCurrent(task, service, pass.tx));
}

/** Written when there is progress, so that a new leader does not begin to wait anew. */
function noteProgress(pass: Pass, service: Service, progress: Progress): Service {
  const status = service.updateStatus;
  const { updated, failed, total } = progress;
  const isProgress = updated > (status?.updated ?? 0);
  const same = status?.updated === updated && status.failed === failed && status.total === total;
  if (same || !status) return service;
  const updateStatus = UpdateStatus.create({
    ...status,
    updated: Math.max(updated, status.updated),
    failed,
    total,
    progressAt: isProgress ? pass.context.nowMicros : status.progressAt,
  });
  return put(pass, service, updateStatus);
}

function replaceSlots(
  pass: Pass,
  service: Service,
  config: UpdateConfig | undefined,
  progress: Progress,
): void {
  const parallelism = config ? config.parallelism : 1;
  const room = parallelism === 0 ? Infinity : parallelism - progress.inProgress;
  // Slots that do not run anyway go first: replacing them costs nothing.
  const order = [...progress.dirty].sort((a, b) => runningRank(a) - runningRank(b));
  for (const slot of order.slice(0, Math.max(0, Math.min(room, order.length)))) {
    if (orderOf(config, slot) !== UpdateOrder.START_FIRST || runningRank(slot) === 0) {
      for (const task of wantedIn(slot)) retire(pass, slot, task);
    }
    addTask(pass, service, slot);
  }
}

/** As for a drained node, what only moves does so without a gap, unless the service says how it is updated. */
function orderOf(config: UpdateConfig | undefined, slot: Slot): UpdateOrder {
  const isMove = wantedIn(slot).some((task) => task.toMove);
  return config?.order ?? (isMove ? UpdateOrder.START_FIRST : UpdateOrder.STOP_FIRST);
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
        isCurrent(task, service, pass.tx) &&
        (stateOf(task) === TaskState.RUNNING || stateOf(task) === TaskState.COMPLETE),
    );
    if (!ready) continue;
    for (const task of wanted) if (!isCurrent(task, service, pass.tx)) retire(pass, slot, task);
  }
}

function checkFailures(
  pass: Pass,
  service: Service,
  config: UpdateConfig | undefined,
  progress: Progress,
): Service | undefined {
  const wanted = config?.failureAction ?? FailureAction.PAUSE;
  // There is no specification to go back to when tasks only move.
  const action = progress.moves && wanted === FailureAction.ROLLBACK ? FailureAction.PAUSE : wanted;
  if (action === FailureAction.CONTINUE || progress.failed === 0) return undefined;
  if (progress.failed / Math.max(1, progress.total) <= (config?.maxFailureRatio ?? 0))
    return undefined;
  const reason = `update paused due to failure or early termination of ${progress.failed} of ${progress.total} tasks`;
  return act(pass, service, action, `${reason}${progress.failure}`);
}

/** What the failure action says. */
function act(pass: Pass, service: Service, action: FailureAction, reason: string): Service {
  if (isRollback(service)) {
    return setStatus(pass, service, UpdateState.ROLLBACK_PAUSED, `rollback: ${reason}`);
  }
  if (action === FailureAction.ROLLBACK && service.previousSpec)
    return rollBack(pass, service, reason);
  return setStatus(pass, service, UpdateState.PAUSED, reason);
}

function rollBack(pass: Pass, service: Service, reason: string): Service {
  const { previousSpec } = service;
  if (!previousSpec) return service;
  const rolled = ServiceType.create({
    ...service,
    ...replacedSpec(service, previousSpec, pass.context.nowMicros),
    // As in Swarm: the spec that failed is not what a manual rollback would go to. It is among the revisions.
    previousSpec: undefined,
    specVersion: Version.create({ index: (service.specVersion?.index ?? 0) + 1 }),
  });
  const message = reason.replace('paused', 'rolled back');
  return setStatus(pass, rolled, UpdateState.ROLLBACK_STARTED, message);
}

function checkEnd(
  pass: Pass,
  service: Service,
  config: UpdateConfig | undefined,
  progress: Progress,
): Service {
  const now = pass.context.nowMicros;
  const status = service.updateStatus;
  const startedAt = status?.startedAt ?? now;
  if (progress.dirty.length === 0 && progress.inProgress === 0) {
    const settledAt = Math.max(progress.settledAt, startedAt);
    const monitored = settledAt + microsOf(config?.monitor ?? MONITOR_NANOS);
    // Nothing was replaced, so there is nothing to watch: a change of labels is done at once.
    if (now >= monitored || progress.settledAt === 0) return complete(pass, service);
    pass.wakeAt(service.id, monitored);
    return service;
  }
  const limit = microsOf(
    (config?.progressDeadline || PROGRESS_DEADLINE_NANOS) + (config?.delay ?? 0),
  );
  const deadline = Math.max(status?.progressAt ?? 0, startedAt) + limit;
  if (now < deadline) {
    pass.wakeAt(service.id, deadline);
    return service;
  }
  const seconds = Math.round(limit / 1_000_000);
  const reason = `no progress for ${seconds} s: ${blockedReason(pass, service, progress)}`;
  const action = config?.failureAction ?? FailureAction.PAUSE;
  if (
    isRollback(service) ||
    (action === FailureAction.ROLLBACK && service.previousSpec && !progress.moves)
  ) {
    return act(pass, service, action, `update paused, ${reason}`);
  }
  return setStatus(pass, service, UpdateState.FAILED, `update failed: ${reason}`);
}

function complete(pass: Pass, service: Service): Service {
  restartDependents(pass, service);
  return isRollback(service)
    ? setStatus(pass, service, UpdateState.ROLLBACK_COMPLETED, 'rollback completed')
    : setStatus(pass, service, UpdateState.COMPLETED, 'update completed');
}

/** Services whose dependency on this one says `restart: true` restart their containers once it was updated. */
function restartDependents(pass: Pass, service: Service): void {
  const name = service.spec?.name ?? '';
  for (const id of pass.memory.dependents.get(name) ?? []) {
    const dependent = pass.tx.get('service', id);
    const dependencies = dependent?.spec?.taskTemplate?.dependsOn ?? [];
    const wants = dependencies.some((one) => one.service === name && one.restart);
    if (!dependent || !wants) continue;
    const restartRequest = dependent.restartRequest + 1;
    pass.tx.update('service', ServiceType.create({ ...dependent, restartRequest }));
  }
}

function setStatus(pass: Pass, service: Service, state: UpdateState, message: string): Service {
  const now = pass.context.nowMicros;
  const starting = state === UpdateState.UPDATING || state === UpdateState.ROLLBACK_STARTED;
  const before = service.updateStatus;
  const updateStatus = UpdateStatus.create({
    ...(starting ? {} : before),
    state,
    message,
    startedAt: starting ? now : (before?.startedAt ?? now),
    completedAt: starting ? 0 : now,
  });
  return put(pass, service, updateStatus);
}

function put(pass: Pass, service: Service, updateStatus: UpdateStatus): Service {
  const changed = ServiceType.create({ ...service, updateStatus });
  pass.tx.update('service', changed);
  return changed;
}
