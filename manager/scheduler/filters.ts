// The filters of the scheduler: each says whether a node can take a task, and in words why it cannot. The first failing filter stops a node
// (swarmkit scheduler/filter.go); unlike there, counts are complete because every node is asked in the same order, and a node must fit all
// of a task's volumes. Refuses to rank: that is score.ts.

import { NODE_LOCAL_NETWORKS } from '#manager/allocator/allocator';
import type { ReadView } from '#manager/store/view';
import { companionServices } from '#protocol/companions';
import type { TaskSpec } from '#protocol/generated/specs';
import { type Constraint, matchesConstraint, parseConstraint, valueFor } from './constraint.ts';
import { claimGeneric, genericText } from './generic-resources.ts';

import { type HostPort, hostPortsOf, type NodeInfo } from './node-set.ts';
import { MountType, NodeAvailability, NodeState, type Task } from './types.ts';

export interface Filter {
  readonly name: string;
  /** Its answer for a node may change with each task that is placed. */
  readonly isDynamic: boolean;
  check(info: NodeInfo): boolean;
  /** Words for "… on N nodes". */
  explain(count: number): string;
  /** What is wrong with one node that fails. */
  detail(info: NodeInfo): string;
}

/** What machines call themselves → what images call them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

function nodesText(count: number): string {
  return `${count} ${count === 1 ? 'node' : 'nodes'}`;
}

/**
 * The filters that count for this task (those that could not fail are left out). `beside`: what those ask that will stand beside it; the constraints and the volumes of one count for all.
 */
export function filtersFor(
  task: Task,
  view: ReadView,
  beside: readonly TaskSpec[] = specsBeside(task, view),
): Filter[] {
  const filters: Filter[] = [readyFilter(task)];
  const reserved = task.spec?.resources?.reservations;
  const generic = reserved?.genericResources ?? [];
  if ((reserved?.nanoCpus ?? 0) > 0 || (reserved?.memoryBytes ?? 0) > 0 || generic.length > 0) {
    filters.push(resourceFilter(task));
  }
  if (task.beside.length > 0) filters.push(companionFilter(task, view));
  const plugins = pluginsOf(task, view);
  if (plugins.length > 0) filters.push(pluginFilter(plugins));
  const placement = task.spec?.placement;
  const specs = [...(task.spec ? [task.spec] : []), ...beside];
  const constraints = specs
    .flatMap((spec) => spec.placement?.constraints ?? [])
    .map(parseConstraint);
  if (constraints.length > 0) filters.push(constraintFilter(constraints));
  const platforms = placement?.platforms ?? [];
  if (platforms.length > 0) filters.push(platformFilter(platforms));
  const ports = hostPortsOf(task);
  if (ports.length > 0) filters.push(hostPortFilter(ports));
  const maxReplicas = placement?.maxReplicas ?? 0;
  if (maxReplicas > 0) filters.push(maxReplicasFilter(task.serviceId, maxReplicas));
  const volumes = specs.flatMap(volumesOf);
  if (volumes.length > 0) filters.push(volumeFilter(volumes, view));
  return filters;
}

/** Looks at all services: for answers to people. The scheduler, which remembers who stands beside whom, gives them itself. */
function specsBeside(task: Task, view: ReadView): TaskSpec[] {
  return [...view.list('service')].flatMap(({ spec }) => {
    const isBeside = companionServices(spec?.taskTemplate?.containerSpec).includes(
      task.serviceName,
    );
    return spec?.taskTemplate && isBeside ? [spec.taskTemplate] : [];
  });
}

function readyFilter(task: Task): Filter {
  const isOpen = ({ node }: NodeInfo): boolean =>
    node.spec?.availability === NodeAvailability.ACTIVE ||
    (task.nodeId === node.id && node.spec?.availability === NodeAvailability.PAUSE);
  return {
    name: 'ready',
    isDynamic: false,
    check: (info) => info.node.status?.state === NodeState.READY && isOpen(info),
    explain: (count) => `${nodesText(count)} not available for new tasks`,
    detail: (info) => {
      if (info.node.status?.state === NodeState.DOWN) return 'it is down';
      if (info.node.status?.state !== NodeState.READY) return 'it has not been heard from yet';
      const isDrained = info.node.spec?.availability === NodeAvailability.DRAIN;
      return isDrained ? 'it is drained' : 'it is paused';
    },
  };
}

