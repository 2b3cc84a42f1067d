// Short ways to write what a node is told: networks, services, containers.
import { EndpointBackend, ServiceEndpoints } from '#protocol/generated/dispatcher';
import { Network } from '#protocol/generated/objects';
import {
  Driver,
  EndpointMode,
  IpamConfig,
  NetworkAttachmentConfig,
  NetworkSpec,
  PortConfig,
  PortProtocol,
  PublishMode,
} from '#protocol/generated/specs';
import type { AttachRequest } from '#worker/network/types';

export const NODE_ID = 'node1';

export function network(
  id: string,
  subnets: readonly string[],
  more: { readonly internal?: boolean; readonly options?: Readonly<Record<string, string>> } = {},
): Network {
  return Network.create({
    id,
    spec: NetworkSpec.create({
      name: id,
      internal: more.internal ?? false,
      driverConfig: Driver.create({ name: 'overlay', options: more.options ?? {} }),
    }),
    ipam: subnets.map((subnet) =>
      IpamConfig.create({ subnet, gateway: subnet.replace(/\d*\/\d+$/, '1') }),
    ),
  });
}

export interface ServiceText {
  readonly name: string;
  readonly mode?: 'vip' | 'dnsrr';
  /** network id → virtual address; '' = none */
  readonly vips?: Readonly<Record<string, string>>;
  readonly aliases?: readonly string[];
  readonly names?: readonly string[];
  readonly ports?: readonly PortConfig[];
  /** task id → network id → address */
  readonly tasks?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Tasks that do not serve. */
  readonly waiting?: readonly string[];
  /** task id → node id; absent = NODE_ID */
  readonly nodes?: Readonly<Record<string, string>>;
  /** Tasks of another node. */
  readonly elsewhere?: readonly string[];
}

export function service(text: ServiceText): ServiceEndpoints {
  const tasks = Object.entries(text.tasks ?? {});
  const networks = new Set([
    ...Object.keys(text.vips ?? {}),
    ...tasks.flatMap(([, addresses]) => Object.keys(addresses)),
  ]);
  return ServiceEndpoints.create({
    serviceId: `id${text.name}`,
    serviceName: text.name,
    mode: text.mode === 'dnsrr' ? EndpointMode.DNSRR : EndpointMode.VIP,
    names: text.names ?? [],
    ports: text.ports ?? [],
    virtualIps: Object.entries(text.vips ?? {})
      .filter(([, addr]) => addr !== '')
      .map(([networkId, addr]) => ({ networkId, addr: `${addr}/24` })),
    networks: [...networks].map((target) =>
      NetworkAttachmentConfig.create({ target, aliases: text.aliases ?? [] }),
    ),
    backends: tasks.map(([taskId, addresses], index) =>
      EndpointBackend.create({
        taskId,
        taskName: `${text.name}.${index + 1}.${taskId}`,
        slot: index + 1,
        nodeId: text.elsewhere?.includes(taskId) ? 'other' : (text.nodes?.[taskId] ?? NODE_ID),
        serving: !text.waiting?.includes(taskId),
        attachments: Object.entries(addresses).map(([networkId, address]) => ({
          networkId,
          addresses: [address],
          aliases: [],
        })),
      }),
    ),
  });
}

export function port(text: string, mode: 'ingress' | 'host' = 'host'): PortConfig {
  // [hostIp:]published:target[/protocol]
  const [numbers = '', protocol = 'tcp'] = text.split('/');
  const parts = numbers.split(':');
  const targetPort = Number(parts.pop());
  const publishedPort = Number(parts.pop());
  const protocols: Readonly<Record<string, PortProtocol>> = {
    tcp: PortProtocol.TCP,
    udp: PortProtocol.UDP,
    sctp: PortProtocol.SCTP,
  };
  return PortConfig.create({
    targetPort,
    publishedPort,
    hostIp: parts.join(':'),
    protocol: protocols[protocol] ?? PortProtocol.TCP,
    publishMode: mode === 'host' ? PublishMode.HOST : PublishMode.INGRESS,
  });
}

/** `on`: network → addresses (empty: the node chooses). */
export function container(
  on: Readonly<Record<string, readonly string[]>>,
  more: Partial<AttachRequest> = {},
): AttachRequest {
  return {
    mode: 'networks',
    attachments: Object.entries(on).map(([networkId, addresses]) => ({
      networkId,
      addresses,
      aliases: [],
      gwPriority: 0,
    })),
    ports: [],
    hostname: '',
    names: [],
    dns: { nameservers: [], search: [], options: [] },
    sysctls: {},
    macAddress: '',
    taskId: '',
    serviceId: '',
    ...more,
  };
}
