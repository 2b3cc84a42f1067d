// Networks: checks on creation, and who uses one. A network never changes after it was made (only
// its labels, by its stack), since containers hold addresses of it.

import { NODE_LOCAL_NETWORKS } from '#manager/allocator/allocator';
import { type Cidr, contains, overlaps, parseAddress, parseCidr } from '#manager/allocator/cidr';
import { freeSubnet } from '#manager/allocator/free-subnet';
import type { StoreView } from '#manager/store/state';
import type { ReadView, WriteView } from '#manager/store/view';
import { includesRole } from '#protocol/access';
import { attachedName, isAttachment } from '#protocol/attachments';
import { TswarmError } from '#protocol/errors';
import { Network, type Task, TaskState } from '#protocol/generated/objects';
import type { IpamConfig, NetworkSpec } from '#protocol/generated/specs';
import { taskName } from '#protocol/ids';
import { RESERVED_SUBNETS, SUBNET_LENGTH_MAX, SUBNET_LENGTH_MIN } from '#protocol/reserved-subnets';
import type { Actor } from './authorise.ts';
import { checkDnsName, checkLabels, invalid, quote } from './validate-names.ts';

/** Least that IPv6 allows; most that Linux allows. */
const MTU_BYTES_MIN = 1280;
const MTU_BYTES_MAX = 65_535;
const DRIVERS = new Set(['', 'overlay', 'bridge']);

/**
 * @throws TswarmError invalid_argument, not_supported, permission_denied for what the specification
 * itself gets wrong.
 */
export function checkNetworkSpec(spec: NetworkSpec): void {
  if (NODE_LOCAL_NETWORKS.has(spec.name)) {
    throw new TswarmError(
      'permission_denied',
      `operation is not permitted on predefined ${spec.name} network`,
      { field: 'Name' },
    );
  }
  checkDnsName(spec.name);
  checkLabels(spec.labels);
  const driver = spec.driverConfig?.name ?? '';
  if (!DRIVERS.has(driver)) {
    throw invalid(
      'Driver',
      `network ${spec.name}: driver ${quote(driver)} is not supported`,
      'Use overlay, or leave it out.',
    );
  }
  if (spec.ingress) {
    throw new TswarmError('not_supported', 'an ingress network cannot be created', {
      field: 'Ingress',
      hint: 'None is needed: published ports reach every node through the mesh.',
    });
  }
  const configs = spec.ipam?.config ?? [];
  for (const config of configs) checkIpam(config);
  checkFamilies(spec.name, configs);
  if (driver !== 'bridge') checkOptions(spec);
}

const MTU_OPTION = 'com.docker.network.driver.mtu';
/** Docker's word for what is always so here. */
const ENCRYPTED_OPTION = 'encrypted';

/** What carries packets between nodes; all but the first in clear text. */
const BACKEND_OPTION = 'backend';
const BACKENDS: ReadonlySet<string> = new Set(['wireguard', 'vxlan', 'host-gw']);

function backendOf(spec: NetworkSpec | undefined): string {
  return spec?.driverConfig?.options[BACKEND_OPTION] ?? 'wireguard';
}

/**
 * That something goes in clear between nodes is for administrators to decide. A network that they have made so may be named again by the stack that uses it.
 * @throws TswarmError permission_denied
 */
export function checkMayGoInClear(
  actor: Actor,
  view: ReadView,
  specs: readonly NetworkSpec[],
): void {
  if (includesRole(actor.role, 'admin')) return;
  for (const spec of specs) {
    const backend = backendOf(spec);
    if (backend === 'wireguard') continue;
    const known = view.byName('network', spec.name);
    if (known && backendOf(known.spec) === backend) continue;
    throw new TswarmError(
      'permission_denied',
      `network ${spec.name}: ${BACKEND_OPTION}=${backend} goes in clear between nodes: this takes the role admin`,
      {
        field: 'DriverConfig.Options',
        hint: `Leave ${BACKEND_OPTION} out, or ask an administrator to create the network.`,
      },
    );
  }
}

