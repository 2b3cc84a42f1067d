// tswarm service ls, ps, inspect, scale, rm: with docker's columns.

import { TswarmError } from '#protocol/errors';
import { humanDuration } from '#protocol/human-duration';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { ageMs, ellipsis } from '../../output/human.ts';
import { checkInspectOptions, type InspectOptions, inspected } from '../../output/inspect.ts';
import { filtersQuery, type ListFlags } from '../context.ts';
import { prettyService } from './pretty.ts';
import { followRollout } from './rollout.ts';

type Object = Readonly<Record<string, Json>>;

const obj = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const str = (value: unknown): string =>
  value === undefined || value === null ? '' : String(value);

export async function ls(client: ApiClient, options: ListFlags): Promise<number> {
  const services = await client.get<Object[]>('/services', {
    query: { status: true, filters: filtersQuery(options.filter) },
  });
  const rows = services.map((service) => ({
    ID: str(service.ID).slice(0, 12),
    Name: str(obj(service.Spec).Name),
    Mode: modeOf(service),
    Replicas: replicasOf(service),
    Image: imageOf(service),
    Ports: portsOf(service),
  }));
  rows.sort((a, b) => a.Name.localeCompare(b.Name));
  const columns = [
    ['ID', 'ID'],
    ['NAME', 'Name'],
    ['MODE', 'Mode'],
    ['REPLICAS', 'Replicas'],
    ['IMAGE', 'Image'],
    ['PORTS', 'Ports'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

function modeOf(service: Object): string {
  const mode = obj(obj(service.Spec).Mode);
  if ('Global' in mode) return 'global';
  if ('ReplicatedJob' in mode) return 'replicated job';
  return 'GlobalJob' in mode ? 'global job' : 'replicated';
}

function replicasOf(service: Object): string {
  const status = obj(service.ServiceStatus);
  const base = `${status.RunningTasks ?? 0}/${status.DesiredTasks ?? 0}`;
  const max = obj(obj(obj(service.Spec).TaskTemplate).Placement).MaxReplicas;
  const mode = obj(obj(service.Spec).Mode);
  if ('ReplicatedJob' in mode) {
    const total = obj(mode.ReplicatedJob).TotalCompletions ?? 1;
    return `${base} (${status.CompletedTasks ?? 0}/${total} completed)`;
  }
  return max ? `${base} (max ${max} per node)` : base;
}

function imageOf(service: Object): string {
  return str(obj(obj(obj(service.Spec).TaskTemplate).ContainerSpec).Image).replace(
    /@sha256:.*/,
    '',
  );
}

function portsOf(service: Object): string {
  const ports = (obj(service.Endpoint).Ports as readonly Json[] | undefined) ?? [];
  return ports
    .filter((port) => (port.PublishMode ?? 'ingress') === 'ingress')
    .map((port) => `*:${port.PublishedPort}->${port.TargetPort}/${port.Protocol}`)
    .join(', ');
}

export interface PsOptions extends ListFlags {
  readonly trunc?: boolean;
  readonly resolve?: boolean;
}

/** Tasks of services. */
export async function ps(
  client: ApiClient,
  names: readonly string[],
  options: PsOptions,
): Promise<number> {
  const services = await Promise.all(
    names.map((name) => client.get<Object>(`/services/${encodeURIComponent(name)}`)),
  );
  const filters = {
    ...parse(options.filter),
    service: services.map((service) => str(service.ID)),
  };
  process.stdout.write(await taskTable(client, services, filters, options));
  return EXIT.ok;
}

/** By service, then slot (of global services, which have none: node), the newest first. */
export function inTableOrder<T extends Json>(
  tasks: readonly T[],
  serviceNames: ReadonlyMap<string, string>,
): T[] {
  const nameOf = (task: T): string => serviceNames.get(str(task.ServiceID)) ?? '';
  const placeOf = (task: T): string => (Number(task.Slot ?? 0) > 0 ? '' : str(task.NodeID));
  return [...tasks].sort(
    (a, b) =>
      nameOf(a).localeCompare(nameOf(b)) ||
      Number(a.Slot ?? 0) - Number(b.Slot ?? 0) ||
      placeOf(a).localeCompare(placeOf(b)) ||
      str(b.CreatedAt).localeCompare(str(a.CreatedAt)),
  );
}

/** The tasks that pass the filters, the newest of a slot first, older ones indented. */
export async function taskTable(
  client: ApiClient,
  services: readonly Json[],
  filters: Json,
  options: PsOptions,
): Promise<string> {
  const [tasks, nodes] = await Promise.all([
    client.get<Object[]>('/tasks', { query: { filters: JSON.stringify(filters) } }),
    client.get<Object[]>('/nodes').catch(() => []),
  ]);
  const hostnames = new Map(
    nodes.map((node) => [str(node.ID), str(obj(node.Description).Hostname)]),
  );
  const serviceNames = new Map(
    services.map((service) => [str(service.ID), str(obj(service.Spec).Name)]),
  );
  const sorted = inTableOrder(tasks, serviceNames);
  let previous = '';
  const rows = sorted.map((task) => {
    const slot = Number(task.Slot ?? 0) > 0 ? str(task.Slot) : str(task.NodeID);
    const name = `${serviceNames.get(str(task.ServiceID)) ?? str(task.ServiceID)}.${slot}`;
    const older = name === previous;
    previous = name;
    return taskRow(task, older ? ` \\_ ${name}` : name, hostnames, options);
  });
  const columns = [
    ['ID', 'ID'],
    ['NAME', 'Name'],
    ['IMAGE', 'Image'],
    ['NODE', 'Node'],
    ['DESIRED STATE', 'DesiredState'],
    ['CURRENT STATE', 'CurrentState'],
    ['ERROR', 'Error'],
    ['PORTS', 'Ports'],
  ] as const;
  return formatList({ columns, rows }, options);
}

function parse(filters: readonly string[] | undefined): Record<string, string[]> {
  return JSON.parse(filtersQuery(filters) ?? '{}') as Record<string, string[]>;
}

function taskRow(
  task: Object,
  name: string,
  hostnames: ReadonlyMap<string, string>,
  options: PsOptions,
): Record<string, string> {
  const status = obj(task.Status);
  const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  const age = humanDuration(ageMs(str(status.Timestamp), Date.now())).toLowerCase();
  const error = str(status.Err) || str(task.WaitingFor);
  const full = options.trunc === false;
  const ports = ((obj(status.PortStatus).Ports as readonly Json[] | undefined) ?? []).map(
    (port) => `*:${port.PublishedPort}->${port.TargetPort}/${port.Protocol}`,
  );
  const nodeId = str(task.NodeID);
  return {
    ID: full ? str(task.ID) : str(task.ID).slice(0, 12),
    Name: name,
    Image: str(obj(obj(task.Spec).ContainerSpec).Image).replace(/@sha256:.*/, ''),
    Node: options.resolve === false ? nodeId : (hostnames.get(nodeId) ?? nodeId),
    DesiredState: capital(str(task.DesiredState)),
    CurrentState: `${capital(str(status.State))} ${age} ago`,
    Error: error === '' ? '' : `"${full ? error : ellipsis(error, 30)}"`,
    Ports: ports.join(','),
  };
}

export async function inspect(
  client: ApiClient,
  names: readonly string[],
  options: InspectOptions,
): Promise<number> {
  checkInspectOptions(options);
  const query = options.pretty ? {} : { insertDefaults: true };
  const found = await Promise.all(
    names.map((name) => client.get<Json>(`/services/${encodeURIComponent(name)}`, { query })),
  );
  process.stdout.write(inspected(found, options, prettyService));
  return EXIT.ok;
}

export async function rm(client: ApiClient, names: readonly string[]): Promise<number> {
  return forEachName(names, async (name) => {
    await client.delete(`/services/${encodeURIComponent(name)}`);
    process.stdout.write(`${name}\n`);
  });
}

/** `web=3 …`; waits until the tasks run unless detached. */
export async function scale(
  client: ApiClient,
  pairs: readonly string[],
  options: { readonly detach?: boolean },
): Promise<number> {
  for (const pair of pairs) {
    const [, name, count] = /^([^=]+)=(\d+)$/.exec(pair) ?? [];
    if (name === undefined || count === undefined) {
      throw new TswarmError(
        'invalid_argument',
        `invalid scale specifier "${pair}": write SERVICE=NUMBER`,
      );
    }
    await call(client, 'POST /tswarm/v1/services/action', {
      body: { services: [name], replicas: Number(count) },
    });
    process.stdout.write(`${name} scaled to ${count}\n`);
    if (options.detach) continue;
    const code = await followRollout(client, name, { quiet: false, scaling: true });
    if (code !== EXIT.ok) return code;
  }
  return EXIT.ok;
}
