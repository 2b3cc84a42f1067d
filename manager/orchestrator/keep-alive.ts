// Keeps a slot occupied: replaces a task that ended when the restart policy says so, and one that cannot stay where it is. A task on a drained node, or on
// one that no longer fits, runs on until its successor runs where the service's update order allows that (moby#34139). Swarm stops it first.
import { type Lost, lostReason } from './lost.ts';
import { mayRestart, timeAfter, wasStopped } from './restart.ts';
import { addTask, orphan, retire, type Slot, wantedIn } from './slots.ts';
import { hasEnded, isCurrent, isJob, stateOf } from './tasks.ts';
import {
  type Pass,
  RestartCondition,
  type Service,
  type Task,
  TaskState,
  UpdateOrder,
} from './types.ts';

const NODE_REMOVED = 'the node was removed from the cluster';

/** Replaces what ended or lost its node. */
export function keepAlive(pass: Pass, service: Service, slot: Slot): void {
  for (const task of wantedIn(slot)) {
    if (hasEnded(task)) {
      const isDue = mayRestart(service, slot.tasks, task) && !isEarly(pass, service, slot, task);
      if (!isDue && !cannotResume(pass, task)) continue;
      retire(pass, slot, task);
      addTask(pass, service, slot);
      continue;
    }
    const lost = lostReason(pass, task);
    if (lost !== undefined) moveAway(pass, service, slot, { task, lost });
  }
  dropSurplus(pass, service, slot);
}

/** Stopped on request, and its node will not start it again. Compose's containers wait for their host. */
function cannotResume(pass: Pass, task: Task): boolean {
  if (task.spec?.engineRestart || !wasStopped(task)) return false;
  return lostReason(pass, task) !== undefined;
}

/**
 * It failed before it was started: its image cannot be had, say. A successor would begin with just that at once, held back or not, so it is made when the delay
 * is over; else a wrong name is asked for as often as the registry answers.
 */
function isEarly(pass: Pass, service: Service, slot: Slot, task: Task): boolean {
  if (stateOf(task) !== TaskState.REJECTED) return false;
  const dueAt = timeAfter(service, slot.tasks, task);
  if (dueAt <= pass.context.nowMicros) return false;
  pass.wakeAt(service.id, dueAt);
  return true;
}

/** Whether a task that has ended still holds the slot: its successor is only waiting for the delay. */
export function awaitsSuccessor(service: Service, slot: Slot): boolean {
  return wantedIn(slot).some((task) => hasEnded(task) && mayRestart(service, slot.tasks, task));
}

/** Takes away what cannot stay and puts nothing in its place: the slot's node is no longer the service's. */
export function giveUp(pass: Pass, slot: Slot): void {
  for (const task of wantedIn(slot)) {
    const lost = lostReason(pass, task);
    if (lost === 'removed' && !hasEnded(task)) orphan(pass, slot, task, NODE_REMOVED);
    else retire(pass, slot, task);
  }
}

interface Stray {
  readonly task: Task;
  readonly lost: Lost;
}

function moveAway(pass: Pass, service: Service, slot: Slot, { task, lost }: Stray): void {
  const condition = service.spec?.taskTemplate?.restartPolicy?.condition;
  const stays = lost === 'down' && condition === RestartCondition.NONE && !task.spec?.engineRestart;
  if (stays) return;
  const successor = wantedIn(slot).find(
    (other) => other.id !== task.id && lostReason(pass, other) === undefined,
  );
  if (lost === 'removed') orphan(pass, slot, task, NODE_REMOVED);
  else if (mayOverlap(service, task, lost)) {
    if (!successor) addTask(pass, service, slot);
    else if (hasArrived(successor) || findsNoNode(successor)) retire(pass, slot, task);
    return;
  } else retire(pass, slot, task);
  if (!successor) addTask(pass, service, slot);
}

/** Whether a successor may run beside it: unless the service asks for stop-first. */
function mayOverlap(service: Service, task: Task, lost: Lost): boolean {
  if (lost === 'down' || stateOf(task) !== TaskState.RUNNING || isJob(service)) return false;
  return (service.spec?.updateConfig?.order ?? UpdateOrder.START_FIRST) === UpdateOrder.START_FIRST;
}

function hasArrived(task: Task): boolean {
  return stateOf(task) >= TaskState.RUNNING;
}

function findsNoNode(task: Task): boolean {
  return task.nodeId === '' && (task.status?.err ?? '') !== '';
}

/** Two tasks of the present version that can both stay (a drain was taken back): the one that serves is kept, else the older. */
function dropSurplus(pass: Pass, service: Service, slot: Slot): void {
  const wanted = wantedIn(slot);
  if (wanted.length < 2) return;
  const stay = wanted.filter(
    (task) =>
      isCurrent(task, service, pass.tx) && lostReason(pass, task) === undefined && !hasEnded(task),
  );
  if (stay.length < 2) return;
  const kept = stay.findLast((task) => stateOf(task) === TaskState.RUNNING) ?? stay.at(-1);
  for (const task of stay) if (task !== kept) retire(pass, slot, task);
}
