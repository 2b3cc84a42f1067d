// How a service is reached: the networks of its tasks and the ports that it publishes.

import * as specs from '#protocol/generated/specs';
import type { Port, Project, Service, ServiceNetwork } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
import type { Problems } from './problems.ts';
import { isInOtherNetwork } from './shared-modes.ts';

/** The networks of service `key`. */
export function planNetworks(
  project: Project,
  key: string,
  service: Service,
  linkAliases: LinkAliases,
  problems: Problems,
): specs.NetworkAttachmentConfig[] {
  const path = `services.${key}`;
  if (service.network_mode !== undefined) {
    const mode = service.network_mode;
    if (mode === 'none' || mode === 'host' || mode === 'bridge') {
      return [specs.NetworkAttachmentConfig.create({ target: mode })];
    }
    if (isInOtherNetwork(service)) return [];
    const hint = 'use none, host, bridge, service:NAME or container:NAME';
    problems.error(`${path}.network_mode`, `unknown mode ${mode}`, hint);
    return [];
  }
  const attachments: {
    readonly priority: number;
    readonly config: specs.NetworkAttachmentConfig;
  }[] = [];
  for (const [name, network] of Object.entries(service.networks ?? {})) {
    const where = `${path}.networks.${name}`;
    checkMac(`${where}.mac_address`, network?.mac_address, problems);
    const interfaceOptions = planInterface(where, network, problems);
    const address = network?.ipv4_address ?? network?.ipv6_address;
    if (address !== undefined && replicasOf(service) > 1) {
      const hint = 'remove the address, or the replicas';
      problems.error(
        where,
        `address ${address} cannot belong to ${replicasOf(service)} replicas`,
        hint,
      );
    }
    const container = service.container_name;
    const aliases = new Set([
      key,
      ...(network?.aliases ?? []),
      ...(linkAliases.of(key, name) ?? []),
    ]);
    if (container !== undefined) aliases.add(container);
    attachments.push({
      priority: network?.priority ?? 0,
      config: specs.NetworkAttachmentConfig.create({
        target: ownValue(project.networks, name)?.name ?? name,
        aliases: [...aliases],
        ipv4Address: network?.ipv4_address ?? '',
        ipv6Address: network?.ipv6_address ?? '',
        gwPriority: network?.gw_priority ?? 0,
        macAddress: network?.mac_address ?? '',
        ...interfaceOptions,
      }),
    });
  }
  attachments.sort(
    (a, b) => b.priority - a.priority || (a.config.target < b.config.target ? -1 : 1),
  );
  checkMac(`${path}.mac_address`, service.mac_address, problems);
  // The service's own is that of its first network.
  return attachments.map(({ config }, index) =>
    index === 0 && config.macAddress === ''
      ? specs.NetworkAttachmentConfig.create({ ...config, macAddress: service.mac_address ?? '' })
      : config,
  );
}

/** Docker's word for `interface_name`. */
const INTERFACE_OPTION = 'com.docker.network.endpoint.ifname';

/** How the interface on a network is called, and what it has besides its addresses. */
function planInterface(
  path: string,
  network: ServiceNetwork | null | undefined,
  problems: Problems,
): Pick<specs.NetworkAttachmentConfig, 'driverOpts' | 'linkLocalIps'> {
  const {
    driver_opts: options = {},
    interface_name: wanted,
    link_local_ips: linkLocal = [],
  } = network ?? {};
  for (const option of Object.keys(options)) {
    if (option === INTERFACE_OPTION) continue;
    const hint = `there is ${INTERFACE_OPTION}; settings of the kernel are \`sysctls\` of the service`;
    problems.error(`${path}.driver_opts.${option}`, 'unknown option of an interface', hint);
  }
  const name =
    wanted ?? (options[INTERFACE_OPTION] === undefined ? '' : String(options[INTERFACE_OPTION]));
  const isName =
    /^[^\s/:]{1,15}$/.test(name) && !['.', '..', 'lo', 'all', 'default'].includes(name);
  if (name !== '' && !isName) {
    const hint = 'use up to 15 letters and digits, not lo';
    problems.error(`${path}.interface_name`, `${name} is no name of an interface`, hint);
  }
  for (const [i, address] of linkLocal.entries()) {
    if (/^169\.254\.\d+\.\d+$/.test(address) || /^fe[89ab][0-9a-f]?:/i.test(address)) continue;
    const hint = 'they begin with 169.254. or fe80:';
    problems.error(`${path}.link_local_ips.${i}`, `${address} is no link-local address`, hint);
  }
  return {
    driverOpts: name === '' ? {} : { [INTERFACE_OPTION]: name },
    linkLocalIps: linkLocal,
  };
}

function checkMac(path: string, mac: string | undefined, problems: Problems): void {
  if (mac === undefined || /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) return;
  problems.error(path, `${mac} is no MAC address`, 'write it like 02:42:ac:11:00:02');
}

/** How many tasks the service is to have. */
export function replicasOf(service: Service): number {
  return service.scale ?? service.deploy?.replicas ?? 1;
}

/** The names that `links` give other services, per service and network. */
export class LinkAliases {
  readonly #names = new Map<string, Map<string, Set<string>>>();

