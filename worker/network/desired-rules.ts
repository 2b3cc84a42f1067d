// From what should be (networks, services, containers on this node) to the rules' data. Pure.
// A task of this node counts as a backend only while the node itself says that it is there and serves, so that a crash here is followed at once; for
// tasks elsewhere the managers' word counts.
// Nothing but addresses gets from objects into rules: what is not an address is left out, so that one bad object cannot break the others' rules.
import { isIP } from 'node:net';
import type { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { PortConfig } from '#protocol/generated/specs';
import { EndpointMode, PortProtocol, PublishMode } from '#protocol/generated/specs';
import {
  type BalanceChain,
  emptyRules,
  type Family,
  type RuleState,
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

interface Draft {
  readonly sets: Record<SetName, Map<string, string>>;
  readonly chains: Map<string, BalanceChain>;
}

export function desiredRules(input: DesiredRulesInput): RuleState {
  const draft = emptyRules() as Draft;
  for (const network of input.networks) addNetwork(draft, network);
  const byTask = localTasks(input.containers);
  for (const service of input.services) {
    const backends = servingBackends(service, input.nodeId, byTask);
    addVirtualIps(draft, service, backends);
    addIngressPorts(draft, service, backends, byTask);
  }
  for (const container of input.containers) addContainer(draft, container);
  return draft;
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

/** `address/length` with a length that the family has. */
export function isSubnet(text: string): boolean {
  const [address = '', length = '', rest] = text.split('/');
  const max = familyOf(address) === '4' ? 32 : 128;
  return (
    rest === undefined && isAddress(address) && /^\d{1,3}$/.test(length) && Number(length) <= max
  );
}

/** task id → its container here */
export function localTasks<T extends LocalContainer>(
  containers: readonly T[],
): ReadonlyMap<string, T> {
  return new Map(containers.filter((c) => c.taskId !== '').map((c) => [c.taskId, c]));
}

/** The backends that may be given work. */
export function servingBackends(
  service: ServiceEndpoints,
  nodeId: string,
  byTask: ReadonlyMap<string, LocalContainer>,
): readonly EndpointBackend[] {
  return service.backends.filter(
    (backend) =>
      backend.serving &&
      (nodeId === '' || backend.nodeId !== nodeId || byTask.get(backend.taskId)?.serving === true),
  );
}

function addNetwork(draft: Draft, network: NetworkFact): void {
  for (const subnet of network.subnets.filter(isSubnet)) {
    const family = familyOf(subnet);
    draft.sets[`subnets${family}`].set(subnet, '');
    draft.sets[`pairs${family}`].set(`${subnet} . ${subnet}`, '');
    if (network.internal) draft.sets[`internal${family}`].set(subnet, '');
  }
}

/** A chain's name: letters, digits and underscores, unique for its parts. */
function chainName(...parts: readonly string[]): string {
  return parts
    .map((part) => part.replace(/[^a-z0-9]/gi, (letter) => `_${letter.charCodeAt(0)}_`))
    .join('_');
}

function addVirtualIps(
  draft: Draft,
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
    draft.chains.set(chain, { family, protocol: '', front: { address, port: 0 }, targets });
    draft.sets[`vip${family}`].set(address, `jump ${chain}`);
  }
}

function addressesOn(backend: EndpointBackend, networkId: string): string[] {
  return backend.attachments
    .filter((attachment) => attachment.networkId === networkId)
    .flatMap((attachment) => attachment.addresses.map(bare))
    .filter((address) => address !== '');
}

function addIngressPorts(
  draft: Draft,
  service: ServiceEndpoints,
  backends: readonly EndpointBackend[],
  byTask: ReadonlyMap<string, LocalContainer>,
): void {
  for (const port of service.ports) {
    if (port.publishMode !== PublishMode.INGRESS || port.publishedPort === 0) continue;
    const targets = backends.flatMap((backend) => targetsOf(backend, byTask.get(backend.taskId)));
    publish(draft, port, targets.sort());
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

function publish(draft: Draft, port: PortConfig, addresses: readonly string[]): void {
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
    draft.chains.set(chain, { family, protocol, front, targets });
    const key = `${protocol} . ${port.publishedPort}`;
    if (host === '') draft.sets[`port${family}`].set(key, `jump ${chain}`);
    else draft.sets[`addrport${family}`].set(`${host} . ${key}`, `jump ${chain}`);
  }
}

function addContainer(draft: Draft, container: LocalContainer): void {
  const all = container.endpoints.flatMap((endpoint) => [endpoint.ipv4, endpoint.ipv6]);
  for (const address of all.filter((candidate) => candidate !== '')) {
    const family = familyOf(address);
    // Any of its addresses through any of its interfaces: answers follow the container's routes, not the way that the question came.
    for (const link of container.links) {
      draft.sets[`bound${family}`].set(`"${link}" . ${address}`, '');
    }
    for (const other of all) {
      if (other === '' || familyOf(other) !== family) continue;
      draft.sets[`self${family}`].set(`${address} . ${other}`, '');
    }
  }
  const addresses = publishedAddresses(container);
  for (const port of container.ports) if (port.publishedPort > 0) publish(draft, port, addresses);
}
