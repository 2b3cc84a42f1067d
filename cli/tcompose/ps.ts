// tcompose ps and images: the project's containers on all nodes, and tasks that have no container yet with the reason.
import { hookOwner } from '#compose-spec/deploy/pre-start';
import { TswarmError } from '#protocol/errors';
import { humanDuration } from '#protocol/human-duration';
import type { Json } from '../client/http.ts';
import { hasEnded, isWanted, StackModel } from '../client/stack-model.ts';
import { formatList } from '../output/format.ts';
import { ageMs, ellipsis, humanSize, quoted, shortId } from '../output/human.ts';
import { formatTable } from '../output/table.ts';
import type { ComposeContext } from './context.ts';
import { knownProject } from './known-project.ts';

export interface PsOptions {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly services?: boolean;
  readonly format?: string;
  readonly trunc?: boolean;
  readonly status?: readonly string[];
  readonly filter?: readonly string[];
  /** False: without services that the files do not have. */
  readonly orphans?: boolean;
}

interface PsRow {
  readonly name: string;
  readonly id: string;
  readonly image: string;
  readonly command: string;
  readonly service: string;
  readonly created: string;
  readonly status: string;
  readonly ports: string;
  readonly raw: Json;
}

/** Containers of the project by label. */
export async function projectContainers(
  context: ComposeContext,
  project: string,
  all: boolean,
): Promise<Json[]> {
  const filters = JSON.stringify({ label: [`com.docker.compose.project=${project}`] });
  return context.client.get<Json[]>('/containers/json', { query: { all, filters } });
}

export async function ps(
  context: ComposeContext,
  keys: readonly string[],
  options: PsOptions,
): Promise<number> {
  const project = await knownProject(context, keys);
  const wanted = (service: string): boolean =>
    keys.length === 0
      ? options.orphans !== false || hookOwner(service) in project.services
      : keys.includes(service);
  const states = statesOf(options);
  // Who asks for a state asks for it wherever it is.
  const all = options.all === true || states.length > 0;
  const containers = await projectContainers(context, project.name, all);
  const rows = containers
    .filter((container) => states.length === 0 || states.includes(String(container.State)))
    .filter((container) => all || !isOneOff(container))
    .map((container) => containerRow(container, options.trunc !== false))
    .filter((row) => wanted(row.service));
  if (states.length === 0)
    rows.push(...(await waitingRows(context, project.name)).filter((row) => wanted(row.service)));
  rows.sort((a, b) => a.name.localeCompare(b.name));
  if (options.services) print([...new Set(rows.map((row) => row.service))]);
  else if (options.quiet) print(rows.filter((row) => row.id !== '').map((row) => row.id));
  else if (options.format !== undefined && options.format !== 'table') {
    const columns = COLUMNS;
    const list = rows.map((row) => jsonRow(row, project.name));
    process.stdout.write(formatList({ columns, rows: list }, { format: options.format }));
  } else {
    const header = ['NAME', 'IMAGE', 'COMMAND', 'SERVICE', 'CREATED', 'STATUS', 'PORTS'];
    const cells = rows.map((r) => [
      r.name,
      r.image,
      r.command,
      r.service,
      r.created,
      r.status,
      r.ports,
    ]);
    process.stdout.write(formatTable(header, cells));
  }
  return 0;
}

const COLUMNS = [
  ['NAME', 'Name'],
  ['IMAGE', 'Image'],
  ['COMMAND', 'Command'],
  ['SERVICE', 'Service'],
  ['CREATED', 'RunningFor'],
  ['STATUS', 'Status'],
  ['PORTS', 'Ports'],
] as const;

/** Key of the service that a container belongs to. */
export function serviceOf(container: Json): string {
  return (container.Labels as Record<string, string> | null)?.['com.docker.compose.service'] ?? '';
}

const STATES = ['paused', 'restarting', 'removing', 'running', 'dead', 'created', 'exited'];

/** Of --status and --filter status=…. @throws TswarmError invalid_argument */
function statesOf(options: PsOptions): readonly string[] {
  const filtered = (options.filter ?? []).map((filter) => {
    if (filter.startsWith('status=')) return filter.slice('status='.length);
    throw new TswarmError('invalid_argument', `--filter ${filter}: only status=… is known`);
  });
  const states = [...(options.status ?? []), ...filtered];
  const wrong = states.find((state) => !STATES.includes(state));
  if (wrong === undefined) return states;
  throw new TswarmError(
    'invalid_argument',
    `status "${wrong}": must be one of ${STATES.join(', ')}`,
  );
}

/** Made by `run`. */
function isOneOff(container: Json): boolean {
  const labels = container.Labels as Record<string, string> | null;
  return labels?.['com.docker.compose.oneoff'] === 'True';
}

