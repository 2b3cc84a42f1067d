// Which tasks of a service would be better placed elsewhere, now that nodes have come: as the scheduler itself sees it, by its spread preferences and the number of the
// service's tasks on each node. Tasks are only marked; the service's rolling update moves them (manager/orchestrator/update.ts), so parallelism, monitoring and what is done
// about failures are the service's own. Nothing moves unless somebody asks: a task that runs well is worth more than a neat picture.
// Refuses services that have no choice (global, jobs) and such whose update is under way or halted.
import { explainPlacement, type Ranked } from '#manager/scheduler/explain';
import type { NodeSet } from '#manager/scheduler/node-set';
import { spreadValue } from '#manager/scheduler/score';
import type { DecisionContext, WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import { Service, Task, TaskState, UpdateState, UpdateStatus } from '#protocol/generated/objects';
import { nodeSetOf } from './why-task.ts';

/** Marks what has to move and starts the update that does it. @returns how many tasks; 0 = nothing has changed */
export function rebalance(tx: WriteView, context: DecisionContext, service: Service): number {
  refuse(service);
  const moving = misplaced(tx, service, context.nowMicros);
  for (const task of moving) tx.update('task', Task.create({ ...task, toMove: true }));
  if (moving.length === 0) return 0;
  const updateStatus = UpdateStatus.create({
    state: UpdateState.UPDATING,
    message: `rebalancing: ${moving.length} of its tasks move`,
    startedAt: context.nowMicros,
  });
  tx.update('service', Service.create({ ...service, updateStatus }));
  return moving.length;
}

const ENDED: ReadonlySet<number> = new Set([
  UpdateState.NONE,
  UpdateState.COMPLETED,
  UpdateState.ROLLBACK_COMPLETED,
]);

function refuse(service: Service): void {
  const name = service.spec?.name ?? service.id;
  if (!service.spec?.mode?.replicated) {
    throw new TswarmError(
      'invalid_argument',
      `service ${name}: only replicated services can be rebalanced`,
      { field: 'Mode' },
    );
  }
  if (ENDED.has(service.updateStatus?.state ?? UpdateState.NONE)) return;
  throw new TswarmError('failed_precondition', `service ${name}: its update has not ended`, {
    hint: `Wait for it, or look with: tswarm why ${name}`,
  });
}

/** Tasks that the scheduler would put on a better node, each judged with those before it moved already. */
function misplaced(tx: WriteView, service: Service, nowMicros: number): Task[] {
  const nodes = nodeSetOf(tx);
  const byNode = new Map<string, Task[]>();
  for (const task of tx.tasksByService(service.id)) {
    if (!isPlaced(task)) continue;
    byNode.set(task.nodeId, [...(byNode.get(task.nodeId) ?? []), task]);
  }
  const fullestFirst = [...byNode].sort(
    ([a, left], [b, right]) => right.length - left.length || (a < b ? -1 : 1),
  );
  const moving: Task[] = [];
  for (const [, tasks] of fullestFirst) {
    // The youngest go first: they have the least to lose. Where one has no better place, neither have the others of the same node.
    for (const task of tasks.sort(youngestFirst)) {
      const better = betterNode(tx, nodes, task, nowMicros);
      if (better === undefined) break;
      nodes.setTask(task.id, Task.create({ ...task, nodeId: better }));
      moving.push(task);
    }
  }
  return moving;
}

function isPlaced(task: Task): boolean {
  const hasEnded = (task.status?.state ?? TaskState.NEW) >= TaskState.COMPLETE;
  return task.nodeId !== '' && !hasEnded && task.desiredState <= TaskState.RUNNING;
}

function youngestFirst(a: Task, b: Task): number {
  const difference = (b.meta?.createdAt ?? 0) - (a.meta?.createdAt ?? 0);
  return difference !== 0 ? difference : a.id < b.id ? 1 : -1;
}

/** Where it would be better off; a node that may not have it any more is the orchestrator's business. */
function betterNode(
  tx: WriteView,
  nodes: NodeSet,
  task: Task,
  nowMicros: number,
): string | undefined {
  nodes.setTask(task.id, undefined);
  const asked = Task.create({ ...task, nodeId: '' });
  const { ranked } = explainPlacement(asked, nodes, tx, nowMicros);
  const here = ranked.find(({ info }) => info.node.id === task.nodeId);
  const best = here && ranked.find((other) => isBetter(task, other, here));
  if (best) return best.info.node.id;
  nodes.setTask(task.id, task);
  return undefined;
}

/** Fewer tasks of the service in its branch, or, in the same branch, on the node itself. Equal: a task stays. */
function isBetter(task: Task, other: Ranked, here: Ranked): boolean {
  const preferences = task.spec?.placement?.preferences ?? [];
  for (const [level, { spread }] of preferences.entries()) {
    const label = spread?.spreadDescriptor ?? '';
    if (spreadValue(label, other.info.node) === spreadValue(label, here.info.node)) continue;
    return (other.spread[level] ?? 0) < (here.spread[level] ?? 0);
  }
  return other.serviceTasks < here.serviceTasks;
}
