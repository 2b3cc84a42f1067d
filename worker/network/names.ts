// What the node's DNS responder knows: names per network, which networks each container is on, whom it asks for the rest (native/PROTOCOL.md,
// tswarm-names). Pure.
// A service answers with its virtual address, or with its serving tasks where it has none; a container's own name answers as soon as it is attached.
// Ports that have a name are found as _name._tcp.service (SRV, RFC 2782).
import type { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { PortConfig } from '#protocol/generated/specs';
import { EndpointMode } from '#protocol/generated/specs';
import { bare, type LocalContainer, PROTOCOL_WORDS } from './desired-rules.ts';
import { DNS_TTL_SECONDS, UPSTREAMS_MAX } from './limits.ts';
import { ContainerParts, localTasks, NO_DOORS, ServiceParts } from './parts.ts';

interface NameEntry {
  readonly a: readonly string[];
  readonly aaaa: readonly string[];
}

/** A port of a service, for those who ask where `_name._tcp.service` is. */
interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

export interface NamedContainer extends LocalContainer {
  /** Container name, short id, host name. */
  readonly names: readonly string[];
  /** Name servers that the user gave it; empty = the host's. */
  readonly nameservers: readonly string[];
  /** What it alone calls others: alias → name. */
  readonly aliases: Readonly<Record<string, string>>;
}

export interface NamesInput {
  readonly nodeId: string;
  readonly dns: string;
  readonly upstreams: readonly string[];
  readonly networks: readonly { readonly id: string; readonly internal: boolean }[];
  readonly services: readonly ServiceEndpoints[];
  readonly containers: readonly NamedContainer[];
}

/** Computes the text of the configuration; what has not changed since the last time is not computed again. */
export class NamesComputer {
  readonly #services = new ServiceParts<NamedContainer, NameParts>(serviceParts);
  readonly #containers = new ContainerParts<NamedContainer, NameParts>(containerParts);
  /** network id → its text, and what it was made from */
  #networks: ReadonlyMap<string, NetworkText> = new Map();

  compute(input: NamesInput): string {
    const clients = dictionary<readonly string[]>();
    const clientUpstreams = dictionary<readonly string[]>();
    const clientAliases = dictionary<Readonly<Record<string, string>>>();
    for (const container of input.containers) {
      addClient(clients, clientUpstreams, container);
      if (Object.keys(container.aliases).length === 0) continue;
      for (const address of container.endpoints.flatMap(addressesOf))
        clientAliases[address] = container.aliases;
    }
    const head = JSON.stringify({
      listen: [{ address: input.dns, port: 53 }],
      upstreams: input.upstreams.slice(0, UPSTREAMS_MAX),
      ttl: DNS_TTL_SECONDS,
      clients,
      clientUpstreams,
      ...(Object.keys(clientAliases).length > 0 ? { clientAliases } : {}),
    });
    const networks = [...this.#texts(input)].map(
      ([id, { text }]) => `${JSON.stringify(id)}:${text}`,
    );
    return `${head.slice(0, -1)},"networks":{${networks.join(',')}}}`;
  }

  #texts(input: NamesInput): ReadonlyMap<string, NetworkText> {
    const parts = new Map<string, NamePart[]>(input.networks.map(({ id }) => [id, []]));
    const add = (all: NameParts): void => {
      for (const [networkId, part] of all) parts.get(networkId)?.push(part);
    };
    const byTask = localTasks(input.containers);
    const context = { nodeId: input.nodeId, byTask, doors: NO_DOORS };
    for (const service of input.services) add(this.#services.of(service, context));
    for (const container of input.containers) add(this.#containers.of(container));
    const texts = new Map<string, NetworkText>();
    for (const { id, internal } of input.networks) {
      const own = parts.get(id) ?? [];
      const known = this.#networks.get(id);
      const isCurrent =
        known?.internal === internal &&
        known.parts.length === own.length &&
        own.every((part, index) => part === known.parts[index]);
      texts.set(id, isCurrent ? known : { internal, parts: own, text: networkText(internal, own) });
    }
    this.#networks = texts;
    return texts;
  }
}

interface NetworkText {
  readonly internal: boolean;
  readonly parts: readonly NamePart[];
  readonly text: string;
}

/** What one service or container adds to one network. Never changed once it is made. */
interface NamePart {
  readonly names: (readonly [name: string, entry: NameEntry])[];
  readonly pointers: (readonly [address: string, name: string])[];
  readonly records: (readonly [name: string, records: readonly ServiceRecord[]])[];
}

/** network id → part */
class NameParts extends Map<string, NamePart> {
  add(networkId: string, name: string, addresses: readonly string[]): void {
    if (!isDnsName(name)) return;
    const entry = {
      a: addresses.filter((address) => !address.includes(':')),
      aaaa: addresses.filter((address) => address.includes(':')),
    };
    this.#part(networkId).names.push([name.toLowerCase(), entry]);
  }

  point(networkId: string, address: string, name: string | undefined): void {
    if (name !== undefined) this.#part(networkId).pointers.push([address, name]);
  }

  /** Where a port of `name` is; nowhere is an answer, too: the question is not for others. */
  locate(networkId: string, name: string, port: PortConfig, places: readonly string[]): void {
    const full = `_${port.name}._${PROTOCOL_WORDS[port.protocol] ?? 'tcp'}.${name}`;
    if (!isDnsName(full)) return;
    const records = places.map((place) => ({
      priority: 0,
      weight: 0,
      port: port.targetPort,
      target: place.toLowerCase(),
    }));
    this.#part(networkId).records.push([full.toLowerCase(), records]);
  }

  #part(networkId: string): NamePart {
    const part = this.get(networkId) ?? { names: [], pointers: [], records: [] };
    this.set(networkId, part);
    return part;
  }
}

/** A name that several have answers with the addresses of all; of several pointers the first counts. */
function networkText(internal: boolean, parts: readonly NamePart[]): string {
  const names = dictionary<NameEntry>();
  const ptr = dictionary<string>();
  const srv = dictionary<ServiceRecord[]>();
  for (const part of parts) {
    for (const [name, entry] of part.names) {
      const known = names[name];
      names[name] = known
        ? {
            a: [...new Set([...known.a, ...entry.a])],
            aaaa: [...new Set([...known.aaaa, ...entry.aaaa])],
          }
        : entry;
    }
    for (const [address, name] of part.pointers) ptr[address] ??= name;
    for (const [name, records] of part.records) srv[name] = [...(srv[name] ?? []), ...records];
  }
  return JSON.stringify({ internal, names, ptr, srv });
}

/** Without a prototype: users choose the names in it. */
function dictionary<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

/** A name that DNS can carry: labels of 1 to 63 bytes, 253 in all. Others (task names of long service names) only have no DNS name. */
export function isDnsName(name: string): boolean {
  if (name === '') return false;
  const bytes = Buffer.byteLength(name);
  if (bytes > 253) return false;
  return name.split('.').every((label) => {
    const length = bytes === name.length ? label.length : Buffer.byteLength(label);
    return length > 0 && length <= 63;
  });
}

function serviceParts(service: ServiceEndpoints, serving: readonly EndpointBackend[]): NameParts {
  const parts = new NameParts();
  for (const { target, aliases } of service.networks) {
    const addresses = serving.flatMap((backend) => addressesOn(backend.attachments, target));
    const vips = service.virtualIps
      .filter((vip) => vip.networkId === target)
      .map((vip) => bare(vip.addr))
      .filter((address) => address !== '');
    const answer = service.mode === EndpointMode.VIP && vips.length > 0 ? vips : addresses;
    for (const name of [service.serviceName, ...service.names, ...aliases]) {
      parts.add(target, name, answer);
      parts.add(target, `tasks.${name}`, addresses);
    }
    const serviceName = [service.serviceName].find(isDnsName);
    for (const vip of vips) parts.point(target, vip, serviceName);
    for (const backend of serving) {
      const own = addressesOn(backend.attachments, target);
      for (const name of [backend.taskName, backend.containerName, backend.hostname])
        parts.add(target, name, own);
      const pointer = [backend.containerName, backend.taskName].find(isDnsName);
      for (const address of own) parts.point(target, address, pointer);
    }
    const hasVip = answer === vips;
    for (const port of service.ports) {
      if (port.name !== '')
        addServiceRecords(parts, { service, serving, target, aliases, port, hasVip });
    }
  }
  return parts;
}

/** A service with a virtual address is at its own name, its tasks, and services without one, at the names of the tasks. */
function addServiceRecords(
  parts: NameParts,
  {
    service,
    serving,
    target,
    aliases,
    port,
    hasVip,
  }: {
    readonly service: ServiceEndpoints;
    readonly serving: readonly EndpointBackend[];
    readonly target: string;
    readonly aliases: readonly string[];
    readonly port: PortConfig;
    readonly hasVip: boolean;
  },
): void {
  const tasks = serving
    .filter((backend) => addressesOn(backend.attachments, target).length > 0)
    .map((backend) => [backend.containerName, backend.taskName].find(isDnsName))
    .filter((name) => name !== undefined);
  for (const name of new Set([service.serviceName, ...service.names, ...aliases])) {
    if (!isDnsName(name)) continue;
    parts.locate(target, name, port, hasVip ? [name] : tasks);
    parts.locate(target, `tasks.${name}`, port, tasks);
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

function containerParts(container: NamedContainer): NameParts {
  const parts = new NameParts();
  const pointer = container.names.find(isDnsName);
  for (const endpoint of container.endpoints) {
    const addresses = addressesOf(endpoint);
    for (const address of addresses) parts.point(endpoint.networkId, address, pointer);
    const aliases = container.taskId === '' ? endpoint.aliases : [];
    for (const name of new Set([...container.names, ...aliases]))
      parts.add(endpoint.networkId, name, addresses);
  }
  return parts;
}

function addClient(
  clients: Record<string, readonly string[]>,
  clientUpstreams: Record<string, readonly string[]>,
  container: NamedContainer,
): void {
  const ids = container.endpoints.map((endpoint) => endpoint.networkId);
  const own = container.nameservers.slice(0, UPSTREAMS_MAX);
  // Any of a container's addresses may be the one that a question comes from.
  for (const address of container.endpoints.flatMap(addressesOf)) {
    clients[address] = ids;
    if (own.length > 0) clientUpstreams[address] = own;
  }
}

function addressesOf({
  ipv4,
  ipv6,
}: {
  readonly ipv4: string;
  readonly ipv6: string;
}): readonly string[] {
  return [ipv4, ipv6].filter((address) => address !== '');
}
