// What the node's DNS responder knows: names per network and which networks each container is on (native/PROTOCOL.md, tswarm-names). Pure.
// A service answers with its virtual address, or with its serving tasks where it has none; a container's own name answers as soon as it is attached.
import type { ServiceEndpoints } from '#protocol/generated/dispatcher';
import { EndpointMode } from '#protocol/generated/specs';
import { bare, type LocalContainer } from './desired-rules.ts';

interface NameEntry {
  a: string[];
  aaaa: string[];
}

interface NetworkNames {
  internal: boolean;
  names: Record<string, NameEntry>;
  ptr: Record<string, string>;
  srv: Record<string, never>;
}

export interface NamesConfig {
  readonly listen: readonly { readonly address: string; readonly port: number }[];
  readonly upstreams: readonly string[];
  /** Seconds. */
  readonly ttl: number;
  readonly clients: Readonly<Record<string, readonly string[]>>;
  readonly networks: Readonly<Record<string, NetworkNames>>;
}

export interface NamedContainer extends LocalContainer {
  /** Container name, short id, host name. */
  readonly names: readonly string[];
}

/** Answers may be this old: short, because a container's address changes with every replacement. */
const TTL_SECONDS = 5;

export interface NamesInput {
  readonly dns: string;
  readonly upstreams: readonly string[];
  readonly networks: readonly { readonly id: string; readonly internal: boolean }[];
  readonly services: readonly ServiceEndpoints[];
  readonly containers: readonly NamedContainer[];
}

export function namesConfig(input: NamesInput): NamesConfig {
  const networks: Record<string, NetworkNames> = {};
  for (const { id, internal } of input.networks)
    networks[id] = { internal, names: {}, ptr: {}, srv: {} };
  for (const service of input.services) addService(networks, service);
  const clients: Record<string, string[]> = {};
  for (const container of input.containers) addContainer(networks, clients, container);
  return {
    listen: [{ address: input.dns, port: 53 }],
    upstreams: input.upstreams,
    ttl: TTL_SECONDS,
    clients,
    networks,
  };
}

function add(network: NetworkNames | undefined, name: string, addresses: readonly string[]): void {
  if (!network || name === '') return;
  const key = name.toLowerCase();
  network.names[key] ??= { a: [], aaaa: [] };
  const entry = network.names[key];
  for (const address of addresses) {
    const list = address.includes(':') ? entry.aaaa : entry.a;
    if (!list.includes(address)) list.push(address);
  }
}

function addService(networks: Record<string, NetworkNames>, service: ServiceEndpoints): void {
  for (const attachment of service.networks) {
    const network = networks[attachment.target];
    if (!network) continue;
    const serving = service.backends.filter((backend) => backend.serving);
    const addresses = serving.flatMap((backend) =>
      addressesOn(backend.attachments, attachment.target),
    );
    const vips = service.virtualIps
      .filter((vip) => vip.networkId === attachment.target)
      .map((vip) => bare(vip.addr));
    const answer = service.mode === EndpointMode.VIP && vips.length > 0 ? vips : addresses;
    for (const name of [service.serviceName, ...service.names, ...attachment.aliases]) {
      add(network, name, answer);
      add(network, `tasks.${name}`, addresses);
    }
    for (const vip of vips) network.ptr[vip] = service.serviceName;
    for (const backend of serving) {
      const own = addressesOn(backend.attachments, attachment.target);
      for (const name of [backend.taskName, backend.containerName, backend.hostname])
        add(network, name, own);
      for (const address of own) network.ptr[address] = backend.containerName || backend.taskName;
    }
  }
}

function addressesOn(
  attachments: readonly { readonly networkId: string; readonly addresses: readonly string[] }[],
  networkId: string,
): string[] {
  return attachments.filter((a) => a.networkId === networkId).flatMap((a) => a.addresses.map(bare));
}

function addContainer(
  networks: Record<string, NetworkNames>,
  clients: Record<string, string[]>,
  container: NamedContainer,
): void {
  const ids = container.endpoints.map((endpoint) => endpoint.networkId);
  for (const endpoint of container.endpoints) {
    const addresses = [endpoint.ipv4, endpoint.ipv6].filter((address) => address !== '');
    // Any of a container's addresses may be the one that a question comes from.
    for (const address of addresses) clients[address] = ids;
    const network = networks[endpoint.networkId];
    const aliases = container.taskId === '' ? endpoint.aliases : [];
    for (const name of [...container.names, ...aliases]) add(network, name, addresses);
    if (network) for (const address of addresses) network.ptr[address] ??= container.names[0] ?? '';
  }
}
