// The filters of the scheduler: each says whether a node can take a task, and in words why the others cannot. First failing filter
// stops a node (swarmkit scheduler/filter.go); unlike there, counts are complete because every node is asked in the same order.
import type { ReadView } from '#manager/store/view';
import { type Constraint, matchesConstraint, parseConstraint } from './constraint.ts';
import { hostPortsOf, type NodeInfo } from './node-set.ts';
import { NodeAvailability, NodeState, type Task } from './types.ts';

export interface Filter {
  readonly name: string;
  check(info: NodeInfo): boolean;
  /** Words for "… on N nodes". */
  explain(count: number): string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

function nodesText(count: number): string {
  return `${count} ${count === 1 ? 'node' : 'nodes'}`;
}

/** The filters that count for this task (those that could not fail are left out). */
export function filtersFor(task: Task, view: ReadView): Filter[] {
  const filters: Filter[] = [readyFilter(task)];
  const reserved = task.spec?.resources?.reservations;
  if ((reserved?.nanoCpus ?? 0) > 0 || (reserved?.memoryBytes ?? 0) > 0) {
    filters.push(resourceFilter(reserved?.nanoCpus ?? 0, reserved?.memoryBytes ?? 0));
  }
  const placement = task.spec?.placement;
  const constraints = (placement?.constraints ?? []).map(parseConstraint);
  if (constraints.length > 0) filters.push(constraintFilter(constraints));
  const platforms = placement?.platforms ?? [];
  if (platforms.length > 0) filters.push(platformFilter(platforms));
  const ports = hostPortsOf(task);
  if (ports.length > 0) filters.push(hostPortFilter(ports));
  const maxReplicas = placement?.maxReplicas ?? 0;
  if (maxReplicas > 0) filters.push(maxReplicasFilter(task.serviceId, maxReplicas));
  const homes = volumeHomes(task, view);
  if (homes.length > 0) filters.push(volumeFilter(homes));
  return filters;
}

function readyFilter(task: Task): Filter {
  return {
    name: 'ready',
    check: ({ node }) =>
      node.status?.state === NodeState.READY &&
      (node.spec?.availability === NodeAvailability.ACTIVE ||
        (task.nodeId === node.id && node.spec?.availability === NodeAvailability.PAUSE)),
    explain: (count) => `${nodesText(count)} not available for new tasks`,
  };
}

function resourceFilter(nanoCpus: number, memoryBytes: number): Filter {
  return {
    name: 'resource',
    check: (info) => info.nanoCpusFree >= nanoCpus && info.memoryBytesFree >= memoryBytes,
    explain: (count) => `insufficient resources on ${nodesText(count)}`,
  };
}

function constraintFilter(constraints: readonly Constraint[]): Filter {
  return {
    name: 'constraint',
    check: ({ node }) => constraints.every((constraint) => matchesConstraint(constraint, node)),
    explain: (count) => `scheduling constraints not satisfied on ${nodesText(count)}`,
  };
}

function platformFilter(platforms: readonly { architecture: string; os: string }[]): Filter {
  const normal = (arch: string): string => ARCHITECTURES[arch] ?? arch;
  return {
    name: 'platform',
    check: ({ node }) => {
      const has = node.description?.platform;
      return platforms.some(
        ({ architecture, os }) =>
          (architecture === '' || normal(architecture) === normal(has?.architecture ?? '')) &&
          (os === '' || os === has?.os),
      );
    },
    explain: (count) => `unsupported platform on ${nodesText(count)}`,
  };
}

function hostPortFilter(ports: readonly string[]): Filter {
  return {
    name: 'host-port',
    check: (info) => ports.every((port) => !info.hostPorts.has(port)),
    explain: (count) => `host-mode port already in use on ${nodesText(count)}`,
  };
}

function maxReplicasFilter(serviceId: string, max: number): Filter {
  return {
    name: 'max-replicas',
    check: (info) => (info.tasksOfService.get(serviceId) ?? 0) < max,
    explain: (count) => `max replicas per node limit exceed on ${nodesText(count)}`,
  };
}

interface VolumeHome {
  readonly volume: string;
  readonly nodeId: string;
}

function volumeHomes(task: Task, view: ReadView): VolumeHome[] {
  const homes: VolumeHome[] = [];
  for (const name of namedVolumes(task)) {
    const nodeId = view.byName('volume', name)?.nodeId ?? '';
    if (nodeId !== '') homes.push({ volume: name, nodeId });
  }
  return homes;
}

/** Names of the volumes that a task mounts. */
export function namedVolumes(task: Task): string[] {
  const mounts = task.spec?.containerSpec?.mounts ?? [];
  return mounts.filter((m) => m.type === 1 && m.source !== '').map((m) => m.source);
}

function volumeFilter(homes: readonly VolumeHome[]): Filter {
  const names = homes.map(({ volume }) => volume).join(', ');
  return {
    name: 'volume',
    check: ({ node }) => homes.every(({ nodeId }) => nodeId === node.id),
    explain: (count) => `volume ${names} is on another node than ${nodesText(count)}`,
  };
}
