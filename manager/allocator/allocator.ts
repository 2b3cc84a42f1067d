// Gives networks their subnets, services their virtual addresses and published ports, tasks their addresses. What is in use is remembered
// between calls and rebuilt from the store after a leader change. Decides only; the caller writes the results.
// A task that cannot get an address stays NEW and says why: never a silent wait (moby#35849).

import type { ReadView, StoreChange } from '#manager/store/view';
import { attachedName, isAttachment } from '#protocol/attachments';
import { TswarmError } from '#protocol/errors';
import type { EndpointVip, NetworkAttachment } from '#protocol/generated/objects';
import {
  type Network,
  NodeState,
  type Service,
  type Task,
  TaskState,
} from '#protocol/generated/objects';
import {
  EndpointMode,
  IpamConfig,
  type NetworkAttachmentConfig,
  PortConfig,
  PublishMode,
} from '#protocol/generated/specs';
import { taskName } from '#protocol/ids';
import { AddressPool } from './address-pool.ts';
import {
  type Cidr,
  contains,
  formatAddress,
  formatCidr,
  meaningOf,
  overlaps,
  parseAddress,
  parseCidr,
} from './cidr.ts';
import { freeSubnet } from './free-subnet.ts';

/** Of an exhausted subnet: so many addresses are looked at, and so many of those who have them are named. */
const HOLDERS_LOOKED_AT_MAX = 4_096;
const HOLDERS_NAMED_MAX = 5;
/** What is nobody's: the gateway, reserved addresses. */
const NETWORKS_OWN = "the network's ";
/** Networks that every node has by itself; a service joins them by these names and gets no address from us. */
export const NODE_LOCAL_NETWORKS: ReadonlySet<string> = new Set(['host', 'none', 'bridge']);

/** Swarm's range for published ports that nobody chose. */
const AUTO_PORT_FIRST = 30000;
const AUTO_PORT_LAST = 32767;

export class Allocator {
  /** network id → pools, IPv4 first */
  readonly #pools: Map<string, AddressPool[]> = new Map();
  readonly #subnets: Map<string, Cidr[]> = new Map();
  /** network id and family → address → service that has asked for it; nobody else gets it, also while the service has no task */
  readonly #reserved: Map<string, Map<bigint, string>> = new Map();
  /** "tcp/8080" → service id */
  readonly #ingressPorts: Map<string, string> = new Map();
  #portCursor = AUTO_PORT_FIRST;

  /** Forgets everything and reads what is in use from the store. */
  rebuild(view: ReadView): void {
    this.#pools.clear();
    this.#subnets.clear();
    this.#reserved.clear();
    this.#ingressPorts.clear();
    for (const network of view.list('network')) this.#addNetwork(network);
    for (const service of view.list('service')) this.#holdService(service);
    for (const task of view.list('task')) if (holdsAddresses(task)) this.#holdTask(task);
  }

  /** Takes note of a committed or pending change. */
  apply(change: StoreChange): void {
    if (change.kind === 'network') {
      const after = change.after as Network | undefined;
      if (after) this.#addNetwork(after);
      else this.#removeNetwork((change.before as Network).id);
    } else if (change.kind === 'service') {
      const before = change.before as Service | undefined;
      const after = change.after as Service | undefined;
      if (before) this.#releaseService(before, after);
      if (after) this.#holdService(after);
    } else if (change.kind === 'task') {
      const before = change.before as Task | undefined;
      const after = change.after as Task | undefined;
      if (after && holdsAddresses(after)) this.#holdTask(after);
      else if (before) this.#releaseTask(before);
    }
  }

  // ---- networks -----------------------------------------------------------------------------------