function checkOptions(spec: NetworkSpec): void {
  const options = spec.driverConfig?.options ?? {};
  const isClear = backendOf(spec) !== 'wireguard';
  if (isClear && options[ENCRYPTED_OPTION] !== undefined) {
    throw invalid(
      'DriverConfig.Options',
      `network ${spec.name}: ${BACKEND_OPTION}=${options[BACKEND_OPTION]} is not encrypted`,
      `Leave out ${BACKEND_OPTION} or ${ENCRYPTED_OPTION}.`,
    );
  }
  for (const [key, value] of Object.entries(options)) {
    if (key === ENCRYPTED_OPTION && (value === '' || value === 'true')) continue;
    if (key === ENCRYPTED_OPTION) {
      throw new TswarmError(
        'not_supported',
        `network ${spec.name}: option ${key}=${value}: what goes between nodes is encrypted`,
        {
          field: 'DriverConfig.Options',
          hint: `Leave the option out; where the network between the nodes is trusted, ${BACKEND_OPTION}=vxlan or ${BACKEND_OPTION}=host-gw sends in clear.`,
        },
      );
    }
    if (key === BACKEND_OPTION && BACKENDS.has(value)) continue;
    if (key === BACKEND_OPTION) {
      throw invalid(
        'DriverConfig.Options',
        `network ${spec.name}: ${key}=${value}: no such way between nodes`,
        'Use wireguard (encrypted; or leave the option out), or, where the network between the nodes is trusted, vxlan or host-gw (plain routes).',
      );
    }
    if (key === MTU_OPTION && /^\d{1,5}$/.test(value)) {
      if (Number(value) >= MTU_BYTES_MIN && Number(value) <= MTU_BYTES_MAX) continue;
      throw invalid(
        'DriverConfig.Options',
        `network ${spec.name}: ${key}=${value}: a number from ${MTU_BYTES_MIN} to ${MTU_BYTES_MAX} is wanted`,
      );
    }
    throw new TswarmError(
      'not_supported',
      `network ${spec.name}: option ${quote(key)} of driver overlay is not supported`,
      {
        field: 'DriverConfig.Options',
        hint: `${MTU_OPTION}, ${BACKEND_OPTION} and ${ENCRYPTED_OPTION} are.`,
      },
    );
  }
}

function checkIpam(config: IpamConfig): void {
  const field = 'IPAM.Config';
  if (config.subnet === '') {
    if (config.gateway === '' && config.ipRange === '') return;
    throw invalid(field, 'a gateway or range needs a subnet');
  }
  const subnet = parseCidr(config.subnet, `${field}.Subnet`);
  checkUsable(subnet, config.subnet);
  if (config.ipRange !== '') {
    const range = parseCidr(config.ipRange, `${field}.IPRange`);
    if (!contains(subnet, range.base) || range.length < subnet.length) {
      throw invalid(
        `${field}.IPRange`,
        `range ${config.ipRange} is not within subnet ${config.subnet}`,
      );
    }
  }
  checkInside(subnet, config.gateway, config.subnet, 'gateway');
  for (const [name, address] of Object.entries(config.auxAddresses)) {
    checkInside(subnet, address, config.subnet, `auxiliary address ${name}`);
  }
}

/** A container has one address of each family on a network, and one gateway. */
function checkFamilies(name: string, configs: readonly IpamConfig[]): void {
  const subnets = configs.map(({ subnet }) => subnet).filter(Boolean);
  const v6 = subnets.filter((subnet) => subnet.includes(':'));
  if (v6.length < 2 && subnets.length - v6.length < 2) return;
  throw invalid(
    'IPAM.Config',
    `network ${name} has the subnets ${subnets.join(', ')}: a network has one subnet of each family`,
    'Make a network for each.',
  );
}

function checkUsable(subnet: Cidr, text: string): void {
  const field = 'IPAM.Config.Subnet';
  const longest = SUBNET_LENGTH_MAX[subnet.family];
  if (subnet.length < SUBNET_LENGTH_MIN || subnet.length > longest) {
    const wanted = `a prefix from /${SUBNET_LENGTH_MIN} to /${longest} is wanted`;
    throw invalid(field, `subnet ${text}: ${wanted}`);
  }
  const taken = RESERVED_SUBNETS.find((one) => overlaps(subnet, parseCidr(one.subnet, field)));
  if (!taken) return;
  throw invalid(
    field,
    `subnet ${text} overlaps ${taken.what} (${taken.subnet})`,
    'Choose another subnet, or leave it out.',
  );
}

