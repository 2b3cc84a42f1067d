// What each kind of service wants: N replicas, one task per fitting node, or runs to completion. Each function makes the slots as they
// should be and leaves replacing, updating and letting go to the shared moves.
import { PlacementTree } from '#manager/scheduler/placement-tree';
import { fitsGlobal } from './constraints.ts';
import { orchestrateGlobalJob, orchestrateReplicatedJob } from './jobs.ts';
import { giveUp, keepAlive } from './keep-alive.ts';
import { SLOTS_PER_PASS } from './limits.ts';
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
  const surplus = Math.min(filled.length - replicas, SLOTS_PER_PASS);
  for (const slot of victims(filled, surplus)) {
    for (const task of wantedIn(slot)) {
      retire(pass, slot, task, { desiredState: TaskState.REMOVE });
    }
  }
  fillSlots(pass, service, slots, Math.min(replicas - filled.length, SLOTS_PER_PASS));
  // The rest at once, but after what else is waiting for the store.
  const rest = Math.abs(filled.length - replicas) > SLOTS_PER_PASS;
  if (rest) pass.wakeAt(service.id, pass.context.nowMicros);
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
  if (count <= 0) return [];
  const copies = new Map<string, number>();
  for (const slot of slots) copies.set(nodeOf(slot), (copies.get(nodeOf(slot)) ?? 0) + 1);
  const chosen: Slot[] = [];
  for (const isRunning of [false, true]) {
    const some = slots.filter((slot) => runs(slot) === isRunning);
    chosen.push(...fromFullest(some, copies, count - chosen.length));
  }
  return chosen;
}

interface NodeSlots {
  readonly nodeId: string;
  /** By number. */
  readonly slots: Slot[];
}

/** The highest slot of the node with most copies, again and again; counts it out of `copies`. */
function fromFullest(slots: readonly Slot[], copies: Map<string, number>, count: number): Slot[] {
  const byNode = new Map<string, Slot[]>();
  for (const slot of slots) {
    const list = byNode.get(nodeOf(slot)) ?? [];
    list.push(slot);
    byNode.set(nodeOf(slot), list);
  }
  // Fewer copies and lower numbers are worse, and that is how they go.
  const tree = new PlacementTree<NodeSlots>({
    score: ({ nodeId, slots: left }) => [-(copies.get(nodeId) ?? 0), -(left.at(-1)?.number ?? 0)],
    fits: ({ slots: left }) => left.length > 0,
  });
  for (const [nodeId, list] of byNode) {
    list.sort((a, b) => a.number - b.number);
    tree.add([], { nodeId, slots: list }, 0);
  }
  const chosen: Slot[] = [];
  while (chosen.length < count) {
    const best = tree.best();
    const slot = best?.slots.pop();
    if (!best || !slot) break;
    copies.set(best.nodeId, (copies.get(best.nodeId) ?? 0) - 1);
    chosen.push(slot);
  }
  return chosen;
}

function nodeOf(slot: Slot): string {
  return wantedIn(slot)[0]?.nodeId ?? '';
}

function runs(slot: Slot): boolean {
  return wantedIn(slot).some((task) => stateOf(task) === TaskState.RUNNING);
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
