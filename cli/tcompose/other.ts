// The smaller verbs: rm, kill, port, top, scale.
import { hookOwner } from '#compose-spec/deploy/pre-start';
import { TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { composeKey } from '../client/stack-model.ts';
import { EXIT } from '../output/fail.ts';
import { formatTable } from '../output/table.ts';
import type { ComposeContext } from './context.ts';
import { findContainer } from './exec.ts';
import { projectName } from './known-project.ts';
import { projectContainers } from './ps.ts';
import { changeRunState, stackServices } from './run-state.ts';
import { removeServices } from './stack-watch.ts';
import { up } from './up.ts';

const SERVICE_ID_LABEL = 'com.docker.swarm.service.id';

export async function rm(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly force?: boolean; readonly stop?: boolean },
): Promise<number> {
  const stack = await projectName(context, keys);
  if (options.stop) await changeRunState(context, keys, 'stopped');
  const services = await stackServices(context, stack, keys);
  const stopped = services.filter((service) => (service.Spec as Json).RunState === 'stopped');
  if (stopped.length === 0) {
    process.stderr.write('No stopped containers\n');
    return EXIT.ok;
  }
  const containers = await projectContainers(context, stack, true);
  const namesOf = (service: Json): readonly string[] =>
    containers
      .filter((one) => labelsOf(one)[SERVICE_ID_LABEL] === service.ID)
      .map((one) => nameOf(one));
  const all = stopped.flatMap(namesOf).join(', ');
  if (!options.force && !(await confirm(`Going to remove ${all}. Are you sure? [yN] `))) {
    return EXIT.ok;
  }
  const ids = stopped.map((service) => String(service.ID));
  await removeServices(context.client, stack, ids);
  for (const name of stopped.flatMap(namesOf))
    process.stderr.write(` Container ${name}  Removed\n`);
  return EXIT.ok;
}

function labelsOf(container: Json): Readonly<Record<string, string>> {
  return (container.Labels ?? {}) as Readonly<Record<string, string>>;
}

function nameOf(container: Json): string {
  return String((container.Names as readonly string[] | undefined)?.[0]).replace(/^\//, '');
}

async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new TswarmError('failed_precondition', 'nobody to ask: standard input is no terminal', {
      hint: 'Use -f.',
    });
  }
  process.stderr.write(question);
  process.stdin.resume();
  const answer = await new Promise<string>((resolve) =>
    process.stdin.once('data', (data) => resolve(String(data))),
  );
  process.stdin.pause();
  return /^y(es)?\s*$/i.test(answer.trim());
}

export async function kill(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly signal?: string; readonly removeOrphans?: boolean },
): Promise<number> {
  const project = await projectName(context, keys);
  const containers = await projectContainers(context, project, false);
  for (const container of containers) {
    if (keys.length > 0 && !keys.includes(serviceOf(container))) continue;
    await context.client.post(`/containers/${container.Id}/kill`, {
      query: { signal: options.signal ?? 'SIGKILL' },
    });
    process.stderr.write(` Container ${nameOf(container)}  Killed\n`);
  }
  if (options.removeOrphans) await removeOrphans(context, project);
  return EXIT.ok;
}

/** Removes the project's services that the files do not have. */
async function removeOrphans(context: ComposeContext, project: string): Promise<void> {
  const { services, disabledServices } = context.load().project;
  const orphans = (await stackServices(context, project, [])).filter((service) => {
    const owner = hookOwner(composeKey(service));
    return !(owner in services || owner in disabledServices);
  });
  const ids = orphans.map((service) => String(service.ID));
  await removeServices(context.client, project, ids);
  for (const service of orphans) process.stderr.write(` Service ${composeKey(service)}  Removed\n`);
}

export async function port(
  context: ComposeContext,
  service: string,
  privatePort: string,
  options: { readonly protocol?: string; readonly index?: string },
): Promise<number> {
  const id = await findContainer(context, service, options.index);
  const detail = await context.client.get<Json>(`/containers/${id}/json`);
  const ports = (detail.NetworkSettings as Json).Ports as Record<string, readonly Json[] | null>;
  const bindings = ports[`${privatePort}/${options.protocol ?? 'tcp'}`] ?? [];
  const [binding] = bindings ?? [];
  if (!binding)
    throw new TswarmError(
      'not_found',
      `no port ${privatePort}/${options.protocol ?? 'tcp'} for container ${service}`,
    );
  process.stdout.write(`${binding.HostIp || '0.0.0.0'}:${binding.HostPort}\n`);
  return EXIT.ok;
}

interface Processes {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

export async function top(context: ComposeContext, keys: readonly string[]): Promise<number> {
  const project = await projectName(context, keys);
  const all = await projectContainers(context, project, false);
  const containers = all
    .filter((one) => keys.length === 0 || keys.includes(serviceOf(one)))
    .sort((a, b) => nameOf(a).localeCompare(nameOf(b), undefined, { numeric: true }));
  const tops = await Promise.all(
    containers.map((one) => context.client.get<Processes>(`/containers/${one.Id}/top`)),
  );
  const titles = topTitles(tops.map(({ Titles }) => Titles));
  const rows = tops.flatMap(({ Titles, Processes: processes }, at) => {
    const container = containers[at] ?? {};
    // A container with a name of its own is the only one of its service.
    const [, number = '1'] = /[-_](\d+)$/.exec(nameOf(container)) ?? [];
    const own = [serviceOf(container), number];
    return processes.map((fields) => [
      ...own,
      ...titles.map((title) => fields[Titles.indexOf(title)] ?? '-'),
    ]);
  });
  if (rows.length > 0) process.stdout.write(formatTable(['SERVICE', '#', ...titles], rows));
  return EXIT.ok;
}

/** Columns of all containers, in the order in which they are met; the command is the last. */
export function topTitles(titles: readonly (readonly string[])[]): readonly string[] {
  const all = [...new Set(titles.flat())];
  return all.includes('CMD') ? [...all.filter((title) => title !== 'CMD'), 'CMD'] : all;
}

function serviceOf(container: Json): string {
  return labelsOf(container)['com.docker.compose.service'] ?? '';
}

export async function scale(
  context: ComposeContext,
  pairs: readonly string[],
  deps: boolean,
): Promise<number> {
  const names = pairs.map((pair) => pair.split('=')[0] ?? '');
  return up(context, names, { detach: true, scale: pairs, deps });
}