/** A container joins the namespaces of another one only on the node where that one is. */
function companionFilter(task: Task, view: ReadView): Filter {
  const companions = task.beside.flatMap((id) => view.get('task', id) ?? []);
  const elsewhere = (info: NodeInfo): Task | undefined =>
    companions.find(({ nodeId }) => nodeId !== info.node.id);
  const names = companions.map(({ serviceName }) => serviceName).join(', ');
  return {
    name: 'companion',
    isDynamic: false,
    check: (info) => companions.length === task.beside.length && elsewhere(info) === undefined,
    explain: (count) => `service ${names}, beside which it runs, is not on ${nodesText(count)}`,
    detail: (info) => `service ${elsewhere(info)?.serviceName ?? names} is not there`,
  };
}

function resourceFilter(task: Task): Filter {
  const reserved = task.spec?.resources?.reservations;
  const nanoCpus = reserved?.nanoCpus ?? 0;
  const memoryBytes = reserved?.memoryBytes ?? 0;
  const generic = reserved?.genericResources ?? [];
  return {
    name: 'resource',
    isDynamic: true,
    check: (info) =>
      info.nanoCpusFree >= nanoCpus &&
      info.memoryBytesFree >= memoryBytes &&
      claimedOn(info, task) !== undefined,
    explain: (count) => `insufficient resources on ${nodesText(count)}`,
    detail: (info) => {
      if (info.nanoCpusFree < nanoCpus) {
        return `${nanoCpus / 1e9} cpus asked, ${Math.max(0, info.nanoCpusFree) / 1e9} free`;
      }
      if (info.memoryBytesFree < memoryBytes) {
        return `${mebibytes(memoryBytes)} asked, ${mebibytes(Math.max(0, info.memoryBytesFree))} free`;
      }
      return `${genericText(generic)} asked, not free`;
    },
  };
}

function mebibytes(bytes: number): string {
  return `${Math.round((bytes / 2 ** 20) * 10) / 10} MiB`;
}

/** The generic resources that a task would get on a node; undefined = not enough of them. */
export function claimedOn(info: NodeInfo, task: Task): ReturnType<typeof claimGeneric> {
  const requests = task.spec?.resources?.reservations?.genericResources ?? [];
  if (requests.length === 0) return [];
  const has = info.node.description?.resources?.genericResources ?? [];
  return claimGeneric(has, info.genericTaken, requests);
}

interface Plugin {
  readonly type: 'Network' | 'Volume' | 'Log';
  readonly name: string;
}

function pluginsOf(task: Task, view: ReadView): Plugin[] {
  const plugins: Plugin[] = [];
  for (const { target } of task.spec?.networks ?? []) {
    if (NODE_LOCAL_NETWORKS.has(target)) continue;
    const name = view.get('network', target)?.spec?.driverConfig?.name ?? '';
    plugins.push({ type: 'Network', name: name === '' ? 'overlay' : name });
  }
  for (const mount of task.spec?.containerSpec?.mounts ?? []) {
    const name = mount.volumeOptions?.driverConfig?.name ?? '';
    if (name !== '' && name !== 'local') plugins.push({ type: 'Volume', name });
  }
  const log = task.spec?.logDriver?.name ?? '';
  if (log !== '' && log !== 'none') plugins.push({ type: 'Log', name: log });
  return plugins;
}

function pluginFilter(plugins: readonly Plugin[]): Filter {
  const missing = ({ node }: NodeInfo): Plugin | undefined => {
    const has = node.description?.engine?.plugins ?? [];
    return plugins.find(({ type, name }) => {
      // A node that says nothing of a type is not held to it.
      if (!has.some((plugin) => plugin.type === type)) return false;
      return !has.some((p) => p.type === type && (p.name === name || p.name === `${name}:latest`));
    });
  };
  return {
    name: 'plugin',
    isDynamic: false,
    check: (info) => missing(info) === undefined,
    explain: (count) => `missing plugin on ${nodesText(count)}`,
    detail: (info) => {
      const plugin = missing(info);
      return plugin ? `it has no ${plugin.type.toLowerCase()} driver "${plugin.name}"` : '';
    },
  };
}