  #addNetwork(network: Network): void {
    if (network.ipam.length === 0 || this.#pools.has(network.id)) return;
    const subnets = network.ipam.map((config) => parseCidr(config.subnet, 'IPAM.Config.Subnet'));
    this.#subnets.set(network.id, subnets);
    this.#pools.set(
      network.id,
      network.ipam.map((config, index) => {
        const range =
          config.ipRange === '' ? undefined : parseCidr(config.ipRange, 'IPAM.Config.IPRange');
        const subnet = subnets[index] as Cidr;
        const reserved = this.#reservedIn(network.id, subnet.family);
        const pool = new AddressPool(subnet, config.gateway, range, reserved);
        for (const [name, address] of Object.entries(config.auxAddresses)) pool.hold(address, name);
        return pool;
      }),
    );
  }

  #removeNetwork(id: string): void {
    this.#pools.delete(id);
    this.#subnets.delete(id);
    for (const family of [4, 6] as const) this.#reserved.delete(`${id}/${family}`);
  }

  #reservedIn(networkId: string, family: 4 | 6): Map<bigint, string> {
    const key = `${networkId}/${family}`;
    const found = this.#reserved.get(key) ?? new Map<bigint, string>();
    this.#reserved.set(key, found);
    return found;
  }

  /** Subnets and gateways for a new network. @throws TswarmError invalid_argument (overlap, who holds it) or resource_exhausted. */
  networkIpam(network: Network, view: ReadView): IpamConfig[] {
    const asked = network.spec?.ipam?.config ?? [];
    const configs = asked.map((config) => this.#checkedSubnet(network, config, view));
    if (!configs.some((config) => !config.subnet.includes(':'))) {
      const taken = [...this.#subnets.values()].flat();
      configs.unshift(freeSubnet(view.cluster(), network.spec?.name ?? network.id, taken));
    }
    if (network.spec?.ipv6Enabled && !configs.some((config) => config.subnet.includes(':'))) {
      configs.push(this.#freeIpv6Subnet(view));
    }
    return configs;
  }

  #checkedSubnet(network: Network, config: IpamConfig, view: ReadView): IpamConfig {
    const subnet = parseCidr(config.subnet, 'IPAM.Config.Subnet');
    const holder = this.#overlapping(subnet, network.id);
    if (holder !== undefined) {
      const name = view.get('network', holder)?.spec?.name ?? holder;
      throw new TswarmError(
        'invalid_argument',
        `network ${network.spec?.name}: subnet ${config.subnet} overlaps network ${name}`,
        { field: 'IPAM.Config.Subnet', hint: 'Choose another subnet or remove that network.' },
      );
    }
    const gateway =
      config.gateway === '' ? formatAddress(subnet.base + 1n, subnet.family) : config.gateway;
    return IpamConfig.create({ ...config, gateway });
  }

  #overlapping(subnet: Cidr, exceptId: string): string | undefined {
    for (const [id, subnets] of this.#subnets) {
      if (id !== exceptId && subnets.some((other) => overlaps(other, subnet))) return id;
    }
    return undefined;
  }

  /** A /64 of the cluster's own unique local prefix (RFC 4193), derived from the cluster id. */
  #freeIpv6Subnet(view: ReadView): IpamConfig {
    let hash = 0xcbf29ce484222325n;
    for (const char of view.cluster().id) {
      hash = ((hash ^ BigInt(char.charCodeAt(0))) * 0x100000001b3n) & 0xffffffffffffffffn;
    }
    const prefix = (0xfdn << 120n) | ((hash & 0xffffffffffn) << 80n);
    for (let number = 1n; number < 65536n; number++) {
      const candidate: Cidr = { family: 6, base: prefix | (number << 64n), length: 64 };
      if (this.#overlapping(candidate, '') !== undefined) continue;
      return IpamConfig.create({
        subnet: formatCidr(candidate),
        gateway: formatAddress(candidate.base + 1n, 6),
      });
    }
    throw new TswarmError('resource_exhausted', 'no free IPv6 subnet left in the cluster prefix');
  }

  // ---- services -----------------------------------------------------------------------------------

  #holdService(service: Service): void {
    for (const { reserved, value } of this.#fixedAddresses(service)) {
      if (!reserved.has(value)) reserved.set(value, service.id);
    }
    for (const vip of service.endpoint?.virtualIps ?? []) {
      for (const pool of this.#pools.get(vip.networkId) ?? []) pool.hold(vip.addr, service.id);
    }
    for (const port of service.endpoint?.ports ?? []) {
      if (port.publishMode === PublishMode.INGRESS && port.publishedPort > 0) {
        this.#ingressPorts.set(`${port.protocol}/${port.publishedPort}`, service.id);
      }
    }
  }

  /** The addresses that a service's specification asks for. */
  *#fixedAddresses(
    service: Service,
  ): Iterable<{ readonly reserved: Map<bigint, string>; readonly value: bigint }> {
    for (const config of service.spec?.taskTemplate?.networks ?? []) {
      for (const family of [4, 6] as const) {
        const value = parseAddress(askedAddress(config, family));
        if (value === undefined) continue;
        yield { reserved: this.#reservedIn(config.target, family), value };
      }
    }
  }

  #releaseService(before: Service, after: Service | undefined): void {
    for (const { reserved, value } of this.#fixedAddresses(before)) {
      if (reserved.get(value) === before.id) reserved.delete(value);
    }
    const kept = new Set((after?.endpoint?.virtualIps ?? []).map((vip) => vip.addr));
    for (const vip of before.endpoint?.virtualIps ?? []) {
      if (kept.has(vip.addr)) continue;
      for (const pool of this.#pools.get(vip.networkId) ?? []) pool.release(vip.addr, before.id);
    }
    for (const port of before.endpoint?.ports ?? []) {
      const key = `${port.protocol}/${port.publishedPort}`;
      if (this.#ingressPorts.get(key) === before.id) this.#ingressPorts.delete(key);
    }
  }

  /** Virtual addresses for the service's networks, keeping those it has. @throws TswarmError resource_exhausted. */
  virtualIps(service: Service, view: ReadView): EndpointVip[] {
    if (service.spec?.endpointSpec?.mode === EndpointMode.DNSRR) return [];
    const existing = new Map(
      (service.endpoint?.virtualIps ?? []).map((vip) => [vip.networkId, vip]),
    );
    const vips: EndpointVip[] = [];
    for (const attachment of service.spec?.taskTemplate?.networks ?? []) {
      const pool = this.#pools.get(attachment.target)?.[0];
      if (!pool) continue;
      const kept = existing.get(attachment.target);
      const addr = kept?.addr ?? pool.take(service.id);
      if (addr === undefined) throw exhausted(attachment.target, pool, view);
      vips.push({ networkId: attachment.target, addr });
    }
    return vips;
  }

  /** The service's ports with the free choices made. @throws TswarmError invalid_argument naming the service that has the port. */
  servicePorts(service: Service, view: ReadView): PortConfig[] {
    const before = service.endpoint?.ports ?? [];
    return (service.spec?.endpointSpec?.ports ?? []).map((port) => {
      if (port.publishMode === PublishMode.HOST) return port;
      if (port.publishedPort > 0) {
        this.#claimPort(service, port, view);
        return port;
      }
      const had = before.find(
        (p) =>
          p.targetPort === port.targetPort &&
          p.protocol === port.protocol &&
          p.name === port.name &&
          isInRange(port, p.publishedPort),
      );
      return PortConfig.create({
        ...port,
        publishedPort: had?.publishedPort ?? this.#freePort(service, port),
      });
    });
  }

  #claimPort(service: Service, port: PortConfig, view: ReadView): void {
    const key = `${port.protocol}/${port.publishedPort}`;
    const holder = this.#ingressPorts.get(key);
    if (holder !== undefined && holder !== service.id) {
      const name = view.get('service', holder)?.spec?.name ?? holder;
      throw new TswarmError(
        'invalid_argument',
        `port '${port.publishedPort}' is already in use by service '${name}' (${holder}) as an ingress port`,
        { field: 'EndpointSpec.Ports' },
      );
    }
    this.#ingressPorts.set(key, service.id);
  }

  #freePort(service: Service, port: PortConfig): number {
    const { publishedFirst: first, publishedLast: last } = port;
    for (let number = first; number > 0 && number <= last; number++) {
      const key = `${port.protocol}/${number}`;
      if (this.#ingressPorts.has(key)) continue;
      this.#ingressPorts.set(key, service.id);
      return number;
    }
    if (first > 0) {
      const message = `every port from ${first} to ${last} is published already`;
      throw new TswarmError('resource_exhausted', message, { field: 'EndpointSpec.Ports' });
    }
    for (let tried = AUTO_PORT_FIRST; tried <= AUTO_PORT_LAST; tried++) {
      const number = this.#portCursor;
      this.#portCursor = number >= AUTO_PORT_LAST ? AUTO_PORT_FIRST : number + 1;
      const key = `${port.protocol}/${number}`;
      if (this.#ingressPorts.has(key)) continue;
      this.#ingressPorts.set(key, service.id);
      return number;
    }
    throw new TswarmError(
      'resource_exhausted',
      `no free port between ${AUTO_PORT_FIRST} and ${AUTO_PORT_LAST}`,
    );
  }

  // ---- tasks --------------------------------------------------------------------------------------

  #holdTask(task: Task): void {
    for (const attachment of task.networkAttachments) {
      for (const pool of this.#pools.get(attachment.networkId) ?? []) {
        for (const address of attachment.addresses) {
          // One that is to stop may have had to give up its address: see `mayTakeOver`.
          if (isWanted(task)) pool.hold(address, task.id);
          else pool.holdIfFree(address, task.id);
        }
      }
    }
  }

  #releaseTask(task: Task): void {
    for (const attachment of task.networkAttachments) {
      for (const pool of this.#pools.get(attachment.networkId) ?? []) {
        for (const address of attachment.addresses) pool.release(address, task.id);
      }
    }
  }

  /** Addresses of a task on each of its networks. @throws TswarmError that the task shows while it stays NEW; nothing stays taken then. */
  taskAttachments(task: Task, view: ReadView): NetworkAttachment[] {
    const attachments: NetworkAttachment[] = [];
    try {
      for (const config of task.spec?.networks ?? []) {
        if (NODE_LOCAL_NETWORKS.has(config.target)) {
          attachments.push({ networkId: config.target, addresses: [], aliases: config.aliases });
          continue;
        }
        const pools = this.#pools.get(config.target);
        if (!pools) throw this.#withoutPools(config.target, view);
        const addresses: string[] = [];
        attachments.push({ networkId: config.target, addresses, aliases: config.aliases });
        for (const pool of pools) {
          const asked = askedAddress(config, pool.subnet.family);
          addresses.push(this.#taskAddress(task, pool, asked, config.target, view));
        }
      }
    } catch (error) {
      this.#releaseTask({ ...task, networkAttachments: attachments });
      throw error;
    }
    return attachments;
  }

  /** Why nobody gets an address there: the network is gone, or there is no subnet for it. */
  #withoutPools(networkId: string, view: ReadView): unknown {
    const network = view.get('network', networkId);
    try {
      if (network) this.networkIpam(network, view);
    } catch (error) {
      return error;
    }
    const what = network ? `${network.spec?.name} has no subnet` : `${networkId} does not exist`;
    return new TswarmError('failed_precondition', `network ${what} (yet)`);
  }

  #taskAddress(
    task: Task,
    pool: AddressPool,
    asked: string,
    networkId: string,
    view: ReadView,
  ): string {
    if (asked === '') {
      const address = pool.take(task.id);
      if (address === undefined) throw exhausted(networkId, pool, view);
      return address;
    }
    const value = parseAddress(asked);
    const name = view.get('network', networkId)?.spec?.name ?? networkId;
    if (value === undefined || !contains(pool.subnet, value)) {
      throw new TswarmError(
        'failed_precondition',
        value === undefined
          ? `${JSON.stringify(asked)} is not an IPv${pool.subnet.family} address`
          : `address ${asked} is outside subnet ${formatCidr(pool.subnet)} of network ${name}`,
      );
    }
    const meaning = meaningOf(pool.subnet, value);
    if (meaning !== undefined) {
      throw new TswarmError(
        'failed_precondition',
        `address ${asked} is ${meaning} of network ${name}`,
      );
    }
    const holder = pool.claim(asked, task.id, task.serviceId);
    if (holder !== undefined) {
      if (!mayTakeOver(view, task, holder)) {
        throw new TswarmError(
          'failed_precondition',
          `address ${asked} of network ${name} is in use by ${describeHolder(view, holder)}`,
        );
      }
      pool.hold(asked, task.id);
    }
    return `${asked}/${pool.subnet.length}`;
  }
}

