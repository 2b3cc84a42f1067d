// Everything of a worker that exists between start and stop, made in order: host facts, volumes, network, images, runtime, builder. Containers that still run are
// found before the network and the images clean up after a crash, so that nothing of a living one is touched.
import { join } from 'node:path';
import { savedNetworkState } from './assigned-store.ts';
import { createBuilder } from './build/builder.ts';
import { containerDirectory, networkContainers, volumeUsers } from './container-views.ts';
import type { EventLog } from './events.ts';
import { readTextFile, writeFileAtomic } from './files.ts';
import { createImageService } from './images/image-store.ts';
import type { Builder, ImageService } from './images/types.ts';
import { DatagramHelpers } from './logs/forward/datagram-sink.ts';
import { LogForwarding } from './logs/forward/forwarding.ts';
import { JOURNAL_SOCKET, LOCAL_SYSLOG } from './logs/forward/sinks.ts';
import type { LogSource } from './logs/log-waker.ts';
import { createNetworkService } from './network/network-service.ts';
import type { ClusterPlaces, NetworkService } from './network/types.ts';
import { createBuildStepRunner } from './runtime/build-step.ts';
import type { Container, ContainerTable } from './runtime/container.ts';
import { ContainerFiles } from './runtime/container-files.ts';
import { Containers } from './runtime/containers.ts';
import type { ContainerChange, FileSource, RuntimeDeps } from './runtime/deps.ts';
import type { HostFacts } from './runtime/host-facts.ts';
import { readHostFacts } from './runtime/host-facts.ts';
import type { RestoreResult } from './runtime/restore.ts';
import { findShims, restoreContainers } from './runtime/restore.ts';
import { findRuntimes } from './runtime/runtimes.ts';
import { UserLookup } from './runtime/user-lookup.ts';
import { keepSpareFiles } from './spare-files.ts';
import { VolumeStore } from './volumes/volume-store.ts';
import type { WorkerDeps, WorkerOptions } from './worker.ts';

export interface Parts {
  readonly host: HostFacts;
  readonly images: ImageService;
  readonly network: NetworkService;
  readonly volumes: VolumeStore;
  readonly containers: Containers;
  readonly runtime: RuntimeDeps;
  readonly forwarding: LogForwarding;
  readonly builder: Builder;
  readonly localNetworks: LocalNetworkNames;
  readonly restored: RestoreResult;
}

export interface PartsInput {
  readonly options: WorkerOptions;
  readonly deps: WorkerDeps;
  readonly events: EventLog;
  readonly table: ContainerTable;
  readonly secretsRoot: string;
  readonly fileSource: FileSource;
  changed(change: ContainerChange): void;
  /** What this node says about its mesh is not what it said before. */
  meshChanged(): void;
  /** On the cluster's networks, for containers that are no task's. */
  readonly places: ClusterPlaces;
  logSource(container: Container): LogSource;
}

