// From a container's record to what the network is asked for: mode, attachments, published ports. Docker's NetworkMode words on one side, the network
// manager's request on the other.
import { TswarmError } from '#protocol/errors';
import type { PortConfig } from '#protocol/generated/specs';
import { PortConfig as PortConfigType, PortProtocol, PublishMode } from '#protocol/generated/specs';
import type { AttachmentRequest, AttachRequest } from '../network/types.ts';
import type { ContainerRecord, EndpointRequest, PortBinding } from './record.ts';

/** `container:<id or name>` of a mode, else ''. */
export function sharedContainer(mode: string): string {
  return mode.startsWith('container:') ? mode.slice('container:'.length) : '';
}

/** The network that NetworkMode means when it means one. */
export function primaryNetwork(mode: string): string {
  return mode === '' || mode === 'default' ? 'bridge' : mode;
}

/** The request for a container that has its own network (not `container:`). */
export function attachRequestOf(record: ContainerRecord): AttachRequest {
  const { hostConfig, config, task } = record;
  const mode = hostConfig.NetworkMode;
  const common = {
    hostname: config.Hostname,
    names: [record.name, record.id.slice(0, 12)],
    dns: {
      nameservers: hostConfig.Dns,
      search: hostConfig.DnsSearch,
      options: hostConfig.DnsOptions,
    },
    sysctls: {},
    links: [
      ...(task?.links ?? []),
      ...Object.values(record.endpoints).flatMap((endpoint) => endpoint.links ?? []),
    ],
    macAddress: '',
    taskId: task?.taskId ?? '',
    serviceId: task?.serviceId ?? '',
  };
  if (mode === 'host' || mode === 'none') {
    return { ...common, mode, attachments: [], ports: [] };
  }
  const ports = publishedPorts(record);
  if (task && task.networks.length > 0) {
    return { ...common, mode: 'networks', attachments: task.networks, ports };
  }
  const primary = primaryNetwork(mode);
  const attachments: AttachmentRequest[] = [];
  for (const [network, endpoint] of endpointsOf(record, primary)) {
    attachments.push(attachmentOf(network, endpoint));
  }
  return {
    ...common,
    mode: 'networks',
    attachments,
    ports,
  };
}

const NO_ENDPOINT: EndpointRequest = {
  aliases: [],
  ipv4: '',
  ipv6: '',
  macAddress: '',
  gwPriority: 0,
  links: null,
  driverOpts: null,
};

/** Docker's option of an endpoint that names its interface. */
const INTERFACE_OPTION = 'com.docker.network.endpoint.ifname';

/** The primary network first, unless the container was taken off it, then the others that were asked for at create or by `network connect`. */
export function endpointsOf(
  record: ContainerRecord,
  primary: string,
): readonly (readonly [string, EndpointRequest])[] {
  const all = Object.entries(record.endpoints);
  const own = all.find(([name]) => primaryNetwork(name) === primary);
  const others = all.filter(([name]) => primaryNetwork(name) !== primary);
  if (!own && record.isOffPrimary && others.length > 0) return others;
  return [[primary, own?.[1] ?? NO_ENDPOINT], ...others];
}

function attachmentOf(networkId: string, endpoint: EndpointRequest): AttachmentRequest {
  return {
    networkId,
    addresses: [endpoint.ipv4, endpoint.ipv6].filter((address) => address !== ''),
    aliases: endpoint.aliases,
    gwPriority: endpoint.gwPriority,
    macAddress: endpoint.macAddress,
    ...interfaceOf(endpoint.driverOpts ?? {}, endpoint.linkLocalIps ?? []),
  };
}

/** What is asked of an interface besides its addresses; nothing where nothing is. */
export function interfaceOf(
  driverOpts: Readonly<Record<string, string>>,
  linkLocalIps: readonly string[],
): Pick<AttachmentRequest, 'interfaceName' | 'linkLocalIps'> {
  const interfaceName = driverOpts[INTERFACE_OPTION] ?? '';
  return {
    ...(interfaceName === '' ? {} : { interfaceName }),
    ...(linkLocalIps.length === 0 ? {} : { linkLocalIps }),
  };
}

const PROTOCOLS: Readonly<Record<string, PortProtocol>> = {
  tcp: PortProtocol.TCP,
  udp: PortProtocol.UDP,
  sctp: PortProtocol.SCTP,
};

/** `80/tcp` → its parts. @throws invalid_argument */
export function parsePort(text: string): { readonly port: number; readonly protocol: string } {
  const [portText = '', protocol = 'tcp'] = text.split('/');
  const port = Number(portText);
  if (!Number.isInteger(port) || port < 1 || port > 65_535 || PROTOCOLS[protocol] === undefined) {
    throw new TswarmError('invalid_argument', `invalid port specification: "${text}"`, {
      field: 'HostConfig.PortBindings',
    });
  }
  return { port, protocol };
}

/** What the container publishes on this node. */
export function publishedPorts(record: ContainerRecord): readonly PortConfig[] {
  const { hostConfig, config } = record;
  const out: PortConfig[] = [];
  for (const [key, bindings] of Object.entries(hostConfig.PortBindings)) {
    for (const binding of bindings.length > 0 ? bindings : [{ HostIp: '', HostPort: '' }]) {
      out.push(portConfigOf(key, binding));
    }
  }
  if (hostConfig.PublishAllPorts) {
    for (const key of Object.keys(config.ExposedPorts ?? {})) {
      if (hostConfig.PortBindings[key]) continue;
      out.push(portConfigOf(key, { HostIp: '', HostPort: '' }));
    }
  }
  return out;
}

function portConfigOf(key: string, binding: PortBinding): PortConfig {
  const { port, protocol } = parsePort(key);
  const [first, last = first] = binding.HostPort.split('-', 2).map(Number);
  const isPort = (number: number | undefined): number is number =>
    number !== undefined && Number.isInteger(number) && number >= 0 && number <= 65_535;
  if (!isPort(first) || !isPort(last) || last < first) {
    throw new TswarmError('invalid_argument', `invalid port specification: "${binding.HostPort}"`, {
      field: 'HostConfig.PortBindings',
      hint: 'Give one port number per binding, or a range like 8000-8010 of which one is taken.',
    });
  }
  const isRange = first > 0 && last > first;
  return PortConfigType.create({
    protocol: PROTOCOLS[protocol] ?? PortProtocol.TCP,
    targetPort: port,
    publishedPort: isRange ? 0 : first,
    ...(isRange ? { publishedFirst: first, publishedLast: last } : {}),
    publishMode: PublishMode.HOST,
    hostIp: binding.HostIp,
  });
}