function constraintFilter(constraints: readonly Constraint[]): Filter {
  const failing = ({ node }: NodeInfo): Constraint | undefined =>
    constraints.find((constraint) => !matchesConstraint(constraint, node));
  return {
    name: 'constraint',
    isDynamic: false,
    check: (info) => failing(info) === undefined,
    explain: (count) => `scheduling constraints not satisfied on ${nodesText(count)}`,
    detail: (info) => {
      const constraint = failing(info);
      if (!constraint) return '';
      const value = valueFor(constraint, info.node);
      return `${constraint.text}: ${value === undefined ? 'not set' : `it is "${value}"`}`;
    },
  };
}

function platformFilter(platforms: readonly { architecture: string; os: string }[]): Filter {
  const normal = (arch: string): string => ARCHITECTURES[arch] ?? arch;
  return {
    name: 'platform',
    isDynamic: false,
    check: ({ node }) => {
      const has = node.description?.platform;
      return platforms.some(
        ({ architecture, os }) =>
          (architecture === '' || normal(architecture) === normal(has?.architecture ?? '')) &&
          (os === '' || os === has?.os),
      );
    },
    explain: (count) => `unsupported platform on ${nodesText(count)}`,
    detail: ({ node }) => {
      const has = node.description?.platform;
      return `it is ${has?.os ?? '?'}/${normal(has?.architecture ?? '?')}`;
    },
  };
}

function hostPortFilter(ports: readonly HostPort[]): Filter {
  return {
    name: 'host-port',
    isDynamic: true,
    check: (info) => ports.every((port) => info.isPortFree(port)),
    explain: (count) => `host-mode port already in use on ${nodesText(count)}`,
    detail: (info) => {
      const taken = ports.filter((port) => !info.isPortFree(port));
      return `in use: ${taken.map(({ key }) => key.slice(key.indexOf('/') + 1)).join(', ')}`;
    },
  };
}

function maxReplicasFilter(serviceId: string, max: number): Filter {
  return {
    name: 'max-replicas',
    isDynamic: true,
    check: (info) => (info.tasksOfService.get(serviceId) ?? 0) < max,
    explain: (count) => `max replicas per node limit exceed on ${nodesText(count)}`,
    detail: (info) =>
      `it has ${info.tasksOfService.get(serviceId) ?? 0} replicas, at most ${max} allowed`,
  };
}

/** Names of the volumes that a task mounts. */
export function namedVolumes(task: Task): string[] {
  return task.spec ? volumesOf(task.spec) : [];
}

function volumesOf(spec: TaskSpec): string[] {
  const mounts = spec.containerSpec?.mounts ?? [];
  return mounts.filter((m) => m.type === MountType.VOLUME && m.source !== '').map((m) => m.source);
}

/** A named volume has a home; its tasks run there or wait. Read each time: placing a task gives a volume its home. */
function volumeFilter(volumes: readonly string[], view: ReadView): Filter {
  const elsewhere = (info: NodeInfo): { name: string; home: string } | undefined => {
    for (const name of volumes) {
      const home = view.byName('volume', name)?.nodeId ?? '';
      if (home !== '' && home !== info.node.id) return { name, home };
    }
    return undefined;
  };
  return {
    name: 'volume',
    isDynamic: true,
    check: (info) => elsewhere(info) === undefined,
    explain: (count) => `volume ${volumes.join(', ')} is on another node than ${nodesText(count)}`,
    detail: (info) => {
      const volume = elsewhere(info);
      if (!volume) return '';
      const hostname = view.get('node', volume.home)?.description?.hostname ?? volume.home;
      return `volume ${volume.name} is on ${hostname}`;
    },
  };
}
