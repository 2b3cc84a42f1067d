// What each kind of service wants: N replicas, one task per fitting node, or runs to completion. Each function makes the slots as they
// should be and leaves replacing, updating and letting go to the shared moves.
import { fitsGlobal } from './constraints.ts';
import { orchestrateGlobalJob, orchestrateReplicatedJob } from './jobs.ts';
import { giveUp, keepAlive } from './keep-alive.ts';
import {
  addTask,
  finish,
  reap,
  retire,
  type Slot,
  slotAt,
  slotOn,
  slotsOf,
  wantedIn,
} from './slots.ts';
import { isCurrent, stateOf } from './tasks.ts';
import { NodeAvailability, type Pass, type Service, TaskState, UpdateState } from './types.ts';
import { PAUSED_STATES, rollForward } from './update.ts';

/** Brings one service a step closer to its spec. */
export function orchestrateService(pass: Pass, service: Service): void {
  const mode = service.spec?.mode;
  if (mode?.replicatedJob) orchestrateReplicatedJob(pass, service);
  else if (mode?.globalJob) orchestrateGlobalJob(pass, service);
  else if (mode?.global) orchestrateGlobal(pass, service);
  else orchestrateReplicated(pass, service);
}

/**
 * The same for the slots of tasks that have changed, when nothing else has: without an update under way, and since what is wanted in a slot changes
 * in passes only, the other slots are as the last pass left them. @returns false when the whole service has to be looked at.
 */
export function orchestrateSlots(pass: Pass, service: Service, keys: ReadonlySet<string>): boolean {
  const mode = service.spec?.mode;
  const state = service.updateStatus?.state;
  const isUpdating = state === UpdateState.UPDATING || state === UpdateState.ROLLBACK_STARTED;
  if (isUpdating || !(mode?.replicated || mode?.global)) return false;
  const isPaused = PAUSED_STATES.has(state ?? UpdateState.NONE);
  const slots: Slot[] = [];
  for (const key of keys) {
    const ids = pass.memory.slots.tasksIn(service.id, key);
    const tasks = ids.flatMap((id) => pass.tx.get('task', id) ?? []);
    const slot = slotsOf(tasks, mode.global !== undefined).get(key);
    if (!slot) continue;
    const wanted = wantedIn(slot);
    if (!isPaused && wanted.some((task) => !isCurrent(task, service, pass.tx))) return false;
    slots.push(slot);
  }
  for (const slot of slots) if (wantedIn(slot).length > 0) keepAlive(pass, service, slot);
  finish(pass, service, slots);
  return true;
}

/** Takes down what a removed service has left. */
export function orchestrateRemoved(pass: Pass, serviceId: string): void {
  for (const slot of slotsOf(pass.tx.tasksByService(serviceId), false).values()) {
    for (const task of slot.tasks) {
      if (task.desiredState !== TaskState.REMOVE)
        retire(pass, slot, task, { desiredState: TaskState.REMOVE });
    }
    reap(pass, undefined, slot);
  }
}

// ---- replicated -----------------------------------------------------------------------------------

function orchestrateReplicated(pass: Pass, service: Service): void {
  const slots = slotsOf(pass.tx.tasksByService(service.id), false);
  const replicas = service.spec?.mode?.replicated?.replicas ?? 1;
  for (const slot of slots.values()) keepAlive(pass, service, slot);
  const filled = [...slots.values()].filter((slot) => wantedIn(slot).length > 0);
  if (filled.length > replicas) {
    for (const slot of victims(filled, filled.length - replicas)) {
      for (const task of wantedIn(slot))
        retire(pass, slot, task, { desiredState: TaskState.REMOVE });
    }
  }
  fillSlots(pass, service, slots, replicas - filled.length);
  const updated = rollForward(
    pass,
    service,
    [...slots.values()].filter((slot) => wantedIn(slot).length > 0),
  );
  finish(pass, updated, slots.values());
}

/** Adds `missing` tasks in the lowest free slot numbers. */
function fillSlots(pass: Pass, service: Service, slots: Map<string, Slot>, missing: number): void {
  let left = missing;
  for (let number = 1; left > 0; number++) {
    const slot = slotAt(slots, number);
    if (wantedIn(slot).length > 0) continue;
    addTask(pass, service, slot);
    left -= 1;
  }
}

/** Slots to give up: those that do not run, then from the node with most copies, then the highest numbers. */
function victims(slots: readonly Slot[], count: number): Slot[] {
  const left = [...slots];
  const chosen: Slot[] = [];
  const nodeOf = (slot: Slot): string => wantedIn(slot)[0]?.nodeId ?? '';
  const runs = (slot: Slot): boolean =>
    wantedIn(slot).some((task) => stateOf(task) === TaskState.RUNNING);
  const copies = new Map<string, number>();
  for (const slot of left) copies.set(nodeOf(slot), (copies.get(nodeOf(slot)) ?? 0) + 1);
  while (chosen.length < count) {
    left.sort(
      (a, b) =>
        Number(runs(a)) - Number(runs(b)) ||
        (copies.get(nodeOf(b)) ?? 0) - (copies.get(nodeOf(a)) ?? 0) ||
        b.number - a.number,
    );
    const slot = left.shift();
    if (!slot) break;
    copies.set(nodeOf(slot), (copies.get(nodeOf(slot)) ?? 0) - 1);
    chosen.push(slot);
  }
  return chosen;
}

// ---- global ---------------------------------------------------------------------------------------

function orchestrateGlobal(pass: Pass, service: Service): void {
  const slots = slotsOf(pass.tx.tasksByService(service.id), true);
  const fitting = new Set<string>();
  for (const node of pass.tx.list('node')) {
    if (!fitsGlobal(node, service)) continue;
    fitting.add(node.id);
    const slot = slotOn(slots, node.id);
    keepAlive(pass, service, slot);
    const paused = node.spec?.availability === NodeAvailability.PAUSE;
    if (wantedIn(slot).length === 0 && !paused) addTask(pass, service, slot);
  }
  for (const slot of slots.values()) {
    if (!fitting.has(slot.nodeId)) giveUp(pass, slot);
  }
  const live = [...slots.values()].filter((slot) => wantedIn(slot).length > 0);
  finish(pass, rollForward(pass, service, live), slots.values());
}
