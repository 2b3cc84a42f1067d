// From what should be (networks, services, containers on this node) to the rules' data. Pure.
import type { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { PortConfig } from '#protocol/generated/specs';
import { EndpointMode, PortProtocol, PublishMode } from '#protocol/generated/specs';
import {
  balanceAddresses,
  balancePorts,
  emptyRules,
  type RuleState,
  type SetName,
} from './ruleset.ts';
import type { AttachedEndpoint } from './types.ts';

export interface NetworkFact {
  readonly id: string;
  readonly subnets: readonly string[];
  readonly internal: boolean;
}

/** A container on this node, as far as rules go. */
export interface LocalContainer {
  readonly containerId: string;
  readonly taskId: string;
  readonly links: readonly string[];
  readonly endpoints: readonly AttachedEndpoint[];
  /** Published on this node for this container alone. */
  readonly ports: readonly PortConfig[];
  readonly serving: boolean;
}

const PROTOCOL_WORDS: Readonly<Record<number, string>> = {
  [PortProtocol.TCP]: 'tcp',
  [PortProtocol.UDP]: 'udp',
  [PortProtocol.SCTP]: 'sctp',
};

interface Draft {
  readonly sets: Record<SetName, Map<string, string>>;
  readonly chains: Map<string, readonly string[]>;
}

export function desiredRules(
  networks: readonly NetworkFact[],
  services: readonly ServiceEndpoints[],
  containers: readonly LocalContainer[],
): RuleState {
  const draft = emptyRules() as unknown as Draft;
  for (const network of networks) addNetwork(draft, network);
  const byTask = new Map(containers.filter((c) => c.taskId !== '').map((c) => [c.taskId, c]));
  for (const service of services) {
    addVirtualIps(draft, service);
    addIngressPorts(draft, service, byTask);
  }
  for (const container of containers) addContainer(draft, container);
  return draft;
}

function familyOf(address: string): '4' | '6' {
  return address.includes(':') ? '6' : '4';
}

/** Address without prefix length. */
export function bare(address: string): string {
  return address.split('/')[0] ?? '';
}

function addNetwork(draft: Draft, network: NetworkFact): void {
  for (const subnet of network.subnets) {
    const family = familyOf(subnet);
    draft.sets[`subnets${family}`].set(subnet, '');
    draft.sets[`pairs${family}`].set(`${subnet} . ${subnet}`, '');
    if (network.internal) draft.sets[`internal${family}`].set(subnet, '');
  }
}

/** Short enough for a chain's name, unique for a service id. */
function chainName(prefix: string, ...parts: readonly string[]): string {
  return `${prefix}_${parts.map((part) => part.replace(/[^a-z0-9]/gi, '_')).join('_')}`;
}

function addVirtualIps(draft: Draft, service: ServiceEndpoints): void {
  if (service.mode === EndpointMode.DNSRR) return;
  for (const vip of service.virtualIps) {
    const address = bare(vip.addr);
    const family = familyOf(address);
    const backends = service.backends
      .filter((backend) => backend.serving)
      .flatMap((backend) => addressesOn(backend, vip.networkId))
      .filter((candidate) => familyOf(candidate) === family)
      .sort();
    if (backends.length === 0) continue;
    const chain = chainName('v', service.serviceId, vip.networkId.slice(0, 12));
    draft.chains.set(chain, balanceAddresses(backends));
    draft.sets[`vip${family}`].set(address, `jump ${chain}`);
  }
}

function addressesOn(backend: EndpointBackend, networkId: string): string[] {
  return backend.attachments
    .filter((attachment) => attachment.networkId === networkId)
    .flatMap((attachment) => attachment.addresses.map(bare));
}

function addIngressPorts(
  draft: Draft,
  service: ServiceEndpoints,
  byTask: ReadonlyMap<string, LocalContainer>,
): void {
  for (const port of service.ports) {
    if (port.publishMode !== PublishMode.INGRESS || port.publishedPort === 0) continue;
    const backends = service.backends.filter((backend) => backend.serving);
    const targets = backends.flatMap((backend) => targetsOf(backend, byTask.get(backend.taskId)));
    publish(draft, port, targets.sort());
  }
}

/** Where a backend can be reached from this node: its local addresses when it is here, else the first network that has some. */
function targetsOf(backend: EndpointBackend, local: LocalContainer | undefined): string[] {
  if (local) return firstPerFamily(local.endpoints.flatMap((e) => [e.ipv4, e.ipv6]));
  return firstPerFamily(
    backend.attachments.flatMap((attachment) => attachment.addresses.map(bare)),
  );
}

function firstPerFamily(addresses: readonly string[]): string[] {
  const v4 = addresses.find((address) => address !== '' && familyOf(address) === '4');
  const v6 = addresses.find((address) => address !== '' && familyOf(address) === '6');
  return [v4, v6].filter((address) => address !== undefined);
}

function publish(draft: Draft, port: PortConfig, addresses: readonly string[]): void {
  const protocol = PROTOCOL_WORDS[port.protocol] ?? 'tcp';
  for (const family of ['4', '6'] as const) {
    const targets = addresses
      .filter((address) => familyOf(address) === family)
      .map((address) => ({ address, port: port.targetPort }));
    if (targets.length === 0) continue;
    const host = port.hostIp === '0.0.0.0' || port.hostIp === '::' ? '' : port.hostIp;
    if (host !== '' && familyOf(host) !== family) continue;
    const chain = chainName('p', family, protocol, String(port.publishedPort), host);
    draft.chains.set(chain, balancePorts(protocol, targets));
    const key = `${protocol} . ${port.publishedPort}`;
    if (host === '') draft.sets[`port${family}`].set(key, `jump ${chain}`);
    else draft.sets[`addrport${family}`].set(`${host} . ${key}`, `jump ${chain}`);
  }
}

function addContainer(draft: Draft, container: LocalContainer): void {
  for (const [index, endpoint] of container.endpoints.entries()) {
    const link = container.links[index] ?? '';
    for (const address of [endpoint.ipv4, endpoint.ipv6]) {
      if (address === '') continue;
      const family = familyOf(address);
      draft.sets[`bound${family}`].set(`"${link}" . ${address}`, '');
      draft.sets[`self${family}`].set(`${address} . ${address}`, '');
    }
  }
  const addresses = firstPerFamily(container.endpoints.flatMap((e) => [e.ipv4, e.ipv6]));
  for (const port of container.ports) if (port.publishedPort > 0) publish(draft, port, addresses);
}
