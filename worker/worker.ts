// The worker of one node, wired: containers, images, network, volumes, logs, events, and, once the node is in a cluster, agent and session. Used by the
// daemon, which owns the process. `stop` leaves every container running; the next `start` adopts them.
// Order of start: host facts → folders → network and images → containers adopted → what policy brings back. Stop is the reverse.
import { join } from 'node:path';
import type { EngineJson, NodeEngine } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { Clock, Log, Random } from '#protocol/world';
import { comesBackAfterReboot, decideRestart } from '#worker/agent/restart-policy';
import { AgentHost } from './agent-host.ts';
import { AssignedStore } from './assigned-store.ts';
import { createBuilder } from './build/builder.ts';
import { describeNode } from './describe-node.ts';
import { NodeContainerEngine } from './engine/container-engine.ts';
import { NodeExecEngine } from './engine/exec-engine.ts';
import { imageEngine } from './engine/image-engine.ts';
import { nodeInfo } from './engine/system-info.ts';
import { NodeVolumeEngine } from './engine/volume-engine.ts';
import { EventLog } from './events.ts';
import { makeFolder, readTextFile, removeTree, writeFileAtomic } from './files.ts';
import { createImageService } from './images/image-store.ts';
import type { Builder, ContainerInfo, ImageService } from './images/types.ts';
import type { LogSource } from './logs/read-logs.ts';
import { createNetworkService } from './network/network-manager.ts';
import type { AttachmentRequest, NetworkContainers, NetworkService } from './network/types.ts';
import { createBuildStepRunner } from './runtime/build-step.ts';
import { removeCgroupRoots } from './runtime/cgroup-roots.ts';
import type { Container } from './runtime/container.ts';
import { ContainerTable } from './runtime/container.ts';
import { ContainerFiles } from './runtime/container-files.ts';
import { Containers, restartName } from './runtime/containers.ts';
import type { ContainerChange, FileSource, RuntimeDeps } from './runtime/deps.ts';
import { Execs } from './runtime/execs.ts';
import type { HostFacts } from './runtime/host-facts.ts';
import { readHostFacts } from './runtime/host-facts.ts';
import { endpointsOf, primaryNetwork } from './runtime/network-request.ts';
import type { RestoreResult } from './runtime/restore.ts';
import { liveContainerIds, restoreContainers } from './runtime/restore.ts';
import { UserLookup } from './runtime/user-lookup.ts';
import { closeSecretsRoot, openSecretsRoot } from './secrets-root.ts';
import { Session } from './session.ts';
import { VolumeStore } from './volumes/volume-store.ts';

export interface WorkerOptions {
  /** Absolute. State that survives a reboot. */
  readonly dataRoot: string;
  /** Absolute. Sockets, bundles; best on a tmpfs. */
  readonly runRoot: string;
  /** Folder of the native programs. */
  readonly nativeDir: string;
  /** '' = tswarm-runtime; or the path of runc or crun. */
  readonly runtimePath: string;
  readonly engineVersion: string;
  /** Labels of the engine, for constraints (`engine.labels.x`). */
  readonly labels: Readonly<Record<string, string>>;
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
}

export interface WorkerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The node's place in a cluster. */
export interface WorkerMembership {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly identity: TlsIdentity;
  /** `host:port` of managers, at least one. */
  readonly managers: readonly string[];
}

export interface Worker {
  /** Usable once `start` has resolved. */
  readonly engine: NodeEngine;
  start(): Promise<void>;
  stop(): Promise<void>;
  join(membership: WorkerMembership): Promise<void>;
  setIdentity(identity: TlsIdentity): Promise<void>;
  leave(): Promise<void>;
  /** Takes every container, network, mount and cgroup of this node away, then stops. Images and volumes stay on disk. */
  destroy(): Promise<void>;
}

export function createWorker(options: WorkerOptions, deps: WorkerDeps): Worker {
  return new NodeWorker(options, deps);
}

/** All that exists between start and stop. */
interface Parts {
  readonly host: HostFacts;
  readonly images: ImageService;
  readonly network: NetworkService;
  readonly volumes: VolumeStore;
  readonly containers: Containers;
  readonly runtime: RuntimeDeps;
  readonly builder: Builder;
  readonly engine: NodeEngine;
  readonly restored: RestoreResult;
}

class NodeWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #deps: WorkerDeps;
  readonly #events: EventLog;
  readonly #table = new ContainerTable();
  readonly #changeListeners = new Set<(change: ContainerChange) => void>();
  #parts: Parts | undefined;
  #files: FileSource | undefined;
  #host: AgentHost | undefined;
  #store: AssignedStore | undefined;
  #session: Session | undefined;
  #membership: WorkerMembership | undefined;

  constructor(options: WorkerOptions, deps: WorkerDeps) {
    this.#options = options;
    this.#deps = { ...deps, log: deps.log.child('worker') };
    this.#events = new EventLog(deps.clock);
  }

  get engine(): NodeEngine {
    return this.#started().engine;
  }

  #started(): Parts {
    if (this.#parts) return this.#parts;
    throw new TswarmError('unavailable', 'the worker has not started yet', { retryable: true });
  }

  async start(): Promise<void> {
    const { dataRoot, runRoot, nativeDir } = this.#options;
    await Promise.all([makeFolder(dataRoot, 0o711), makeFolder(runRoot, 0o711)]);
    await openSecretsRoot(this.#secretsRoot());
    const [host, nodeTag] = await Promise.all([readHostFacts(), this.#nodeTag()]);
    const { clock, random, log } = this.#deps;
    const table = this.#table;
    const volumes = new VolumeStore(join(dataRoot, 'volumes'), {
      clock,
      random,
      events: this.#events,
      usersOf: (name) => this.#volumeUsers(name),
    });
    await volumes.start();
    const network = await createNetworkService(
      { dataDir: join(dataRoot, 'network'), runDir: join(runRoot, 'network'), nativeDir, nodeTag },
      {
        clock,
        random,
        log: log.child('network'),
        events: this.#events,
        containers: this.#networkContainers(),
      },
    );
    const images = await createImageService(
      {
        dataDir: join(dataRoot, 'images'),
        runDir: join(runRoot, 'images'),
        nativeDir,
        insecureRegistries: this.#options.insecureRegistries,
        registryMirrors: this.#options.registryMirrors,
        architecture: host.goArchitecture,
      },
      {
        clock,
        random,
        log: log.child('images'),
        events: this.#events,
        containers: this.#containerDirectory(),
      },
    );
    const runtime: RuntimeDeps = {
      options: {
        nativeDir,
        runtimePath: this.#options.runtimePath || join(nativeDir, 'tswarm-runtime'),
        runtimeRoot: join(runRoot, 'runtime'),
        nodeTag,
      },
      host,
      clock,
      random,
      log: log.child('runtime'),
      events: this.#events,
      images: images.store,
      network: network.manager,
      volumes,
      files: new ContainerFiles({
        dataRoot: join(dataRoot, 'containers'),
        runRoot: join(runRoot, 'c'),
        secretsRoot: join(this.#secretsRoot(), 'c'),
      }),
      table,
      users: new UserLookup(nativeDir),
      fileSource: { read: (file) => this.#files?.read(file) },
      changed: (change) => this.#changed(change),
    };
    await network.manager.restore(await liveContainerIds(runtime));
    const containers = new Containers(runtime);
    const restored = await restoreContainers(runtime);
    const builder = createBuilder(
      { dataDir: join(dataRoot, 'build'), nativeDir, architecture: host.goArchitecture },
      {
        clock,
        random,
        log: log.child('build'),
        events: this.#events,
        containers: this.#containerDirectory(),
        images,
        runner: createBuildStepRunner(runtime),
      },
    );
    const engine = this.#makeEngine({
      host,
      images,
      network,
      volumes,
      containers,
      runtime,
      builder,
    });
    this.#parts = {
      host,
      images,
      network,
      volumes,
      containers,
      runtime,
      builder,
      engine,
      restored,
    };
    for (const { container, run, exit } of restored.adopted) {
      containers.watch(container, run, exit, true);
    }
    this.#bringBack(this.#parts);
    void builder.recover().catch((error: unknown) => {
      log.warn('left-overs of a build', { reason: String(error) });
    });
    log.info('containers adopted', {
      running: restored.adopted.length,
      ended: restored.ended.length,
    });
  }

  #secretsRoot(): string {
    return join(this.#options.runRoot, 'secrets');
  }

  /** First start: a random tag that names this node's cgroups and kernel objects from then on. */
  async #nodeTag(): Promise<string> {
    const path = join(this.#options.dataRoot, 'node-tag');
    const known = (await readTextFile(path))?.trim() ?? '';
    if (/^[0-9a-z]{8}$/.test(known)) return known;
    const bytes = this.#deps.random.bytes(8);
    const tag = [...bytes].map((byte) => (byte % 36).toString(36)).join('');
    await writeFileAtomic(path, `${tag}\n`, { sync: true });
    return tag;
  }

  #volumeUsers(name: string): readonly string[] {
    return this.#table
      .list()
      .filter((container) => container.record.mounts.some((mount) => mount.Name === name))
      .map((container) => container.id);
  }

  /** Containers of `docker run` that a reboot or a lost shim has ended, by their own restart policy. */
  #bringBack(parts: Parts): void {
    const { containers, restored, host } = parts;
    const nowMs = this.#deps.clock.nowMs();
    for (const { container, exit } of restored.ended) {
      if (container.record.task) continue;
      const policy = container.record.hostConfig.RestartPolicy;
      const decision = decideRestart({
        name: restartName(policy.Name),
        retriesMax: policy.MaximumRetryCount,
        exitCode: exit.exitCode,
        stopRequested: container.state.stopRequested,
        ranMs: nowMs - Date.parse(container.state.startedAt),
        restartsInRow: 0,
      });
      if (decision.restart) containers.scheduleRestart(container, decision.delayMs);
      else if (container.record.hostConfig.AutoRemove) this.#removeQuietly(container, parts);
    }
    for (const container of restored.stopped) {
      const { state, record } = container;
      if (record.task || state.startedAt === '' || state.bootId === host.bootId) continue;
      const back = comesBackAfterReboot({
        name: restartName(record.hostConfig.RestartPolicy.Name),
        stopRequested: state.stopRequested,
        wasRunning: false,
        exitCode: state.exitCode,
      });
      if (back) containers.scheduleRestart(container, 0);
    }
  }

  #removeQuietly(container: Container, parts: Parts): void {
    parts.containers
      .remove(container, { force: true, volumes: true, shownName: container.record.name })
      .catch((error: unknown) => {
        this.#deps.log.warn('container not removed', {
          container: container.id,
          reason: String(error),
        });
      });
  }

  #changed(change: ContainerChange): void {
    this.#host?.changed(change);
    for (const listener of this.#changeListeners) listener(change);
  }

  /** For followers of a log: active until the container has ended and will not be started again by itself. */
  #logSource(container: Container): LogSource {
    return {
      isActive: () => {
        const taskId = container.record.task?.taskId;
        return (
          !container.removed &&
          (container.run !== undefined ||
            container.ending ||
            container.restartTimer !== undefined ||
            (taskId !== undefined && this.#host?.willRun(taskId) === true))
        );
      },
      onChange: (listener) => {
        const filtered = (change: ContainerChange): void => {
          if (change.container === container) listener();
        };
        this.#changeListeners.add(filtered);
        container.endListeners.add(listener);
        return () => {
          this.#changeListeners.delete(filtered);
          container.endListeners.delete(listener);
        };
      },
    };
  }

  #containerDirectory(): {
    resolve(idOrName: string): ContainerInfo | undefined;
    list(): readonly ContainerInfo[];
    pause(id: string): Promise<void>;
    unpause(id: string): Promise<void>;
  } {
    const table = this.#table;
    const find = (id: string): Container => {
      const container = table.find(id);
      if (!container) throw new TswarmError('not_found', `No such container: ${id}`);
      return container;
    };
    return {
      resolve: (idOrName) => {
        const container = table.find(idOrName);
        return container ? infoOf(container) : undefined;
      },
      list: () => table.list().map(infoOf),
      pause: (id) => this.#started().containers.pause(find(id)),
      unpause: (id) => this.#started().containers.unpause(find(id)),
    };
  }

  #networkContainers(): NetworkContainers {
    const table = this.#table;
    const find = (id: string): Container => {
      const container = table.get(id);
      if (!container) throw new TswarmError('not_found', `No such container: ${id}`);
      return container;
    };
    return {
      resolve: (idOrName) => {
        const container = table.find(idOrName);
        return container
          ? { id: container.id, name: container.record.name, running: container.isRunning }
          : undefined;
      },
      setAttachment: async (id, attachment) => {
        const container = find(id);
        await container.setRecord({
          ...container.record,
          endpoints: {
            ...container.record.endpoints,
            [attachment.networkId]: endpointOf(attachment),
          },
        });
      },
      removeAttachment: async (id, networkId) => {
        const container = find(id);
        const endpoints = { ...container.record.endpoints };
        delete endpoints[networkId];
        await container.setRecord({ ...container.record, endpoints });
      },
      usersOf: (network) =>
        table
          .list()
          .filter((container) => usesNetwork(container, network))
          .map((container) => container.id),
    };
  }

  #makeEngine(parts: Omit<Parts, 'engine' | 'restored'>): NodeEngine {
    const { images, network, volumes, runtime, containers, host, builder } = parts;
    const networkOf = (idOrName: string): { id: string; name: string } | undefined =>
      this.#networkOf(idOrName, network);
    const execs = new Execs(runtime);
    const volumeEngine = new NodeVolumeEngine(volumes);
    const containerEngine = new NodeContainerEngine({
      ...runtime,
      containers,
      networkOf,
      logSource: (container) => this.#logSource(container),
    });
    this.#changeListeners.add((change) => {
      if (change.type === 'removed') execs.forget(change.container);
    });
    return {
      containers: containerEngine,
      exec: new NodeExecEngine(this.#table, execs),
      images: imageEngine(images.api, builder),
      volumes: volumeEngine,
      networks: network.api,
      info: async () =>
        nodeInfo({
          host,
          table: this.#table,
          imageCount: (await images.api.list({ all: false, filters: {}, digests: false })).length,
          eventListeners: this.#events.listenerCount,
          dataRoot: this.#options.dataRoot,
          engineVersion: this.#options.engineVersion,
          runtimePath: runtime.options.runtimePath,
          nativeDir: this.#options.nativeDir,
          labels: Object.entries(this.#options.labels).map(([key, value]) => `${key}=${value}`),
          insecureRegistries: this.#options.insecureRegistries,
          registryMirrors: this.#options.registryMirrors,
          network: await network.info(),
          nowMs: this.#deps.clock.nowMs(),
          id: runtime.options.nodeTag,
        }),
      diskUsage: () => this.#diskUsage(images, containerEngine, volumeEngine),
      events: (options, signal) => this.#events.events(options, signal),
      authenticate: (auth) => images.authenticate(auth),
    };
  }

  #networkOf(idOrName: string, network: NetworkService): { id: string; name: string } | undefined {
    const assigned = this.#store?.networks.objects.get(idOrName);
    if (assigned) return { id: assigned.id, name: assigned.spec?.name ?? assigned.id };
    for (const container of this.#table.list()) {
      const endpoint = network.manager
        .stateOf(container.id)
        ?.endpoints.find((item) => item.networkId === idOrName || item.networkName === idOrName);
      if (endpoint) return { id: endpoint.networkId, name: endpoint.networkName };
    }
    return undefined;
  }

  async #diskUsage(
    images: ImageService,
    containers: NodeContainerEngine,
    volumes: NodeVolumeEngine,
  ): Promise<EngineJson> {
    const [usage, list, volumeList] = await Promise.all([
      images.diskUsage(),
      containers.list({ all: true, limit: 0, size: true, filters: {} }),
      volumes.usage(),
    ]);
    return {
      LayersSize: usage.layersBytes,
      Images: usage.images,
      Containers: list,
      Volumes: volumeList,
      BuildCache: [],
    };
  }

  async join(membership: WorkerMembership): Promise<void> {
    const parts = this.#started();
    if (this.#membership) {
      throw new TswarmError('failed_precondition', 'this node is already part of a swarm');
    }
    this.#membership = membership;
    await openSecretsRoot(this.#secretsRoot());
    const { clock, random, log } = this.#deps;
    const store = new AssignedStore(
      {
        dataDir: join(this.#options.dataRoot, 'agent'),
        secretsDir: join(this.#secretsRoot(), 'assigned'),
      },
      log,
    );
    this.#store = store;
    this.#files = store;
    const host = new AgentHost(
      {
        id: membership.nodeId,
        hostname: parts.host.hostname,
        os: 'linux',
        architecture: parts.host.machine,
      },
      {
        clock,
        log: log.child('agent'),
        containers: parts.containers,
        table: this.#table,
        images: parts.images.store,
        network: parts.network.manager,
        volumes: parts.volumes,
        store,
        report: (taskId, status) => this.#session?.report(taskId, status),
        acknowledge: (sequence) => this.#session?.acknowledge(sequence),
      },
    );
    this.#host = host;
    await host.start(new Set(parts.restored.ended.map(({ container }) => container.id)));
    const session = new Session(
      { identity: membership.identity, managers: membership.managers },
      {
        clock,
        random,
        log: log.child('session'),
        describe: () =>
          describeNode({
            host: parts.host,
            engineVersion: this.#options.engineVersion,
            labels: this.#options.labels,
            wireguardKey: parts.network.wireguardKey,
            caCert: membership.identity.caCert,
          }),
        statuses: () => host.statuses(),
        assigned: (message) => host.assigned(message),
        connected: (connected) => host.connected(connected),
        sessionMessage: () => undefined,
      },
    );
    this.#session = session;
    session.start();
  }

  async setIdentity(identity: TlsIdentity): Promise<void> {
    this.#session?.setIdentity(identity);
  }

  /** Also with no manager in reach. */
  async leave(): Promise<void> {
    const parts = this.#started();
    await this.#session?.stop();
    this.#session = undefined;
    // A leave that was cut short may find containers without a membership.
    const host = this.#host;
    this.#host = undefined;
    if (host) await host.removeAll();
    else await this.#removeTaskContainers(parts);
    await this.#store?.clear();
    await removeTree(join(this.#options.dataRoot, 'agent'));
    await parts.network.manager.setState({ nodeId: '', networks: [], endpoints: [] });
    this.#store = undefined;
    this.#files = undefined;
    this.#membership = undefined;
    await closeSecretsRoot(this.#secretsRoot());
  }

  async #removeTaskContainers(parts: Parts): Promise<void> {
    const owned = this.#table.list().filter((container) => container.record.task);
    await Promise.all(
      owned.map((container) =>
        parts.containers.remove(container, {
          force: true,
          volumes: true,
          shownName: container.record.name,
        }),
      ),
    );
  }

  async destroy(): Promise<void> {
    const parts = this.#started();
    await this.leave();
    await Promise.all(
      this.#table.list().map((container) =>
        parts.containers.remove(container, {
          force: true,
          volumes: true,
          shownName: container.record.name,
        }),
      ),
    );
    await parts.network.removeAll();
    await removeCgroupRoots(parts.runtime);
    await this.stop();
    await closeSecretsRoot(this.#secretsRoot());
  }

  async stop(): Promise<void> {
    await this.#session?.stop();
    this.#session = undefined;
    this.#host?.stop();
    this.#host = undefined;
    this.#membership = undefined;
    const parts = this.#parts;
    if (!parts) return;
    for (const container of this.#table.list()) parts.containers.release(container);
    await parts.images.stop();
    await parts.network.stop();
    this.#parts = undefined;
  }
}

function infoOf(container: Container): ContainerInfo {
  const { config, name, imageId, id } = container.record;
  return {
    id,
    name,
    imageId,
    running: container.isRunning,
    processConfig: {
      User: config.User,
      ...(config.ExposedPorts ? { ExposedPorts: config.ExposedPorts } : {}),
      Env: config.Env,
      Entrypoint: config.Entrypoint,
      Cmd: config.Cmd,
      Volumes: config.Volumes,
      WorkingDir: config.WorkingDir,
      Labels: config.Labels,
      ...(config.StopSignal ? { StopSignal: config.StopSignal } : {}),
      ...(config.Healthcheck ? { Healthcheck: config.Healthcheck } : {}),
      ...(config.Shell ? { Shell: config.Shell } : {}),
    },
  };
}

function endpointOf(attachment: AttachmentRequest): Container['record']['endpoints'][string] {
  const [ipv4 = ''] = attachment.addresses.filter((address) => !address.includes(':'));
  const [ipv6 = ''] = attachment.addresses.filter((address) => address.includes(':'));
  return {
    aliases: attachment.aliases,
    ipv4,
    ipv6,
    macAddress: '',
    gwPriority: attachment.gwPriority,
    links: null,
    driverOpts: null,
  };
}

function usesNetwork(container: Container, network: string): boolean {
  const { record } = container;
  const mode = record.hostConfig.NetworkMode;
  return (
    endpointsOf(record, primaryNetwork(mode)).some(([name]) => name === network) ||
    record.task?.networks.some((item) => item.networkId === network) === true
  );
}
