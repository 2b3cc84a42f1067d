// The slots of a service: what stands in each, what is wanted there, and the moves that every kind of service shares: add, retire, let a held-back
// task go, forget history. One slot = one replica, or one node of a global service. What to replace is keep-alive.ts.
import { waitingFor } from './dependencies.ts';
import { drainFor, giveUpWaiting } from './drain.ts';
import { FORGET_AFTER_MICROS, TASK_HISTORY } from './limits.ts';
import { lostReason } from './lost.ts';
import { restartTime } from './restart.ts';
import { byAge, hasEnded, isJob, isWanted, newTask, retiredState, stateOf } from './tasks.ts';
import { NodeState, type Pass, type Service, type Task, TaskState, TaskStatus } from './types.ts';

export interface Slot {
  readonly key: string;
  readonly number: number;
  /** Set for global services: the node that the slot stands for. */
  readonly nodeId: string;
  /** All tasks, newest first. */
  tasks: Task[];
}

/** The service's tasks by slot; `global` slots are keyed by node. */
export function slotsOf(tasks: Iterable<Task>, global: boolean): Map<string, Slot> {
  const slots = new Map<string, Slot>();
  for (const task of tasks) {
    const key = global ? task.nodeId : String(task.slot);
    const slot = slots.get(key);
    if (slot) slot.tasks.push(task);
    else
      slots.set(key, { key, number: task.slot, nodeId: global ? task.nodeId : '', tasks: [task] });
  }
  for (const slot of slots.values()) if (slot.tasks.length > 1) slot.tasks.sort(byAge);
  return slots;
}

/** The slot of a number, made when it is not there. */
export function slotAt(slots: Map<string, Slot>, number: number): Slot {
  const key = String(number);
  const slot = slots.get(key) ?? { key, number, nodeId: '', tasks: [] };
  slots.set(key, slot);
  return slot;
}

/** The slot of a node, made when it is not there. */
export function slotOn(slots: Map<string, Slot>, nodeId: string): Slot {
  const slot = slots.get(nodeId) ?? { key: nodeId, number: 0, nodeId, tasks: [] };
  slots.set(nodeId, slot);
  return slot;
}

export function wantedIn(slot: Slot): Task[] {
  return slot.tasks.filter(isWanted);
}

function replaceIn(slot: Slot, task: Task): void {
  slot.tasks = slot.tasks.map((other) => (other.id === task.id ? task : other));
}

export interface Retirement {
  /** SHUTDOWN for history, REMOVE; absent = what suits the task. */
  readonly desiredState?: TaskState;
  /** What is known of it although its node does not say it. */
  readonly status?: TaskStatus;
}

/** Marks a task as no longer wanted; one that serves leaves service first. */
export function retire(pass: Pass, slot: Slot, task: Task, how: Retirement = {}): void {
  const desiredState = how.desiredState ?? retiredState(task);
  const changed = how.status ? { desiredState, status: how.status } : { desiredState };
  const drain = how.status ? undefined : drainFor(pass, task);
  replaceIn(slot, pass.updateTask(task, drain ? { ...changed, drain } : changed));
}

/** Adds a new task to the slot, held back until `promote` lets it go. */
export function addTask(pass: Pass, service: Service, slot: Slot): Task {
  const task = newTask(
    service,
    { slot: slot.number, nodeId: slot.nodeId, desiredState: TaskState.READY },
    pass.context,
  );
  pass.createTask(task);
  slot.tasks.unshift(task);
  return task;
}

/** What every slot gets at the end of a pass. */
export function finish(pass: Pass, service: Service, slots: Iterable<Slot>): void {
  for (const slot of slots) {
    propagate(pass, service, slot);
    promote(pass, service, slot);
    reap(pass, service, slot);
  }
}

/** Lets held-back tasks go once nothing stands in their way; else says what does. */
export function promote(pass: Pass, service: Service, slot: Slot): void {
  for (const task of wantedIn(slot)) {
    if (task.desiredState !== TaskState.READY) continue;
    const reason = holdReason(pass, service, slot, task);
    if (reason === '') {
      const desiredState = isJob(service) ? TaskState.COMPLETE : TaskState.RUNNING;
      replaceIn(slot, pass.updateTask(task, { desiredState, waitingFor: '' }));
    } else if (task.waitingFor !== reason && (task.nodeId !== '' || !task.status?.err)) {
      replaceIn(slot, pass.updateTask(task, { waitingFor: reason }));
    }
  }
}

