// Chooses a node for a task: filters, then a score. Rank (lower is better): many recent failures of this service, copies of this service
// on the node, spread preferences, share of reserved resources, tasks in all; the rest is decided by the given randomness, so that equal nodes
// share the work and a seed repeats it. The cost is one pass over the nodes, whatever the number of tasks.
import type { ReadView } from '#manager/store/view';
import { type Filter, filtersFor } from './filters.ts';
import { FAILURES_MAX, type NodeInfo, type NodeSet } from './node-set.ts';
import type { Node, Task } from './types.ts';

export interface FilterCount {
  readonly filter: string;
  readonly nodes: number;
  readonly text: string;
}

/** Where a task goes and, for `tswarm why`, what each filter refused. */
export interface Placement {
  readonly nodeId: string | undefined;
  readonly refused: readonly FilterCount[];
  /** "no suitable node (…)"; empty when a node was found. */
  readonly reason: string;
}

export function placeTask(
  task: Task,
  nodes: NodeSet,
  view: ReadView,
  nowMicros: number,
  random: () => number,
): Placement {
  const filters = filtersFor(task, view);
  const candidates: NodeInfo[] = [];
  const counts = new Map<Filter, number>();
  const infos = task.nodeId === '' ? nodes.nodes.values() : preassigned(task, nodes);
  for (const info of infos) {
    const failing = filters.find((filter) => !filter.check(info));
    if (failing) counts.set(failing, (counts.get(failing) ?? 0) + 1);
    else candidates.push(info);
  }
  const refused = [...counts]
    .map(([filter, count]) => ({ filter: filter.name, nodes: count, text: filter.explain(count) }))
    .sort((a, b) => b.nodes - a.nodes);
  const best = pickBest(task, candidates, nodes, nowMicros, random);
  if (best) return { nodeId: best.node.id, refused, reason: '' };
  const words = refused.map(({ text }) => text).join('; ');
  return {
    nodeId: undefined,
    refused,
    reason: `no suitable node (${words === '' ? 'no nodes in the cluster' : words})`,
  };
}

function* preassigned(task: Task, nodes: NodeSet): Iterable<NodeInfo> {
  const info = nodes.nodes.get(task.nodeId);
  if (info) yield info;
}

function pickBest(
  task: Task,
  candidates: readonly NodeInfo[],
  nodes: NodeSet,
  nowMicros: number,
  random: () => number,
): NodeInfo | undefined {
  const spread = spreadCounts(task, nodes);
  let best: NodeInfo | undefined;
  let bestScore: readonly number[] = [];
  let ties = 0;
  for (const info of candidates) {
    const score = scoreOf(task, info, spread, nowMicros);
    const order = best ? compare(score, bestScore) : -1;
    if (order < 0) {
      best = info;
      bestScore = score;
      ties = 1;
    } else if (order === 0) {
      // Reservoir sampling: each of the equal nodes has the same chance.
      ties += 1;
      if (random() < 1 / ties) best = info;
    }
  }
  return best;
}

type SpreadCounts = readonly {
  readonly key: string;
  readonly counts: ReadonlyMap<string, number>;
}[];

/** For each spread preference: how many tasks of the service each value of the label has. */
function spreadCounts(task: Task, nodes: NodeSet): SpreadCounts {
  const preferences = task.spec?.placement?.preferences ?? [];
  return preferences.map((preference) => {
    const key = preference.spread?.spreadDescriptor ?? '';
    const counts = new Map<string, number>();
    for (const info of nodes.nodes.values()) {
      const value = labelValue(key, info.node);
      counts.set(value, (counts.get(value) ?? 0) + (info.tasksOfService.get(task.serviceId) ?? 0));
    }
    return { key, counts };
  });
}

function labelValue(descriptor: string, node: Node): string {
  const nodeLabel = /^node\.labels\.(.+)$/.exec(descriptor)?.[1];
  if (nodeLabel !== undefined) return node.spec?.labels[nodeLabel] ?? '';
  const engineLabel = /^engine\.labels\.(.+)$/.exec(descriptor)?.[1];
  if (engineLabel !== undefined) return node.description?.engine?.labels[engineLabel] ?? '';
  return '';
}

function scoreOf(task: Task, info: NodeInfo, spread: SpreadCounts, nowMicros: number): number[] {
  const failures = info.recentFailures(task.serviceId, nowMicros);
  const spreads = spread.map(({ key, counts }) => counts.get(labelValue(key, info.node)) ?? 0);
  return [
    failures >= FAILURES_MAX ? failures : 0,
    ...spreads,
    info.tasksOfService.get(task.serviceId) ?? 0,
    reservedShare(info),
    info.taskCount,
  ];
}

/** The larger of the reserved shares of cpu and memory, in steps of 5 %, so that small differences do not outweigh task counts. */
function reservedShare(info: NodeInfo): number {
  const total = info.node.description?.resources;
  const cpu = (total?.nanoCpus ?? 0) > 0 ? info.nanoCpusReserved / (total?.nanoCpus ?? 1) : 0;
  const memory =
    (total?.memoryBytes ?? 0) > 0 ? info.memoryBytesReserved / (total?.memoryBytes ?? 1) : 0;
  return Math.floor(Math.max(cpu, memory) * 20);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