function print(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

function containerRow(container: Json, truncate: boolean): PsRow {
  const labels = (container.Labels as Record<string, string> | null) ?? {};
  const command = String(container.Command ?? '');
  return {
    name: String((container.Names as readonly string[])[0] ?? '').replace(/^\//, ''),
    id: String(container.Id),
    image: String(container.Image),
    command: quoted(truncate ? ellipsis(command, 20) : command),
    service: labels['com.docker.compose.service'] ?? '',
    created: `${humanDuration(Date.now() - Number(container.Created) * 1000)} ago`,
    status: String(container.Status),
    ports: portsText((container.Ports as readonly Json[] | null) ?? []),
    raw: container,
  };
}

/** `0.0.0.0:8080->80/tcp, 6379/tcp`, as docker prints them. */
export function portsText(ports: readonly Json[]): string {
  const words = ports.map((port) => {
    const inside = `${port.PrivatePort}/${port.Type}`;
    return port.PublicPort ? `${port.IP || '0.0.0.0'}:${port.PublicPort}->${inside}` : inside;
  });
  return [...new Set(words)].join(', ');
}

/** Tasks that wait for a node, an image or another service: docker would show nothing. */
async function waitingRows(context: ComposeContext, project: string): Promise<PsRow[]> {
  const detail = await context.client
    .get<Json>(`/tswarm/v1/stacks/${encodeURIComponent(project)}`)
    .catch(() => undefined);
  if (!detail) return [];
  const model = StackModel.of(detail);
  const keys = new Map(model.services().map((service) => [service.id, service.key]));
  return model
    .tasks()
    .filter(
      (task) => isWanted(task) && task.containerId === '' && !(hasEnded(task) && task.error === ''),
    )
    .map((task) => ({
      name: task.containerName,
      id: '',
      image: '',
      command: '',
      service: keys.get(task.serviceId) ?? task.serviceName,
      created: '',
      status: `${task.state}${task.waitingFor || task.error ? `: ${task.waitingFor || task.error}` : ''}`,
      ports: '',
      raw: {},
    }));
}

function jsonRow(row: PsRow, project: string): Json {
  return {
    ID: row.id.slice(0, 12),
    Name: row.name,
    Names: row.name,
    Image: row.image,
    Command: row.command,
    Project: project,
    Service: row.service,
    CreatedAt: row.raw.Created,
    RunningFor: row.created,
    State: row.raw.State ?? 'pending',
    Status: row.status,
    Ports: row.ports,
    Publishers: ((row.raw.Ports as readonly Json[] | null) ?? []).map((port) => ({
      URL: port.IP ?? '',
      TargetPort: port.PrivatePort,
      PublishedPort: port.PublicPort ?? 0,
      Protocol: port.Type,
    })),
    Labels: row.raw.Labels ?? {},
    Health: /\((healthy|unhealthy|health: starting)\)/.exec(row.status)?.[1] ?? '',
    ExitCode: Number(/^Exited \((\d+)\)/.exec(row.status)?.[1] ?? 0),
  };
}

const IMAGE_COLUMNS = [
  ['CONTAINER', 'ContainerName'],
  ['REPOSITORY', 'Repository'],
  ['TAG', 'Tag'],
  ['PLATFORM', 'Platform'],
  ['IMAGE ID', 'ID'],
  ['SIZE', 'Size'],
  ['CREATED', 'CreatedSince'],
] as const;

export async function images(
  context: ComposeContext,
  keys: readonly string[],
  options: { readonly quiet?: boolean; readonly format?: string },
): Promise<number> {
  const project = await knownProject(context, keys);
  const containers = await projectContainers(context, project.name, true);
  const rows = await Promise.all(
    containers
      .filter((container) => keys.length === 0 || keys.includes(serviceOf(container)))
      .map((container) => imageRow(context, container)),
  );
  rows.sort((a, b) => a.ContainerName.localeCompare(b.ContainerName));
  const { format = 'table' } = options;
  if (options.quiet) print([...new Set(rows.map((row) => row.ID))]);
  else process.stdout.write(formatList({ columns: IMAGE_COLUMNS, rows }, { format }));
  return 0;
}

async function imageRow(
  context: ComposeContext,
  container: Json,
): Promise<Record<(typeof IMAGE_COLUMNS)[number][1], string>> {
  const image = await context.client.get<Json>(`/images/${container.ImageID}/json`);
  const [repository = '<none>', tag = '<none>'] = splitTag(String(container.Image));
  return {
    ContainerName: containerRow(container, true).name,
    Repository: repository,
    Tag: tag,
    Platform: `${image.Os}/${image.Architecture}`,
    ID: shortId(String(image.Id)),
    Size: humanSize(Number(image.Size)),
    CreatedSince: `${humanDuration(ageMs(String(image.Created), Date.now()))} ago`,
  };
}

function splitTag(image: string): [string, string] {
  const bare = image.split('@')[0] ?? image;
  const at = bare.lastIndexOf(':');
  return at > bare.lastIndexOf('/') ? [bare.slice(0, at), bare.slice(at + 1)] : [bare, 'latest'];
}