function checkInside(subnet: Cidr, address: string, subnetText: string, what: string): void {
  if (address === '') return;
  const value = parseAddress(address.split('/')[0] ?? '');
  if (value === undefined || !contains(subnet, value)) {
    throw invalid(
      'IPAM.Config',
      `no matching subnet for ${what} ${address}`,
      `The subnet is ${subnetText}.`,
    );
  }
}

/** Creates a network. Its subnet, when it asks for none, is chosen by the allocator. */
export function createNetwork(tx: WriteView, id: string, spec: NetworkSpec, stack = ''): Network {
  checkNetworkSpec(spec);
  if (tx.byName('network', spec.name)) {
    throw new TswarmError('already_exists', `network with name ${spec.name} already exists`, {
      field: 'Name',
    });
  }
  refuseOverlap(tx, spec);
  refuseWithoutRoom(tx, spec);
  const network = Network.create({ id, spec, stack });
  tx.create('network', network);
  return network;
}

function configsOf(network: Network): readonly IpamConfig[] {
  return [...network.ipam, ...(network.spec?.ipam?.config ?? [])];
}

/** Said now, since whoever is on it would wait for its subnet for ever. */
function refuseWithoutRoom(view: ReadView, spec: NetworkSpec): void {
  const isLocal = NODE_LOCAL_NETWORKS.has(spec.driverConfig?.name ?? '');
  const asks = (spec.ipam?.config ?? []).some(
    ({ subnet }) => subnet !== '' && !subnet.includes(':'),
  );
  if (isLocal || asks) return;
  const taken = [...view.list('network')]
    .flatMap(configsOf)
    .filter(({ subnet }) => subnet !== '')
    .map(({ subnet }) => parseCidr(subnet, 'IPAM.Config.Subnet'));
  freeSubnet(view.cluster(), spec.name, taken);
}

function refuseOverlap(view: ReadView, spec: NetworkSpec): void {
  const wanted = (spec.ipam?.config ?? [])
    .filter((config) => config.subnet !== '')
    .map((config) => parseCidr(config.subnet, 'IPAM.Config.Subnet'));
  if (wanted.length === 0) return;
  for (const other of view.list('network')) {
    const taken = configsOf(other);
    for (const { subnet } of taken) {
      if (subnet === '' || !wanted.some((cidr) => overlaps(cidr, parseCidr(subnet, 'Subnet'))))
        continue;
      throw new TswarmError(
        'permission_denied',
        `Pool overlaps with other one on this address space: network ${other.spec?.name} has ${subnet}`,
        { field: 'IPAM.Config.Subnet', hint: 'Choose another subnet, or leave it out.' },
      );
    }
  }
}

/**
 * Why a network cannot go: a service or a task of a removed service. Undefined when nothing uses
 * it.
 */
export function networkUser(view: StoreView, id: string): string | undefined {
  for (const { spec, id: serviceId } of view.servicesUsing('network', id)) {
    return `service ${spec?.name ?? serviceId}`;
  }
  for (const task of view.list('task')) {
    if (!isAlive(task) || !usesNetwork(task, id)) continue;
    if (!isAttachment(task)) return `task ${taskName(task)}`;
    const { description } = view.get('node', task.nodeId) ?? {};
    return `container ${attachedName(task)} on node ${description?.hostname || task.nodeId}`;
  }
  return undefined;
}

function usesNetwork(task: Task, id: string): boolean {
  return (
    task.networkAttachments.some((attachment) => attachment.networkId === id) ||
    (task.spec?.networks.some((config) => config.target === id) ?? false)
  );
}

/** Whether a task has, or may still get, a container. */
export function isAlive(task: Task): boolean {
  return (task.status?.state ?? 0) <= TaskState.RUNNING;
}
