// tswarm container: ls, inspect, start, stop, restart, kill, pause, unpause, wait, rename, rm, prune, top, port, diff: on whichever node a container is
// (`name@node` where a name is ambiguous). Flags, columns and texts are docker's.
import { TswarmError } from '#protocol/errors';
import { humanDuration } from '#protocol/human-duration';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { ellipsis, humanSize, quoted, shortId } from '../../output/human.ts';
import { inspected } from '../../output/inspect.ts';
import { formatTable } from '../../output/table.ts';
import { portsText } from '../../tcompose/ps.ts';
import { filtersQuery } from '../context.ts';
import { confirmed, textOf } from '../data/fields.ts';

const COMMAND_CHARS = 20;

export interface ListOptions {
  readonly all?: boolean;
  readonly filter?: readonly string[];
  readonly format?: string;
  readonly last?: string;
  readonly latest?: boolean;
  readonly trunc?: boolean;
  readonly quiet?: boolean;
  readonly size?: boolean;
  readonly json?: boolean;
}

export async function ls(client: ApiClient, options: ListOptions): Promise<number> {
  const limit = options.latest ? 1 : Number(options.last ?? -1);
  if (!Number.isInteger(limit)) {
    throw new TswarmError('invalid_argument', `--last "${options.last}": must be a whole number`);
  }
  const found = await client.get<Json[]>('/containers/json', {
    query: {
      all: options.all === true,
      size: options.size === true,
      limit: limit > 0 ? limit : undefined,
      filters: filtersQuery(options.filter),
    },
  });
  const rows = found.map((container) => rowOf(container, options));
  const columns = [
    ['CONTAINER ID', 'ID'],
    ['IMAGE', 'Image'],
    ['COMMAND', 'Command'],
    ['CREATED', 'RunningFor'],
    ['STATUS', 'Status'],
    ['PORTS', 'Ports'],
    ['NAMES', 'Names'],
    ...(options.size ? ([['SIZE', 'Size']] as const) : []),
    ...(rows.some(({ Node }) => Node !== '') ? ([['NODE', 'Node']] as const) : []),
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

function rowOf(container: Json, options: ListOptions): Readonly<Record<string, unknown>> {
  const isWhole = options.trunc === false;
  const id = textOf(container.Id);
  const command = textOf(container.Command);
  const labels = (container.Labels ?? {}) as Readonly<Record<string, string>>;
  const created = Number(container.Created) * 1000;
  return {
    ID: isWhole ? id : shortId(id),
    Image: textOf(container.Image),
    Command: quoted(isWhole ? command : ellipsis(command, COMMAND_CHARS)),
    CreatedAt: new Date(created).toISOString(),
    RunningFor: `${humanDuration(Date.now() - created)} ago`,
    State: textOf(container.State),
    Status: textOf(container.Status),
    Ports: portsText((container.Ports as readonly Json[] | null) ?? []),
    Names: ((container.Names as readonly string[] | null) ?? [])
      .map((name) => name.replace(/^\//, ''))
      .join(','),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    // Only on a socket that shows several nodes.
    Node: textOf((container.Node as Json | undefined)?.Name),
    ...(options.size
      ? {
          Size: `${humanSize(Number(container.SizeRw ?? 0))} (virtual ${humanSize(Number(container.SizeRootFs ?? 0))})`,
        }
      : {}),
  };
}

const at = (name: string): string => `/containers/${encodeURIComponent(name)}`;

export async function inspect(
  client: ApiClient,
  names: readonly string[],
  options: { readonly format?: string; readonly size?: boolean },
): Promise<number> {
  const query = { size: options.size === true };
  const found = await Promise.all(
    names.map((name) => client.get<Json>(`${at(name)}/json`, { query })),
  );
  process.stdout.write(inspected(found, options));
  return EXIT.ok;
}

/** Does one call for each container and prints its name, as docker does. */
async function each(
  client: ApiClient,
  names: readonly string[],
  verb: string,
  query: Readonly<Record<string, string | undefined>> = {},
): Promise<number> {
  return forEachName(names, async (name) => {
    await client.post(`${at(name)}/${verb}`, { query });
    process.stdout.write(`${name}\n`);
  });
}

export const start = (client: ApiClient, names: readonly string[]): Promise<number> =>
  each(client, names, 'start');
export const pause = (client: ApiClient, names: readonly string[]): Promise<number> =>
  each(client, names, 'pause');
export const unpause = (client: ApiClient, names: readonly string[]): Promise<number> =>
  each(client, names, 'unpause');

export interface StopOptions {
  readonly timeout?: string;
  /** The name before docker 28. */
  readonly time?: string;
  readonly signal?: string;
}

export function stop(
  client: ApiClient,
  verb: 'stop' | 'restart',
  names: readonly string[],
  { time, timeout = time, signal }: StopOptions,
): Promise<number> {
  if (timeout !== undefined && !/^-?\d{1,9}$/.test(timeout)) {
    throw new TswarmError(
      'invalid_argument',
      `--timeout "${timeout}": must be a number of seconds`,
    );
  }
  return each(client, names, verb, { t: timeout, signal });
}

export function kill(
  client: ApiClient,
  names: readonly string[],
  { signal }: { readonly signal?: string },
): Promise<number> {
  return each(client, names, 'kill', { signal: signal ?? 'KILL' });
}

export async function wait(client: ApiClient, names: readonly string[]): Promise<number> {
  return forEachName(names, async (name) => {
    const { StatusCode } = await client.post<{ StatusCode: number }>(`${at(name)}/wait`);
    process.stdout.write(`${StatusCode}\n`);
  });
}

export async function rename(client: ApiClient, name: string, next: string): Promise<number> {
  await client.post(`${at(name)}/rename`, { query: { name: next } });
  return EXIT.ok;
}

export async function rm(
  client: ApiClient,
  names: readonly string[],
  options: { readonly force?: boolean; readonly volumes?: boolean },
): Promise<number> {
  return forEachName(names, async (name) => {
    const query = { force: options.force === true, v: options.volumes === true };
    await client.delete(at(name), { query });
    process.stdout.write(`${name}\n`);
  });
}

export async function prune(
  client: ApiClient,
  options: { readonly force?: boolean; readonly filter?: readonly string[] },
): Promise<number> {
  const warning = 'WARNING! This will remove all stopped containers.';
  if (!options.force && !(await confirmed(warning))) return EXIT.failed;
  const answer = await client.post<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>(
    '/containers/prune',
    { query: { filters: filtersQuery(options.filter) } },
  );
  const gone = answer.ContainersDeleted ?? [];
  if (gone.length > 0) process.stdout.write(`Deleted Containers:\n${gone.join('\n')}\n\n`);
  process.stdout.write(`Total reclaimed space: ${humanSize(answer.SpaceReclaimed)}\n`);
  return EXIT.ok;
}

export async function top(
  client: ApiClient,
  name: string,
  flags: readonly string[],
): Promise<number> {
  const query = flags.length === 0 ? {} : { ps_args: flags.join(' ') };
  const found = await client.get<{ Titles: string[]; Processes: string[][] | null }>(
    `${at(name)}/top`,
    { query },
  );
  process.stdout.write(formatTable(found.Titles, found.Processes ?? []));
  return EXIT.ok;
}

export async function port(
  client: ApiClient,
  name: string,
  wanted: string | undefined,
): Promise<number> {
  const detail = await client.get<Json>(`${at(name)}/json`);
  const ports = ((detail.NetworkSettings as Json).Ports ?? {}) as Readonly<
    Record<string, readonly Json[] | null>
  >;
  const key = wanted === undefined || wanted.includes('/') ? wanted : `${wanted}/tcp`;
  let count = 0;
  for (const [inside, bindings] of Object.entries(ports)) {
    if (key !== undefined && inside !== key) continue;
    for (const { HostIp, HostPort } of bindings ?? []) {
      count++;
      const ip = textOf(HostIp) || '0.0.0.0';
      const outside = `${ip.includes(':') ? `[${ip}]` : ip}:${textOf(HostPort)}`;
      process.stdout.write(key === undefined ? `${inside} -> ${outside}\n` : `${outside}\n`);
    }
  }
  if (count > 0 || key === undefined) return EXIT.ok;
  throw new TswarmError('not_found', `no public port '${key}' published for ${name}`);
}

const CHANGES = ['C', 'A', 'D'];

export async function diff(client: ApiClient, name: string): Promise<number> {
  const found = await client.get<readonly { Path: string; Kind: number }[] | null>(
    `${at(name)}/changes`,
  );
  for (const { Path, Kind } of found ?? [])
    process.stdout.write(`${CHANGES[Kind] ?? '?'} ${Path}\n`);
  return EXIT.ok;
}
