// What each kind of service wants: N replicas, one task per fitting node, or runs to completion. Each function makes the slots as they
// should be and leaves replacing, updating and letting go to the shared moves.
import { type Constraint, matchesConstraint, parseConstraint } from '#manager/scheduler/constraint';
import {
  addTask,
  keepAlive,
  promote,
  propagate,
  reap,
  retire,
  type Slot,
  slotsOf,
  wantedIn,
} from './slots.ts';
import { hasEnded, stateOf } from './tasks.ts';
import {
  type Node,
  NodeAvailability,
  NodeState,
  type Pass,
  type Service,
  TaskState,
} from './types.ts';
import { rollForward } from './update.ts';

/** Brings one service a step closer to its spec. */
export function orchestrateService(pass: Pass, service: Service): void {
  const mode = service.spec?.mode;
  if (mode?.replicatedJob) orchestrateReplicatedJob(pass, service);
  else if (mode?.globalJob) orchestrateGlobalJob(pass, service);
  else if (mode?.global) orchestrateGlobal(pass, service);
  else orchestrateReplicated(pass, service);
}

/** Takes down what a removed service has left. */
export function orchestrateRemoved(pass: Pass, serviceId: string): void {
  for (const slot of slotsOf(pass.tx.tasksByService(serviceId), false).values()) {
    for (const task of slot.tasks) {
      if (task.desiredState !== TaskState.REMOVE) retire(pass, slot, task, TaskState.REMOVE);
    }
    reap(pass, undefined, slot);
  }
}

function finish(pass: Pass, service: Service, slots: Iterable<Slot>): void {
  for (const slot of slots) {
    propagate(pass, service, slot);
    promote(pass, service, slot);
    reap(pass, service, slot);
  }
}

// ---- replicated -----------------------------------------------------------------------------------

function orchestrateReplicated(pass: Pass, service: Service): void {
  const slots = slotsOf(pass.tx.tasksByService(service.id), false);
  const replicas = service.spec?.mode?.replicated?.replicas ?? 1;
  for (const slot of slots.values()) keepAlive(pass, service, slot, true);
  const filled = [...slots.values()].filter((slot) => wantedIn(slot).length > 0);
  if (filled.length > replicas) {
    for (const slot of victims(filled, filled.length - replicas)) {
      for (const task of wantedIn(slot)) retire(pass, slot, task, TaskState.REMOVE);
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
    const slot = slots.get(String(number)) ?? {
      key: String(number),
      number,
      nodeId: '',
      tasks: [],
    };
    if (wantedIn(slot).length > 0) continue;
    slots.set(slot.key, slot);
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

function constraintsOf(service: Service): Constraint[] {
  return (service.spec?.taskTemplate?.placement?.constraints ?? []).map(parseConstraint);
}

function fitsGlobal(node: Node, constraints: readonly Constraint[]): boolean {
  return (
    node.status?.state !== NodeState.DOWN &&
    node.spec?.availability !== NodeAvailability.DRAIN &&
    constraints.every((constraint) => matchesConstraint(constraint, node))
  );
}

function orchestrateGlobal(pass: Pass, service: Service): void {
  const slots = slotsOf(pass.tx.tasksByService(service.id), true);
  const constraints = constraintsOf(service);
  const fitting = new Set<string>();
  for (const node of pass.tx.list('node')) {
    if (!fitsGlobal(node, constraints)) continue;
    fitting.add(node.id);
    const slot = slots.get(node.id) ?? { key: node.id, number: 0, nodeId: node.id, tasks: [] };
    slots.set(node.id, slot);
    keepAlive(pass, service, slot, true);
    const paused = node.spec?.availability === NodeAvailability.PAUSE;
    if (wantedIn(slot).length === 0 && !paused) addTask(pass, service, slot);
  }
  for (const slot of slots.values()) {
    if (fitting.has(slot.nodeId)) continue;
    for (const task of wantedIn(slot)) retire(pass, slot, task);
  }
  const live = [...slots.values()].filter((slot) => wantedIn(slot).length > 0);
  finish(pass, rollForward(pass, service, live), slots.values());
}

// ---- jobs -----------------------------------------------------------------------------------------

function iterationOf(service: Service): number {
  return service.jobStatus?.jobIteration?.index ?? 0;
}

function orchestrateReplicatedJob(pass: Pass, service: Service): void {
  const mode = service.spec?.mode?.replicatedJob;
  const maxConcurrent = mode?.maxConcurrent ?? 1;
  const total = mode?.totalCompletions ?? maxConcurrent;
  const slots = slotsOf(pass.tx.tasksByService(service.id), false);
  dropOldIterations(pass, service, slots.values());
  let active = 0;
  const open: number[] = [];
  for (let number = 1; number <= total; number++) {
    const slot = slots.get(String(number));
    if (slot) keepAliveJob(pass, service, slot);
    const wanted = slot ? wantedIn(slot) : [];
    if (wanted.some((task) => !hasEnded(task))) active += 1;
    else if (!wanted.some((task) => stateOf(task) === TaskState.COMPLETE) && wanted.length === 0)
      open.push(number);
  }
  for (const number of open) {
    if (active >= maxConcurrent) break;
    const slot = slots.get(String(number)) ?? {
      key: String(number),
      number,
      nodeId: '',
      tasks: [],
    };
    slots.set(slot.key, slot);
    addTask(pass, service, slot);
    active += 1;
  }
  finish(pass, service, slots.values());
}

function orchestrateGlobalJob(pass: Pass, service: Service): void {
  const slots = slotsOf(pass.tx.tasksByService(service.id), true);
  const constraints = constraintsOf(service);
  dropOldIterations(pass, service, slots.values());
  for (const node of pass.tx.list('node')) {
    if (!fitsGlobal(node, constraints)) continue;
    const slot = slots.get(node.id) ?? { key: node.id, number: 0, nodeId: node.id, tasks: [] };
    slots.set(node.id, slot);
    keepAliveJob(pass, service, slot);
    if (wantedIn(slot).length === 0) addTask(pass, service, slot);
  }
  finish(pass, service, slots.values());
}

/** A job's failed task is tried again; a completed one never. */
function keepAliveJob(pass: Pass, service: Service, slot: Slot): void {
  if (wantedIn(slot).some((task) => stateOf(task) === TaskState.COMPLETE)) return;
  keepAlive(pass, service, slot, true);
}

function dropOldIterations(pass: Pass, service: Service, slots: Iterable<Slot>): void {
  const iteration = iterationOf(service);
  for (const slot of slots) {
    for (const task of wantedIn(slot)) {
      if ((task.jobIteration?.index ?? 0) !== iteration) retire(pass, slot, task, TaskState.REMOVE);
    }
  }
}
