// From a committed change to the nodes that must hear of it. Keeps one NodeAssignments per
// connected node and marks in it what has changed; when and over what the messages go out is the
// host's business.
import type { Kind, StoreChange } from '#manager/store/view';
import type { Service, Task } from '#protocol/generated/objects';
import { attachedNetworks, EndpointsCache, networksOf, publishesIngress } from './endpoints.ts';
import { concernsMesh } from './mesh-peers.ts';
import { NodeAssignments } from './node-assignments.ts';

const DEPENDENCIES = ['secret', 'config', 'network', 'volume'] as const;
type DependencyKind = (typeof DEPENDENCIES)[number];

export class AssignmentHub {
  readonly endpoints: EndpointsCache = new EndpointsCache();
  readonly #nodes: Map<string, NodeAssignments> = new Map();

  /** A node begins to listen; an older stream of the same node hears nothing more. */
  connect(nodeId: string, sessionId: string): NodeAssignments {
    const assignments = new NodeAssignments(nodeId, sessionId);
    this.#nodes.set(nodeId, assignments);
    return assignments;
  }

  disconnect(assignments: NodeAssignments): void {
    if (this.#nodes.get(assignments.nodeId) === assignments) this.#nodes.delete(assignments.nodeId);
  }

  /**
   * Marks what changed. Call it for every committed entry, in order, from the first connected node
   * on. `nodesWithNews` says afterwards who may have to be told something.
   */
  note(changes: readonly StoreChange[]): void {
    const services = this.endpoints.note(changes);
    const networks = new Map<string, Set<string>>();
    const ingress = new Set<string>();
    for (const change of changes) {
      const { kind, before, after } = change;
      if (kind === 'node') this.#noteNode(change as StoreChange<'node'>);
      else if (kind === 'task') {
        this.#noteTask(before as Task, after as Task);
        for (const task of [before, after] as (Task | undefined)[]) {
          if (task) addAll(networks, task.id, attachedNetworks(task));
        }
      } else if (kind === 'service') {
        for (const service of [before, after] as (Service | undefined)[]) {
          if (!service) continue;
          addAll(networks, service.id, networksOf(service));
          if (publishesIngress(service)) ingress.add(service.id);
        }
      } else if (isDependency(kind)) {
        const id = after?.id ?? before?.id ?? '';
        // A volume may have been missing so far; the others are there before a task refers to them.
        const isNew = kind === 'volume' && !before;
        for (const node of this.#nodes.values()) {
          if (isNew || node.knows(kind, id)) node.markDependencies();
        }
      }
    }
    for (const serviceId of services) {
      for (const node of this.#nodes.values()) {
        const concerns =
          node.knows('endpoints', serviceId) ||
          ingress.has(serviceId) ||
          node.isOnAny([...(networks.get(serviceId) ?? [])]);
        if (concerns) node.markService(serviceId);
      }
    }
  }

  /** Ids of the connected nodes that may have to be told something. */
  *nodesWithNews(): IterableIterator<string> {
    for (const [id, node] of this.#nodes) if (node.isDirty) yield id;
  }

  /** Whether a node has acknowledged the service's endpoints as they are now; never, while it is not connected. */
  hasHeard(nodeId: string, serviceId: string, acknowledged: string | undefined): boolean {
    return this.#nodes.get(nodeId)?.hasHeard(serviceId, acknowledged) ?? false;
  }

  /** Everything may be different. */
  reset(): void {
    this.endpoints.clear();
    this.#nodes.clear();
  }

  #noteNode(change: StoreChange<'node'>): void {
    const id = (change.after ?? change.before)?.id;
    if (id === undefined || !concernsMesh(change)) return;
    for (const node of this.#nodes.values()) node.peers.noteNode(id);
  }

  #noteTask(before: Task | undefined, after: Task | undefined): void {
    for (const task of [before, after]) {
      if (task) this.#nodes.get(task.nodeId)?.markTask(task.id);
    }
  }
}

function isDependency(kind: Kind): kind is DependencyKind {
  return (DEPENDENCIES as readonly Kind[]).includes(kind);
}

function addAll(map: Map<string, Set<string>>, key: string, values: readonly string[]): void {
  const set = map.get(key) ?? new Set<string>();
  for (const value of values) set.add(value);
  map.set(key, set);
}
