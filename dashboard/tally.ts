// Sums over living tasks, kept as tasks come, change and go: per node, and over all nodes that are ready. Nothing here looks at all tasks, so that an event
// costs the same in a large cluster as in a small one. Pure.
import type { NodeRow, TaskRow } from '#api/cluster/feed-types';
import { isAlive, isWanted } from './task-words.ts';

export interface Load {
  tasks: number;
  nanoCpus: number;
  memoryBytes: number;
}

const newLoad = (): Load => ({ tasks: 0, nanoCpus: 0, memoryBytes: 0 });

const NOTHING: Readonly<Load> = newLoad();
const NOBODY: ReadonlySet<string> = new Set();

export class Tally {
  readonly #nodes = new Map<string, Load>();
  /** What all living tasks have reserved, wherever they are. */
  readonly all: Load = newLoad();
  readonly ready: {
    nodes: number;
    nanoCpus: number;
    memoryBytes: number;
    nanoCpusReserved: number;
    memoryBytesReserved: number;
  } = { nodes: 0, nanoCpus: 0, memoryBytes: 0, nanoCpusReserved: 0, memoryBytesReserved: 0 };
  readonly #ready = new Map<string, NodeRow>();

  /** Wanted tasks by service: whose health check fails, and that do not run (yet). */
  readonly #sick = new Map<string, Set<string>>();
  readonly #waiting = new Map<string, Set<string>>();

  clear(): void {
    this.#sick.clear();
    this.#waiting.clear();
    this.#nodes.clear();
    this.#ready.clear();
    Object.assign(this.all, newLoad());
    const zero = { nanoCpus: 0, memoryBytes: 0, nanoCpusReserved: 0, memoryBytesReserved: 0 };
    Object.assign(this.ready, { nodes: 0, ...zero });
  }

  loadOf(nodeId: string): Readonly<Load> {
    return this.#nodes.get(nodeId) ?? NOTHING;
  }

  /** Ids of wanted tasks of a service whose health check fails. */
  sickOf(serviceId: string): ReadonlySet<string> {
    return this.#sick.get(serviceId) ?? NOBODY;
  }

  /** Ids of wanted tasks of a service that do not run. */
  waitingOf(serviceId: string): ReadonlySet<string> {
    return this.#waiting.get(serviceId) ?? NOBODY;
  }

  /** A task has come (sign 1) or gone (-1). */
  task(row: TaskRow, sign: 1 | -1): void {
    if (isWanted(row)) {
      if (row.health === 'unhealthy') mark(this.#sick, row, sign);
      if (row.state !== 'running') mark(this.#waiting, row, sign);
    }
    if (!isAlive(row)) return;
    const { nodeId } = row;
    let load = this.#nodes.get(nodeId);
    if (!load) {
      load = newLoad();
      this.#nodes.set(nodeId, load);
    }
    for (const sum of [load, this.all]) {
      sum.tasks += sign;
      sum.nanoCpus += sign * row.nanoCpus;
      sum.memoryBytes += sign * row.memoryBytes;
    }
    if (!this.#ready.has(nodeId)) return;
    this.ready.nanoCpusReserved += sign * row.nanoCpus;
    this.ready.memoryBytesReserved += sign * row.memoryBytes;
  }

  /** A node has come, changed or gone (undefined). */
  node(id: string, row: NodeRow | undefined): void {
    const before = this.#ready.get(id);
    const load = this.loadOf(id);
    if (before) this.#addReady(before, load, -1);
    if (row?.state === 'ready') {
      this.#ready.set(id, row);
      this.#addReady(row, load, 1);
    } else this.#ready.delete(id);
  }

  #addReady(row: NodeRow, load: Readonly<Load>, sign: 1 | -1): void {
    this.ready.nodes += sign;
    this.ready.nanoCpus += sign * row.nanoCpus;
    this.ready.memoryBytes += sign * row.memoryBytes;
    this.ready.nanoCpusReserved += sign * load.nanoCpus;
    this.ready.memoryBytesReserved += sign * load.memoryBytes;
  }
}

function mark(sets: Map<string, Set<string>>, { serviceId, id }: TaskRow, sign: 1 | -1): void {
  let set = sets.get(serviceId);
  if (!set) {
    set = new Set();
    sets.set(serviceId, set);
  }
  if (sign === 1) set.add(id);
  else set.delete(id);
}