function askedAddress(config: NetworkAttachmentConfig, family: 4 | 6): string {
  return family === 4 ? config.ipv4Address : config.ipv6Address;
}

/** A port that was chosen before stays while it is one of those that may be chosen. */
function isInRange({ publishedFirst, publishedLast }: PortConfig, number: number): boolean {
  return publishedFirst === 0 || (number >= publishedFirst && number <= publishedLast);
}

function isWanted(task: Task): boolean {
  return task.desiredState <= TaskState.COMPLETE;
}

/** A task whose node is gone or down cannot say that it has ended: its successor does not wait for it. */
function mayTakeOver(view: ReadView, task: Task, holder: string): boolean {
  const before = view.get('task', holder);
  if (!before || before.serviceId !== task.serviceId || isWanted(before)) return false;
  const node = view.get('node', before.nodeId);
  return !node || node.status?.state === NodeState.DOWN;
}

/** An owner of an address, in words. */
function describeHolder(view: ReadView, id: string): string {
  const service = view.get('service', id);
  if (service) return `service ${service.spec?.name}`;
  const task = view.get('task', id);
  if (task && isAttachment(task)) return `container ${attachedName(task)}`;
  return task ? `task ${taskName(task)}` : `${NETWORKS_OWN}${id}`;
}

/** A task keeps its addresses until it has ended for good: replaced or removed, and stopped. */
function holdsAddresses(task: Task): boolean {
  const ended = (task.status?.state ?? TaskState.NEW) >= TaskState.COMPLETE;
  return !(ended && task.desiredState > TaskState.COMPLETE);
}

