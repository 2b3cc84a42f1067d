// What the node's DNS responder knows: names per network, which networks each container is on, whom it asks for the rest (native/PROTOCOL.md,
// tswarm-names). Pure.
// A service answers with its virtual address, or with its serving tasks where it has none; a container's own name answers as soon as it is attached.
import type { ServiceEndpoints } from '#protocol/generated/dispatcher';
import { EndpointMode } from '#protocol/generated/specs';
import { bare, type LocalContainer, localTasks, servingBackends } from './desired-rules.ts';

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
  /** address → ids of its networks */
  readonly clients: Readonly<Record<string, readonly string[]>>;
  /** address → its own upstreams instead of `upstreams` */
  readonly clientUpstreams: Readonly<Record<string, readonly string[]>>;
  readonly networks: Readonly<Record<string, NetworkNames>>;
}

export interface NamedContainer extends LocalContainer {
  /** Container name, short id, host name. */
  readonly names: readonly string[];
  /** Name servers that the user gave it; empty = the host's. */
  readonly nameservers: readonly string[];
}

/** Answers may be this old: short, because a container's address changes with every replacement. */
const TTL_SECONDS = 5;
/** As many as tswarm-names takes. */
const UPSTREAMS_MAX = 8;

export interface NamesInput {
  readonly nodeId: string;
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
  const byTask = localTasks(input.containers);
  for (const service of input.services) {
    addService(networks, service, servingBackends(service, input.nodeId, byTask));
  }
  const clients: Record<string, string[]> = {};
  const clientUpstreams: Record<string, readonly string[]> = {};
  for (const container of input.containers) {
    addContainer(networks, clients, clientUpstreams, container);
  }
  return {
    listen: [{ address: input.dns, port: 53 }],
    upstreams: input.upstreams.slice(0, UPSTREAMS_MAX),
    ttl: TTL_SECONDS,
    clients,
    clientUpstreams,
    networks,
  };
}

/** A name that DNS can carry: labels of 1 to 63 bytes, 253 in all. Others (task names of long service names) only have no DNS name. */
export function isDnsName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= 253 &&
    name.split('.').every((label) => {
      const bytes = new TextEncoder().encode(label).length;
      return bytes > 0 && bytes <= 63;
    })
  );
}

function add(network: NetworkNames | undefined, name: string, addresses: readonly string[]): void {
  if (!network || !isDnsName(name)) return;
  const key = name.toLowerCase();
  network.names[key] ??= { a: [], aaaa: [] };
  const entry = network.names[key];
  for (const address of addresses) {
    const list = address.includes(':') ? entry.aaaa : entry.a;
    if (!list.includes(address)) list.push(address);
  }
}

function addService(
  networks: Record<string, NetworkNames>,
  service: ServiceEndpoints,
  serving: readonly ServiceEndpoints['backends'][number][],
): void {
  for (const attachment of service.networks) {
    const network = networks[attachment.target];
    if (!network) continue;
    const addresses = serving.flatMap((backend) =>
      addressesOn(backend.attachments, attachment.target),
    );
    const vips = service.virtualIps
      .filter((vip) => vip.networkId === attachment.target)
      .map((vip) => bare(vip.addr))
      .filter((address) => address !== '');
    const answer = service.mode === EndpointMode.VIP && vips.length > 0 ? vips : addresses;
    for (const name of [service.serviceName, ...service.names, ...attachment.aliases]) {
      add(network, name, answer);
      add(network, `tasks.${name}`, addresses);
    }
    if (isDnsName(service.serviceName))
      for (const vip of vips) network.ptr[vip] = service.serviceName;
    for (const backend of serving) {
      const own = addressesOn(backend.attachments, attachment.target);
      for (const name of [backend.taskName, backend.containerName, backend.hostname])
        add(network, name, own);
      const pointer = [backend.containerName, backend.taskName].find(isDnsName);
      if (pointer !== undefined) for (const address of own) network.ptr[address] = pointer;
    }
  }
}

function addressesOn(
  attachments: readonly { readonly networkId: string; readonly addresses: readonly string[] }[],
  networkId: string,
): string[] {
  return attachments
    .filter((a) => a.networkId === networkId)
    .flatMap((a) => a.addresses.map(bare))
    .filter((address) => address !== '');
}

function addContainer(
  networks: Record<string, NetworkNames>,
  clients: Record<string, string[]>,
  clientUpstreams: Record<string, readonly string[]>,
  container: NamedContainer,
): void {
  const ids = container.endpoints.map((endpoint) => endpoint.networkId);
  const pointer = container.names.find(isDnsName);
  for (const endpoint of container.endpoints) {
    const addresses = [endpoint.ipv4, endpoint.ipv6].filter((address) => address !== '');
    const network = networks[endpoint.networkId];
    for (const address of addresses) {
      // Any of a container's addresses may be the one that a question comes from.
      clients[address] = ids;
      if (container.nameservers.length > 0)
        clientUpstreams[address] = container.nameservers.slice(0, UPSTREAMS_MAX);
      if (network && pointer !== undefined) network.ptr[address] ??= pointer;
    }
    const aliases = container.taskId === '' ? endpoint.aliases : [];
    for (const name of [...container.names, ...aliases]) add(network, name, addresses);
  }
}
