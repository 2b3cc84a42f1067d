// Why a task is where it is, or is nowhere: what each filter says of each node, how the others rank, what it waits for, what became of the tasks before
// it in its slot, and what would help. Data only. Computed from the state alone, as if the task had to be placed now.
import { type Explanation, explainPlacement, type Ranked } from '#manager/scheduler/explain';
import { NodeSet } from '#manager/scheduler/node-set';
import type { ReadView } from '#manager/store/view';
import {
  WhyEarlierTask,
  WhyFilter,
  WhyRefusal,
  WhyScore,
  WhyTask,
} from '#protocol/generated/control';
import { NodeState, type Task, TaskState } from '#protocol/generated/objects';
import { NodeAvailability } from '#protocol/generated/specs';
import { taskName } from '#protocol/ids';
import { fix, fixesFor } from './why-fixes.ts';

/** Nodes named per filter, and in the score table. */
const REFUSALS_MAX = 20;
const SCORES_MAX = 20;

/** What an explanation may know besides the state. */
export interface WhyContext {
  readonly nowMicros: number;
  /** Node ids that have not acknowledged a service's endpoints yet. */
  lagging(serviceId: string): readonly string[];
}

/** The nodes with what runs on them; `except` is left out. */
export function nodeSetOf(view: ReadView, except = ''): NodeSet {
  const nodes = new NodeSet();
  for (const node of view.list('node')) nodes.setNode(node);
  for (const task of view.list('task')) if (task.id !== except) nodes.setTask(task.id, task);
  return nodes;
}

export function whyTask(view: ReadView, task: Task, context: WhyContext): WhyTask {
  const state = task.status?.state ?? TaskState.NEW;
  const isLeaving = task.drain !== undefined && task.drain.acknowledgedAt === 0;
  const base = WhyTask.create({
    id: task.id,
    name: taskName(task),
    serviceId: task.serviceId,
    nodeId: task.nodeId,
    state,
    desiredState: task.desiredState,
    message: task.status?.message ?? '',
    err: task.status?.err ?? '',
    waitingFor: task.waitingFor,
    earlier: earlierTasks(view, task),
    unacknowledgedBy: isLeaving
      ? context.lagging(task.serviceId).map((id) => hostnameOf(view, id))
      : [],
    restartCount: task.status?.containerStatus?.restartCount ?? 0,
  });
  if (state >= TaskState.COMPLETE) return { ...base, fixes: endedFixes(task) };
  const explanation = explain(view, task, context);
  const isPlaced = state >= TaskState.ASSIGNED;
  return {
    ...base,
    nodes: explanation.nodes,
    filters: filtersOf(explanation),
    scores: explanation.ranked.slice(0, SCORES_MAX).map(scoreOf),
    fixes: isPlaced ? waitingFixes(task) : pendingFixes(view, task, explanation),
  };
}

function explain(view: ReadView, task: Task, context: WhyContext): Explanation {
  const service = view.get('service', task.serviceId)?.spec?.mode;
  const isBound = service?.global !== undefined || service?.globalJob !== undefined;
  const nodes = nodeSetOf(view, task.id);
  if (isBound) {
    for (const id of [...nodes.nodes.keys()]) if (id !== task.nodeId) nodes.removeNode(id);
    return explainPlacement(task, nodes, view, context.nowMicros);
  }
  return explainPlacement({ ...task, nodeId: '' }, nodes, view, context.nowMicros);
}

function filtersOf({ refusals }: Explanation): WhyFilter[] {
  const by = new Map<string, WhyRefusal[]>();
  for (const { info, filter, detail } of refusals) {
    const list = by.get(filter) ?? [];
    by.set(filter, list);
    list.push(
      WhyRefusal.create({
        nodeId: info.node.id,
        hostname: info.node.description?.hostname ?? '',
        detail,
      }),
    );
  }
  return [...by]
    .map(([name, list]) =>
      WhyFilter.create({ name, nodes: list.length, refusals: list.slice(0, REFUSALS_MAX) }),
    )
    .sort((a, b) => b.nodes - a.nodes || (a.name < b.name ? -1 : 1));
}