export async function makeParts(input: PartsInput): Promise<Parts> {
  const { options, deps, events, table } = input;
  const { dataRoot, runRoot, nativeDir } = options;
  const { clock, random, log } = deps;
  const [host, nodeTag] = await Promise.all([
    readHostFacts(),
    openNodeTag(dataRoot, deps),
    keepSpareFiles(dataRoot),
  ]);
  const volumes = new VolumeStore(join(dataRoot, 'volumes'), {
    clock,
    random,
    events,
    usersOf: (name) => volumeUsers(table, name),
  });
  await volumes.start();
  const localNetworks = new LocalNetworkNames();
  const network = await createNetworkService(
    {
      dataDir: join(dataRoot, 'network'),
      runDir: join(runRoot, 'network'),
      nativeDir,
      nodeTag,
      meshPort: options.meshPort ?? 0,
      meshAddress: options.meshAddress ?? '',
    },
    {
      clock,
      random,
      log: log.child('network'),
      events: {
        emit: (event) => {
          events.emit(event);
          if (event.action === 'create' || event.action === 'destroy') localNetworks.changed();
        },
      },
      containers: networkContainers(table),
      meshChanged: () => input.meshChanged(),
      hostChanged: () => deps.hostChanged?.(),
      places: input.places,
    },
  );
  await localNetworks.watch(network);
  // Set below; only builds and commits use it, and they come later.
  let containers: Containers | undefined;
  const directory = containerDirectory(table, () => {
    if (!containers) throw new Error('bug: containers are used before they exist');
    return containers;
  });
  const images = await createImageService(
    {
      dataDir: join(dataRoot, 'images'),
      runDir: join(runRoot, 'images'),
      nativeDir,
      insecureRegistries: options.insecureRegistries,
      registryMirrors: options.registryMirrors,
      architecture: host.goArchitecture,
    },
    { clock, random, log: log.child('images'), events, containers: directory },
  );
  const forwarding = new LogForwarding({
    clock,
    log: log.child('logs'),
    hostname: host.hostname,
    pid: process.pid,
    sinks: {
      helpers: new DatagramHelpers(nativeDir),
      nowMs: () => clock.monotonicMs(),
      localSyslog: LOCAL_SYSLOG,
      journalSocket: JOURNAL_SOCKET,
    },
    logSource: (container) => input.logSource(container),
  });
  const runtimePath = options.runtimePath || join(nativeDir, 'tswarm-runtime');
  const runtime: RuntimeDeps = {
    options: {
      nativeDir,
      runtimePath,
      runtimes: findRuntimes(runtimePath),
      runtimeRoot: join(runRoot, 'runtime'),
      nodeTag,
    },
    host,
    clock,
    random,
    log: log.child('runtime'),
    events,
    images: images.store,
    mounts: images.parts.mounts,
    network: network.manager,
    volumes,
    files: new ContainerFiles(
      {
        dataRoot: join(dataRoot, 'containers'),
        runRoot: join(runRoot, 'c'),
        secretsRoot: join(input.secretsRoot, 'c'),
      },
      log.child('runtime'),
    ),
    table,
    users: new UserLookup(nativeDir),
    fileSource: input.fileSource,
    forwarding,
    changed: (change) => input.changed(change),
  };
  const shims = await findShims(runtime);
  const live = [...shims].filter(([, shim]) => shim.status === 'running').map(([id]) => id);
  await network.manager.restore(live, await savedNetworkState(join(dataRoot, 'agent')));
  containers = new Containers(runtime);
  const restored = await restoreContainers(runtime, shims);
  const builder = createBuilder(
    { dataDir: join(dataRoot, 'build'), nativeDir, architecture: host.goArchitecture },
    {
      clock,
      random,
      log: log.child('build'),
      events,
      containers: directory,
      images,
      runner: createBuildStepRunner(runtime),
      secretsDir: join(input.secretsRoot, 'build'),
    },
  );
  return {
    host,
    images,
    network,
    volumes,
    containers,
    runtime,
    forwarding,
    builder,
    localNetworks,
    restored,
  };
}

/** Takes containers away, whether they run or not. */
export async function removeAll(parts: Parts, containers: readonly Container[]): Promise<void> {
  const options = { force: true, volumes: true };
  await Promise.all(
    containers.map((container) =>
      parts.containers.remove(container, { ...options, shownName: container.record.name }),
    ),
  );
}

/** First start: a random tag that names this node's cgroups and kernel objects from then on. */
async function openNodeTag(dataRoot: string, deps: WorkerDeps): Promise<string> {
  const path = join(dataRoot, 'node-tag');
  const known = (await readTextFile(path))?.trim() ?? '';
  if (/^[0-9a-z]{8}$/.test(known)) return known;
  const bytes = deps.random.bytes(8);
  const tag = [...bytes].map((byte) => (byte % 36).toString(36)).join('');
  await writeFileAtomic(path, `${tag}\n`, { sync: true });
  return tag;
}

/** Names and ids of the node's own networks, for showing containers that are not attached now. */
export class LocalNetworkNames {
  #service: NetworkService | undefined;
  #known: readonly { readonly id: string; readonly name: string }[] = [];

  async watch(service: NetworkService): Promise<void> {
    this.#service = service;
    await this.#read(service);
  }

  changed(): void {
    if (this.#service) this.#read(this.#service).catch(() => undefined);
  }

  find(idOrName: string): { readonly id: string; readonly name: string } | undefined {
    return this.#known.find((item) => item.id === idOrName || item.name === idOrName);
  }

  async #read(service: NetworkService): Promise<void> {
    const list = await service.api.list({});
    this.#known = list.map((item) => ({ id: String(item.Id), name: String(item.Name) }));
  }
}
