// What the dashboard knows of the cluster: rows by kind and id, as GET /tswarm/v1/events sends them. Pure: the stream and the drawing are elsewhere.
import type { ChangeBatch, RowKind, Rows, Snapshot } from '#api/cluster/feed-types';

export const ROW_KINDS: readonly RowKind[] = [
  'node',
  'service',
  'task',
  'stack',
  'network',
  'volume',
  'secret',
  'config',
];

type Tables = { readonly [K in RowKind]: Map<string, Rows[K]> };

export class ClusterState {
  readonly #tables: Tables;
  /** Tasks by service and by node, so that a page looks at no more than its own. */
  readonly #byService = new Map<string, Set<string>>();
  readonly #byNode = new Map<string, Set<string>>();
  index = 0;
  /** Grows with every change: what is drawn from an older one is out of date. */
  revision = 0;

  constructor() {
    const tables = Object.fromEntries(ROW_KINDS.map((kind) => [kind, new Map()]));
    this.#tables = tables as unknown as Tables;
  }

  get<K extends RowKind>(kind: K, id: string): Rows[K] | undefined {
    return this.#tables[kind].get(id);
  }

  all<K extends RowKind>(kind: K): Rows[K][] {
    return [...this.#tables[kind].values()];
  }

  count(kind: RowKind): number {
    return this.#tables[kind].size;
  }

  tasksOfService(id: string): Rows['task'][] {
    return this.#tasks(this.#byService.get(id));
  }

  tasksOfNode(id: string): Rows['task'][] {
    return this.#tasks(this.#byNode.get(id));
  }

  /** Everything anew. */
  reset(snapshot: Snapshot): void {
    this.#byService.clear();
    this.#byNode.clear();
    for (const kind of ROW_KINDS) {
      this.#tables[kind].clear();
      for (const row of snapshot[kind]) this.#put(kind, row);
    }
    this.index = snapshot.index;
    this.revision++;
  }

  apply(index: number, batch: ChangeBatch): void {
    for (const { kind, id, row } of batch) {
      if (row === null) this.#drop(kind, id);
      else this.#put(kind, row);
    }
    this.index = index;
    this.revision++;
  }

  #put<K extends RowKind>(kind: K, row: Rows[K]): void {
    this.#drop(kind, row.id);
    (this.#tables[kind] as Map<string, Rows[K]>).set(row.id, row);
    if (kind !== 'task') return;
    const { serviceId, nodeId } = row as Rows['task'];
    addTo(this.#byService, serviceId, row.id);
    addTo(this.#byNode, nodeId, row.id);
  }

  #drop(kind: RowKind, id: string): void {
    const task = kind === 'task' ? this.#tables.task.get(id) : undefined;
    this.#tables[kind].delete(id);
    if (!task) return;
    this.#byService.get(task.serviceId)?.delete(id);
    this.#byNode.get(task.nodeId)?.delete(id);
  }

  #tasks(ids: ReadonlySet<string> | undefined): Rows['task'][] {
    const tasks: Rows['task'][] = [];
    for (const id of ids ?? []) {
      const task = this.#tables.task.get(id);
      if (task) tasks.push(task);
    }
    return tasks;
  }
}

function addTo(map: Map<string, Set<string>>, key: string, id: string): void {
  const set = map.get(key);
  if (set) set.add(id);
  else map.set(key, new Set([id]));
}

/** Whether a task is meant to run, or ran to its end: the others are history. */
export function isWanted(task: Rows['task']): boolean {
  return task.desired === 'running' || task.desired === 'ready' || task.desired === 'complete';
}

const DEAD = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);

/** Whether a task has a container, or is on its way to one. */
export function isAlive(task: Rows['task']): boolean {
  return !DEAD.has(task.state);
}

/** In words: why a task is not running as it should; '' when it is. */
export function reasonOf(task: Rows['task']): string {
  if (task.err !== '') return task.err;
  if (task.waitingFor !== '') return task.waitingFor;
  if (task.state === 'running') {
    if (task.health === 'unhealthy') return 'its health check fails';
    if (task.health === 'starting') return 'its health check has not passed yet';
    return '';
  }
  return task.message;
}

export interface Capacity {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly nanoCpusReserved: number;
  readonly memoryBytesReserved: number;
  readonly tasks: number;
}

/** What a node has, and what its living tasks have reserved of it. */
export function capacityOf(state: ClusterState, node: Rows['node']): Capacity {
  const alive = state.tasksOfNode(node.id).filter(isAlive);
  return {
    nanoCpus: node.nanoCpus,
    memoryBytes: node.memoryBytes,
    nanoCpusReserved: alive.reduce((sum, task) => sum + task.nanoCpus, 0),
    memoryBytesReserved: alive.reduce((sum, task) => sum + task.memoryBytes, 0),
    tasks: alive.length,
  };
}
