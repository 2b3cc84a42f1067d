// The Engine API's JSON of cluster objects where it is more than toEngineJson: what clients expect besides the message's own fields (ServiceStatus,
// a task's networks in full, empty maps instead of none), and networks, whose Engine form has other names than Swarm's.

import { attachedName, isAttachment } from '#protocol/attachments';
import type { EngineJson } from '#protocol/engine';
import { formatTime, toEngineJson } from '#protocol/engine-json';
import { Cluster, Network, Node, Service, Task } from '#protocol/generated/objects';
import type { IpamConfig } from '#protocol/generated/specs';
import { taskName } from '#protocol/ids';
import { issuerInfo } from '#protocol/transport/certificate';
import type { ObjectCache } from '../cache/object-cache.ts';
import { serviceStatus } from '../cache/service-status.ts';

type Json = Record<string, unknown>;

/** A service. `defaults` fills what the user left out, as `insertDefaults=true` asks. */
export function serviceJson(
  cache: ObjectCache,
  service: Service,
  options: { status: boolean; defaults: boolean },
): Json {
  const json = toEngineJson(Service, service);
  const spec = json.Spec as Json;
  const template = spec.TaskTemplate as Json;
  spec.Mode ??= { Replicated: { Replicas: 1 } };
  const mode = spec.Mode as Json;
  if (mode.Replicated) mode.Replicated = { Replicas: 1, ...(mode.Replicated as Json) };
  template.Runtime ??= 'container';
  if (options.defaults) insertDefaults(spec, template);
  if (options.status) json.ServiceStatus = serviceStatus(cache, service);
  return json;
}

const SECOND = 1e9;

function insertDefaults(spec: Json, template: Json): void {
  template.RestartPolicy = {
    Condition: 'any',
    Delay: 5 * SECOND,
    MaxAttempts: 0,
    ...(template.RestartPolicy as Json | undefined),
  };
  const container = template.ContainerSpec as Json | undefined;
  if (container) {
    container.StopGracePeriod ??= 10 * SECOND;
    container.DNSConfig ??= {};
    container.Isolation ??= ISOLATION;
  }
  template.Resources = {
    Limits: {},
    Reservations: {},
    ...(template.Resources as Json | undefined),
  };
  template.Placement ??= {};
  const isJob = 'ReplicatedJob' in (spec.Mode as Json) || 'GlobalJob' in (spec.Mode as Json);
  for (const key of isJob ? [] : ['UpdateConfig', 'RollbackConfig']) {
    spec[key] = {
      Parallelism: 1,
      FailureAction: 'pause',
      Monitor: 5 * SECOND,
      MaxFailureRatio: 0,
      Order: 'stop-first',
      ...(spec[key] as Json | undefined),
    };
  }
  spec.EndpointSpec = { Mode: 'vip', ...(spec.EndpointSpec as Json | undefined) };
}

/** The only isolation that there is on Linux; Docker shows it for every container of a service. */
export const ISOLATION = 'default';

/** Shows it in a task template that names none. */
export function withIsolation(template: unknown): void {
  const container = (template as Json | undefined)?.ContainerSpec as Json | undefined;
  if (container) container.Isolation ??= ISOLATION;
}

/** A task as Docker's clients know it. */
export function engineTaskJson(cache: ObjectCache, task: Task): Json {
  const json = taskJson(cache, task);
  withIsolation(json.Spec);
  return json;
}

/** A task. */
export function taskJson(cache: ObjectCache, task: Task): Json {
  const json = toEngineJson(Task, task);
  json.Labels ??= {};
  json.Spec ??= {};
  const status = json.Status as Json;
  status.PortStatus ??= {};
  if (task.networkAttachments.length > 0) {
    json.NetworksAttachments = task.networkAttachments.map((attachment) => {
      const network = cache.get('network', attachment.networkId);
      return {
        Network: network ? attachedNetworkJson(network) : { ID: attachment.networkId },
        Addresses: attachment.addresses,
      };
    });
  }
  return json;
}

/** The network inside a task's attachment: Swarm's own form, not the Engine's. */
function attachedNetworkJson(network: Network): Json {
  const json = toEngineJson(Network, { ...network, ipam: [] });
  json.DriverState = { Name: driverOf(network) };
  json.IPAMOptions = { Driver: { Name: 'default' }, Configs: network.ipam.map(ipamJson) };
  const spec = json.Spec as Json;
  spec.Scope = 'swarm';
  spec.IPAMOptions = { Driver: { Name: 'default' } };
  return json;
}

function driverOf(network: Network): string {
  const name = network.spec?.driverConfig?.name ?? '';
  return name === '' ? 'overlay' : name;
}

