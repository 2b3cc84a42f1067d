// Tasks as JSON text, kept per task: clients that wait for a service ask for all of its tasks many times a second, and of hundreds only a few have changed.
// Invariant: objects of the cache are never changed in place, so a task's text is right as long as the networks that it shows are the same objects.
import type { Network, Task } from '#protocol/generated/objects';
import type { ObjectCache } from '../cache/object-cache.ts';
import { engineTaskJson } from './shapes.ts';

interface Known {
  readonly text: string;
  readonly networks: readonly (Network | undefined)[];
}

export class TaskTexts {
  readonly #known: WeakMap<Task, Known> = new WeakMap();

  /** The task as GET /tasks shows it. */
  of(cache: ObjectCache, task: Task): string {
    const networks = task.networkAttachments.map(({ networkId }) =>
      cache.get('network', networkId),
    );
    const known = this.#known.get(task);
    if (known?.networks.every((network, index) => network === networks[index])) return known.text;
    const text = JSON.stringify(engineTaskJson(cache, task));
    this.#known.set(task, { text, networks });
    return text;
  }
}
