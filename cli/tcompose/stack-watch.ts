// Waiting for something to be true of a project, told by the server as it changes: nobody asks again and again. What the display of `up` follows is in follow.ts.
import type { WatchLine } from '#api/cluster/types';
import { connectionLost } from '../client/endpoint.ts';
import type { ApiClient } from '../client/http.ts';
import { StackModel } from '../client/stack-model.ts';

/** What `look` finds first, now or after a change. It may throw to give up. @throws TswarmError when the server goes away */
export async function whenStack<T>(
  client: ApiClient,
  stack: string,
  look: (model: StackModel) => T | undefined,
): Promise<T> {
  const model = new StackModel();
  const stop = new AbortController();
  const path = `/tswarm/v1/stacks/${encodeURIComponent(stack)}/watch`;
  try {
    for await (const line of client.lines('GET', path, { signal: stop.signal })) {
      model.apply(line as unknown as WatchLine);
      const found = look(model);
      if (found !== undefined) return found;
    }
  } finally {
    stop.abort();
  }
  throw connectionLost(client.endpoint);
}

/** Removes services. Resolves when their containers are gone. */
export async function removeServices(
  client: ApiClient,
  stack: string,
  ids: readonly string[],
): Promise<void> {
  for (const id of ids) await client.delete(`/services/${id}`);
  const isOneOfThem = new Set(ids);
  await whenStack(client, stack, (model) => {
    const tasks = model.tasks().filter((task) => isOneOfThem.has(task.serviceId));
    return tasks.every((task) => task.containerId === '') || undefined;
  });
}
