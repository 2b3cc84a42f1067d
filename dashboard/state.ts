// What the dashboard knows of the cluster: rows by kind and id, as GET /tswarm/v1/events sends them, with the lists and sums that pages want. Lists are made
// when they are asked for and kept until what is in them changes; sums follow each change (tally.ts). Each change names its topics, so that only pages that
// show it are drawn again (live.ts). Pure: the stream and the drawing are elsewhere.
import type { ChangeBatch, RowKind, Rows, Snapshot } from '#api/cluster/feed-types';
import { type Load, Tally } from './tally.ts';
import { bySlot, isAlive, isWanted } from './task-words.ts';

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

/** Tasks of one service, or on one node. Lists are undefined until somebody asks. */
interface Group {
  readonly ids: Set<string>;
  wanted: readonly string[] | undefined;
  past: readonly string[] | undefined;
  alive: readonly string[] | undefined;
}

/**
 * What a page may wait for: `any`; `kind` = a row of the kind; `kinds` = which there are and what they are called; `kind:id` = one row, of a node or
 * a service also a task of it.
 */
export type Topic = 'any' | RowKind | `${RowKind}s` | `${RowKind}:${string}`;

export class ClusterState {
  readonly #tables: Tables;
  readonly #byService = new Map<string, Group>();
  readonly #byNode = new Map<string, Group>();
  readonly #tally = new Tally();
  /** Ids by name, per kind. */
  readonly #named = new Map<RowKind, readonly string[]>();
  readonly #touched = new Set<Topic>();
  #lastChanged: readonly string[] | undefined;
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

  /** Ids in the order of names; the same list as long as it is right. */
  named(kind: RowKind): readonly string[] {
    const known = this.#named.get(kind);
    if (known) return known;
    const rows = this.all(kind).sort((a, b) => a.name.localeCompare(b.name));
    const ids = rows.map(({ id }) => id);
    this.#named.set(kind, ids);
    return ids;
  }

  /** Services, the last changed first. */
  lastChanged(): readonly string[] {
    this.#lastChanged ??= this.all('service')
      .sort((a, b) => b.updatedAt.localeCompare(a.updatedAt))
      .map(({ id }) => id);
    return this.#lastChanged;
  }

  tasksOfService(id: string): Rows['task'][] {
    return this.#rows(this.#byService.get(id)?.ids);
  }

  tasksOfNode(id: string): Rows['task'][] {
    return this.#rows(this.#byNode.get(id)?.ids);
  }

  /** Ids by slot, of tasks that are meant to be; the same list as long as it is right. */
  wantedOfService(id: string): readonly string[] {
    const group = this.#byService.get(id);
    if (!group) return [];
    group.wanted ??= this.#sorted(group, isWanted);
    return group.wanted;
  }

  /** The others. */
  pastOfService(id: string): readonly string[] {
    const group = this.#byService.get(id);
    if (!group) return [];
    group.past ??= this.#sorted(group, (task) => !isWanted(task));
    return group.past;
  }

  /** Living tasks of a node; '' = those without one. */
  aliveOnNode(id: string): readonly string[] {
    const group = this.#byNode.get(id);
    if (!group) return [];
    group.alive ??= this.#sorted(group, isAlive);
    return group.alive;
  }

  /** Living tasks, on all nodes that are ready. */
  get ready(): Tally['ready'] {
    return this.#tally.ready;
  }

  get aliveTasks(): number {
    return this.#tally.all.tasks;
  }

  loadOf(nodeId: string): Readonly<Load> {
    return this.#tally.loadOf(nodeId);
  }

  /** Wanted tasks of a service whose health check fails. */
  sickOf(serviceId: string): number {
    return this.#tally.sickOf(serviceId).size;
  }

  /** Wanted tasks of a service that do not run. */
  *waitingOf(serviceId: string): Iterable<Rows['task']> {
    for (const id of this.#tally.waitingOf(serviceId)) {
      const task = this.#tables.task.get(id);
      if (task) yield task;
    }
  }

