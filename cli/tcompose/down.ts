// tcompose down: removes the stack and waits until its containers and networks are gone.
import type { RemoveResult } from '#api/cluster/types';
import { imageName, LABEL } from '#compose-spec/deploy/names';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { composeKey } from '../client/stack-model.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext } from './context.ts';
import { follow } from './follow.ts';
import { type KnownProject, knownProject } from './known-project.ts';
import { servicesOrNone, stopWithin } from './run-state.ts';
import { removeServices } from './stack-watch.ts';

export interface DownOptions {
  readonly volumes?: boolean;
  readonly rmi?: string;
  readonly timeout?: string;
}

/** `keys` empty = the whole project. */
export async function down(
  context: ComposeContext,
  keys: readonly string[],
  options: DownOptions,
): Promise<number> {
  const project = await knownProject(context, keys);
  const { client } = context;
  if (options.rmi !== undefined && options.rmi !== 'all' && options.rmi !== 'local')
    throw new TswarmError('invalid_argument', `--rmi ${options.rmi}: must be local or all`);
  const display = new ProgressDisplay('Removing', context.progress);
  try {
    const images = options.rmi === undefined ? [] : projectImages(project, options.rmi, keys);
    const others = keys.length === 0 ? [] : await otherServices(context, project.name, keys);
    if (others.length > 0) {
      await downServices(context, project, keys, others, options, display);
      for (const image of images) await removeImage(context, image, display);
      return EXIT.ok;
    }
    await stopWithin(context, project.name, [], options.timeout);
    await removeOneOffs(context, project.name);
    const result = await removeStack(context, project.name, options.volumes === true);
    // Also when the stack is gone already: a `down` that was cut short may have left containers on their way out.
    await follow({ client, stack: project.name, display, goal: 'removed', minIndex: result.index });
    for (const change of result.changes) {
      const kind = change.kind.charAt(0).toUpperCase() + change.kind.slice(1);
      if (change.kind !== 'stack' && change.kind !== 'service' && change.action === 'removed')
        display.update(`${kind} ${change.name}`, 'done', 'Removed');
    }
    const volumes = options.volumes === true ? await projectVolumes(context, project.name) : [];
    for (const name of volumes) await removeData(context, name);
    if (result.changes.length + volumes.length === 0) warnNothing(project.name);
    for (const image of images) await removeImage(context, image, display);
    return EXIT.ok;
  } catch (error) {
    if (!hasCode(error, 'no_cluster')) throw error;
    warnNothing(project.name);
    return EXIT.ok;
  } finally {
    display.stop();
  }
}

/** Keys of the project's services in the cluster that are not named. */
async function otherServices(
  context: ComposeContext,
  stack: string,
  keys: readonly string[],
): Promise<readonly string[]> {
  const there = (await servicesOrNone(context, stack)).map(composeKey);
  return there.filter((key) => !keys.includes(key));
}

/** `down SERVICE…`: those alone. Networks stay, as do volumes that the others use. */
async function downServices(
  context: ComposeContext,
  project: KnownProject,
  keys: readonly string[],
  others: readonly string[],
  options: DownOptions,
  display: ProgressDisplay,
): Promise<void> {
  await stopWithin(context, project.name, keys, options.timeout);
  const services = (await servicesOrNone(context, project.name)).filter((service) =>
    keys.includes(composeKey(service)),
  );
  for (const service of services)
    display.update(`Service ${composeKey(service)}`, 'working', 'Removing');
  await removeServices(
    context.client,
    project.name,
    services.map((service) => String(service.ID)),
  );
  for (const service of services)
    display.update(`Service ${composeKey(service)}`, 'done', 'Removed');
  if (services.length === 0) warnNothing(project.name);
  if (options.volumes !== true) return;
  const used = new Set(others.flatMap((key) => volumesOf(project, key)));
  for (const key of new Set(keys.flatMap((key) => volumesOf(project, key)))) {
    const name = project.volumes[key]?.name ?? key;
    if (used.has(key) || project.volumes[key]?.external === true) continue;
    await removeData(context, name);
    display.update(`Volume ${name}`, 'done', 'Removed');
  }
}

/** Keys of the named volumes of a service. */
function volumesOf({ services }: KnownProject, key: string): readonly string[] {
  return (services[key]?.volumes ?? []).flatMap(({ type, source }) =>
    type === 'volume' && source !== undefined ? [source] : [],
  );
}

/** What `run` has left: services outside the stack, found by their labels. Resolves when their containers are gone. */
async function removeOneOffs(context: ComposeContext, project: string): Promise<void> {
  const label = [`${LABEL.project}=${project}`, `${LABEL.oneOff}=True`];
  const filters = JSON.stringify({ label });
  const services = await context.client.get<Json[]>('/services', { query: { filters } });
  if (services.length === 0) return;
  await removeServices(
    context.client,
    project,
    services.map((service) => String(service.ID)),
  );
}

function warnNothing(project: string): void {
  process.stderr.write(`Warning: No resource found to remove for project "${project}".\n`);
}

/** What was removed; nothing when there is no such stack (any more). */
async function removeStack(
  context: ComposeContext,
  stack: string,
  volumes: boolean,
): Promise<RemoveResult> {
  try {
    return await context.client.delete<RemoveResult>(
      `/tswarm/v1/stacks/${encodeURIComponent(stack)}`,
      { query: { volumes } },
    );
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
    return { changes: [], index: 0 };
  }
}

/** Names of the project's volumes whose data is on this node. */
async function projectVolumes(
  context: ComposeContext,
  project: string,
): Promise<readonly string[]> {
  const filters = JSON.stringify({ label: [`${LABEL.project}=${project}`] });
  const { Volumes } = await context.client.get<{ Volumes: readonly Json[] | null }>('/volumes', {
    query: { filters },
  });
  return (Volumes ?? []).map((volume) => String(volume.Name));
}

/** The cluster has forgotten the volume; its data goes with this call. A volume that no container ever used has none. */
async function removeData(context: ComposeContext, name: string): Promise<void> {
  try {
    await context.client.delete(`/volumes/${encodeURIComponent(name)}`);
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
  }
}

/** Images of the file's services (of the named ones, if any): all, or those that the file gives no name (`local`). */
function projectImages(
  project: KnownProject,
  which: string,
  keys: readonly string[],
): readonly string[] {
  const names = Object.entries(project.services)
    .filter(([key]) => keys.length === 0 || keys.includes(key))
    .filter(([, service]) => which === 'all' || service.image === undefined)
    .map(([key, service]) => imageName(project, key, service));
  return [...new Set(names)];
}

async function removeImage(
  context: ComposeContext,
  image: string,
  display: ProgressDisplay,
): Promise<void> {
  try {
    await context.client.delete(`/images/${image}`);
    display.update(`Image ${image}`, 'done', 'Removed');
  } catch (error) {
    if (hasCode(error, 'not_found')) return;
    // Other projects and containers may use it: theirs now.
    if (!hasCode(error, 'conflict')) throw error;
    display.update(`Image ${image}`, 'warning', 'Still in use', messageOf(error));
  }
}
