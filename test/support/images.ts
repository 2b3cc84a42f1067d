// An image service on a folder of its own with a hand-made container directory and an event list:
// for tests of images and builds on real native programs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineJson, Progress } from '#protocol/engine';
import { createLog, nodeClock, nodeRandom } from '#protocol/transport/node-world';
import { createImageService, type FullImageService } from '#worker/images/image-store';
import type { ContainerInfo, EngineEvent, ImageDeps, ImageOptions } from '#worker/images/types';

export const NATIVE_DIR: string = join(import.meta.dirname, '../../native/build');

export interface ImageFixture {
  readonly dir: string;
  readonly service: FullImageService;
  readonly events: EngineEvent[];
  /** What the worker would say that its containers are; tests change it. */
  readonly containers: ContainerInfo[];
  readonly options: ImageOptions;
  readonly deps: ImageDeps;
  /** Stops this service and opens another one on the same folder. */
  reopen(): Promise<FullImageService>;
  dispose(): Promise<void>;
}

export async function imageFixture(options: Partial<ImageOptions> = {}): Promise<ImageFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'tsw-images-'));
  const events: EngineEvent[] = [];
  const containers: ContainerInfo[] = [];
  const full: ImageOptions = {
    dataDir: join(dir, 'images'),
    runDir: join(dir, 'run'),
    nativeDir: NATIVE_DIR,
    insecureRegistries: [],
    registryMirrors: [],
    architecture: 'amd64',
    ...options,
  };
  const deps: ImageDeps = {
    clock: nodeClock,
    random: nodeRandom,
    log: createLog({ level: 'error', format: 'text' }),
    events: { emit: (event) => void events.push(event) },
    containers: {
      resolve: (text) => containers.find((one) => one.id.startsWith(text) || one.name === text),
      list: () => containers,
      frozen: (_id, work) => work(),
    },
  };
  let service = await createImageService(full, deps);
  return {
    dir,
    get service() {
      return service;
    },
    events,
    containers,
    options: full,
    deps,
    async reopen() {
      await service.stop();
      service = await createImageService(full, deps);
      return service;
    },
    async dispose() {
      for (const id of service.store.rootfsIds()) await service.store.removeRootfs(id);
      await service.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** All lines of a progress stream. */
export async function linesOf(progress: Progress | Promise<Progress>): Promise<EngineJson[]> {
  const lines: EngineJson[] = [];
  for await (const line of await progress) lines.push(line);
  return lines;
}

/** The `status` and `stream` texts of progress lines, bars left out. */
export function textsOf(lines: readonly EngineJson[]): string[] {
  return lines
    .filter((line) => line.progress === undefined)
    .map((line) => {
      const text = String(line.status ?? line.stream ?? line.error ?? '');
      return line.id === undefined ? text : `${line.id}: ${text}`;
    });
}
