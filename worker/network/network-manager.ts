// The node's network, wired together; see DESIGN.md. Keeps the kernel's rules and the resolver's data equal to what the cluster and the local
// containers ask for. Decisions are in the pure files beside this one; the kernel is reached through one helper process.
import { createHash } from 'node:crypto';
import { messageOf } from '#protocol/errors';
import type { ServiceEndpoints } from '#protocol/generated/dispatcher';
import type { Clock, Log } from '#protocol/world';
import { removeTree } from '../files.ts';
import { Attacher, addressesOf } from './attacher.ts';
import type { AttachmentRecord } from './attachment.ts';
import { AttachmentEvents } from './attachment-events.ts';
import { AttachmentStore } from './attachment-store.ts';
import { type NetworkFact, RuleComputer } from './desired-rules.ts';
import { KnownNetworks } from './endpoint-plan.ts';
import { Forwarding } from './forwarding.ts';
import { hostAddresses, portHolder } from './host.ts';
import { HostResolverWatch } from './host-resolver.ts';
import type { HostWatch } from './host-watch.ts';
import { containerStats } from './interface-stats.ts';
import { KernelCheck } from './kernel-check.ts';
import { type Desired, KernelState } from './kernel-state.ts';
import { HELPER_RESTART_MS } from './limits.ts';
import type { LocalNetworks } from './local-networks.ts';
import { meshNames } from './mesh/addresses.ts';
import type { Mesh } from './mesh/mesh.ts';
import type { MeshWatch } from './mesh/mesh-watch.ts';
import { checkNetwork, type NetworkReport } from './mesh/network-check.ts';
import { hostWatchOf, meshOf, meshWatchOf } from './mesh-parts.ts';
import { NamedContainers } from './named-containers.ts';
import { NamesComputer, type NamesInput } from './names.ts';
import { NamesProcess } from './names-process.ts';
import { NetHelper } from './net-helper.ts';
import { OtherFirewall } from './other-firewall.ts';
import { Places } from './places.ts';
import { PortRegistry } from './ports.ts';
import type { RuleNames } from './ruleset.ts';
import { Sweeper } from './sweeper.ts';
import type {
  AttachedEndpoint,
  AttachmentRequest,
  AttachRequest,
  AttachResult,
  DesiredNetworkState,
  InterfaceStats,
  MeshDescription,
  NetworkDeps,
  NetworkManager,
  NetworkOptions,
} from './types.ts';

/** Address of the resolver: link-local, one per node, so that several nodes on one host do not meet. */
function resolverAddress(nodeTag: string): string {
  const digest = createHash('sha256').update(nodeTag).digest();
  return `169.254.${1 + ((digest[0] ?? 0) % 160)}.${1 + ((digest[1] ?? 0) % 254)}`;
}

export class NodeNetworks implements NetworkManager {
  readonly #options: NetworkOptions;
  readonly #log: Log;
  readonly #local: LocalNetworks;
  readonly #known: KnownNetworks;
  readonly #helper: NetHelper;
  readonly #rules: RuleNames;
  readonly #kernel: KernelState;
  readonly #check: KernelCheck;
  readonly #firewall: OtherFirewall;
  readonly #forwarding: Forwarding;
  readonly #names: NamesProcess;
  readonly #resolver: HostResolverWatch;
  readonly #ports: PortRegistry;
  readonly #records: AttachmentStore;
  readonly sweeper: Sweeper;
  readonly #attacher: Attacher;
  readonly #places: Places;
  readonly #events: AttachmentEvents;
  readonly #mesh: Mesh;
  readonly #meshWatch: MeshWatch;
  readonly #hostWatch: HostWatch;
  readonly #clock: Clock;
  readonly #meshChanged: (() => void) | undefined;
  readonly #ruleComputer = new RuleComputer();
  readonly #namesComputer = new NamesComputer();
  readonly #named = new NamedContainers();
  #nodeId = '';
  #services: readonly ServiceEndpoints[] = [];
  /** Rules that follow what the mesh has found out while it was applied. */
  #replanned: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Nothing of this node is in the kernel. */
  #isResting = true;

