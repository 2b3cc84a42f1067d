// tcompose ls: the projects of the cluster with the states of their containers; those of which nothing runs only with --all.

import { TswarmError } from '#protocol/errors';
import { call } from '../client/cluster-call.ts';
import type { Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { formatTable } from '../output/table.ts';
import type { ComposeContext } from './context.ts';
import { projectContainers } from './ps.ts';

export interface LsOptions {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly format?: string;
  readonly filter?: readonly string[];
}

interface ProjectRow {
  readonly name: string;
  /** `exited(1), running(2)` */
  readonly status: string;
  readonly isRunning: boolean;
  readonly files: string;
}

export async function ls(context: ComposeContext, options: LsOptions): Promise<number> {
  const { format = 'table' } = options;
  if (format !== 'table' && format !== 'json')
    throw new TswarmError('invalid_argument', `--format ${format}: must be table or json`);
  const names = namesOf(options.filter ?? []);
  const stacks = await call(context.client, 'GET /tswarm/v1/stacks');
  const all = await Promise.all(
    stacks
      .filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)))
      .map(({ name }) => rowOf(context, name)),
  );
  const rows = all.filter((row) => options.all === true || row.isRunning);
  const json = rows.map((row) => ({ Name: row.name, Status: row.status, ConfigFiles: row.files }));
  const cells = rows.map((row) => [row.name, row.status, row.files]);
  process.stdout.write(
    options.quiet
      ? rows.map((row) => `${row.name}\n`).join('')
      : format === 'json'
        ? `${JSON.stringify(json)}\n`
        : formatTable(['NAME', 'STATUS', 'CONFIG FILES'], cells),
  );
  return EXIT.ok;
}

/** `name=part` filters. @throws TswarmError invalid_argument */
function namesOf(filters: readonly string[]): readonly string[] {
  return filters.map((filter) => {
    if (filter.startsWith('name=')) return filter.slice('name='.length);
    throw new TswarmError('invalid_argument', `--filter ${filter}: only name=… is known`);
  });
}

async function rowOf(context: ComposeContext, name: string): Promise<ProjectRow> {
  const [containers, detail] = await Promise.all([
    projectContainers(context, name, true),
    context.client.get<{ services: readonly Json[] }>(
      `/tswarm/v1/stacks/${encodeURIComponent(name)}`,
    ),
  ]);
  const states = new Map<string, number>();
  for (const { State } of containers)
    states.set(String(State), (states.get(String(State)) ?? 0) + 1);
  const spec = detail.services[0]?.Spec as Json | undefined;
  const labels = (spec?.Labels ?? {}) as Readonly<Record<string, string>>;
  return {
    name,
    status: [...states]
      .sort()
      .map(([state, count]) => `${state}(${count})`)
      .join(', '),
    isRunning: states.has('running') || states.has('paused') || states.has('restarting'),
    files: labels['com.docker.compose.project.config_files'] ?? '',
  };
}
