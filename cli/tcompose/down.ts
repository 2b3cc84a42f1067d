// tcompose down: removes the stack and waits until its containers and networks are gone.
import type { RemoveResult } from '#api/cluster/types';
import { hasCode } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext } from './context.ts';
import { follow } from './follow.ts';

export interface DownOptions {
  readonly volumes?: boolean;
  readonly rmi?: string;
}

export async function down(context: ComposeContext, options: DownOptions): Promise<number> {
  const { project } = context.load();
  const { client } = context;
  const display = new ProgressDisplay('Removing', context.progress);
  try {
    const images =
      options.rmi === undefined ? [] : await projectImages(context, project.name, options.rmi);
    const result = await client.delete<RemoveResult>(
      `/tswarm/v1/stacks/${encodeURIComponent(project.name)}`,
      {
        query: { volumes: options.volumes === true },
      },
    );
    for (const change of result.changes) {
      if (change.kind === 'service')
        display.update(`Service ${change.name}`, 'working', 'Removing');
    }
    await follow({ client, stack: project.name, display, goal: 'removed', minIndex: result.index });
    for (const change of result.changes) {
      const kind = change.kind.charAt(0).toUpperCase() + change.kind.slice(1);
      if (change.kind !== 'stack' && change.action === 'removed')
        display.update(`${kind} ${change.name}`, 'done', 'Removed');
    }
    for (const change of result.changes) {
      if (change.kind === 'volume' && change.action === 'removed')
        await removeData(context, change.name);
    }
    for (const image of images) {
      await client.delete(`/images/${image}`);
      display.update(`Image ${image}`, 'done', 'Removed');
    }
    return EXIT.ok;
  } catch (error) {
    if (!hasCode(error, 'not_found') && !hasCode(error, 'no_cluster')) throw error;
    process.stderr.write(`Warning: No resource found to remove for project "${project.name}".\n`);
    return EXIT.ok;
  } finally {
    display.stop();
  }
}

/** The cluster has forgotten the volume; its data goes with this call. A volume that no container ever used has none. */
async function removeData(context: ComposeContext, name: string): Promise<void> {
  try {
    await context.client.delete(`/volumes/${encodeURIComponent(name)}`);
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
  }
}

/** Images of the project: all, or those that have no name of their own in the file (`local`). */
async function projectImages(
  context: ComposeContext,
  stack: string,
  which: string,
): Promise<string[]> {
  const detail = await context.client.get<{ services: readonly Json[] }>(
    `/tswarm/v1/stacks/${encodeURIComponent(stack)}`,
  );
  const names = detail.services.map((service) => {
    const template = (service.Spec as Json).TaskTemplate as Json;
    return String((template.ContainerSpec as Json).Image);
  });
  return [...new Set(names)].filter((name) => which === 'all' || name.startsWith(`${stack}-`));
}
