// tswarm node ls, inspect, ps: with docker's columns.

import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { checkInspectOptions, type InspectOptions, inspected } from '../../output/inspect.ts';
import { filtersQuery, type ListFlags } from '../context.ts';
import { type PsOptions, taskTable } from '../service/service.ts';
import { idOf } from './change.ts';
import { prettyNode } from './pretty.ts';

const obj = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const capital = (value: unknown): string => {
  const text = String(value ?? '');
  return text.charAt(0).toUpperCase() + text.slice(1);
};

export async function ls(client: ApiClient, options: ListFlags): Promise<number> {
  const [nodes, cluster] = await Promise.all([
    client.get<Json[]>('/nodes', { query: { filters: filtersQuery(options.filter) } }),
    call(client, 'GET /tswarm/v1/cluster'),
  ]);
  const self = cluster.nodeId;
  if (cluster.leaderAddr === '') {
    process.stderr.write(
      'Warning: the swarm does not have a leader; this is what was known before.\n',
    );
  }
  const rows = nodes.map((node) => {
    const manager = node.ManagerStatus ? obj(node.ManagerStatus) : undefined;
    const mark =
      options.quiet || options.json || options.format ? '' : node.ID === self ? ' *' : '';
    return {
      ID: `${node.ID}${mark}`,
      Hostname: obj(node.Description).Hostname ?? '',
      Status: capital(obj(node.Status).State),
      Availability: capital(obj(node.Spec).Availability),
      ManagerStatus: manager
        ? manager.Leader
          ? 'Leader'
          : capital(manager.Reachability ?? 'unknown')
        : '',
      EngineVersion: obj(obj(node.Description).Engine).EngineVersion ?? '',
      Self: node.ID === self,
    };
  });
  const columns = [
    ['ID', 'ID'],
    ['HOSTNAME', 'Hostname'],
    ['STATUS', 'Status'],
    ['AVAILABILITY', 'Availability'],
    ['MANAGER STATUS', 'ManagerStatus'],
    ['ENGINE VERSION', 'EngineVersion'],
  ] as const;
  rows.sort((a, b) => String(a.Hostname).localeCompare(String(b.Hostname)));
  process.stdout.write(formatList({ columns, rows }, options));
  for (const line of meshWarnings(nodes)) process.stderr.write(`Warning: ${line}\n`);
  return EXIT.ok;
}

/** What nodes say of the ways to each other. A node that is down is not reached by anybody: no news. */
function meshWarnings(nodes: readonly Json[]): readonly string[] {
  const down = nodes
    .filter((node) => obj(node.Status).State === 'down')
    .map((node) => String(obj(node.Description).Hostname));
  return nodes
    .filter((node) => obj(node.Status).State !== 'down')
    .flatMap((node) => {
      const { Hostname, MeshFaults } = obj(node.Description);
      return ((MeshFaults ?? []) as readonly string[])
        .filter((fault) => !down.some((name) => fault.includes(`node ${name}`)))
        .map((fault) => `${Hostname}: ${fault}`);
    });
}

export async function inspect(
  client: ApiClient,
  names: readonly string[],
  options: InspectOptions,
): Promise<number> {
  checkInspectOptions(options);
  const found = await Promise.all(
    names.map(async (name) =>
      client.get<Json>(`/nodes/${encodeURIComponent(await idOf(client, name))}`),
    ),
  );
  process.stdout.write(inspected(found, options, prettyNode));
  return EXIT.ok;
}

/** The tasks on nodes, in the columns of `service ps`. */
export async function ps(
  client: ApiClient,
  names: readonly string[],
  options: PsOptions,
): Promise<number> {
  const ids = await Promise.all(
    (names.length === 0 ? ['self'] : names).map(async (name) => {
      const node = await client.get<Json>(`/nodes/${encodeURIComponent(await idOf(client, name))}`);
      return String(node.ID);
    }),
  );
  const services = await client.get<Json[]>('/services');
  const filters = JSON.parse(filtersQuery(options.filter) ?? '{}') as Json;
  process.stdout.write(await taskTable(client, services, { ...filters, node: ids }, options));
  return EXIT.ok;
}