function holdReason(pass: Pass, service: Service, slot: Slot, task: Task): string {
  const stopping = slot.tasks.find((other) => isStopping(pass, other));
  if (stopping) return `waiting for the task before it (${stopping.id}) to stop`;
  const readyAt = restartTime(service, slot.tasks, task);
  if (readyAt > pass.context.nowMicros) {
    pass.wakeAt(service.id, readyAt);
    return 'waiting for the restart delay';
  }
  return waitingFor(service, pass.tx);
}

/** On its way out, on a node that will say when it is done. */
function isStopping(pass: Pass, task: Task): boolean {
  if (isWanted(task) || hasEnded(task) || stateOf(task) < TaskState.ASSIGNED) return false;
  const lost = lostReason(pass, task);
  return lost !== 'down' && lost !== 'removed';
}

/** Copies what the service asks of its running tasks without replacing them. */
export function propagate(pass: Pass, service: Service, slot: Slot): void {
  const runState = service.spec?.runState ?? 0;
  for (const task of wantedIn(slot)) {
    if (task.runState === runState && task.restartRequest >= service.restartRequest) continue;
    const isAsked = service.restartRequest > task.restartRequest;
    const restartRequest = isAsked ? service.restartRequest : task.restartRequest;
    const restartAfterRun = isAsked ? 0 : task.restartAfterRun;
    replaceIn(slot, pass.updateTask(task, { runState, restartRequest, restartAfterRun }));
  }
}

/**
 * To be removed, and its node, which lives, has not said yet that the ended container is gone. Whoever follows a removal by its
 * tasks may then take away what the containers used.
 */
function hasContainer(pass: Pass, task: Task): boolean {
  const containerId = task.status?.containerStatus?.containerId ?? '';
  if (task.desiredState !== TaskState.REMOVE || containerId === '') return false;
  const lost = lostReason(pass, task);
  return stateOf(task) !== TaskState.ORPHANED && lost !== 'down' && lost !== 'removed';
}

/** Its node has been down for so long that nobody waits for its report any more (Swarm: 24 h). */
function isForgotten(pass: Pass, task: Task): boolean {
  const node = pass.tx.get('node', task.nodeId);
  if (node?.status?.state !== NodeState.DOWN) return false;
  const at = (node.meta?.updatedAt ?? pass.context.nowMicros) + FORGET_AFTER_MICROS;
  if (at <= pass.context.nowMicros) return true;
  pass.wakeAt(task.serviceId, at);
  return false;
}

/** Marks a task as no longer wanted whose node will not say what became of it. */
export function orphan(pass: Pass, slot: Slot, task: Task, message: string): void {
  const status = TaskStatus.create({
    ...task.status,
    state: TaskState.ORPHANED,
    timestamp: pass.context.nowMicros,
    appliedAt: pass.context.nowMicros,
    message,
  });
  const desiredState = isWanted(task) ? retiredState(task) : task.desiredState;
  retire(pass, slot, task, { desiredState, status });
}

/** Deletes tasks that are gone for good and history beyond the limit; stops waiting where that lasted too long. */
export function reap(pass: Pass, service: Service | undefined, slot: Slot): void {
  const limit = pass.tx.cluster().spec?.orchestration?.taskHistoryRetentionLimit ?? TASK_HISTORY;
  const attempts = service?.spec?.taskTemplate?.restartPolicy?.maxAttempts ?? 0;
  const keep = limit < 0 ? Infinity : Math.max(limit, attempts + 1) - wantedIn(slot).length;
  let kept = 0;
  for (const task of slot.tasks) {
    if (isWanted(task)) continue;
    const gone =
      hasEnded(task) || stateOf(task) < TaskState.ASSIGNED || lostReason(pass, task) === 'removed';
    if (!gone && !isForgotten(pass, task)) {
      giveUpWaiting(pass, task);
      continue;
    }
    if (!gone) orphan(pass, slot, task, 'its node has been down for a day');
    if (hasContainer(pass, task)) continue;
    kept += 1;
    if (task.desiredState === TaskState.REMOVE || kept > keep) pass.removeTask(task);
  }
}