  constructor(options: NetworkOptions, deps: NetworkDeps, local: LocalNetworks) {
    const { runDir, nativeDir, nodeTag } = options;
    const { log, random } = deps;
    this.#options = options;
    this.#log = log;
    this.#local = local;
    this.#known = new KnownNetworks(local, random, log, (backend) =>
      backend === 'host-gw' ? this.#mesh.pathMtuBytes : this.#mesh.mtuBytes,
    );
    local.otherSubnets = () => this.#known.facts().flatMap((fact) => fact.subnets);
    this.#records = new AttachmentStore(`${runDir}/containers`);
    this.#places = new Places(deps.places, local, this.#records);
    this.#events = new AttachmentEvents(deps.events, local);
    this.#rules = {
      table: `tswarm_${nodeTag}`,
      links: `t${nodeTag}`,
      mesh: meshNames(nodeTag),
      dns: resolverAddress(nodeTag),
    };
    this.#helper = this.#newHelper(nativeDir);
    this.#clock = deps.clock;
    this.#meshChanged = deps.meshChanged;
    this.#mesh = meshOf(options, this.#rules.mesh, this.#helper, deps, () => {
      this.#replanned = this.#kernel.flush();
      this.#background('network rules not applied', this.#replanned);
    });
    this.#meshWatch = meshWatchOf(this.#mesh, this.#rules, this.#helper, options, deps);
    this.#hostWatch = hostWatchOf(
      this.#mesh,
      deps,
      () => this.#hostAddresses(),
      () => this.#flushSoon(),
    );
    this.#ports = new PortRegistry(portHolder, () => this.#services);
    this.#resolver = new HostResolverWatch(log, () => this.#flushSoon());
    this.#names = this.#newNamesProcess(runDir, nativeDir);
    const common = { helper: this.#helper, log };
    const netnsDir = `${runDir}/netns`;
    this.sweeper = new Sweeper({
      ...common,
      records: this.#records,
      links: this.#rules.links,
      netnsDir,
    });
    this.#kernel = new KernelState({ ...common, names: this.#rules }, () => this.#desired());
    this.#forwarding = new Forwarding(this.#helper, log);
    this.#attacher = new Attacher({
      ...common,
      forwarding: this.#forwarding,
      random,
      local,
      rules: this.#rules,
      records: this.#records,
      kernel: this.#kernel,
      known: this.#known,
      ports: this.#ports,
      hostResolver: () => this.#resolver.current,
      netnsDir,
      linksLeft: () => this.sweeper.later(),
    });
    this.#firewall = new OtherFirewall(this.#helper, this.#rules, log);
    this.#check = new KernelCheck({
      ...common,
      forwarding: this.#forwarding,
      names: this.#rules,
      monotonicMs: () => deps.clock.monotonicMs(),
      rewriteRules: () => this.#kernel.rewrite(),
      openFirewall: () => this.#firewall.open(),
      repairMesh: () => this.#mesh.check(),
      settled: () =>
        this.#records.list().filter((record) => !this.#attacher.isChanging(record.containerId)),
    });
  }

  #newHelper(nativeDir: string): NetHelper {
    return new NetHelper(
      nativeDir,
      {
        onChanged: (part) => this.#check.changed(part),
        onHostChanged: () => this.#hostWatch.changed(),
        onEnded: () => this.#background('dns responder not started', this.#names.ended()),
        onLost: () => this.#helperLost(),
      },
      this.#log,
    );
  }

  #newNamesProcess(runDir: string, nativeDir: string): NamesProcess {
    return new NamesProcess(
      {
        program: `${nativeDir}/tswarm-names`,
        configFile: `${runDir}/names/names.json`,
        pidFile: `${runDir}/names/names.pid`,
        logFile: `${runDir}/names.log`,
      },
      this.#log,
      ({ pid, startTime }) => this.#helper.watchProcess(pid, startTime),
    );
  }

  /** Forwarding must be on before the first container. */
  async prepare(): Promise<void> {
    await Promise.all([
      this.#forwarding.start(),
      this.#helper.watch(this.#rules),
      this.#resolver.start(),
      this.#mesh.start(),
    ]);
    this.#meshWatch.start();
    this.#hostWatch.start();
  }

  async setState(desired: DesiredNetworkState): Promise<void> {
    this.#take(desired);
    await this.#kernel.flush();
    await this.#replanned;
    await this.#kernel.forgotten();
  }

  #take(desired: DesiredNetworkState): void {
    this.#nodeId = desired.nodeId;
    this.#known.setCluster(desired.networks);
    this.#services = desired.endpoints;
    this.#mesh.setState({
      nodeId: desired.nodeId,
      peers: desired.peers,
      services: desired.endpoints,
      networkIds: this.#known.clusterIds(),
      clearIds: this.#known.idsBy('vxlan'),
      directIds: this.#known.idsBy('host-gw'),
    });
  }

  #hostAddresses(): readonly string[] {
    return hostAddresses([this.#rules.links, this.#rules.mesh.prefix]);
  }

  /** Only looked up where rules need it: the kernel takes long to list the interfaces of many containers. */
  #hostAddressByFamily(): Readonly<Record<4 | 6, string>> {
    if (this.#mesh.plan.doors.size === 0) return { 4: '', 6: '' };
    const all = this.#hostAddresses();
    return {
      4: all.find((address) => !address.includes(':')) ?? '',
      6: all.find((address) => address.includes(':')) ?? '',
    };
  }

  meshDescription(): MeshDescription {
    const { meshAddress } = this.#options;
    return {
      wireguardKey: this.#mesh.publicKey,
      address: meshAddress,
      hostAddresses: this.#hostAddresses(),
      port: this.#mesh.port,
      faults: [...(this.#mesh.fault === '' ? [] : [this.#mesh.fault]), ...this.#meshWatch.faults],
    };
  }

  checkNetwork(): Promise<NetworkReport> {
    return checkNetwork({
      mesh: this.#mesh,
      helper: this.#helper,
      names: this.#rules,
      rules: () => this.#desired().rules,
      resolver: () => ({
        config: this.#namesConfig(this.#facts()),
        namespaces: new Map(
          this.#records
            .list()
            .flatMap(({ result }) =>
              result.endpoints.map(({ ipv4 }) => [ipv4, result.netnsPath] as const),
            ),
        ),
      }),
      program: `${this.#options.nativeDir}/tswarm-net`,
      nowMs: () => this.#clock.nowMs(),
    });
  }

  forgetMeshKey(): Promise<void> {
    return this.#mesh.forgetKey();
  }

  async setMeshPort(port: number): Promise<void> {
    if (await this.#mesh.setPort(port)) this.#meshChanged?.();
  }

  renewMeshKey(): Promise<void> {
    return this.#mesh.renewKey();
  }

  stateOf(containerId: string): AttachResult | undefined {
    return this.#records.get(containerId)?.result;
  }

  async setServing(containerId: string, serving: boolean): Promise<void> {
    const record = this.#records.get(containerId);
    if (!record || record.serving === serving) return;
    this.#background('attachment not recorded', this.#records.put({ ...record, serving }));
    await this.#kernel.flush();
  }

  async attach(containerId: string, request: AttachRequest): Promise<AttachResult> {
    const result = await this.#places.with(containerId, request, (placed) =>
      this.#attacher.attach(containerId, placed),
    );
    this.#events.tell('connect', containerId, request.mode, result.endpoints);
    return result;
  }

  async detach(containerId: string): Promise<void> {
    const record = this.#records.get(containerId);
    await this.#places.leaving(containerId, () => this.#attacher.detach(containerId));
    if (!record) return;
    this.#events.tell('disconnect', containerId, record.request.mode, record.result.endpoints);
  }

  connect(containerId: string, attachment: AttachmentRequest): Promise<void> {
    return this.#places.withOne(containerId, attachment, (placed) =>
      this.#attacher.connect(containerId, placed),
    );
  }

  disconnect(containerId: string, networkId: string): Promise<void> {
    return this.#places.leaving(containerId, () =>
      this.#attacher.disconnect(containerId, networkId),
    );
  }

  places(): ReturnType<Places['list']> {
    return this.#places.list();
  }

  renamePlace(attachmentId: string, next: string): Promise<void> {
    return this.#places.rename(attachmentId, next);
  }

  async restore(liveContainerIds: readonly string[], known: DesiredNetworkState): Promise<void> {
    this.#take(known);
    const live = new Set(liveContainerIds);
    await this.#records.load();
    for (const { containerId, request, result } of this.#records.list()) {
      if (!live.has(containerId)) continue;
      const owner = request.names[0] ?? containerId.slice(0, 12);
      this.#ports.hold(containerId, owner, result.portStatus);
      for (const endpoint of result.endpoints) {
        this.#local.holdAddresses(endpoint.networkId, containerId, addressesOf(endpoint));
      }
    }
    const dead = this.#records.list().filter((record) => !live.has(record.containerId));
    await Promise.all(dead.map((record) => this.#attacher.detach(record.containerId)));
    if (this.#records.list().length === 0 && this.#nodeId === '') {
      await this.rest();
      return;
    }
    await this.sweeper.sweep();
    await this.#kernel.rewrite();
    const hasIpv6 = this.#records
      .list()
      .some((record) => record.interfaces.some((itf) => itf.v6 !== undefined));
    if (hasIpv6) await this.#forwarding.needIpv6();
    this.#check.changed('firewall');
    await this.#check.check();
  }

  async interfaceStats(containerId: string): Promise<Readonly<Record<string, InterfaceStats>>> {
    const interfaces = this.#records.get(containerId)?.interfaces ?? [];
    if (interfaces.length === 0) return {};
    const counters = await this.#helper.counters(interfaces.map((itf) => itf.host));
    return Object.fromEntries(
      interfaces.map((itf, index) => [itf.name, containerStats(counters[index])]),
    );
  }

  /** Containers with their endpoint on a network. */
  endpointsOn(
    networkId: string,
  ): readonly { readonly record: AttachmentRecord; readonly endpoint: AttachedEndpoint }[] {
    return this.#records
      .list()
      .flatMap((record) =>
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
    this.#stopped = true;
    this.sweeper.stop();
    this.#check.stop();
    this.#kernel.stop();
    this.#resolver.stop();
    this.#mesh.stop();
    this.#meshWatch.stop();
    this.#hostWatch.stop();
    await this.#helper.stop();
  }

  async rest(): Promise<void> {
    if (this.#records.list().length > 0) return;
    await this.sweeper.sweep();
    if (this.#mesh.plan.peers.size === 0) await this.#mesh.remove();
    await this.#kernel.remove();
    await this.#firewall.close();
    this.#isResting = true;
    await this.#names.rest();
  }

  async removeAll(): Promise<void> {
    this.#check.stop();
    await Promise.all(
      this.#records.list().map((record) => this.#attacher.detach(record.containerId)),
    );
    // Also while there are peers.
    await this.#mesh.remove();
    await this.rest();
    await this.#names.stop();
    await removeTree(`${this.#options.dataDir}/networks.json`);
  }

  /** After a rest the host's firewall must be opened again, before the first container is told to go. */
  async #wake(hasContainers: boolean): Promise<void> {
    if (!this.#isResting || !(hasContainers || this.#mesh.plan.peers.size > 0)) return;
    this.#isResting = false;
    await this.#firewall.open();
  }

  /** What rules and names are made from. */
  #facts(): Omit<NamesInput, 'dns' | 'upstreams'> & { readonly networks: readonly NetworkFact[] } {
    return {
      nodeId: this.#nodeId,
      networks: this.#known.facts(),
      services: this.#services,
      containers: this.#records.list().map((record) => this.#named.of(record)),
    };
  }

  #namesConfig(facts: Omit<NamesInput, 'dns' | 'upstreams'>): string {
    const { nameservers } = this.#resolver.current;
    return this.#namesComputer.compute({
      ...facts,
      dns: this.#rules.dns,
      upstreams: nameservers,
    });
  }

  #desired(): Desired {
    const common = this.#facts();
    const { containers } = common;
    return {
      rules: this.#ruleComputer.compute({
        ...common,
        doors: this.#mesh.plan.doors,
        origins: this.#mesh.plan.origins,
        direct: this.#mesh.plan.direct,
        relays: this.#mesh.plan.relays,
        relayedPort: this.#mesh.plan.needsRelays ? this.#mesh.port : 0,
        hostAddresses: this.#hostAddressByFamily(),
      }),
      applyMesh: () => this.#applyMesh(),
      wake: () => this.#wake(containers.length > 0),
      publishNames: async () => {
        if (containers.every((container) => container.endpoints.length === 0)) return;
        await this.#names.update(this.#namesConfig(common));
      },
    };
  }

  async #applyMesh(): Promise<void> {
    await this.#mesh.apply();
    // There may be two that have no way to each other but through this one.
    if (this.#mesh.plan.relays.size > 0) await this.#forwarding.mayNeedIpv6();
  }

  #flushSoon(): void {
    this.#background('network rules not applied', this.#kernel.flush());
  }

  /** What happened while nobody watched is unknown, so everything is looked at. */
  #helperLost(): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      if (this.#stopped) return;
      const again = this.#helper.watch(this.#rules).then(async () => {
        for (const part of ['rules', 'firewall'] as const) this.#check.changed(part);
        this.#hostWatch.changed();
        await this.#names.ended();
      });
      this.#background('network is not watched', again);
    }, HELPER_RESTART_MS);
    timer.unref();
  }

  #background(message: string, work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.#stopped) this.#log.error(message, { error: messageOf(error) });
    });
  }
}
