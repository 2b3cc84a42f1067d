// From what should be (networks, services, containers on this node) to the rules' data. Pure.
// Nothing but addresses gets from objects into rules: what is not an address is left out, so that one bad object cannot break the others' rules.
import { isIP } from 'node:net';
import type { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { PortConfig } from '#protocol/generated/specs';
import { EndpointMode, PortProtocol, PublishMode } from '#protocol/generated/specs';
import { isSubnetText } from './host.ts';
import { ContainerParts, localTasks, ServiceParts } from './parts.ts';
import {
  type BalanceChain,
  balanceChain,
  type Family,
  type RuleState,
  SET_NAMES,
  type SetName,
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
    const context = { nodeId: input.nodeId, byTask: localTasks(input.containers) };
    for (const network of input.networks) add(networkPart(network));
    for (const service of input.services) add(this.#services.of(service, context));
    for (const container of input.containers) add(this.#containers.of(container));
    return { sets, chains };
  }
}

function servicePart(
  service: ServiceEndpoints,
  serving: readonly EndpointBackend[],
  byTask: ReadonlyMap<string, LocalContainer>,
): RulePart {
  const part = new RulePart();
  addVirtualIps(part, service, serving);
  addIngressPorts(part, service, serving, byTask);
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
): void {
  if (service.mode === EndpointMode.DNSRR) return;
  for (const vip of service.virtualIps) {
    const address = bare(vip.addr);
    const family = familyOf(address);
    const targets = backends
      .flatMap((backend) => addressesOn(backend, vip.networkId))
      .filter((candidate) => familyOf(candidate) === family)
      .sort()
      .map((target) => ({ address: target, port: 0 }));
    if (address === '' || targets.length === 0) continue;
    const chain = chainName('v', family, service.serviceId, vip.networkId);
    part.chains.push([
      chain,
      balanceChain({ family, protocol: '', front: { address, port: 0 }, targets }),
    ]);
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
  byTask: ReadonlyMap<string, LocalContainer>,
): void {
  for (const port of service.ports) {
    if (port.publishMode !== PublishMode.INGRESS || port.publishedPort === 0) continue;
    const targets = backends.flatMap((backend) => targetsOf(backend, byTask.get(backend.taskId)));
    publish(part, port, targets.sort());
  }
}

/** Where a backend can be reached from this node: its local addresses when it is here, else the first network that has some. */
function targetsOf(backend: EndpointBackend, local: LocalContainer | undefined): string[] {
  if (local) return publishedAddresses(local);
  return firstPerFamily(
    backend.attachments.flatMap((attachment) => attachment.addresses.map(bare)),
  );
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

function publish(part: RulePart, port: PortConfig, addresses: readonly string[]): void {
  const protocol = PROTOCOL_WORDS[port.protocol] ?? 'tcp';
  const host = port.hostIp === '0.0.0.0' || port.hostIp === '::' ? '' : port.hostIp;
  for (const family of ['4', '6'] as const) {
    const targets = addresses
      .filter((address) => familyOf(address) === family)
      .map((address) => ({ address, port: port.targetPort }));
    if (targets.length === 0) continue;
    if (host !== '' && (!isAddress(host) || familyOf(host) !== family)) continue;
    const front = { address: host, port: port.publishedPort };
    const chain = chainName('p', family, protocol, String(port.publishedPort), host);
    part.chains.push([chain, balanceChain({ family, protocol, front, targets })]);
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
  for (const port of container.ports) if (port.publishedPort > 0) publish(part, port, addresses);
  return part;
}
