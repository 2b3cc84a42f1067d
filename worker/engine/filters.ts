// `filters` of container lists and prunes: which containers match. Several values of one name are alternatives (labels: all must match); unknown names and
// impossible values are errors with the Engine API's texts.
import type { EngineFilters } from '#protocol/engine';
import {
  checkFilters,
  invalidFilter,
  matchesLabel,
  matchesLabels,
  untilMs,
} from '#protocol/engine-filters';
import { TswarmError } from '#protocol/errors';
import { PortProtocol } from '#protocol/generated/specs';
import type { ImageStore } from '../images/types.ts';
import type { Container, ContainerTable } from '../runtime/container.ts';
import { publishedPorts } from '../runtime/network-request.ts';

const LIST_NAMES: readonly string[] = [
  'ancestor',
  'before',
  'expose',
  'exited',
  'health',
  'id',
  'isolation',
  'is-task',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];
const STATUSES: ReadonlySet<string> = new Set([
  'created',
  'restarting',
  'running',
  'removing',
  'paused',
  'exited',
  'dead',
]);
const HEALTHS: ReadonlySet<string> = new Set(['starting', 'healthy', 'unhealthy', 'none']);

export interface FilterContext {
  readonly table: ContainerTable;
  readonly images: ImageStore;
  networkOf(idOrName: string): { readonly id: string; readonly name: string } | undefined;
}

/** A test for one container. Stopped containers are in only with `all`, or when the filter asks for a status. */
export function listFilter(
  filters: EngineFilters,
  all: boolean,
  context: FilterContext,
): (container: Container) => boolean {
  checkFilters(filters, LIST_NAMES);
  const values = (name: string): readonly string[] => filters[name] ?? [];
  for (const status of values('status')) {
    if (!STATUSES.has(status)) throw invalidFilter('status', status);
  }
  for (const health of values('health')) {
    if (!HEALTHS.has(health)) throw invalidFilter('health', health);
  }
  const before = limitOf(values('before'), context.table);
  const since = limitOf(values('since'), context.table);
  const showStopped = all || values('status').length > 0 || values('exited').length > 0;
  return (container) => {
    if (!showStopped && !container.isRunning && !before && !since) return false;
    if (before && container.record.createdAt >= before) return false;
    if (since && container.record.createdAt <= since) return false;
    return Object.entries(filters).every(
      ([name, list]) => list.length === 0 || matches(container, name, list, context),
    );
  };
}

function limitOf(names: readonly string[], table: ContainerTable): number | undefined {
  const [name] = names;
  if (name === undefined) return undefined;
  const container = table.find(name);
  if (!container) throw new TswarmError('not_found', `No such container: ${name}`);
  return container.record.createdAt;
}

function matches(
  container: Container,
  name: string,
  values: readonly string[],
  context: FilterContext,
): boolean {
  const { record, state } = container;
  switch (name) {
    case 'id':
      return values.some((value) => container.id.startsWith(value));
    case 'name':
      return values.some((value) => matchesName(record.name, value));
    case 'label':
      return matchesLabels(values, record.config.Labels);
    case 'status':
      return values.includes(state.status);
    case 'exited':
      return state.finishedAt !== '' && values.includes(String(state.exitCode));
    case 'health':
      return values.includes(state.health?.Status ?? 'none');
    case 'ancestor':
      return values.some((value) => isAncestor(container, value, context));
    case 'volume':
      return record.mounts.some(
        (mount) => values.includes(mount.Name ?? '') || values.includes(mount.Destination),
      );
    case 'network':
      return networkNames(container, context).some((item) => values.includes(item));
    case 'publish':
      return publishedPorts(record).some((port) =>
        values.some((value) => matchesPort(value, port.publishedPort, port.protocol)),
      );
    case 'expose':
      return Object.keys(record.config.ExposedPorts ?? {}).some((key) =>
        values.some((value) => key === value || key === `${value}/tcp`),
      );
    case 'is-task':
      return values.includes(String(record.task !== undefined));
    default:
      return true;
  }
}

/** Docker takes the value as a regular expression on the name, with or without its slash. */
function matchesName(name: string, pattern: string): boolean {
  try {
    const expression = new RegExp(pattern);
    return expression.test(name) || expression.test(`/${name}`);
  } catch {
    return name.includes(pattern);
  }
}

function isAncestor(container: Container, value: string, context: FilterContext): boolean {
  const { record } = container;
  if (record.image === value || record.imageId === value) return true;
  const image = context.images.resolve(value);
  return image !== undefined && image.id === record.imageId;
}

function networkNames(container: Container, context: FilterContext): readonly string[] {
  const { record } = container;
  const asked = [
    record.hostConfig.NetworkMode === 'default' ? 'bridge' : record.hostConfig.NetworkMode,
    ...Object.keys(record.endpoints),
    ...(record.task?.networks.map((network) => network.networkId) ?? []),
  ];
  return asked.flatMap((name) => {
    const network = context.networkOf(name);
    return network ? [network.id, network.name] : [name];
  });
}

function matchesPort(value: string, port: number, protocol: PortProtocol): boolean {
  const [range = '', wanted = 'tcp'] = value.split('/');
  const [from = 0, to = from] = range.split('-').map(Number);
  const name =
    protocol === PortProtocol.UDP ? 'udp' : protocol === PortProtocol.SCTP ? 'sctp' : 'tcp';
  return name === wanted && port >= from && port <= to;
}

const PRUNE_NAMES: readonly string[] = ['until', 'label', 'label!'];

/** Which stopped containers a prune takes. */
export function pruneFilter(
  filters: EngineFilters,
  nowMs: number,
): (container: Container) => boolean {
  checkFilters(filters, PRUNE_NAMES);
  const limits = (filters.until ?? []).map((value) => untilMs(value, nowMs));
  return (container) => {
    const { Labels } = container.record.config;
    if (limits.some((limit) => container.record.createdAt / 1000 > limit)) return false;
    if ((filters['label!'] ?? []).some((value) => matchesLabel(Labels, value))) return false;
    return matchesLabels(filters.label, Labels);
  };
}