function exhausted(networkId: string, pool: AddressPool, view: ReadView): TswarmError {
  const name = view.get('network', networkId)?.spec?.name ?? networkId;
  return new TswarmError(
    'resource_exhausted',
    `network ${name}: all ${pool.used} addresses of ${formatCidr(pool.subnet)} are in use, by ${holdersOf(pool, view)}`,
    { hint: 'Remove tasks or create a network with a larger subnet.' },
  );
}

/** Services and others with addresses, without numbers: a task that waits would be written anew with each of them. */
function holdersOf(pool: AddressPool, view: ReadView): string {
  const names = new Set<string>();
  let seen = 0;
  for (const owner of pool.owners()) {
    seen += 1;
    if (seen > HOLDERS_LOOKED_AT_MAX) break;
    const serviceId = view.get('task', owner)?.serviceId ?? '';
    const holder = describeHolder(view, serviceId === '' ? owner : serviceId);
    if (!holder.startsWith(NETWORKS_OWN)) names.add(holder);
  }
  const sorted = [...names].sort();
  const more = sorted.length - HOLDERS_NAMED_MAX;
  const named = sorted.slice(0, HOLDERS_NAMED_MAX).join(', ');
  return more > 0 ? `${named} and ${more} more` : named || 'the network itself';
}
