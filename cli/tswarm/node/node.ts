// tswarm node ls, inspect: with docker's columns.
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { filtersQuery } from '../context.ts';

const obj = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {};
const capital = (value: unknown): string => {
  const text = String(value ?? '');
  return text.charAt(0).toUpperCase() + text.slice(1);
};

export async function ls(
  client: ApiClient,
  options: {
    readonly filter?: readonly string[];
    readonly format?: string;
    readonly quiet?: boolean;
    readonly json?: boolean;
  },
): Promise<number> {
  const [nodes, info] = await Promise.all([
    client.get<Json[]>('/nodes', { query: { filters: filtersQuery(options.filter) } }),
    client.get<Json>('/info'),
  ]);
  const self = obj(info.Swarm).NodeID;
  const rows = nodes.map((node) => {
    const manager = node.ManagerStatus ? obj(node.ManagerStatus) : undefined;
    const mark =
      options.quiet || options.json || options.format ? '' : node.ID === self ? ' *' : '';
    return {
      ID: `${node.ID}${mark}`,
      Hostname: obj(node.Description).Hostname ?? '',
      Status: capital(obj(node.Status).State),
      Availability: capital(obj(node.Spec).Availability),
      ManagerStatus: manager ? (manager.Leader ? 'Leader' : capital(manager.Reachability)) : '',
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
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

export async function inspect(client: ApiClient, names: readonly string[]): Promise<number> {
  const info = await client.get<Json>('/info');
  const self = String(obj(info.Swarm).NodeID ?? '');
  const found = await Promise.all(
    names.map((name) =>
      client.get<Json>(`/nodes/${encodeURIComponent(name === 'self' ? self : name)}`),
    ),
  );
  process.stdout.write(`${JSON.stringify(found, null, 4)}\n`);
  return EXIT.ok;
}
