// Tasks that are leaving service (Task.drain): which of them every node has heard of, so that their own node may be told to stop them. A node has heard when
// it acknowledged a message that carries the service's endpoints as they are now, or when it has nothing to do with the service; a node that is down
// sends nothing anywhere and is not waited for. Pure: the host asks after each acknowledgement and each change. How long to wait at most is the
// orchestrator's business.
import type { ReadView, StoreChange, WriteView } from '#manager/store/view';
import type { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import { Drain, NodeState, Task, TaskState } from '#protocol/generated/objects';
import type { AssignmentHub } from './assignment-hub.ts';

/** node id → last sequence whose endpoints it has put into its kernel. */
export type Acknowledged = ReadonlyMap<string, string>;

export class Drains {
  readonly #open: Set<string> = new Set();

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** A new leader, or a state that came as a whole. */
  rebuild(view: ReadView): void {
    this.#open.clear();
    for (const task of view.list('task')) if (isWaiting(task)) this.#open.add(task.id);
  }

  note(changes: readonly StoreChange[]): void {
    for (const { kind, before, after } of changes) {
      if (kind !== 'task') continue;
      const task = after as Task | undefined;
      if (task && isWaiting(task)) this.#open.add(task.id);
      else this.#open.delete((task ?? (before as Task)).id);
    }
  }

  /** Ids of the tasks that nobody sends connections to any more. */
  settled(view: ReadView, hub: AssignmentHub, acknowledged: Acknowledged): string[] {
    const known = new Map<string, boolean>();
    const ids: string[] = [];
    for (const id of this.#open) {
      const serviceId = view.get('task', id)?.serviceId ?? '';
      const isSettled =
        known.get(serviceId) ?? lagging(view, hub, acknowledged, serviceId).length === 0;
      known.set(serviceId, isSettled);
      if (isSettled) ids.push(id);
    }
    return ids;
  }
}

/** Ids of the nodes that may still send connections by an older picture of the service. */
export function lagging(
  view: ReadView,
  hub: AssignmentHub,
  acknowledged: Acknowledged,
  serviceId: string,
): string[] {
  const ids: string[] = [];
  for (const node of view.list('node')) {
    if (node.status?.state !== NodeState.READY) continue;
    if (!hub.hasHeard(node.id, serviceId, acknowledged.get(node.id))) ids.push(node.id);
  }
  return ids;
}

/** Whether its node has not been told to stop it yet. */
export function isWaiting(task: Task): boolean {
  const state = task.status?.state ?? TaskState.NEW;
  return task.drain !== undefined && task.drain.acknowledgedAt === 0 && state < TaskState.COMPLETE;
}

/** A task as its own node may see it: one that is leaving service goes on as if nothing had been asked. */
export function asItsNodeSees(task: Task): Task {
  return isWaiting(task) ? { ...task, desiredState: TaskState.RUNNING, drain: undefined } : task;
}

/**
 * A service's endpoints as a node may see them: its own tasks that are leaving service still take connections, because other nodes
 * send them until they have heard of it. The node learns it together with the order to stop them. The same object when there are none.
 */
export function endpointsAsSeenBy(
  nodeId: string,
  endpoints: ServiceEndpoints,
  view: ReadView,
): ServiceEndpoints {
  const isStaying = ({ nodeId: home, serving, taskId }: EndpointBackend): boolean => {
    const task = home === nodeId && !serving ? view.get('task', taskId) : undefined;
    return task !== undefined && isWaiting(task);
  };
  if (!endpoints.backends.some(isStaying)) return endpoints;
  const backends = endpoints.backends.map((backend) =>
    isStaying(backend) ? { ...backend, serving: true } : backend,
  );
  return { ...endpoints, backends };
}

/** From now on the nodes of these tasks are told to stop them. */
export function writeAcknowledged(
  tx: WriteView,
  taskIds: readonly string[],
  nowMicros: number,
): void {
  for (const id of taskIds) {
    const task = tx.get('task', id);
    if (!task?.drain || !isWaiting(task)) continue;
    const drain = Drain.create({ ...task.drain, acknowledgedAt: nowMicros });
    tx.update('task', Task.create({ ...task, drain }));
  }
}
