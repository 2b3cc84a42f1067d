// How many objects of each kind there are, and tasks and nodes by state: counted once and then kept with every change, so that a scrape costs the same with
// ten tasks and with ten thousand.

import type { ObjectUnion } from '#protocol/generated/control';
import { NodeStateText, TaskStateText } from '#protocol/generated/objects';
import { KIND_NAMES } from '../cache/kinds.ts';
import type { CacheNotice, ObjectCache } from '../cache/object-cache.ts';
import { byLabel, type Family } from './exposition.ts';

export class ObjectCounts {
  readonly #cache: ObjectCache;
  #tasks: Map<string, number> = new Map();
  #nodes: Map<string, number> = new Map();

  /** Follows the cache for as long as that lives. */
  constructor(cache: ObjectCache) {
    this.#cache = cache;
    cache.subscribe((notice) => this.#onNotice(notice));
    this.#countAll();
  }

  #onNotice({ reset, changes }: CacheNotice): void {
    if (reset) {
      this.#countAll();
      return;
    }
    for (const { action, object, before } of changes) {
      if (before) this.#add(before, -1);
      if (action !== 'remove') this.#add(object, 1);
    }
  }

  #countAll(): void {
    this.#tasks = new Map([...TaskStateText.values()].map((state) => [state, 0]));
    this.#nodes = new Map([...NodeStateText.values()].map((state) => [state, 0]));
    for (const task of this.#cache.all('task')) this.#add({ task }, 1);
    for (const node of this.#cache.all('node')) this.#add({ node }, 1);
  }

  #add({ task, node }: Partial<ObjectUnion>, by: number): void {
    if (task) count(this.#tasks, TaskStateText.get(task.status?.state ?? 0), by);
    if (node) count(this.#nodes, NodeStateText.get(node.status?.state ?? 0), by);
  }

  families(): readonly Family[] {
    const kinds = KIND_NAMES.map((kind) => [kind, this.#cache.count(kind)] as const);
    return [
      byLabel(
        { name: 'tswarm_store_objects', type: 'gauge', help: 'Objects of the cluster, by kind.' },
        'kind',
        kinds,
      ),
      byLabel(
        { name: 'tswarm_tasks', type: 'gauge', help: 'Tasks of the cluster, by state.' },
        'state',
        this.#tasks,
      ),
      byLabel(
        { name: 'tswarm_nodes', type: 'gauge', help: 'Nodes of the cluster, by state.' },
        'state',
        this.#nodes,
      ),
    ];
  }
}

function count(counts: Map<string, number>, key: string | undefined, by: number): void {
  if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + by);
}
