// The Engine API's network calls for networks of this node alone: shapes, names, and who is connected. Cluster networks are answered by the gateway
// from the manager's objects; connecting a running container works for both kinds, because the interface is made here.
import type { EngineFilters, EngineJson, LocalNetworkEngine } from '#protocol/engine';
import { checkFilters, matchesLabel, matchesLabels, untilMs } from '#protocol/engine-filters';
import { TswarmError } from '#protocol/errors';
import { CLUSTER_DRIVER, type NamedNetwork } from './attachment-events.ts';
import { MTU_OPTION, mtuOf } from './endpoint-plan.ts';
import {
  type LocalIpam,
  type LocalNetwork,
  type LocalNetworks,
  PREDEFINED,
} from './local-networks.ts';
import type { NodeNetworks } from './network-manager.ts';
import type { AttachedEndpoint, AttachmentRequest, NetworkDeps, NetworkNames } from './types.ts';

type Json = Readonly<Record<string, unknown>>;

const PRUNE_FILTERS: readonly string[] = ['label', 'label!', 'until'];

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

export class LocalNetworkApi implements LocalNetworkEngine {
  readonly #networks: LocalNetworks;
  readonly #manager: NodeNetworks;
  readonly #deps: NetworkDeps;

  constructor(networks: LocalNetworks, manager: NodeNetworks, deps: NetworkDeps) {
    this.#networks = networks;
    this.#manager = manager;
    this.#deps = deps;
  }

