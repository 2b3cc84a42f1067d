// Why a task cannot stay where it is: its node is gone, down or drained, no longer meets the constraints that the task was placed with, has less
// than what was reserved on it, or the task whose namespaces it shares is another one now (swarmkit orchestrator/constraintenforcer; unlike there, which tasks lose a race for resources is not left to chance).
import type { NodeInfo } from '#manager/scheduler/node-set';
import { isApart } from './companions.ts';
import { meetsConstraints } from './constraints.ts';
import { byAge, hasEnded, isWanted } from './tasks.ts';
import { NodeAvailability, NodeState, type Pass, type Task } from './types.ts';

export type Lost = 'removed' | 'down' | 'drained' | 'unfit' | 'apart';

/** Undefined = it can stay, or has no node yet. */
export function lostReason(pass: Pass, task: Task): Lost | undefined {
  if (task.nodeId === '') return undefined;
  const node = pass.tx.get('node', task.nodeId);
  if (!node) return 'removed';
  if (node.status?.state === NodeState.DOWN) return 'down';
  if (node.spec?.availability === NodeAvailability.DRAIN) return 'drained';
  if (isApart(pass.tx, task)) return 'apart';
  if (node.spec?.availability === NodeAvailability.PAUSE) return undefined;
  if (pass.memory.evicted.has(task.id)) return 'unfit';
  return meetsConstraints(task.spec, node) ? undefined : 'unfit';
}

/** After a node's resources changed: marks the newest of its tasks that no longer have room. */
export function evictOverload(pass: Pass, info: NodeInfo): void {
  const total = info.node.description?.resources;
  if (!total) return;
  const tasks = [...pass.tx.tasksByNode(info.node.id)].filter((task) => !hasEnded(task));
  let cpus = total.nanoCpus > 0 ? -info.nanoCpusFree : 0;
  let memory = total.memoryBytes > 0 ? -info.memoryBytesFree : 0;
  const reservedBy = (task: Task) => task.spec?.resources?.reservations;
  for (const task of tasks) {
    if (isWanted(task)) continue;
    cpus -= reservedBy(task)?.nanoCpus ?? 0;
    memory -= reservedBy(task)?.memoryBytes ?? 0;
  }
  for (const task of tasks.filter(isWanted).sort(byAge)) {
    if (cpus <= 0 && memory <= 0) return;
    const reserved = reservedBy(task);
    const helps =
      (cpus > 0 && (reserved?.nanoCpus ?? 0) > 0) ||
      (memory > 0 && (reserved?.memoryBytes ?? 0) > 0);
    if (!helps) continue;
    pass.memory.evicted.add(task.id);
    cpus -= reserved?.nanoCpus ?? 0;
    memory -= reserved?.memoryBytes ?? 0;
  }
}