function scoreOf(ranked: Ranked, index: number): WhyScore {
  const { info, ...parts } = ranked;
  return WhyScore.create({
    ...parts,
    nodeId: info.node.id,
    hostname: info.node.description?.hostname ?? '',
    rank: index + 1,
  });
}

function pendingFixes(view: ReadView, task: Task, explanation: Explanation): WhyTask['fixes'] {
  const network = /^network (\S+): all \d+ addresses/.exec(task.status?.err ?? '')?.[1];
  if (network) return [fix('add-address', network)];
  if (explanation.ranked.length > 0) return waitingFixes(task);
  return fixesFor(task, explanation.refusals, view);
}

function waitingFixes(task: Task): WhyTask['fixes'] {
  const dependency = /service "?([^\s":]+)"?/.exec(task.waitingFor)?.[1];
  return dependency === undefined ? [] : [fix('look-at-service', dependency)];
}

function endedFixes(task: Task): WhyTask['fixes'] {
  const state = task.status?.state ?? TaskState.NEW;
  return state === TaskState.FAILED ? [fix('look-at-logs', task.serviceName)] : [];
}

export function hostnameOf(view: ReadView, nodeId: string): string {
  return view.get('node', nodeId)?.description?.hostname || nodeId;
}

// ---- the tasks before it ----------------------------------------------------------------------------

function earlierTasks(view: ReadView, task: Task): WhyEarlierTask[] {
  const others = [...view.tasksByService(task.serviceId)].filter(
    (other) => other.id !== task.id && isSameSlot(other, task) && isBefore(other, task),
  );
  others.sort((a, b) => (isBefore(a, b) ? 1 : -1));
  return others.map((other, index) =>
    earlierTask(view, other, index === 0 ? task : others[index - 1]),
  );
}

function isSameSlot(a: Task, b: Task): boolean {
  return a.slot > 0 || b.slot > 0 ? a.slot === b.slot : a.nodeId === b.nodeId;
}

function isBefore(a: Task, b: Task): boolean {
  const [left, right] = [a.meta?.createdAt ?? 0, b.meta?.createdAt ?? 0];
  return left === right ? a.id < b.id : left < right;
}

/** A task that was replaced by `successor`. */
export function earlierTask(
  view: ReadView,
  task: Task,
  successor: Task | undefined,
): WhyEarlierTask {
  const { status } = task;
  const ended = (status?.state ?? TaskState.NEW) >= TaskState.COMPLETE;
  return WhyEarlierTask.create({
    taskId: task.id,
    nodeId: task.nodeId,
    state: status?.state ?? TaskState.NEW,
    createdAt: task.meta?.createdAt ?? 0,
    runningSince: status?.runningSince ?? 0,
    endedAt: ended ? status?.appliedAt || status?.timestamp || 0 : 0,
    exitCode: status?.containerStatus?.exitCode ?? 0,
    oomKilled: status?.containerStatus?.oomKilled ?? false,
    err: status?.err ?? '',
    replacedBecause: replacedBecause(view, task, successor),
  });
}

function replacedBecause(view: ReadView, task: Task, successor: Task | undefined): string {
  switch (task.status?.state) {
    case TaskState.FAILED:
    case TaskState.REJECTED:
      return 'failed';
    case TaskState.COMPLETE:
      return 'completed';
    case TaskState.ORPHANED:
      return 'node-removed';
  }
  if (successor && successor.specVersion?.index !== task.specVersion?.index) return 'updated';
  const node = view.get('node', task.nodeId);
  if (!node && task.nodeId !== '') return 'node-removed';
  if (node?.status?.state === NodeState.DOWN) return 'node-down';
  if (node?.spec?.availability === NodeAvailability.DRAIN) return 'node-drained';
  return task.desiredState === TaskState.REMOVE ? 'scaled' : 'unknown';
}