  async list(filters: EngineFilters): Promise<readonly EngineJson[]> {
    return this.#networks
      .list()
      .filter((network) => this.#matches(network, filters))
      .map((network) => this.#json(network, false));
  }

  async check(): Promise<EngineJson> {
    return { ...(await this.#manager.checkNetwork()) };
  }

  async inspect(idOrName: string): Promise<EngineJson> {
    return this.#json(this.#find(idOrName), true);
  }

  async create(body: EngineJson): Promise<EngineJson> {
    const name = text(body.Name);
    if (!NAME.test(name)) {
      throw new TswarmError(
        'invalid_argument',
        `invalid network name "${name}": only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
        {
          field: 'Name',
        },
      );
    }
    refuseUnsupported(body);
    const network = await this.#networks.create({
      name,
      driver: text(body.Driver) || 'bridge',
      ipam: ipamOf(body),
      ipv6: body.EnableIPv6 === true,
      internal: body.Internal === true,
      attachable: body.Attachable === true,
      labels: (body.Labels as Record<string, string> | undefined) ?? {},
      options: optionsOf(body),
    });
    await this.#manager.networksChanged();
    this.#emit('create', network);
    return { Id: network.id, Warning: '' };
  }

  async remove(idOrName: string): Promise<void> {
    const network = this.#find(idOrName);
    if (PREDEFINED.has(network.name)) {
      throw new TswarmError(
        'permission_denied',
        `${network.name} is a pre-defined network and cannot be removed`,
      );
    }
    const users = this.#manager
      .endpointsOn(network.id)
      .map(({ record }) => record.containerId.slice(0, 12));
    const waiting = this.#deps.containers.usersOf(network.id);
    if (users.length + waiting.length > 0) {
      throw new TswarmError(
        'permission_denied',
        `error while removing network: network ${network.name} id ${network.id} has active endpoints (${[...new Set([...users, ...waiting])].join(', ')})`,
      );
    }
    await this.#networks.remove(network);
    await this.#manager.networksChanged();
    this.#emit('destroy', network);
  }

  async connect(idOrName: string, body: EngineJson, name = ''): Promise<void> {
    const container = this.#container(body);
    const network = this.#networks.find(idOrName);
    const config = (body.EndpointConfig as Json | undefined) ?? {};
    const ipam = (config.IPAMConfig as Json | undefined) ?? {};
    const attachment: AttachmentRequest = {
      networkId: network?.id ?? idOrName,
      addresses: [text(ipam.IPv4Address), text(ipam.IPv6Address)].filter((item) => item !== ''),
      aliases: (config.Aliases as readonly string[] | undefined) ?? [],
      gwPriority: typeof config.GwPriority === 'number' ? config.GwPriority : 0,
    };
    if (this.#endpointOf(container.id, attachment.networkId)) {
      throw new TswarmError(
        'permission_denied',
        `endpoint with name ${container.name} already exists in network ${network?.name ?? idOrName}`,
      );
    }
    if (container.running) {
      await this.#manager.connect(container.id, attachment);
      this.#deps.containers.reattached(container.id, this.#manager.stateOf(container.id));
    }
    const names = [attachment.networkId, network?.name ?? name];
    await this.#deps.containers.setAttachment(container.id, attachment, names);
    // Of one that does not run it is told when it starts.
    if (container.running) this.#emit('connect', network ?? ofCluster(names), container.id);
  }

  async disconnect(idOrName: string, body: EngineJson, name = ''): Promise<void> {
    const container = this.#container(body);
    const network = this.#networks.find(idOrName);
    const endpoint = this.#endpointOf(container.id, network?.id ?? idOrName);
    const networkId = network?.id ?? endpoint?.networkId ?? idOrName;
    if (container.running && !endpoint) {
      throw new TswarmError(
        'not_found',
        `container ${container.id} is not connected to network ${network?.name ?? idOrName}`,
      );
    }
    if (container.running) {
      await this.#manager.disconnect(container.id, networkId);
      this.#deps.containers.reattached(container.id, this.#manager.stateOf(container.id));
    }
    const called = network?.name ?? endpoint?.networkName ?? name;
    const names = [networkId, called];
    await this.#deps.containers.removeAttachment(container.id, names);
    if (container.running) this.#emit('disconnect', network ?? ofCluster(names), container.id);
  }

  /** By id, or by name: a worker knows the name of a network of the cluster only from its containers. */
  #endpointOf(containerId: string, idOrName: string): AttachedEndpoint | undefined {
    return this.#manager
      .stateOf(containerId)
      ?.endpoints.find((one) => one.networkId === idOrName || one.networkName === idOrName);
  }

  /** Those that nothing is connected to. `until`: made before that. */
  async prune(filters: EngineFilters): Promise<EngineJson> {
    checkFilters(filters, PRUNE_FILTERS);
    const nowMs = this.#deps.clock.nowMs();
    const limits = (filters.until ?? []).map((value) => untilMs(value, nowMs));
    const isSpared = ({ labels, created }: LocalNetwork): boolean =>
      !matchesLabels(filters.label, labels) ||
      (filters['label!'] ?? []).some((value) => matchesLabel(labels, value)) ||
      limits.some((limit) => Date.parse(created) > limit);
    const removed: string[] = [];
    for (const network of this.#networks.list()) {
      if (PREDEFINED.has(network.name) || isSpared(network)) continue;
      try {
        await this.remove(network.id);
        removed.push(network.name);
      } catch {
        // In use: stays.
      }
    }
    this.#deps.events.emit({
      type: 'network',
      action: 'prune',
      actorId: '',
      attributes: { reclaimed: '0' },
    });
    return { NetworksDeleted: removed };
  }

  #find(idOrName: string): LocalNetwork {
    const network = this.#networks.find(idOrName);
    if (!network) throw new TswarmError('not_found', `network ${idOrName} not found`);
    return network;
  }

  #container(body: EngineJson): { id: string; name: string; running: boolean } {
    const wanted = text(body.Container);
    const container = this.#deps.containers.resolve(wanted);
    if (!container) throw new TswarmError('not_found', `No such container: ${wanted}`);
    return container;
  }

  #matches(network: LocalNetwork, filters: EngineFilters): boolean {
    const any = (key: string, test: (value: string) => boolean): boolean =>
      (filters[key]?.length ?? 0) === 0 || (filters[key] ?? []).some(test);
    const builtin = PREDEFINED.has(network.name);
    const unused = this.#manager.endpointsOn(network.id).length === 0 && !builtin;
    return (
      any('name', (value) => network.name.includes(value)) &&
      any('id', (value) => network.id.startsWith(value)) &&
      any('driver', (value) => network.driver === value) &&
      any('scope', (value) => value === 'local') &&
      any('type', (value) => value === (builtin ? 'builtin' : 'custom')) &&
      any('dangling', (value) => (value === 'true' || value === '1') === unused) &&
      matchesLabels(filters.label, network.labels)
    );
  }

  #json(network: LocalNetwork, withContainers: boolean): EngineJson {
    const config = network.ipam.map(({ subnet, gateway, range, reserved }) => ({
      Subnet: subnet,
      Gateway: gateway,
      ...(range === '' ? {} : { IPRange: range }),
      ...(Object.keys(reserved).length === 0 ? {} : { AuxiliaryAddresses: reserved }),
    }));
    const containers = Object.fromEntries(
      this.#manager.endpointsOn(network.id).map(({ record, endpoint }) => [
        record.containerId,
        {
          Name: record.request.names[0] ?? '',
          EndpointID: endpoint.endpointId,
          MacAddress: endpoint.macAddress,
          IPv4Address: `${endpoint.ipv4}/${endpoint.ipv4PrefixLength}`,
          IPv6Address: endpoint.ipv6 === '' ? '' : `${endpoint.ipv6}/${endpoint.ipv6PrefixLength}`,
        },
      ]),
    );
    return {
      Name: network.name,
      Id: network.id,
      Created: network.created,
      Scope: 'local',
      Driver: network.driver,
      EnableIPv4: true,
      EnableIPv6: network.ipam.some(({ subnet }) => subnet.includes(':')),
      IPAM: {
        Driver: 'default',
        Options: PREDEFINED.has(network.name) ? null : {},
        Config: config,
      },
      Internal: network.internal,
      Attachable: network.attachable,
      Ingress: false,
      ConfigFrom: { Network: '' },
      ConfigOnly: false,
      Containers: withContainers ? containers : {},
      Options: network.options,
      Labels: network.labels,
    };
  }

  #emit(action: string, network: NamedNetwork, container = ''): void {
    this.#deps.events.emit({
      type: 'network',
      action,
      actorId: network.id,
      attributes: {
        name: network.name,
        type: network.driver,
        ...(container === '' ? {} : { container }),
      },
    });
  }
}

function ofCluster([id = '', name = '']: NetworkNames): NamedNetwork {
  return { id, name, driver: CLUSTER_DRIVER };
}

/** Members that mean something that this node does not do; passing over them would be a promise. */
function refuseUnsupported(body: EngineJson): void {
  const ipamDriver = text((body.IPAM as Json | undefined)?.Driver);
  const from = text((body.ConfigFrom as Json | undefined)?.Network);
  const refused = [
    [ipamDriver !== '' && ipamDriver !== 'default', 'IPAM.Driver', ipamDriver],
    [body.EnableIPv4 === false, 'EnableIPv4', 'false'],
    [body.ConfigOnly === true, 'ConfigOnly', 'true'],
    [from !== '', 'ConfigFrom', from],
    [body.Ingress === true, 'Ingress', 'true'],
  ] as const;
  for (const [isWanted, field, value] of refused) {
    if (!isWanted) continue;
    throw new TswarmError(
      'not_supported',
      `${field}=${value} is not supported for networks of one node`,
      { field },
    );
  }
}

function ipamOf(body: EngineJson): LocalIpam[] {
  const list = (body.IPAM as Json | undefined)?.Config;
  return ((list ?? []) as readonly Json[]).map((config) => ({
    subnet: text(config.Subnet),
    gateway: text(config.Gateway),
    range: text(config.IPRange),
    reserved: (config.AuxiliaryAddresses as Record<string, string> | null | undefined) ?? {},
  }));
}

/** The options of the driver; one that has no effect here is refused. */
function optionsOf(body: EngineJson): Readonly<Record<string, string>> {
  const options = (body.Options as Record<string, string> | null | undefined) ?? {};
  for (const [key, value] of Object.entries(options)) {
    if (key !== MTU_OPTION) {
      throw new TswarmError('not_supported', `network option "${key}" is not supported`, {
        field: 'Options',
        hint: `Only ${MTU_OPTION} is.`,
      });
    }
    mtuOf({ [key]: value });
  }
  return options;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