function ipamJson(config: IpamConfig): Json {
  return {
    Subnet: config.subnet,
    ...(config.ipRange === '' ? {} : { IPRange: config.ipRange }),
    ...(config.gateway === '' ? {} : { Gateway: config.gateway }),
    ...(Object.keys(config.auxAddresses).length === 0
      ? {}
      : { AuxiliaryAddresses: config.auxAddresses }),
  };
}

/** A cluster network as GET /networks shows it. `containers` (by id) only in one network's details. */
export function networkJson(network: Network, containers: EngineJson = {}): Json {
  const spec = network.spec;
  const driver = driverOf(network);
  return {
    Name: spec?.name ?? '',
    Id: network.id,
    Created: formatTime(network.meta?.createdAt ?? 0),
    Scope: driver === 'host' || driver === 'bridge' || driver === 'none' ? 'local' : 'swarm',
    Driver: driver === 'none' ? 'null' : driver,
    EnableIPv6: spec?.ipv6Enabled ?? false,
    IPAM: {
      Driver: spec?.ipam?.driver || 'default',
      Options: null,
      Config: (network.ipam.length > 0 ? network.ipam : (spec?.ipam?.config ?? [])).map(ipamJson),
    },
    Internal: spec?.internal ?? false,
    Attachable: spec?.attachable ?? false,
    Ingress: spec?.ingress ?? false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: containers,
    Options: spec?.driverConfig?.options ?? {},
    Labels: spec?.labels ?? {},
  };
}

/** A node. */
export function nodeJson(node: Node): Json {
  return toEngineJson(Node, node);
}

/** The cluster (`GET /swarm`), with what Swarm always shows. `tokens` only for administrators. */
export function clusterJson(
  cluster: Cluster,
  tokens: { readonly worker: string; readonly manager: string } | undefined,
): Json {
  const json = toEngineJson(Cluster, cluster);
  const spec = json.Spec as Json;
  spec.Orchestration = { TaskHistoryRetentionLimit: 5, ...(spec.Orchestration as Json) };
  spec.Raft = {
    SnapshotInterval: 10_000,
    KeepOldSnapshots: 0,
    LogEntriesForSlowFollowers: 500,
    ElectionTick: 10,
    HeartbeatTick: 1,
    ...(spec.Raft as Json),
  };
  spec.Dispatcher = { HeartbeatPeriod: 2 * SECOND, ...(spec.Dispatcher as Json) };
  spec.CAConfig = { NodeCertExpiry: 2160 * 3600 * SECOND, ...(spec.CAConfig as Json) };
  json.TLSInfo = tlsInfoJson(cluster);
  json.RootRotationInProgress = cluster.rootCa?.rootRotation !== undefined;
  json.DefaultAddrPool =
    cluster.defaultAddrPool.length > 0 ? cluster.defaultAddrPool : ['10.0.0.0/8'];
  json.SubnetSize = cluster.subnetSize === 0 ? 24 : cluster.subnetSize;
  json.DataPathPort = cluster.dataPathPort;
  if (tokens) json.JoinTokens = { Worker: tokens.worker, Manager: tokens.manager };
  return json;
}

/** The root, and who signs now: what clients compare with each node's while a new root is on its way. */
function tlsInfoJson(cluster: Cluster): Json {
  const { caCert = '', rootRotation } = cluster.rootCa ?? {};
  const issuer = issuerInfo(rootRotation?.caCert ?? caCert);
  return {
    TrustRoot: caCert,
    ...(issuer
      ? {
          CertIssuerSubject: Buffer.from(issuer.subject).toString('base64'),
          CertIssuerPublicKey: Buffer.from(issuer.publicKey).toString('base64'),
        }
      : {}),
  };
}

/** Containers of local tasks that are attached to a network, for GET /networks/{id}. */
export function attachedContainers(cache: ObjectCache, networkId: string, nodeId: string): Json {
  const out: Json = {};
  for (const task of cache.all('task')) {
    const container = task.status?.containerStatus?.containerId ?? '';
    if (container === '' || task.nodeId !== nodeId) continue;
    const attachment = task.networkAttachments.find((a) => a.networkId === networkId);
    if (!attachment) continue;
    const [v4 = '', v6 = ''] = [
      attachment.addresses.find((a) => !a.includes(':')),
      attachment.addresses.find((a) => a.includes(':')),
    ];
    out[container] = {
      Name: isAttachment(task) ? attachedName(task) : taskName(task),
      EndpointID: '',
      MacAddress: '',
      IPv4Address: v4,
      IPv6Address: v6,
    };
  }
  return out;
}
