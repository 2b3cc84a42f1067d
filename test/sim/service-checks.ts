// The rules of services, checked on every committed change of their tasks, from the tasks as they were
// and as they are: what an update may take down at a time, what start-first and stop-first promise,
// how often the restart policy lets a task be tried, how often a job's task may run.
import { byAge, hasEnded, isCurrent, isWanted, stateOf } from '#manager/orchestrator/tasks';
import { isRollback, PAUSED_STATES } from '#manager/orchestrator/update';
import type { CommittedEntry } from '#manager/store/recent-changes';
import type { StoreView } from '#manager/store/state';
import type { StoreChange } from '#manager/store/view';
import {
  NodeState,
  type Service,
  type Task,
  TaskState,
  UpdateState,
} from '#protocol/generated/objects';
import { NodeAvailability, RestartCondition, UpdateOrder } from '#protocol/generated/specs';
import { check } from './failure.ts';

type TaskChange = StoreChange<'task'>;
/** Author of the controllers' changes. */
const CONTROLLERS = 'controllers';

export class ServiceChecks {
  /** Managers see the same changes: the first of them is checked. */
  #checkedIndex = 0;

  /** `view` is the state after `entry`. */
  entry(view: StoreView, { index, author, changes }: CommittedEntry): void {
    if (index <= this.#checkedIndex) return;
    this.#checkedIndex = index;
    if (author === CONTROLLERS) for (const change of changes) checkHalt(change);
    const byService = new Map<string, TaskChange[]>();
    for (const change of changes) {
      if (change.kind !== 'task') continue;
      const of = change as TaskChange;
      const serviceId = (of.after ?? of.before)?.serviceId ?? '';
      const list = byService.get(serviceId);
      if (list) list.push(of);
      else byService.set(serviceId, [of]);
    }
    for (const [serviceId, list] of byService) {
      const service = view.get('service', serviceId);
      if (service) new ServiceStep(view, service, list).check();
    }
  }
}

/** What is halted is gone on with by whoever asks for that, or for another update; not by the controllers. */
function checkHalt({ kind, before, after }: StoreChange): void {
  if (kind !== 'service' || !before || !after) return;
  const [was, is] = [before, after].map((service) => (service as Service).updateStatus?.state);
  const isGoneOnWith = is === UpdateState.UPDATING || is === UpdateState.ROLLBACK_STARTED;
  const isHeld = was !== undefined && PAUSED_STATES.has(was);
  check(!(isHeld && isGoneOnWith), 'a halted update goes on when somebody says so', () => ({
    service: (after as Service).spec?.name,
    was,
    is,
  }));
}

interface Slot {
  readonly before: Task[];
  readonly after: Task[];
}

/** What one change has done to the tasks of one service. */
class ServiceStep {
  readonly #view: StoreView;
  readonly #service: Service;
  readonly #changes: readonly TaskChange[];
  readonly #slots = new Map<string, Slot>();

  constructor(view: StoreView, service: Service, changes: readonly TaskChange[]) {
    this.#view = view;
    this.#service = service;
    this.#changes = changes;
  }

  check(): void {
    const isMove = ({ before, after }: TaskChange): boolean =>
      before?.desiredState !== after?.desiredState;
    if (!this.#changes.some(isMove)) return; // Reports of nodes.
    this.#sortIntoSlots();
    for (const { before, after } of this.#changes) {
      if (!after) continue;
      if (!before) this.#created(after);
      else if (before.desiredState === TaskState.READY && isLetGo(after)) this.#letGo(after);
      else if (isWanted(before) && !isWanted(after)) this.#retired(before, after);
    }
    this.#checkUpdate();
    this.#checkConcurrency();
  }

  #sortIntoSlots(): void {
    const changed = new Map<string, TaskChange>();
    for (const change of this.#changes)
      changed.set((change.after ?? change.before)?.id ?? '', change);
    for (const task of this.#view.tasksByService(this.#service.id)) {
      const change = changed.get(task.id);
      const slot = this.#slotOf(task);
      slot.after.push(task);
      const before = change ? change.before : task;
      if (before) slot.before.push(before);
    }
    for (const { before, after } of this.#changes) {
      if (before && !after) this.#slotOf(before).before.push(before);
    }
  }

  #slotOf(task: Task): Slot {
    const mode = this.#service.spec?.mode;
    const isByNode = mode?.global !== undefined || mode?.globalJob !== undefined;
    const key = isByNode ? task.nodeId : String(task.slot);
    const slot = this.#slots.get(key) ?? { before: [], after: [] };
    this.#slots.set(key, slot);
    return slot;
  }

