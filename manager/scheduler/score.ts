// How good a node is for a task, once it may have it. In this order, less is better: many recent failures of this version of the service, copies
// of the service, share of reserved resources with this task, tasks in all (a node without the image counts as having a few more). Spread
// preferences come before the copies; they are a tree of their own (placement-tree.ts). Swarm looks at failures, copies and tasks only.
import { FAILURES_MAX, IMAGE_ABSENT_TASKS, RESERVED_STEPS } from './limits.ts';
import type { NodeInfo } from './node-set.ts';
import type { Node, Task } from './types.ts';

/** [failures, copies, reserved steps, load]; compared from the left. */
export type Score = readonly number[];

export function scoreOf(task: Task, info: NodeInfo, nowMicros: number): Score {
  const failures = info.recentFailures(task, nowMicros);
  const image = task.spec?.containerSpec?.image ?? '';
  return [
    failures >= FAILURES_MAX ? failures : 0,
    info.tasksOfService.get(task.serviceId) ?? 0,
    Math.floor(reservedShare(task, info) * RESERVED_STEPS),
    info.taskCount + (info.hasImage(image) ? 0 : IMAGE_ABSENT_TASKS),
  ];
}

/** The larger of the shares of cpu and memory that are reserved once the task is there. */
export function reservedShare(task: Task, info: NodeInfo): number {
  const total = info.node.description?.resources;
  const wanted = task.spec?.resources?.reservations;
  const share = (reserved: number, all: number): number => (all > 0 ? reserved / all : 0);
  return Math.max(
    share(info.nanoCpusReserved + (wanted?.nanoCpus ?? 0), total?.nanoCpus ?? 0),
    share(info.memoryBytesReserved + (wanted?.memoryBytes ?? 0), total?.memoryBytes ?? 0),
  );
}

export function compareScores(a: Score, b: Score): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Value of a spread preference's label on a node; '' = it has none. */
export function spreadValue(descriptor: string, node: Node): string {
  const [, kind = '', name = ''] = /^(node|engine)\.labels\.(.+)$/i.exec(descriptor) ?? [];
  const labels =
    kind.toLowerCase() === 'node' ? node.spec?.labels : node.description?.engine?.labels;
  return labels?.[name] ?? '';
}
