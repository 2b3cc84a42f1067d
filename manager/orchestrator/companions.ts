// Beside which tasks a task stands when its container joins namespaces of other services' containers: the one of the same slot, or of the same node where each node has one; a service with
// fewer replicas is shared by all from its first. The newest that lives counts, so that a companion that is replaced takes those beside it along.
import type { ReadView } from '#manager/store/view';
import { companionServices } from '#protocol/companions';
import { byAge, hasEnded, isWanted } from './tasks.ts';
import { type Task, TaskState } from './types.ts';

/** Ids of the tasks, or why there are none yet. */
export type Companions =
  | { readonly ids: readonly string[]; readonly reason?: undefined }
  | { readonly reason: string };

const NONE: Companions = { ids: [] };

/** The tasks that a task is to stand beside now. */
export function companionsOf(view: ReadView, task: Task): Companions {
  const names = companionServices(task.spec?.containerSpec);
  if (names.length === 0) return NONE;
  const ids: string[] = [];
  for (const name of names) {
    const found = companionIn(view, name, task);
    if (typeof found === 'string') return { reason: found };
    ids.push(found.id);
  }
  return { ids };
}

function companionIn(view: ReadView, name: string, task: Task): Task | string {
  const service = view.byName('service', name);
  if (!service) return `waiting for service ${name}, which does not exist`;
  const isGlobal = task.slot === 0;
  const wanted = [...view.tasksByService(service.id)]
    .filter((other) => isWanted(other) && (!isGlobal || sharesNode(other, task)))
    .sort(byAge);
  const [newest] = wanted;
  if (!newest) return `waiting for a task of service ${name}`;
  const lowest = wanted.reduce((first, other) => (other.slot < first.slot ? other : first), newest);
  const slot = wanted.some((other) => other.slot === task.slot) ? task.slot : lowest.slot;
  const mates = wanted.filter((other) => other.slot === slot);
  // One that has ended or was stopped is still its companion while nothing has taken its place.
  return mates.find((other) => !hasEnded(other)) ?? mates[0] ?? newest;
}

/** A task without a node may still get this one. */
function sharesNode(other: Task, task: Task): boolean {
  return other.nodeId === task.nodeId || other.nodeId === '';
}

/** Whether one of those that it stands beside is elsewhere, over, or has a successor. */
export function isApart(view: ReadView, task: Task): boolean {
  if (task.beside.length === 0 || hasEnded(task)) return false;
  const now = companionsOf(view, task);
  if (now.reason !== undefined) return true;
  if (!task.beside.every((id, index) => id === now.ids[index])) return true;
  return task.beside.some((id) => view.get('task', id)?.nodeId !== task.nodeId);
}

/** Why a task cannot be placed although its companions are known: one of them has no node itself; '' = all have. */
export function unplacedCompanion(view: ReadView, ids: readonly string[]): string {
  for (const id of ids) {
    const other = view.get('task', id);
    if (other && (other.status?.state ?? TaskState.NEW) >= TaskState.ASSIGNED) continue;
    return `waiting for a node for service ${other?.serviceName ?? ''}, beside which it runs`;
  }
  return '';
}