  constructor(project: Project, problems: Problems) {
    const owners = new Map<string, string>();
    for (const [key, service] of Object.entries(project.services)) {
      for (const [i, link] of (service.links ?? []).entries()) {
        const [target = '', alias = target] = link.split(':', 2);
        if (alias === target) continue;
        for (const network of sharedNetworks(service, ownValue(project.services, target))) {
          const owner = `${network}\n${alias}`;
          const other = owners.get(owner);
          if (other !== undefined && other !== target) {
            const message = `alias ${alias} would name both ${other} and ${target} on network ${network}`;
            problems.error(`services.${key}.links.${i}`, message, 'use another alias');
          } else this.#add(owners, owner, { target, network, alias });
        }
      }
    }
  }

  #add(
    owners: Map<string, string>,
    owner: string,
    link: { readonly target: string; readonly network: string; readonly alias: string },
  ): void {
    owners.set(owner, link.target);
    const networks = this.#names.get(link.target) ?? new Map<string, Set<string>>();
    const aliases = networks.get(link.network) ?? new Set<string>();
    aliases.add(link.alias);
    networks.set(link.network, aliases);
    this.#names.set(link.target, networks);
  }

  /** Further names of service `key` on network `network`. */
  of(key: string, network: string): ReadonlySet<string> | undefined {
    return this.#names.get(key)?.get(network);
  }
}

function sharedNetworks(a: Service, b: Service | undefined): string[] {
  return Object.keys(a.networks ?? {}).filter((name) => Object.hasOwn(b?.networks ?? {}, name));
}

/** The published ports of service `key`, and how its name resolves. */
export function planEndpoint(
  key: string,
  service: Service,
  problems: Problems,
): specs.EndpointSpec {
  const ports: specs.PortConfig[] = [];
  for (const [i, port] of (service.ports ?? []).entries()) {
    const planned = planPort(port, `services.${key}.ports.${i}`, problems);
    if (planned !== undefined) ports.push(planned);
  }
  const endpointMode = service.deploy?.endpoint_mode ?? 'vip';
  if (endpointMode !== 'vip' && endpointMode !== 'dnsrr') {
    const hint = 'use vip or dnsrr';
    problems.error(`services.${key}.deploy.endpoint_mode`, `unknown mode ${endpointMode}`, hint);
  }
  const isDnsRr = endpointMode === 'dnsrr';
  if (isDnsRr && ports.some((port) => port.publishMode === specs.PublishMode.INGRESS)) {
    const message = 'a service without a virtual address cannot publish ports on all nodes';
    problems.error(
      `services.${key}.deploy.endpoint_mode`,
      message,
      'set `mode: host` at the ports',
    );
  }
  if (service.network_mode === 'host' && ports.length > 0) {
    problems.notice(
      `services.${key}.ports`,
      'the container uses the network of the host; nothing is published',
    );
    ports.length = 0;
  }
  return specs.EndpointSpec.create({
    mode: isDnsRr ? specs.EndpointMode.DNSRR : specs.EndpointMode.VIP,
    ports,
  });
}

const PROTOCOLS: Readonly<Record<string, specs.PortProtocol>> = {
  tcp: specs.PortProtocol.TCP,
  udp: specs.PortProtocol.UDP,
  sctp: specs.PortProtocol.SCTP,
};

/** `8080`, or `8000-8010`, of which one is taken; '' = any, which is 0. */
export function portRange(
  published: string,
): { readonly first: number; readonly last: number } | undefined {
  const [, from = '', to = from] = /^(\d+)(?:-(\d+))?$/.exec(published) ?? [];
  if (published === '') return { first: 0, last: 0 };
  const [first, last] = [Number(from), Number(to)];
  return from === '' || last < first || last > 65_535 ? undefined : { first, last };
}

function planPort(port: Port, path: string, problems: Problems): specs.PortConfig | undefined {
  const { published, target = 0, mode = 'ingress', protocol = 'tcp' } = port;
  if (target < 1 || target > 65_535) {
    problems.error(`${path}.target`, `${target} is no port`, 'a port is a number from 1 to 65535');
    return undefined;
  }
  const range = portRange(published ?? '');
  if (range === undefined) {
    const hint = 'name one port, or a range like 8000-8010; leave it out for any free one';
    problems.error(`${path}.published`, `${published} is no port`, hint);
    return undefined;
  }
  const known = ownValue(PROTOCOLS, protocol);
  if (known === undefined) {
    problems.error(`${path}.protocol`, `unknown protocol ${protocol}`, 'use tcp, udp or sctp');
    return undefined;
  }
  if (mode !== 'ingress' && mode !== 'host') {
    problems.error(`${path}.mode`, `unknown mode ${mode}`, 'use ingress or host');
    return undefined;
  }
  return specs.PortConfig.create({
    name: port.name ?? '',
    protocol: known,
    targetPort: target,
    publishedPort: range.first === range.last ? range.first : 0,
    ...(range.first === range.last
      ? {}
      : { publishedFirst: range.first, publishedLast: range.last }),
    publishMode: mode === 'host' ? specs.PublishMode.HOST : specs.PublishMode.INGRESS,
    hostIp: port.host_ip ?? '',
  });
}
