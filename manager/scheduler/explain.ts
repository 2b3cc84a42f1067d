// For `tswarm why`: every node and what the scheduler thinks of it, for one task as if it had to be placed now. Looks at all nodes each time.
import type { ReadView } from '#manager/store/view';
import { filtersFor } from './filters.ts';
import type { NodeInfo, NodeSet } from './node-set.ts';
import { pathOf } from './schedule.ts';
import { compareScores, reservedShare, scoreOf } from './score.ts';
import type { Task } from './types.ts';

/** A node that a filter refuses. */
export interface Refusal {
  readonly info: NodeInfo;
  readonly filter: string;
  readonly detail: string;
}

/** A node that may take the task; the best first. */
export interface Ranked {
  readonly info: NodeInfo;
  readonly recentFailures: number;
  /** Tasks of the service in the node's branch, per spread preference. */
  readonly spread: readonly number[];
  readonly serviceTasks: number;
  readonly reservedPercent: number;
  readonly tasks: number;
  readonly hasImage: boolean;
}

export interface Explanation {
  readonly nodes: number;
  readonly refusals: readonly Refusal[];
  readonly ranked: readonly Ranked[];
}

export function explainPlacement(
  task: Task,
  nodes: NodeSet,
  view: ReadView,
  nowMicros: number,
): Explanation {
  const filters = filtersFor(task, view);
  const refusals: Refusal[] = [];
  const fitting: NodeInfo[] = [];
  for (const info of nodes.nodes.values()) {
    const failing = filters.find((filter) => !filter.check(info));
    if (failing) refusals.push({ info, filter: failing.name, detail: failing.detail(info) });
    else fitting.push(info);
  }
  const branches = branchCounts(task, nodes);
  const ranked = fitting.map((info) => ({
    score: scoreOf(task, info, nowMicros),
    ranked: rankedOf(task, info, { branches, nowMicros }),
  }));
  ranked.sort(
    (a, b) => compareScores(a.ranked.spread, b.ranked.spread) || compareScores(a.score, b.score),
  );
  return { nodes: nodes.nodes.size, refusals, ranked: ranked.map((entry) => entry.ranked) };
}

/** Branch path, shortened to each length → tasks of the service in it. */
function branchCounts(task: Task, nodes: NodeSet): Map<string, number> {
  const counts = new Map<string, number>();
  for (const info of nodes.nodes.values()) {
    const tasks = info.tasksOfService.get(task.serviceId) ?? 0;
    for (const key of branchKeys(task, info)) counts.set(key, (counts.get(key) ?? 0) + tasks);
  }
  return counts;
}

function branchKeys(task: Task, info: NodeInfo): string[] {
  const path = pathOf(task, info);
  return path.map((_, level) => JSON.stringify(path.slice(0, level + 1)));
}

function rankedOf(
  task: Task,
  info: NodeInfo,
  known: { readonly branches: ReadonlyMap<string, number>; readonly nowMicros: number },
): Ranked {
  return {
    info,
    recentFailures: info.recentFailures(task, known.nowMicros),
    spread: branchKeys(task, info).map((key) => known.branches.get(key) ?? 0),
    serviceTasks: info.tasksOfService.get(task.serviceId) ?? 0,
    reservedPercent: Math.round(reservedShare(task, info) * 100),
    tasks: info.taskCount,
    hasImage: info.hasImage(task.spec?.containerSpec?.image ?? ''),
  };
}
