// The NodeEngine that the gateway gets: the Engine API's areas put together from a worker's parts.
import type { EngineJson, Leftover, NodeEngine } from '#protocol/engine';
import { NodeContainerEngine } from './engine/container-engine.ts';
import { NodeExecEngine } from './engine/exec-engine.ts';
import { imageEngine } from './engine/image-engine.ts';
import { nodeInfo } from './engine/system-info.ts';
import { NodeVolumeEngine } from './engine/volume-engine.ts';
import type { EventLog } from './events.ts';
import type { LogSource } from './logs/log-waker.ts';
import type { Parts } from './parts.ts';
import type { Container, ContainerTable } from './runtime/container.ts';
import { Execs } from './runtime/execs.ts';
import { Leftovers } from './runtime/leftovers.ts';
import type { WorkerDeps, WorkerOptions } from './worker.ts';

export interface NodeEngineInput {
  readonly options: WorkerOptions;
  readonly deps: WorkerDeps;
  readonly events: EventLog;
  readonly table: ContainerTable;
  readonly parts: Parts;
  networkOf(idOrName: string): { readonly id: string; readonly name: string } | undefined;
  logSource(container: Container): LogSource;
  /** Called with every container that is gone. */
  onRemoved(listener: (container: Container) => void): void;
}

export function makeNodeEngine(input: NodeEngineInput): NodeEngine {
  const { parts, events, table } = input;
  const { images, network, volumes, runtime, containers, builder } = parts;
  const execs = new Execs(runtime);
  input.onRemoved((container) => execs.forget(container));
  const volumeEngine = new NodeVolumeEngine(volumes);
  const containerEngine = new NodeContainerEngine({
    ...runtime,
    containers,
    networkOf: (idOrName) => input.networkOf(idOrName),
    logSource: (container) => input.logSource(container),
  });
  const { dataRoot, runRoot } = input.options;
  const ofContainers = new Leftovers(runtime, [dataRoot, runRoot], () => builder.stepIds());
  const leftovers = async (): Promise<readonly Leftover[]> => {
    const [things, { links, namespaces }] = await Promise.all([
      ofContainers.find(),
      network.left(),
    ]);
    return [
      ...things,
      ...links.map((what): Leftover => ({ kind: 'interface', what })),
      ...namespaces.map((what): Leftover => ({ kind: 'namespace', what })),
    ];
  };
  return {
    leftovers,
    removeLeftovers: async () => {
      await ofContainers.remove();
      await network.sweep();
      return leftovers();
    },
    containers: containerEngine,
    exec: new NodeExecEngine(table, execs),
    images: imageEngine(images.api, builder),
    volumes: volumeEngine,
    networks: network.api,
    info: () => infoOf(input),
    diskUsage: async () => {
      const [usage, list, volumeList] = await Promise.all([
        images.diskUsage(),
        containerEngine.list({ all: true, limit: 0, size: true, filters: {} }),
        volumeEngine.usage(),
      ]);
      return {
        LayersSize: usage.layersBytes,
        Images: usage.images,
        Containers: list,
        Volumes: volumeList,
        BuildCache: [],
      };
    },
    events: (options, signal) => events.events(options, signal),
    authenticate: (auth) => images.authenticate(auth),
  };
}

async function infoOf(input: NodeEngineInput): Promise<EngineJson> {
  const { options, parts, events, table } = input;
  const { host, images, network, runtime } = parts;
  const list = await images.api.list({ all: false, filters: {}, digests: false });
  return nodeInfo({
    host,
    table,
    imageCount: list.length,
    eventListeners: events.listenerCount,
    dataRoot: options.dataRoot,
    engineVersion: options.engineVersion,
    runtimes: runtime.options.runtimes,
    nativeDir: options.nativeDir,
    labels: Object.entries(options.labels).map(([key, value]) => `${key}=${value}`),
    insecureRegistries: options.insecureRegistries,
    registryMirrors: options.registryMirrors,
    network: await network.info(),
    nowMs: input.deps.clock.nowMs(),
    id: runtime.options.nodeTag,
  });
}