  /** Topics of the changes since the last call. */
  takeTouched(): ReadonlySet<Topic> {
    const touched = new Set(this.#touched);
    this.#touched.clear();
    return touched;
  }

  /** Everything anew. */
  reset(snapshot: Snapshot): void {
    this.#byService.clear();
    this.#byNode.clear();
    this.#tally.clear();
    for (const kind of ROW_KINDS) {
      const gone = [...this.#tables[kind].keys()];
      this.#tables[kind].clear();
      this.#named.delete(kind);
      for (const id of gone) this.#touched.add(`${kind}:${id}`);
      this.#touched.add(kind).add(`${kind}s`);
    }
    this.#lastChanged = undefined;
    for (const kind of ROW_KINDS) for (const row of snapshot[kind]) this.#put(kind, row);
    this.index = snapshot.index;
    this.revision++;
    this.#touched.add('any');
  }

  apply(index: number, batch: ChangeBatch): void {
    for (const { kind, id, row } of batch) {
      if (row === null) this.#remove(kind, id);
      else this.#put(kind, row);
    }
    this.index = index;
    this.revision++;
    this.#touched.add('any');
  }

  #put<K extends RowKind>(kind: K, row: Rows[K]): void {
    const table = this.#tables[kind] as Map<string, Rows[K]>;
    const before = table.get(row.id);
    table.set(row.id, row);
    this.#touch(kind, row.id);
    if (before?.name !== row.name) this.#listChanged(kind);
    if (kind === 'node') this.#tally.node(row.id, row as Rows['node']);
    else if (kind === 'task')
      this.#putTask(before as Rows['task'] | undefined, row as Rows['task']);
    else if (kind === 'service')
      this.#serviceChanged(before as Rows['service'], row as Rows['service']);
  }

  #remove(kind: RowKind, id: string): void {
    const before = this.#tables[kind].get(id);
    if (!before) return;
    this.#tables[kind].delete(id);
    this.#touch(kind, id);
    this.#listChanged(kind);
    if (kind === 'node') this.#tally.node(id, undefined);
    else if (kind === 'service') this.#lastChanged = undefined;
    else if (kind === 'task') this.#dropTask(before as Rows['task']);
  }

  #touch(kind: RowKind, id: string): void {
    this.#touched.add(kind).add(`${kind}:${id}`);
  }

  #listChanged(kind: RowKind): void {
    this.#named.delete(kind);
    this.#touched.add(`${kind}s`);
  }

  #serviceChanged(before: Rows['service'] | undefined, row: Rows['service']): void {
    if (before?.updatedAt !== row.updatedAt) this.#lastChanged = undefined;
  }

  #putTask(before: Rows['task'] | undefined, row: Rows['task']): void {
    const { serviceId, nodeId } = row;
    const isSamePlace = before?.serviceId === serviceId && before.nodeId === nodeId;
    if (before) {
      this.#tally.task(before, -1);
      if (!isSamePlace) this.#leaveGroups(before);
    }
    this.#tally.task(row, 1);
    this.#touched.add(`service:${serviceId}`).add(`node:${nodeId}`);
    if (!isSamePlace) {
      join(this.#byService, serviceId, row.id);
      join(this.#byNode, nodeId, row.id);
      return;
    }
    if (isWanted(before) !== isWanted(row)) forget(this.#byService.get(serviceId));
    if (isAlive(before) !== isAlive(row)) forget(this.#byNode.get(nodeId));
  }

  #dropTask(row: Rows['task']): void {
    this.#tally.task(row, -1);
    this.#leaveGroups(row);
  }

  #leaveGroups({ id, serviceId, nodeId }: Rows['task']): void {
    for (const group of [this.#byService.get(serviceId), this.#byNode.get(nodeId)]) {
      group?.ids.delete(id);
      forget(group);
    }
    this.#touched.add(`service:${serviceId}`).add(`node:${nodeId}`);
  }

  #sorted(group: Group, isIn: (task: Rows['task']) => boolean): readonly string[] {
    const rows = this.#rows(group.ids).filter(isIn);
    return rows.sort(bySlot).map(({ id }) => id);
  }

  #rows(ids: ReadonlySet<string> | undefined): Rows['task'][] {
    const tasks: Rows['task'][] = [];
    for (const id of ids ?? []) {
      const task = this.#tables.task.get(id);
      if (task) tasks.push(task);
    }
    return tasks;
  }
}

function join(groups: Map<string, Group>, key: string, id: string): void {
  const group = groups.get(key);
  if (group) {
    group.ids.add(id);
    forget(group);
  } else {
    const none = { wanted: undefined, past: undefined, alive: undefined };
    groups.set(key, { ids: new Set([id]), ...none });
  }
}

function forget(group: Group | undefined): void {
  if (!group) return;
  group.wanted = undefined;
  group.past = undefined;
  group.alive = undefined;
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
  const load = state.loadOf(node.id);
  return {
    nanoCpus: node.nanoCpus,
    memoryBytes: node.memoryBytes,
    nanoCpusReserved: load.nanoCpus,
    memoryBytesReserved: load.memoryBytes,
    tasks: load.tasks,
  };
}
