// Chooses a node for each task of a pass: filters, then a score (score.ts). Tasks of one version of a service are a group: its nodes are filtered
// and ranked once, then each task costs the logarithm of the nodes, whatever the number of tasks in the cluster. Equal nodes are told apart by the
// given randomness, so that they share the work and a seed repeats it.
// Contract: between two calls of `place` the caller counts the placed task in the node set (its scores only get worse); whatever else changes
// nodes or tasks needs a new Placer.
import type { ReadView } from '#manager/store/view';
import type { GenericResource, TaskSpec } from '#protocol/generated/specs';
import { claimedOn, type Filter, filtersFor } from './filters.ts';
import type { NodeInfo, NodeSet } from './node-set.ts';
import { PlacementTree } from './placement-tree.ts';
import { scoreOf, spreadValue } from './score.ts';
import type { Task } from './types.ts';

export interface FilterCount {
  readonly filter: string;
  readonly nodes: number;
  readonly text: string;
}

/** Where a task goes and what each filter refused. */
export interface Placement {
  readonly nodeId: string | undefined;
  /** What the task gets of the node's generic resources. */
  readonly generic: readonly GenericResource[];
  /** Most nodes first. */
  readonly refused: readonly FilterCount[];
  /** "no suitable node (…)"; empty when a node was found. */
  readonly reason: string;
}

export interface PlacerOptions {
  readonly nodes: NodeSet;
  readonly view: ReadView;
  readonly nowMicros: number;
  random(): number;
  /** What those ask that will stand beside a task: its node has to suit them, too. */
  specsBeside(task: Task): readonly TaskSpec[];
}

interface Group {
  /** The task that it was made for; others belong to it when they ask the same. */
  readonly task: Task;
  readonly filters: readonly Filter[];
  readonly tree: PlacementTree<NodeInfo>;
  readonly refused: Map<Filter, number>;
}

export class Placer {
  readonly #options: PlacerOptions;
  /** service id → its group; one at a time, since the branches' counts belong to the service. */
  readonly #groups: Map<string, Group> = new Map();

  constructor(options: PlacerOptions) {
    this.#options = options;
  }

  /** A node for the task. One with a node already (global services) is only checked against the filters. */
  place(task: Task): Placement {
    return task.nodeId === '' ? this.#placeInGroup(task) : this.#confirm(task);
  }

  #confirm(task: Task): Placement {
    const { nodes, view } = this.#options;
    const info = nodes.nodes.get(task.nodeId);
    const filters = filtersFor(task, view, this.#options.specsBeside(task));
    const failing = info && filters.find((filter) => !filter.check(info));
    if (info && isThere(info, view) && !failing) return placed(info, task, []);
    return nowhere(failing ? [[failing, 1]] : []);
  }

  #placeInGroup(task: Task): Placement {
    let group = this.#groups.get(task.serviceId);
    if (!group || !asksTheSame(group.task, task)) {
      group = this.#newGroup(task);
      this.#groups.set(task.serviceId, group);
    }
    const info = group.tree.best();
    if (!info) return nowhere(group.refused);
    group.tree.count(pathOf(task, info), 1);
    return placed(info, task, counted(group.refused));
  }

  #newGroup(task: Task): Group {
    const { nodes, view, nowMicros, random } = this.#options;
    const filters = filtersFor(task, view, this.#options.specsBeside(task));
    const dynamic = filters.filter((filter) => filter.isDynamic);
    const refused = new Map<Filter, number>();
    const note = (filter: Filter): void => {
      refused.set(filter, (refused.get(filter) ?? 0) + 1);
    };
    const tree = new PlacementTree<NodeInfo>({
      score: (info) => scoreOf(task, info, nowMicros),
      fits: (info) => {
        const failing = dynamic.find((filter) => !filter.check(info));
        if (failing) note(failing);
        return failing === undefined;
      },
    });
    for (const info of nodes.nodes.values()) {
      if (!isThere(info, view)) continue;
      const path = pathOf(task, info);
      tree.count(path, info.tasksOfService.get(task.serviceId) ?? 0);
      const failing = filters.find((filter) => !filter.check(info));
      if (failing) note(failing);
      else tree.add(path, info, random());
    }
    return { task, filters, tree, refused };
  }
}

/** The set hears of a node's removal when that is committed. What is placed on the node before would lose its task, and its volume for good. */
function isThere({ node }: NodeInfo, view: ReadView): boolean {
  return view.get('node', node.id) !== undefined;
}

/** Branch of a node: its value for each of the task's spread preferences. */
export function pathOf(task: Task, info: NodeInfo): string[] {
  const preferences = task.spec?.placement?.preferences ?? [];
  return preferences.map(({ spread }) => spreadValue(spread?.spreadDescriptor ?? '', info.node));
}

function asksTheSame(a: Task, b: Task): boolean {
  return (
    a.spec === b.spec &&
    a.specVersion?.index === b.specVersion?.index &&
    a.beside.length === b.beside.length &&
    a.beside.every((id, index) => id === b.beside[index]) &&
    sameEndpoint(a.endpoint, b.endpoint)
  );
}

function sameEndpoint(a: Task['endpoint'], b: Task['endpoint']): boolean {
  if (a === b) return true;
  const [left, right] = [a?.ports ?? [], b?.ports ?? []];
  return left.length === right.length && left.every((port, index) => port === right[index]);
}

function placed(info: NodeInfo, task: Task, refused: readonly FilterCount[]): Placement {
  return { nodeId: info.node.id, generic: claimedOn(info, task) ?? [], refused, reason: '' };
}

function counted(refused: Iterable<readonly [Filter, number]>): FilterCount[] {
  return [...refused]
    .map(([filter, nodes]) => ({ filter: filter.name, nodes, text: filter.explain(nodes) }))
    .sort((a, b) => b.nodes - a.nodes || (a.filter < b.filter ? -1 : 1));
}

function nowhere(counts: Iterable<readonly [Filter, number]>): Placement {
  const refused = counted(counts);
  const words = refused.map(({ text }) => text).join('; ');
  return {
    nodeId: undefined,
    generic: [],
    refused,
    reason: `no suitable node (${words === '' ? 'no nodes in the cluster' : words})`,
  };
}
