// The node's network: gives containers their namespace, addresses, ports and names, and keeps the kernel's rules and the resolver's data equal
// to what the cluster and the local containers ask for. See DESIGN.md. Decisions are in the pure files beside this one; the kernel is reached
// through one helper process.
import { createHash } from 'node:crypto';
import type { EngineJson, LocalNetworkEngine } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { Network } from '#protocol/generated/objects';
import { PortConfig, PortProtocol, PublishMode } from '#protocol/generated/specs';
import { hex } from '#protocol/ids';
import type { Log } from '#protocol/world';
import {
  listFolder,
  makeFolder,
  readJsonFile,
  readTextFile,
  removeTree,
  writeFileAtomic,
} from '../files.ts';
import { JsonLineProcess } from '../json-line-process.ts';
import {
  type AttachmentRecord,
  attachRequest,
  type EndpointPlan,
  helperInterfaces,
  linkName,
  macFor,
} from './attachment.ts';
import { bare, desiredRules, type NetworkFact } from './desired-rules.ts';
import { portHolder, readHostResolver } from './host.ts';
import { KernelState } from './kernel-state.ts';
import { LocalNetworkApi } from './local-network-api.ts';
import { LocalNetworks } from './local-networks.ts';
import { namesConfig } from './names.ts';
import { NamesProcess } from './names-process.ts';
import type { RuleNames } from './ruleset.ts';
import type {
  AttachedEndpoint,
  AttachmentRequest,
  AttachRequest,
  AttachResult,
  DesiredNetworkState,
  InterfaceStats,
  NetworkDeps,
  NetworkManager,
  NetworkOptions,
  NetworkService,
} from './types.ts';

/** Kernel work for one container takes a few ms; far more means that the helper hangs. */
const HELPER_TIMEOUT_MS = 30_000;
const DEFAULT_MTU_BYTES = 1500;
/** Ports given to `-p 80` without a host port: Linux's ephemeral range. */
const EPHEMERAL_FIRST = 32768;
const EPHEMERAL_LAST = 60999;

const EMPTY_RESULT: AttachResult = {
  netnsPath: '',
  resolvConf: '',
  hostGateway: '',
  endpoints: [],
  portStatus: [],
};

export async function createNetworkService(
  options: NetworkOptions,
  deps: NetworkDeps,
): Promise<NetworkService> {
  await makeFolder(options.dataDir);
  await makeFolder(`${options.runDir}/netns`);
  await makeFolder(`${options.runDir}/containers`);
  // The responder has given up its rights when it reads its data again.
  await makeFolder(`${options.runDir}/names`, 0o755);
  const local = new LocalNetworks(`${options.dataDir}/networks.json`, deps.clock, deps.random);
  await local.load();
  const manager = new NodeNetworks(options, deps, local);
  await manager.prepare();
  const api: LocalNetworkEngine = new LocalNetworkApi(local, manager, deps);
  return {
    manager,
    api,
    wireguardKey: '',
    info: async (): Promise<EngineJson> => ({ Network: ['bridge', 'host', 'none', 'overlay'] }),
    stop: () => manager.stop(),
    removeAll: () => manager.removeAll(),
  };
}

/** Addresses of the resolver: link-local, one per node, so that several nodes on one host do not meet. */
function resolverAddress(nodeTag: string): string {
  const digest = createHash('sha256').update(nodeTag).digest();
  return `169.254.${1 + ((digest[0] ?? 0) % 160)}.${1 + ((digest[1] ?? 0) % 254)}`;
}

export class NodeNetworks implements NetworkManager {
  readonly #options: NetworkOptions;
  readonly #deps: NetworkDeps;
  readonly #log: Log;
  readonly #local: LocalNetworks;
  readonly #helper: JsonLineProcess;
  readonly #rules: RuleNames;
  readonly #kernel: KernelState;
  readonly #names: NamesProcess;
  readonly #records = new Map<string, AttachmentRecord>();
  #networks = new Map<string, Network>();
  #endpoints: readonly ServiceEndpoints[] = [];
  #upstreams: readonly string[] = [];
  #portCursor = EPHEMERAL_FIRST;

