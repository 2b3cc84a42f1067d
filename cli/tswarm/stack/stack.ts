// tswarm stack: ls, ps, services, rm, and deploy and config by tcompose's own code, so that a file means the same to both. Stacks that `docker stack deploy`
// made are stacks as well: they are known by their label only. Columns and texts are docker's.
import type { StackChangeInfo } from '#api/cluster/types';
import { hasCode, TswarmError } from '#protocol/errors';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { ComposeContext } from '../../tcompose/context.ts';
import { filtersQuery, type ListFlags } from '../context.ts';
import { ls as listServices, type PsOptions, taskTable } from '../service/service.ts';

const LABEL = 'com.docker.stack.namespace';
const POLL_MS = 100;
const REMOVE_WAIT_MS = 60_000;

type Spec = { readonly Name?: string; readonly Labels?: Readonly<Record<string, string>> };

function labelOf(object: Json): string {
  return (object.Spec as Spec | undefined)?.Labels?.[LABEL] ?? '';
}

export async function ls(
  client: ApiClient,
  options: { readonly format?: string; readonly json?: boolean },
): Promise<number> {
  const [stacks, services] = await Promise.all([
    call(client, 'GET /tswarm/v1/stacks'),
    client.get<Json[]>('/services'),
  ]);
  const counts = new Map(stacks.map(({ name, services: count }) => [name, count]));
  const foreign = services.map(labelOf).filter((name) => name !== '' && !counts.has(name));
  for (const name of foreign) {
    counts.set(name, foreign.filter((other) => other === name).length);
  }
  const rows = [...counts].map(([Name, Services]) => ({ Name, Services, Orchestrator: 'Swarm' }));
  rows.sort((a, b) => a.Name.localeCompare(b.Name, undefined, { numeric: true }));
  const columns = [
    ['NAME', 'Name'],
    ['SERVICES', 'Services'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

/** @throws TswarmError not_found, in docker's words */
async function servicesOf(client: ApiClient, stack: string): Promise<Json[]> {
  const filters = filtersQuery([`label=${LABEL}=${stack}`]);
  const found = await client.get<Json[]>('/services', { query: { filters } });
  if (found.length > 0) return found;
  throw new TswarmError('not_found', `nothing found in stack: ${stack}`);
}

export async function ps(client: ApiClient, stack: string, options: PsOptions): Promise<number> {
  const services = await servicesOf(client, stack);
  const asked = JSON.parse(filtersQuery(options.filter) ?? '{}') as Json;
  const filters = { ...asked, service: services.map((service) => String(service.ID)) };
  process.stdout.write(await taskTable(client, services, filters, options));
  return EXIT.ok;
}

export async function services(
  client: ApiClient,
  stack: string,
  options: ListFlags,
): Promise<number> {
  await servicesOf(client, stack);
  const filter = [...(options.filter ?? []), `label=${LABEL}=${stack}`];
  return listServices(client, { ...options, filter });
}

export async function rm(
  client: ApiClient,
  names: readonly string[],
  options: { readonly detach?: boolean },
): Promise<number> {
  return forEachName(names, async (name) => {
    const changes = await removeStack(client, name);
    for (const change of changes) {
      if (change.kind !== 'stack') process.stdout.write(`Removing ${change.kind} ${change.name}\n`);
    }
    if (options.detach === false) await untilGone(client, name);
  });
}

/** A stack of ours in one change; one of docker's object by object, services first. */
async function removeStack(
  client: ApiClient,
  name: string,
): Promise<readonly Pick<StackChangeInfo, 'kind' | 'name'>[]> {
  try {
    const input = { params: { name } };
    return (await call(client, 'DELETE /tswarm/v1/stacks/{name}', input)).changes;
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
  }
  const filters = filtersQuery([`label=${LABEL}=${name}`]);
  const removed: Pick<StackChangeInfo, 'kind' | 'name'>[] = [];
  for (const kind of ['service', 'secret', 'config', 'network'] as const) {
    const found = await client.get<Json[]>(`/${kind}s`, { query: { filters } });
    for (const object of found) {
      await client.delete(`/${kind}s/${String(object.ID ?? object.Id)}`);
      removed.push({ kind, name: String((object.Spec as Spec | undefined)?.Name ?? object.Name) });
    }
  }
  if (removed.length > 0) return removed;
  throw new TswarmError('not_found', `nothing found in stack: ${name}`);
}

/** Labels by which containers say whose they are: of compose files, and of docker's stacks. */
const CONTAINER_LABELS: readonly string[] = ['com.docker.compose.project', LABEL];

/** Until no container of it is left. */
async function untilGone(client: ApiClient, name: string): Promise<void> {
  const deadlineMs = Date.now() + REMOVE_WAIT_MS;
  while (Date.now() < deadlineMs) {
    const lists = await Promise.all(
      CONTAINER_LABELS.map((label) => {
        const filters = filtersQuery([`label=${label}=${name}`]);
        return client.get<Json[]>('/containers/json', { query: { all: true, filters } });
      }),
    );
    if (lists.every((list) => list.length === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new TswarmError('deadline_exceeded', `stack ${name}: its containers are still there`);
}

export interface DeployOptions {
  readonly composeFile?: readonly string[];
  readonly prune?: boolean;
  readonly detach?: boolean;
  readonly quiet?: boolean;
}

export async function deploy(
  client: ApiClient,
  name: string,
  options: DeployOptions,
): Promise<number> {
  const context = new ComposeContext(
    {
      projectName: name,
      ...(options.composeFile ? { file: options.composeFile } : {}),
      ...(options.quiet ? { progress: 'quiet' as const } : {}),
    },
    client,
  );
  const { up } = await import('../../tcompose/up.ts');
  return up(context, [], {
    detach: true,
    wait: options.detach === false,
    removeOrphans: options.prune === true,
    build: false,
  });
}

export async function config(
  client: ApiClient,
  options: { readonly composeFile?: readonly string[]; readonly skipInterpolation?: boolean },
): Promise<number> {
  const file = options.composeFile;
  const context = new ComposeContext(file ? { file } : {}, client);
  const verb = await import('../../tcompose/config.ts');
  return verb.config(context, [], options.skipInterpolation ? { interpolate: false } : {});
}
