// tswarm volume: create, ls, inspect, rm, prune, with docker's flags and columns.
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { humanSize } from '../../output/human.ts';
import { inspected } from '../../output/inspect.ts';
import { filtersQuery, type ListFlags } from '../context.ts';
import { confirmed, labelsOf, type PruneFlags, textOf } from './fields.ts';

export async function create(
  client: ApiClient,
  name: string | undefined,
  options: {
    readonly driver?: string;
    readonly opt?: readonly string[];
    readonly label?: readonly string[];
  },
): Promise<number> {
  const made = await client.post<{ Name: string }>('/volumes/create', {
    body: {
      Name: name ?? '',
      Driver: options.driver ?? 'local',
      DriverOpts: labelsOf(options.opt, '--opt'),
      Labels: labelsOf(options.label),
    },
  });
  process.stdout.write(`${made.Name}\n`);
  return EXIT.ok;
}

export async function ls(client: ApiClient, options: ListFlags): Promise<number> {
  const { Volumes } = await client.get<{ Volumes: Json[] | null }>('/volumes', {
    query: { filters: filtersQuery(options.filter) },
  });
  const rows = (Volumes ?? []).map((volume) => ({
    Driver: textOf(volume.Driver),
    Name: textOf(volume.Name),
    Scope: textOf(volume.Scope),
    Mountpoint: textOf(volume.Mountpoint),
    Labels: Object.entries((volume.Labels ?? {}) as Json)
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(','),
  }));
  rows.sort((a, b) => a.Name.localeCompare(b.Name, undefined, { numeric: true }));
  const columns = [
    ['DRIVER', 'Driver'],
    ['VOLUME NAME', 'Name'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, { ...options, quietField: 'Name' }));
  return EXIT.ok;
}

export async function inspect(
  client: ApiClient,
  names: readonly string[],
  options: { readonly format?: string },
): Promise<number> {
  const found = await Promise.all(
    names.map((name) => client.get<Json>(`/volumes/${encodeURIComponent(name)}`)),
  );
  process.stdout.write(inspected(found, options));
  return EXIT.ok;
}

export async function rm(
  client: ApiClient,
  names: readonly string[],
  options: { readonly force?: boolean },
): Promise<number> {
  return forEachName(names, async (name) => {
    await client.delete(`/volumes/${encodeURIComponent(name)}`, {
      query: { force: options.force === true },
    });
    process.stdout.write(`${name}\n`);
  });
}

export async function prune(client: ApiClient, options: PruneFlags): Promise<number> {
  const which = options.all ? 'all local volumes' : 'anonymous local volumes';
  const warning = `WARNING! This will remove ${which} not used by at least one container.`;
  if (!options.force && !(await confirmed(warning))) return EXIT.failed;
  const filters = [...(options.filter ?? []), ...(options.all ? ['all=true'] : [])];
  const answer = await client.post<{ VolumesDeleted: string[] | null; SpaceReclaimed: number }>(
    '/volumes/prune',
    { query: { filters: filtersQuery(filters) } },
  );
  const gone = answer.VolumesDeleted ?? [];
  if (gone.length > 0) process.stdout.write(`Deleted Volumes:\n${gone.join('\n')}\n\n`);
  process.stdout.write(`Total reclaimed space: ${humanSize(answer.SpaceReclaimed)}\n`);
  return EXIT.ok;
}
