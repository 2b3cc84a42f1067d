// tswarm secret and config: create, ls, inspect, rm, with docker's flags and columns. The bytes come from a file or from standard input, never from the command
// line; those of a secret are never shown again.
import { readFileSync } from 'node:fs';
import { messageOf, TswarmError } from '#protocol/errors';
import { humanDuration } from '#protocol/human-duration';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT, forEachName, systemFault } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { ageMs } from '../../output/human.ts';
import { checkInspectOptions, type InspectOptions, inspected } from '../../output/inspect.ts';
import { filtersQuery, type ListFlags } from '../context.ts';
import { labelsOf, textOf } from './fields.ts';

export type DataKind = 'secret' | 'config';

export interface CreateOptions {
  readonly label?: readonly string[];
  readonly driver?: string;
  readonly templateDriver?: string;
}

export async function create(
  client: ApiClient,
  kind: DataKind,
  name: string,
  file: string | undefined,
  options: CreateOptions,
): Promise<number> {
  const data = file === undefined ? undefined : await bytesOf(kind, file);
  if (!data && options.driver === undefined) {
    throw new TswarmError(
      'invalid_argument',
      `${kind} create: a file, or - for standard input, is needed`,
    );
  }
  const { ID } = await client.post<{ ID: string }>(`/${kind}s/create`, {
    body: {
      Name: name,
      Labels: labelsOf(options.label),
      ...(data ? { Data: data.toString('base64') } : {}),
      ...(options.driver === undefined ? {} : { Driver: { Name: options.driver } }),
      ...(options.templateDriver === undefined
        ? {}
        : { Templating: { Name: options.templateDriver } }),
    },
  });
  process.stdout.write(`${ID}\n`);
  return EXIT.ok;
}

async function bytesOf(kind: DataKind, file: string): Promise<Buffer> {
  if (file === '-') {
    const parts: Buffer[] = [];
    for await (const part of process.stdin) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }
  try {
    return readFileSync(file);
  } catch (error) {
    throw new TswarmError(
      'invalid_argument',
      `error reading content from "${file}": ${systemFault(error) ?? messageOf(error)}`,
      {
        hint: `Write: tswarm ${kind} create NAME FILE.`,
      },
    );
  }
}

export async function ls(client: ApiClient, kind: DataKind, options: ListFlags): Promise<number> {
  const found = await client.get<Json[]>(`/${kind}s`, {
    query: { filters: filtersQuery(options.filter) },
  });
  const rows = found.map((object) => {
    const spec = object.Spec as Json;
    const ago = (time: unknown): string =>
      `${humanDuration(ageMs(String(time), Date.now()))} ago`.replace(/^A/, 'a');
    return {
      ID: textOf(object.ID),
      Name: textOf(spec.Name),
      Driver: textOf((spec.Driver as Json | undefined)?.Name),
      CreatedAt: ago(object.CreatedAt),
      UpdatedAt: ago(object.UpdatedAt),
      Labels: labelText(spec.Labels),
    };
  });
  rows.sort((a, b) => a.Name.localeCompare(b.Name, undefined, { numeric: true }));
  const columns = [
    ['ID', 'ID'],
    ['NAME', 'Name'],
    ...(kind === 'secret' ? ([['DRIVER', 'Driver']] as const) : []),
    ['CREATED', 'CreatedAt'],
    ['UPDATED', 'UpdatedAt'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

function labelText(labels: unknown): string {
  return Object.entries((labels ?? {}) as Json)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',');
}

export async function inspect(
  client: ApiClient,
  kind: DataKind,
  names: readonly string[],
  options: InspectOptions,
): Promise<number> {
  checkInspectOptions(options);
  const found = await Promise.all(
    names.map((name) => client.get<Json>(`/${kind}s/${encodeURIComponent(name)}`)),
  );
  process.stdout.write(inspected(found, options, (object) => pretty(kind, object)));
  return EXIT.ok;
}

function pretty(kind: DataKind, object: Json): string {
  const spec = object.Spec as Json;
  const labels = Object.entries((spec.Labels ?? {}) as Json);
  const lines = [
    `ID:\t\t\t${textOf(object.ID)}`,
    `Name:\t\t\t${textOf(spec.Name)}`,
    labels.length === 0
      ? 'Labels:'
      : `Labels:\n${labels.map(([k, v]) => ` - ${k}=${String(v)}`).join('\n')}`,
    ...(kind === 'secret'
      ? [`Driver:\t\t\t${textOf((spec.Driver as Json | undefined)?.Name)}`]
      : []),
    `Created at:\t\t${textOf(object.CreatedAt)}`,
    `Updated at:\t\t${textOf(object.UpdatedAt)}`,
    ...(kind === 'config'
      ? ['Data:', Buffer.from(textOf(spec.Data), 'base64').toString('utf8')]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

export async function rm(
  client: ApiClient,
  kind: DataKind,
  names: readonly string[],
): Promise<number> {
  return forEachName(names, async (name) => {
    await client.delete(`/${kind}s/${encodeURIComponent(name)}`);
    process.stdout.write(`${name}\n`);
  });
}