  constructor(options: NetworkOptions, deps: NetworkDeps, local: LocalNetworks) {
    this.#options = options;
    this.#deps = deps;
    this.#log = deps.log;
    this.#local = local;
    this.#helper = new JsonLineProcess({
      program: `${options.nativeDir}/tswarm-net`,
      args: [],
      timeoutMs: HELPER_TIMEOUT_MS,
    });
    this.#rules = {
      table: `tswarm_${options.nodeTag}`,
      links: `t${options.nodeTag}`,
      dns: resolverAddress(options.nodeTag),
    };
    this.#names = new NamesProcess(
      {
        program: `${options.nativeDir}/tswarm-names`,
        configFile: `${options.runDir}/names/names.json`,
        pidFile: `${options.runDir}/names/names.pid`,
      },
      deps.log,
    );
    this.#kernel = new KernelState(
      { helper: this.#helper, names: this.#rules, log: deps.log },
      () => ({
        rules: desiredRules(
          this.#networkFacts(),
          this.#endpoints,
          [...this.#records.values()].map(localOf),
        ),
        publish: () => this.#publishNames(),
      }),
    );
  }

  /** Forwarding must be on before the first container. */
  async prepare(): Promise<void> {
    await this.#helper.demand({ op: 'sysctl', values: { 'net.ipv4.ip_forward': '1' } });
    await this.#helper.ask({ op: 'sysctl', values: { 'net.ipv6.conf.all.forwarding': '1' } });
  }

  async setState(desired: DesiredNetworkState): Promise<void> {
    this.#networks = new Map(desired.networks.map((network) => [network.id, network]));
    this.#endpoints = desired.endpoints;
    await this.#kernel.flush();
  }

  stateOf(containerId: string): AttachResult | undefined {
    return this.#records.get(containerId)?.result;
  }

  setServing(containerId: string, serving: boolean): void {
    const record = this.#records.get(containerId);
    if (!record || record.serving === serving) return;
    record.serving = serving;
    void this.#kernel.flush().catch((error: unknown) => {
      this.#log.error('network rules not applied', { error: String(error) });
    });
  }

  // ---- attach and detach ------------------------------------------------------------------------

  async attach(containerId: string, request: AttachRequest): Promise<AttachResult> {
    if (this.#records.has(containerId)) await this.#removeFromKernel(containerId);
    if (request.mode === 'host') {
      const resolvConf = (await readTextFile('/etc/resolv.conf')) ?? '';
      return this.#remember(containerId, request, { ...EMPTY_RESULT, resolvConf }, [], []);
    }
    const ingress = await this.#checkIngressPorts(request);
    const ports = await this.#choosePorts(containerId, request.ports);
    const asked = request.mode === 'none' ? [] : request.attachments;
    let plans: EndpointPlan[] = [];
    const netnsPath = `${this.#options.runDir}/netns/${containerId}`;
    try {
      plans = asked.map((attachment) => this.#plan(containerId, attachment, request));
      const links = plans.map(({ endpoint }) =>
        linkName(this.#rules.links, containerId, endpoint.networkId),
      );
      const interfaces = helperInterfaces(plans, links, DEFAULT_MTU_BYTES, 0);
      await this.#helper.demand(
        attachRequest(netnsPath, this.#rules.dns, interfaces, request.sysctls),
      );
      const result: AttachResult = {
        netnsPath,
        resolvConf: await this.#resolvConf(request, plans.length > 0),
        hostGateway: plans[0]?.endpoint.gateway ?? '',
        endpoints: plans.map((plan) => plan.endpoint),
        portStatus: [...ports, ...ingress],
      };
      await this.#remember(containerId, request, result, links, ports);
      await this.#kernel.flush();
      return result;
    } catch (error) {
      this.#local.releaseAddresses(containerId);
      if (this.#records.delete(containerId))
        await this.#helper.ask({ op: 'detach', netns: netnsPath, links: [] });
      throw error;
    }
  }

  /** Adds an interface to a container that is running. */
  async connect(containerId: string, attachment: AttachmentRequest): Promise<void> {
    const record = this.#records.get(containerId);
    if (!record) throw new TswarmError('not_found', `container ${containerId} has no network`);
    const plan = this.#plan(containerId, attachment, record.request);
    const link = linkName(this.#rules.links, containerId, plan.endpoint.networkId);
    const interfaces = helperInterfaces([plan], [link], DEFAULT_MTU_BYTES, record.links.length);
    await this.#helper.demand({
      op: 'connect',
      netns: record.result.netnsPath,
      dns: this.#rules.dns,
      interfaces,
    });
    const result = { ...record.result, endpoints: [...record.result.endpoints, plan.endpoint] };
    const request = { ...record.request, attachments: [...record.request.attachments, attachment] };
    await this.#remember(containerId, request, result, [...record.links, link], record.ports);
    await this.#kernel.flush();
  }

  async disconnect(containerId: string, networkId: string): Promise<void> {
    const record = this.#records.get(containerId);
    const index =
      record?.result.endpoints.findIndex((endpoint) => endpoint.networkId === networkId) ?? -1;
    if (!record || index < 0) {
      throw new TswarmError(
        'not_found',
        `container ${containerId} is not connected to network ${networkId}`,
      );
    }
    const link = record.links[index] ?? '';
    const keep = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== index);
    await this.#remember(
      containerId,
      { ...record.request, attachments: keep(record.request.attachments) },
      { ...record.result, endpoints: keep(record.result.endpoints) },
      keep(record.links),
      record.ports,
    );
    await this.#kernel.flush();
    await this.#helper.demand({ op: 'detach', links: [link] });
  }

  async detach(containerId: string): Promise<void> {
    if (!this.#records.has(containerId)) return;
    await this.#removeFromKernel(containerId);
    await this.#kernel.flush();
  }

  /** Rules first would leave a moment in which the address answers for somebody else; so interfaces go first, rules with the next flush. */
  async #removeFromKernel(containerId: string): Promise<void> {
    const record = this.#records.get(containerId);
    if (!record) return;
    this.#records.delete(containerId);
    this.#local.releaseAddresses(containerId);
    const netns = record.result.netnsPath;
    await this.#helper.ask({
      op: 'detach',
      links: record.links,
      ...(netns === '' ? {} : { netns }),
    });
    await removeTree(this.#recordFile(containerId));
  }

  async #remember(
    containerId: string,
    request: AttachRequest,
    result: AttachResult,
    links: readonly string[],
    ports: readonly PortConfig[],
  ): Promise<AttachResult> {
    const record: AttachmentRecord = { containerId, request, result, links, ports, serving: true };
    this.#records.set(containerId, record);
    await writeFileAtomic(this.#recordFile(containerId), JSON.stringify(record));
    return result;
  }

  #recordFile(containerId: string): string {
    return `${this.#options.runDir}/containers/${containerId}.json`;
  }

  // ---- planning ---------------------------------------------------------------------------------

  #plan(containerId: string, attachment: AttachmentRequest, request: AttachRequest): EndpointPlan {
    const cluster = this.#networks.get(attachment.networkId);
    const plan = cluster
      ? this.#clusterPlan(cluster, attachment)
      : this.#localPlan(containerId, attachment);
    const endpoint: AttachedEndpoint = {
      ...plan.endpoint,
      endpointId: hex(this.#deps.random.bytes(32)),
      macAddress:
        request.macAddress === '' ? macFor(plan.endpoint.ipv4, 'container') : request.macAddress,
      aliases: attachment.aliases,
    };
    return { ...plan, endpoint, gwPriority: attachment.gwPriority };
  }

  #clusterPlan(network: Network, attachment: AttachmentRequest): EndpointPlan {
    const v4 = network.ipam.find((config) => !config.subnet.includes(':'));
    const v6 = network.ipam.find((config) => config.subnet.includes(':'));
    const ipv4 = bare(attachment.addresses.find((address) => !address.includes(':')) ?? '');
    const ipv6 = bare(attachment.addresses.find((address) => address.includes(':')) ?? '');
    if (!v4 || ipv4 === '') {
      throw new TswarmError(
        'failed_precondition',
        `network ${network.spec?.name}: the task has no address on it yet`,
      );
    }
    return {
      endpoint: endpointOf(network.id, network.spec?.name ?? network.id, {
        ipv4,
        subnet4: v4.subnet,
        gateway: v4.gateway,
        ipv6: v6 ? ipv6 : '',
        subnet6: v6?.subnet ?? '',
        ipv6Gateway: v6?.gateway ?? '',
      }),
      subnet4: v4.subnet,
      subnet6: v6?.subnet ?? '',
      internal: network.spec?.internal ?? false,
      gwPriority: 0,
    };
  }

  #localPlan(containerId: string, attachment: AttachmentRequest): EndpointPlan {
    const network = this.#local.find(attachment.networkId);
    if (network?.driver !== 'bridge') {
      throw new TswarmError('not_found', `network ${attachment.networkId} not found`);
    }
    const asked = bare(attachment.addresses[0] ?? '');
    const ipv4 = this.#local.takeAddress(network, containerId, asked);
    const subnet4 = network.subnet;
    return {
      endpoint: endpointOf(network.id, network.name, {
        ipv4,
        subnet4,
        gateway: network.gateway,
        ipv6: '',
        subnet6: '',
        ipv6Gateway: '',
      }),
      subnet4,
      subnet6: '',
      internal: network.internal,
      gwPriority: 0,
    };
  }

  async #resolvConf(request: AttachRequest, networked: boolean): Promise<string> {
    const host = await readHostResolver();
    const search = request.dns.search.length > 0 ? request.dns.search : host.search;
    const options = request.dns.options.length > 0 ? request.dns.options : ['ndots:0'];
    // The node's resolver knows the containers' names; servers that the user names come after it.
    const servers = [...(networked ? ['127.0.0.11'] : []), ...request.dns.nameservers];
    const lines = servers.map((server) => `nameserver ${server}`);
    if (search.length > 0 && !(search.length === 1 && search[0] === '.'))
      lines.push(`search ${search.join(' ')}`);
    lines.push(`options ${options.join(' ')}`);
    return `${lines.join('\n')}\n`;
  }

  // ---- ports ------------------------------------------------------------------------------------

  /** A task whose service publishes a port that another program of this host holds must not start: its traffic would go astray. */
  async #checkIngressPorts(request: AttachRequest): Promise<PortConfig[]> {
    if (request.taskId === '') return [];
    const service = this.#endpoints.find((s) =>
      s.backends.some((backend) => backend.taskId === request.taskId),
    );
    const ingress = (service?.ports ?? []).filter(
      (port) => port.publishMode === PublishMode.INGRESS,
    );
    for (const port of ingress) await this.#refuseHeldPort(port);
    return ingress;
  }

  async #refuseHeldPort(port: PortConfig): Promise<void> {
    if (port.protocol === PortProtocol.SCTP || port.publishedPort === 0) return;
    const protocol = port.protocol === PortProtocol.UDP ? 'udp' : 'tcp';
    const holder = await portHolder(protocol, port.publishedPort, port.hostIp);
    if (holder === undefined) return;
    throw new TswarmError(
      'failed_precondition',
      `port ${port.publishedPort}/${protocol} is already in use on this host by ${holder}`,
      { hint: 'Stop that program or publish another port.' },
    );
  }

  async #choosePorts(containerId: string, asked: readonly PortConfig[]): Promise<PortConfig[]> {
    const chosen: PortConfig[] = [];
    for (const port of asked) {
      if (port.publishedPort === 0) {
        chosen.push(PortConfig.create({ ...port, publishedPort: await this.#freePort(port) }));
        continue;
      }
      const holder = this.#portOwner(port, containerId);
      if (holder !== undefined) {
        throw new TswarmError(
          'failed_precondition',
          `Bind for ${port.hostIp || '0.0.0.0'}:${port.publishedPort} failed: port is already allocated (by ${holder})`,
        );
      }
      await this.#refuseHeldPort(port);
      chosen.push(port);
    }
    return chosen;
  }

  /** Which container or service of ours has the port. */
  #portOwner(port: PortConfig, containerId: string): string | undefined {
    const meets = (other: PortConfig): boolean =>
      other.protocol === port.protocol &&
      other.publishedPort === port.publishedPort &&
      (isAny(other.hostIp) || isAny(port.hostIp) || other.hostIp === port.hostIp);
    for (const record of this.#records.values()) {
      if (record.containerId !== containerId && record.ports.some(meets)) {
        return `container ${record.request.names[0] ?? record.containerId.slice(0, 12)}`;
      }
    }
    const service = this.#endpoints.find((s) =>
      s.ports.some((other) => other.publishMode === PublishMode.INGRESS && meets(other)),
    );
    return service ? `service ${service.serviceName}` : undefined;
  }

  async #freePort(port: PortConfig): Promise<number> {
    const protocol = port.protocol === PortProtocol.UDP ? 'udp' : 'tcp';
    for (let tried = EPHEMERAL_FIRST; tried <= EPHEMERAL_LAST; tried++) {
      const publishedPort = this.#portCursor;
      this.#portCursor = publishedPort >= EPHEMERAL_LAST ? EPHEMERAL_FIRST : publishedPort + 1;
      const candidate = PortConfig.create({ ...port, publishedPort });
      if (this.#portOwner(candidate, '') !== undefined) continue;
      if ((await portHolder(protocol, publishedPort, port.hostIp)) === undefined)
        return publishedPort;
    }
    throw new TswarmError('resource_exhausted', 'no free port left for publishing');
  }

  // ---- state for the kernel ---------------------------------------------------------------------

  #networkFacts(): NetworkFact[] {
    const cluster = [...this.#networks.values()].map((network) => ({
      id: network.id,
      subnets: network.ipam.map((config) => config.subnet),
      internal: network.spec?.internal ?? false,
    }));
    const local = this.#local
      .list()
      .filter((network) => network.subnet !== '')
      .map((network) => ({
        id: network.id,
        subnets: [network.subnet],
        internal: network.internal,
      }));
    return [...cluster, ...local];
  }

  async #publishNames(): Promise<void> {
    const config = namesConfig({
      dns: this.#rules.dns,
      upstreams: this.#upstreams,
      networks: this.#networkFacts(),
      services: this.#endpoints,
      containers: [...this.#records.values()].map((record) => ({
        ...localOf(record),
        names: [...record.request.names, record.request.hostname].filter((name) => name !== ''),
      })),
    });
    if (this.#records.size > 0) await this.#names.update(JSON.stringify(config));
  }

  // ---- life -------------------------------------------------------------------------------------

  async restore(liveContainerIds: readonly string[]): Promise<void> {
    this.#upstreams = (await readHostResolver()).nameservers;
    const live = new Set(liveContainerIds);
    for (const file of await listFolder(`${this.#options.runDir}/containers`)) {
      const record = (await readJsonFile(`${this.#options.runDir}/containers/${file}`)) as
        | AttachmentRecord
        | undefined;
      if (!record) continue;
      this.#records.set(record.containerId, record);
      for (const endpoint of record.result.endpoints) {
        this.#local.holdAddress(endpoint.networkId, record.containerId, endpoint.ipv4);
      }
    }
    for (const containerId of [...this.#records.keys()]) {
      if (!live.has(containerId)) await this.#removeFromKernel(containerId);
    }
    await this.#sweep();
    this.#kernel.invalidate();
    await this.#kernel.flush();
  }

  /** Removes interfaces and namespaces of ours that no container has. */
  async #sweep(): Promise<void> {
    const known = new Set([...this.#records.values()].flatMap((record) => record.links));
    const answer = await this.#helper.demand({ op: 'list', prefix: this.#rules.links });
    const links = (answer.links as readonly string[]).filter((link) => !known.has(link));
    if (links.length > 0) await this.#helper.ask({ op: 'detach', links });
    for (const name of await listFolder(`${this.#options.runDir}/netns`)) {
      if (this.#records.has(name)) continue;
      await this.#helper.ask({
        op: 'detach',
        links: [],
        netns: `${this.#options.runDir}/netns/${name}`,
      });
    }
  }

  async interfaceStats(containerId: string): Promise<Readonly<Record<string, InterfaceStats>>> {
    const record = this.#records.get(containerId);
    const stats: Record<string, InterfaceStats> = {};
    for (const [index, link] of (record?.links ?? []).entries()) {
      const read = async (counter: string): Promise<number> =>
        Number((await readTextFile(`/sys/class/net/${link}/statistics/${counter}`)) ?? '0');
      // The host's end receives what the container sends.
      const [rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped] =
        await Promise.all(
          [
            'tx_bytes',
            'tx_packets',
            'tx_errors',
            'tx_dropped',
            'rx_bytes',
            'rx_packets',
            'rx_errors',
            'rx_dropped',
          ].map(read),
        );
      stats[`eth${index}`] = {
        rx_bytes: rxBytes ?? 0,
        rx_packets: rxPackets ?? 0,
        rx_errors: rxErrors ?? 0,
        rx_dropped: rxDropped ?? 0,
        tx_bytes: txBytes ?? 0,
        tx_packets: txPackets ?? 0,
        tx_errors: txErrors ?? 0,
        tx_dropped: txDropped ?? 0,
      };
    }
    return stats;
  }

  /** Containers with their endpoint on a network. */
  endpointsOn(
    networkId: string,
  ): readonly { readonly record: AttachmentRecord; readonly endpoint: AttachedEndpoint }[] {
    return [...this.#records.values()].flatMap((record) =>
      record.result.endpoints
        .filter((endpoint) => endpoint.networkId === networkId)
        .map((endpoint) => ({ record, endpoint })),
    );
  }

  /** Rules of a network that was just made or removed. */
  networksChanged(): Promise<void> {
    return this.#kernel.flush();
  }

  async stop(): Promise<void> {
    await this.#helper.stop();
  }

  async removeAll(): Promise<void> {
    for (const containerId of [...this.#records.keys()]) await this.#removeFromKernel(containerId);
    await this.#sweep();
    const { table } = this.#rules;
    await this.#helper.ask({
      op: 'nft',
      script: `table inet ${table} {}\ndelete table inet ${table}\n`,
    });
    this.#kernel.invalidate();
    await this.#names.stop();
    await removeTree(`${this.#options.dataDir}/networks.json`);
  }
}

function isAny(hostIp: string): boolean {
  return hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
}

function localOf(record: AttachmentRecord): Parameters<typeof desiredRules>[2][number] {
  return {
    containerId: record.containerId,
    taskId: record.request.taskId,
    links: record.links,
    endpoints: record.result.endpoints,
    ports: record.ports,
    serving: record.serving,
  };
}

interface Addressing {
  readonly ipv4: string;
  readonly subnet4: string;
  readonly gateway: string;
  readonly ipv6: string;
  readonly subnet6: string;
  readonly ipv6Gateway: string;
}

function endpointOf(
  networkId: string,
  networkName: string,
  addressing: Addressing,
): AttachedEndpoint {
  const length = (subnet: string): number => Number(subnet.split('/')[1] ?? '0');
  return {
    networkId,
    networkName,
    endpointId: '',
    macAddress: '',
    ipv4: addressing.ipv4,
    ipv4PrefixLength: length(addressing.subnet4),
    gateway: addressing.gateway,
    ipv6: addressing.ipv6,
    ipv6PrefixLength: addressing.ipv6 === '' ? 0 : length(addressing.subnet6),
    ipv6Gateway: addressing.ipv6 === '' ? '' : addressing.ipv6Gateway,
    aliases: [],
  };
}
