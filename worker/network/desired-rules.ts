// From what should be (networks, services, containers on this node) to the rules' data. Pure.
// Nothing but addresses gets from objects into rules: what is not an address is left out, so that one bad object cannot break the others' rules.
import { isIP } from 'node:net';
import type { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { PortConfig } from '#protocol/generated/specs';
import {
  EndpointMode,
  PortProtocol,
  PublishMode,
  SessionAffinity,
} from '#protocol/generated/specs';
import { isSubnetText } from './host.ts';
import type { DirectAddress } from './mesh/direct.ts';
import {
  ContainerParts,
  type Door,
  type Doors,
  localTasks,
  type ServiceContext,
  ServiceParts,
} from './parts.ts';
import {
  type BalanceChain,
  balanceChain,
  type Family,
  type RuleState,
  SET_NAMES,
  type SetName,
  stickyChain,
  type Target,
} from './ruleset.ts';
import type { AttachedEndpoint } from './types.ts';

export interface NetworkFact {
  readonly id: string;
  readonly subnets: readonly string[];
  readonly internal: boolean;
}

/** A container on this node, as far as rules and names go. */
export interface LocalContainer {
  readonly containerId: string;
  readonly taskId: string;
  /** Names of the host's ends, in the order of `endpoints`. */
  readonly links: readonly string[];
  readonly endpoints: readonly AttachedEndpoint[];
  /** Place of the endpoint with the default route: published ports lead there. */
  readonly primary: number;
  /** Published on this node for this container alone. */
  readonly ports: readonly PortConfig[];
  readonly serving: boolean;
}

export interface DesiredRulesInput {
  readonly nodeId: string;
  readonly networks: readonly NetworkFact[];
  readonly services: readonly ServiceEndpoints[];
  readonly containers: readonly LocalContainer[];
  /** What other nodes do for published ports, and we for them. */
  readonly doors: Doors;
  /** Ethernet address on the VXLAN → connection mark. */
  readonly origins: ReadonlyMap<string, number>;
  /** Containers of other nodes that are reached without a tunnel, by plain routes. */
  readonly direct: readonly DirectAddress[];
  /** What this node passes on between others: its address for a node → that node's own inside the tunnel. */
  readonly relays: ReadonlyMap<string, string>;
  /** UDP port of WireGuard on this host, for packets that other nodes pass on; 0 = there are none. */
  readonly relayedPort: number;
  /** Of this host, by family; '' = none. */
  readonly hostAddresses: Readonly<Record<Family, string>>;
}

export const PROTOCOL_WORDS: Readonly<Record<number, 'tcp' | 'udp' | 'sctp'>> = {
  [PortProtocol.TCP]: 'tcp',
  [PortProtocol.UDP]: 'udp',
  [PortProtocol.SCTP]: 'sctp',
};

/** What one service or container adds. */
class RulePart {
  readonly elements: (readonly [set: SetName, key: string, value: string])[] = [];
  readonly chains: (readonly [name: string, chain: BalanceChain])[] = [];

  element(set: SetName, key: string, value = ''): void {
    this.elements.push([set, key, value]);
  }
}

/** Computes rules; what has not changed since the last time is not computed again. */
export class RuleComputer {
  readonly #services = new ServiceParts<LocalContainer, RulePart>(servicePart);
  readonly #containers = new ContainerParts<LocalContainer, RulePart>(containerPart);

  compute(input: DesiredRulesInput): RuleState {
    const sets = Object.fromEntries(
      SET_NAMES.map((name) => [name, new Map<string, string>()]),
    ) as Record<SetName, Map<string, string>>;
    const chains = new Map<string, BalanceChain>();
    const add = (part: RulePart): void => {
      for (const [set, key, value] of part.elements) sets[set].set(key, value);
      for (const [name, chain] of part.chains) chains.set(name, chain);
    };
    const byTask = localTasks(input.containers);
    const context = { nodeId: input.nodeId, byTask, doors: input.doors };
    for (const network of input.networks) add(networkPart(network));
    for (const service of input.services) add(this.#services.of(service, context));
    for (const container of input.containers) add(this.#containers.of(container));
    for (const [mac, mark] of input.origins) sets.origins.set(mac, `0x${mark.toString(16)}`);
    if (input.doors.size > 0 && input.hostAddresses['4'] !== '') {
      sets.loopback4.set('127.0.0.0/8', input.hostAddresses['4']);
    }
    for (const { link, address } of input.direct) {
      sets[`direct${familyOf(address)}`].set(`"${link}" . ${address}`, '');
    }
    for (const [address, node] of input.relays) {
      sets.relay6.set(address, node);
      sets.relayed6.set(node, address);
    }
    if (input.relayedPort > 0) sets.meshport.set(String(input.relayedPort), '');
    for (const door of input.doors.values()) addHairpins(sets, door, input.hostAddresses);
    return { sets, chains };
  }
}

function addHairpins(
  sets: Record<SetName, Map<string, string>>,
  door: Door,
  own: Readonly<Record<Family, string>>,
): void {
  for (const address of door.hostAddresses.filter(isAddress)) {
    const family = familyOf(address);
    if (own[family] === '') continue;
    const to = family === '4' ? door.v4 : door.v6;
    sets[`hairpin${family}`].set(`${address} . ${to}`, own[family]);
  }
}

function servicePart(
  service: ServiceEndpoints,
  serving: readonly EndpointBackend[],
  context: ServiceContext<LocalContainer>,
): RulePart {
  const part = new RulePart();
  addVirtualIps(part, service, serving, context);
  addIngressPorts(part, service, serving, context);
  return part;
}

export function familyOf(address: string): Family {
  return address.includes(':') ? '6' : '4';
}

/** Address without prefix length; '' when it is no address. */
export function bare(address: string): string {
  const [text = ''] = address.split('/');
  return isAddress(text) ? text : '';
}

/** An IP address without a zone. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

function networkPart(network: NetworkFact): RulePart {
  const part = new RulePart();
  for (const subnet of network.subnets.filter(isSubnetText)) {
    const family = familyOf(subnet);
    part.element(`subnets${family}`, subnet);
    part.element(`pairs${family}`, `${subnet} . ${subnet}`);
    if (network.internal) part.element(`internal${family}`, subnet);
  }
  return part;
}

/** A chain's name: letters, digits and underscores, unique for its parts. */
function chainName(...parts: readonly string[]): string {
  return parts
    .map((part) => part.replace(/[^a-z0-9]/gi, (letter) => `_${letter.charCodeAt(0)}_`))
    .join('_');
}

function addVirtualIps(
  part: RulePart,
  service: ServiceEndpoints,
  backends: readonly EndpointBackend[],
  { byTask }: ServiceContext<LocalContainer>,
): void {
  if (service.mode === EndpointMode.DNSRR) return;
  for (const vip of service.virtualIps) {
    const address = bare(vip.addr);
    const family = familyOf(address);
    const all = backends
      .flatMap((backend) =>
        addressesOn(backend, vip.networkId).map((target) => candidate(backend, target, 0)),
      )
      .filter((target) => familyOf(target.address) === family)
      .sort(byAddress);
    const here = all.filter(({ taskId }) => byTask.has(taskId));
    const candidates = service.preferSameNode && here.length > 0 ? here : all;
    if (address === '' || candidates.length === 0) continue;
    const chain = chainName('v', family, service.serviceId, vip.networkId);
    const front = { address, port: 0 };
    part.chains.push([chain, chainOf(service, { family, protocol: '', front }, candidates)]);
    part.element(`vip${family}`, address, `jump ${chain}`);
  }
}

function addressesOn(backend: EndpointBackend, networkId: string): string[] {
  return backend.attachments
    .filter((attachment) => attachment.networkId === networkId)
    .flatMap((attachment) => attachment.addresses.map(bare))
    .filter((address) => address !== '');
}

function addIngressPorts(
  part: RulePart,
  service: ServiceEndpoints,
  backends: readonly EndpointBackend[],
  { byTask, doors }: ServiceContext<LocalContainer>,
): void {
  for (const port of service.ports) {
    if (port.publishMode !== PublishMode.INGRESS || port.publishedPort === 0) continue;
    const here = backends.flatMap((backend) => {
      const local = byTask.get(backend.taskId);
      const addresses = local ? publishedAddresses(local) : [];
      return addresses.map((address) => candidate(backend, address, port.targetPort));
    });
    const elsewhere = backends
      .filter(({ taskId }) => !byTask.has(taskId))
      .flatMap((backend) =>
        doorsOf(backend, doors).map((address) => candidate(backend, address, port.publishedPort)),
      );
    const all = service.preferSameNode && here.length > 0 ? here : [...here, ...elsewhere];
    publish(part, port, all.sort(byAddress), service);
    publishToNodes(part, port, here.sort(byAddress), service);
  }
}

/** A target, and whose it is. */
interface Candidate extends Target {
  readonly taskId: string;
}

function candidate({ taskId }: EndpointBackend, address: string, port: number): Candidate {
  return { address, port, taskId };
}

type Affinity = Pick<ServiceEndpoints, 'sessionAffinity'>;
const NO_AFFINITY: Affinity = { sessionAffinity: SessionAffinity.NONE };

function chainOf(
  { sessionAffinity }: Affinity,
  chain: Pick<BalanceChain, 'family' | 'protocol' | 'front'>,
  candidates: readonly Candidate[],
): BalanceChain {
  const targets = candidates.map(({ address, port }) => ({ address, port }));
  if (sessionAffinity === SessionAffinity.NONE) return balanceChain({ ...chain, targets });
  return stickyChain(
    { ...chain, targets },
    candidates.map(({ taskId }) => taskId),
  );
}

function byAddress(a: Target, b: Target): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}

/** The door of a task's node, which knows its tasks best; for IPv6 only when the task has it. */
function doorsOf(backend: EndpointBackend, doors: Doors): string[] {
  const door = doors.get(backend.nodeId);
  if (!door) return [];
  const hasIpv6 = backend.attachments.some(({ addresses }) =>
    addresses.some((address) => address.includes(':')),
  );
  return hasIpv6 ? [door.v4, door.v6] : [door.v4];
}

/** For clients that other nodes pass on: only tasks of this node, so that nothing goes in circles. */
function publishToNodes(
  part: RulePart,
  port: PortConfig,
  all: readonly Candidate[],
  affinity: Affinity,
): void {
  const protocol = PROTOCOL_WORDS[port.protocol] ?? 'tcp';
  for (const family of ['4', '6'] as const) {
    const targets = all.filter(({ address }) => familyOf(address) === family);
    if (targets.length === 0) continue;
    const front = { address: '', port: port.publishedPort };
    const chain = chainName('d', family, protocol, String(port.publishedPort));
    part.chains.push([chain, chainOf(affinity, { family, protocol, front }, targets)]);
    part.element(`door${family}`, `${protocol} . ${port.publishedPort}`, `jump ${chain}`);
  }
}

/** The addresses that published ports lead to: those with the default route, by which the answers leave. */
function publishedAddresses(container: LocalContainer): string[] {
  const primary = container.endpoints[container.primary];
  const endpoints = primary ? [primary, ...container.endpoints] : container.endpoints;
  return firstPerFamily(endpoints.flatMap((endpoint) => [endpoint.ipv4, endpoint.ipv6]));
}

function firstPerFamily(addresses: readonly string[]): string[] {
  const v4 = addresses.find((address) => address !== '' && familyOf(address) === '4');
  const v6 = addresses.find((address) => address !== '' && familyOf(address) === '6');
  return [v4, v6].filter((address) => address !== undefined);
}

function publish(
  part: RulePart,
  port: PortConfig,
  all: readonly Candidate[],
  affinity: Affinity = NO_AFFINITY,
): void {
  const protocol = PROTOCOL_WORDS[port.protocol] ?? 'tcp';
  const host = port.hostIp === '0.0.0.0' || port.hostIp === '::' ? '' : port.hostIp;
  for (const family of ['4', '6'] as const) {
    const targets = all.filter(({ address }) => familyOf(address) === family);
    if (targets.length === 0) continue;
    if (host !== '' && (!isAddress(host) || familyOf(host) !== family)) continue;
    const front = { address: host, port: port.publishedPort };
    const chain = chainName('p', family, protocol, String(port.publishedPort), host);
    part.chains.push([chain, chainOf(affinity, { family, protocol, front }, targets)]);
    const key = `${protocol} . ${port.publishedPort}`;
    if (host === '') part.element(`port${family}`, key, `jump ${chain}`);
    else part.element(`addrport${family}`, `${host} . ${key}`, `jump ${chain}`);
  }
}

function containerPart(container: LocalContainer): RulePart {
  const part = new RulePart();
  const all = container.endpoints.flatMap((endpoint) => [endpoint.ipv4, endpoint.ipv6]);
  for (const address of all.filter((candidate) => candidate !== '')) {
    const family = familyOf(address);
    // Any of its addresses through any of its interfaces: answers follow the container's routes, not the way that the question came.
    for (const link of container.links) {
      part.element(`bound${family}`, `"${link}" . ${address}`);
    }
    for (const other of all) {
      if (other === '' || familyOf(other) !== family) continue;
      part.element(`self${family}`, `${address} . ${other}`);
    }
  }
  const addresses = publishedAddresses(container);
  for (const port of container.ports) {
    const targets = addresses.map((address) => ({ address, port: port.targetPort, taskId: '' }));
    if (port.publishedPort > 0) publish(part, port, targets);
  }
  return part;
}