  #check(holds: boolean, rule: string, task: Task): void {
    check(holds, rule, () => ({
      service: this.#service.spec?.name,
      update: this.#service.updateStatus?.state,
      task: shown(task),
      slot: this.#slotOf(task).after.map(shown),
      before: this.#slotOf(task).before.map(shown),
    }));
  }

  get #isJob(): boolean {
    const mode = this.#service.spec?.mode;
    return mode?.replicatedJob !== undefined || mode?.globalJob !== undefined;
  }

  get #config(): { order: UpdateOrder; parallelism: number } {
    const { spec } = this.#service;
    const config = isRollback(this.#service) ? spec?.rollbackConfig : spec?.updateConfig;
    const isStopFirst = this.#isJob || config?.order !== UpdateOrder.START_FIRST;
    return {
      order: isStopFirst ? UpdateOrder.STOP_FIRST : UpdateOrder.START_FIRST,
      parallelism: config?.parallelism ?? 1,
    };
  }

  #isOnLiveNode({ nodeId }: Task): boolean {
    const node = this.#view.get('node', nodeId);
    return node !== undefined && node.status?.state !== NodeState.DOWN;
  }

  /** Nothing drives it away from where it is. */
  #isAtHome(task: Task): boolean {
    const node = this.#view.get('node', task.nodeId);
    const isReady = node?.status?.state === NodeState.READY;
    return isReady && node.spec?.availability === NodeAvailability.ACTIVE;
  }

  #created(task: Task): void {
    const { before, after } = this.#slotOf(task);
    if (this.#config.order === UpdateOrder.STOP_FIRST) {
      const wanted = after.filter(isWanted);
      this.#check(wanted.length === 1, 'a stop-first slot wants one task', task);
    }
    if (this.#isJob) {
      const isDone = before.some(
        (other) =>
          isWanted(other) &&
          stateOf(other) === TaskState.COMPLETE &&
          other.jobIteration?.index === task.jobIteration?.index,
      );
      this.#check(!isDone, "a job's completed task is not run again", task);
    }
    this.#checkRestart(task);
  }

  /** A successor of a task that ended by itself. */
  #checkRestart(task: Task): void {
    const { before } = this.#slotOf(task);
    const policy = this.#service.spec?.taskTemplate?.restartPolicy;
    const previous = before.filter(isWanted).sort(byAge)[0];
    if (!policy || !previous || !isSameVersion(previous, task) || !endedByItself(previous)) return;
    if (!this.#isJob) {
      const { condition } = policy;
      const isForbidden =
        condition === RestartCondition.NONE ||
        (condition === RestartCondition.ON_FAILURE && stateOf(previous) === TaskState.COMPLETE);
      this.#check(!isForbidden, 'a task is restarted only when the policy says so', task);
    }
    if (policy.maxAttempts === 0 || policy.window > 0) return;
    const tries = before.filter((other) => isSameVersion(other, task) && endedByItself(other));
    const isAllowed = tries.length <= policy.maxAttempts;
    this.#check(isAllowed, 'a task is restarted so often at most', task);
  }

  /** It may start from now on. */
  #letGo(task: Task): void {
    const stopping = this.#slotOf(task).after.find(
      (other) =>
        !isWanted(other) &&
        !hasEnded(other) &&
        stateOf(other) >= TaskState.ASSIGNED &&
        this.#isOnLiveNode(other),
    );
    this.#check(stopping === undefined, 'a task starts when the one before it has stopped', task);
  }

  #retired(before: Task, after: Task): void {
    const isServing = stateOf(before) === TaskState.RUNNING && this.#isAtHome(before);
    const isReplaced = after.desiredState === TaskState.SHUTDOWN;
    if (!isServing || !isReplaced || this.#config.order !== UpdateOrder.START_FIRST) return;
    const successor = this.#slotOf(after).after.find(
      (other) =>
        isWanted(other) &&
        (stateOf(other) === TaskState.RUNNING || stateOf(other) === TaskState.COMPLETE),
    );
    this.#check(
      successor !== undefined,
      'start-first: the old task goes when the new one runs',
      after,
    );
  }

  /** Slots that the update has begun with in this change: nothing else was the matter with them. */
  #checkUpdate(): void {
    const state = this.#service.updateStatus?.state;
    const isUpdating = state === UpdateState.UPDATING || state === UpdateState.ROLLBACK_STARTED;
    const isHeld = state !== undefined && PAUSED_STATES.has(state);
    const { parallelism } = this.#config;
    if ((!isUpdating && !isHeld) || this.#isJob) return;
    const begun = this.#changes.filter(({ before, after }) => {
      if (before || !after || !this.#isCurrent(after)) return false;
      const wanted = this.#slotOf(after).before.filter(isWanted);
      // One that has ended is restarted with the present version, update or not.
      const isStale = wanted.every((other) => !this.#isCurrent(other) && !hasEnded(other));
      return isStale && wanted.some((other) => isRunning(other) && this.#isAtHome(other));
    });
    const [first] = begun;
    if (!first?.after) return;
    this.#check(!isHeld, 'a halted update begins with nothing', first.after);
    if (parallelism === 0) return;
    const inProgress = [...this.#slots.values()].filter((slot) => this.#isInProgress(slot));
    const holds = inProgress.length <= parallelism;
    this.#check(holds, 'an update replaces so many tasks at a time at most', first.after);
  }

  #isCurrent(task: Task): boolean {
    return isCurrent(task, this.#service, this.#view);
  }

  #isInProgress({ before, after }: Slot): boolean {
    const wanted = after.filter(isWanted);
    // Restarted in this very change, because what it had has ended: not by the update.
    const had = before.filter(isWanted);
    if (had.length > 0 && had.every(hasEnded)) return false;
    const fresh = wanted.filter((task) => this.#isCurrent(task));
    if (fresh.length === 0) return false;
    if (fresh.length < wanted.length) return true;
    // Also one whose node was removed: it is not the update that replaces it.
    const hasFailed = after.some(
      (task) =>
        this.#isCurrent(task) && (endedByItself(task) || stateOf(task) === TaskState.ORPHANED),
    );
    return !hasFailed && !fresh.some(isRunning);
  }

  #checkConcurrency(): void {
    const mode = this.#service.spec?.mode?.replicatedJob;
    const created = this.#changes.find(({ before }) => !before)?.after;
    if (!mode || !created) return;
    const active = [...this.#slots.values()].flatMap(({ after }) =>
      after.filter((task) => isWanted(task) && !hasEnded(task)),
    );
    const holds = active.length <= (mode.maxConcurrent ?? 1);
    this.#check(holds, 'so many tasks of a job at a time at most', created);
    const numbers = active.map(({ slot }) => slot);
    const isInside = numbers.every((slot) => slot < (mode.totalCompletions ?? 1));
    this.#check(isInside, 'a job has as many tasks as completions', created);
  }
}

function isLetGo({ desiredState }: Task): boolean {
  return desiredState === TaskState.RUNNING || desiredState === TaskState.COMPLETE;
}

function isRunning(task: Task): boolean {
  return stateOf(task) === TaskState.RUNNING;
}

function isSameVersion(a: Task, b: Task): boolean {
  return a.specVersion?.index === b.specVersion?.index;
}

function endedByItself(task: Task): boolean {
  const state = stateOf(task);
  return state === TaskState.COMPLETE || state === TaskState.FAILED || state === TaskState.REJECTED;
}

function shown(task: Task): unknown {
  const { id, slot, nodeId, desiredState, specVersion } = task;
  return { id, slot, nodeId, desiredState, state: stateOf(task), version: specVersion?.index };
}
