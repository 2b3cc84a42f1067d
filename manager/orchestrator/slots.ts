// The slots of a service: what stands in each, what is wanted there, and the moves that every kind of service shares: replace a task that
// ended, leave a lost or drained node, let a held-back task go, forget history. One slot = one replica, or one node of a global service.
import { waitingFor } from './dependencies.ts';
import { byAge, endedBadly, hasEnded, isWanted, newTask, retiredState, stateOf } from './tasks.ts';
import {
  microsOf,
  NodeAvailability,
  NodeState,
  type Pass,
  RestartCondition,
  type Service,
  type Task,
  TaskState,
  TaskStatus,
} from './types.ts';

/** Swarm's delay before a failed task is replaced, when the spec has none. */
const RESTART_DELAY_NANOS = 5_000_000_000;

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
  for (const slot of slots.values()) slot.tasks.sort(byAge);
  return slots;
}

export function wantedIn(slot: Slot): Task[] {
  return slot.tasks.filter(isWanted);
}

function replaceIn(slot: Slot, task: Task): void {
  slot.tasks = slot.tasks.map((other) => (other.id === task.id ? task : other));
}

/** Marks a task as no longer wanted. */
export function retire(pass: Pass, slot: Slot, task: Task, state?: TaskState): void {
  replaceIn(slot, pass.updateTask(task, { desiredState: state ?? retiredState(task) }));
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

/** Why a task cannot stay where it is, if so. */
function lostReason(pass: Pass, task: Task): 'removed' | 'down' | 'drained' | undefined {
  if (task.nodeId === '') return undefined;
  const node = pass.tx.get('node', task.nodeId);
  if (!node) return 'removed';
  if (node.status?.state === NodeState.DOWN) return 'down';
  return node.spec?.availability === NodeAvailability.DRAIN ? 'drained' : undefined;
}

/** Replaces what ended or lost its node. `replace` false: only takes away (a global service whose node is gone). */
export function keepAlive(pass: Pass, service: Service, slot: Slot, replace: boolean): void {
  for (const task of wantedIn(slot)) {
    const lost = lostReason(pass, task);
    if (lost !== undefined) {
      moveAway(pass, service, slot, task, { lost, replace });
    } else if (hasEnded(task) && mayRestart(pass, service, slot, task)) {
      retire(pass, slot, task);
      if (replace) addTask(pass, service, slot);
    }
  }
}

interface Move {
  readonly lost: 'removed' | 'down' | 'drained';
  readonly replace: boolean;
}

function moveAway(pass: Pass, service: Service, slot: Slot, task: Task, move: Move): void {
  // A one-shot that has ended is done wherever it ran.
  if (task.spec?.engineRestart && hasEnded(task)) return;
  const condition = service.spec?.taskTemplate?.restartPolicy?.condition;
  const stays =
    move.lost === 'down' && condition === RestartCondition.NONE && !task.spec?.engineRestart;
  if (stays) return;
  if (move.lost === 'removed' && !hasEnded(task)) {
    const status = TaskStatus.create({
      ...task.status,
      state: TaskState.ORPHANED,
      timestamp: pass.context.nowMicros,
      message: 'the node was removed from the cluster',
    });
    replaceIn(slot, pass.updateTask(task, { desiredState: retiredState(task), status }));
  } else {
    retire(pass, slot, task);
  }
  if (move.replace) addTask(pass, service, slot);
}

/** Restart policy: condition, attempts within the window (swarmkit orchestrator/restart). */
function mayRestart(pass: Pass, service: Service, slot: Slot, task: Task): boolean {
  if (task.spec?.engineRestart) return false;
  const policy = service.spec?.taskTemplate?.restartPolicy;
  const condition = policy?.condition ?? RestartCondition.ANY;
  if (condition === RestartCondition.NONE) return false;
  if (condition === RestartCondition.ON_FAILURE && !endedBadly(task)) return false;
  const maxAttempts = policy?.maxAttempts ?? 0;
  if (maxAttempts === 0) return true;
  const since = policy?.window ? pass.context.nowMicros - microsOf(policy.window) : 0;
  const restarts = slot.tasks.filter(
    (other) =>
      other.id !== task.id &&
      hasEnded(other) &&
      other.specVersion?.index === task.specVersion?.index &&
      (other.status?.timestamp ?? 0) >= since,
  ).length;
  return restarts < maxAttempts;
}

/** Lets held-back tasks go once nothing stands in their way; else says what does. */
export function promote(pass: Pass, service: Service, slot: Slot): void {
  for (const task of wantedIn(slot)) {
    if (task.desiredState !== TaskState.READY) continue;
    const reason = holdReason(pass, service, slot, task);
    if (reason === '') {
      replaceIn(slot, pass.updateTask(task, { desiredState: TaskState.RUNNING, waitingFor: '' }));
    } else if (task.waitingFor !== reason && (task.nodeId !== '' || !task.status?.err)) {
      replaceIn(slot, pass.updateTask(task, { waitingFor: reason }));
    }
  }
}

function holdReason(pass: Pass, service: Service, slot: Slot, task: Task): string {
  const stopping = slot.tasks.find(
    (other) =>
      !isWanted(other) &&
      !hasEnded(other) &&
      stateOf(other) >= TaskState.ASSIGNED &&
      lostReason(pass, other) !== 'down' &&
      lostReason(pass, other) !== 'removed',
  );
  if (stopping) return `waiting for the task before it (${stopping.id}) to stop`;
  const readyAt = restartTime(pass, service, slot, task);
  if (readyAt > pass.context.nowMicros) {
    pass.wakeAt(service.id, readyAt);
    return 'waiting for the restart delay';
  }
  return waitingFor(service, pass.tx);
}

/** When the task may start (µs since 1970): delayed only if the task before it ended by itself on a node that is there. */
function restartTime(pass: Pass, service: Service, slot: Slot, task: Task): number {
  const before = slot.tasks.find((other) => other.id !== task.id && hasEnded(other));
  if (!before || before.specVersion?.index !== task.specVersion?.index) return 0;
  const state = stateOf(before);
  if (state === TaskState.SHUTDOWN || state === TaskState.ORPHANED) return 0;
  if (lostReason(pass, before) !== undefined) return 0;
  const delay = service.spec?.taskTemplate?.restartPolicy?.delay ?? RESTART_DELAY_NANOS;
  return (before.status?.timestamp ?? 0) + microsOf(delay);
}

/** Copies what the service asks of its running tasks without replacing them. */
export function propagate(pass: Pass, service: Service, slot: Slot): void {
  const runState = service.spec?.runState ?? 0;
  for (const task of wantedIn(slot)) {
    if (task.runState === runState && task.restartRequest >= service.restartRequest) continue;
    const restartRequest = Math.max(task.restartRequest, service.restartRequest);
    replaceIn(slot, pass.updateTask(task, { runState, restartRequest }));
  }
}

/** Deletes tasks that are gone for good and history beyond the limit. */
export function reap(pass: Pass, service: Service | undefined, slot: Slot): void {
  const limit = pass.tx.cluster().spec?.orchestration?.taskHistoryRetentionLimit ?? 5;
  const attempts = service?.spec?.taskTemplate?.restartPolicy?.maxAttempts ?? 0;
  const keep = limit < 0 ? Infinity : Math.max(limit, attempts + 1) - wantedIn(slot).length;
  let kept = 0;
  for (const task of slot.tasks) {
    if (isWanted(task)) continue;
    const gone =
      hasEnded(task) || stateOf(task) < TaskState.ASSIGNED || lostReason(pass, task) === 'removed';
    if (!gone) continue;
    kept += 1;
    if (task.desiredState === TaskState.REMOVE || kept > keep) pass.removeTask(task);
  }
}
