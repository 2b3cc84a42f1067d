// Jobs: tasks that run to completion, once per slot (replicated job, slots from 0 as in Swarm) or once per fitting node (global job). A failed task is
// tried again as the restart policy says; a completed one never. Unlike Swarm's, they follow the nodes: a task on a dead or drained node is replaced
// at once, and a new node gets its task of a global job. An update of the service is a new iteration.
import { fitsGlobal } from './constraints.ts';
import { awaitsSuccessor, giveUp, keepAlive } from './keep-alive.ts';
import { addTask, finish, retire, type Slot, slotAt, slotOn, slotsOf, wantedIn } from './slots.ts';
import { hasEnded, stateOf } from './tasks.ts';
import { NodeAvailability, type Pass, type Service, TaskState } from './types.ts';

export function orchestrateReplicatedJob(pass: Pass, service: Service): void {
  const mode = service.spec?.mode?.replicatedJob;
  const maxConcurrent = mode?.maxConcurrent ?? 1;
  const total = mode?.totalCompletions ?? maxConcurrent;
  const slots = slotsOf(pass.tx.tasksByService(service.id), false);
  dropOldIterations(pass, service, slots.values());
  let active = 0;
  const open: Slot[] = [];
  for (let number = 0; number < total; number++) {
    const slot = slotAt(slots, number);
    keepJobAlive(pass, service, slot);
    const wanted = wantedIn(slot);
    const isHeld = !isComplete(slot) && awaitsSuccessor(service, slot);
    if (isHeld || wanted.some((task) => !hasEnded(task))) active += 1;
    else if (wanted.length === 0) open.push(slot);
  }
  for (const slot of open.slice(0, Math.max(0, maxConcurrent - active))) {
    addTask(pass, service, slot);
  }
  finish(pass, service, slots.values());
}

export function orchestrateGlobalJob(pass: Pass, service: Service): void {
  const slots = slotsOf(pass.tx.tasksByService(service.id), true);
  dropOldIterations(pass, service, slots.values());
  const fitting = new Set<string>();
  for (const node of pass.tx.list('node')) {
    if (!fitsGlobal(node, service)) continue;
    fitting.add(node.id);
    const slot = slotOn(slots, node.id);
    keepJobAlive(pass, service, slot);
    const isPaused = node.spec?.availability === NodeAvailability.PAUSE;
    if (wantedIn(slot).length === 0 && !isPaused) addTask(pass, service, slot);
  }
  for (const slot of slots.values()) {
    if (!fitting.has(slot.nodeId) && !isComplete(slot)) giveUp(pass, slot);
  }
  finish(pass, service, slots.values());
}

function isComplete(slot: Slot): boolean {
  return wantedIn(slot).some((task) => stateOf(task) === TaskState.COMPLETE);
}

function keepJobAlive(pass: Pass, service: Service, slot: Slot): void {
  if (!isComplete(slot)) keepAlive(pass, service, slot);
}

function dropOldIterations(pass: Pass, service: Service, slots: Iterable<Slot>): void {
  const iteration = service.jobStatus?.jobIteration?.index ?? 0;
  for (const slot of slots) {
    for (const task of wantedIn(slot)) {
      if ((task.jobIteration?.index ?? 0) === iteration) continue;
      retire(pass, slot, task, { desiredState: TaskState.REMOVE });
    }
  }
}
