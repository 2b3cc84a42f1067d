// A builder on an image fixture, with steps under the real runtime in the node's own network
// namespace.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, type EngineJson, NO_BUILD_LIMITS } from '#protocol/engine';
import { createBuilder } from '#worker/build/builder';
import type { Builder } from '#worker/images/types';
import { createBuildStepRunner } from '#worker/runtime/build-step';
import { ContainerTable } from '#worker/runtime/container';
import { ContainerFiles } from '#worker/runtime/container-files';
import { readHostFacts } from '#worker/runtime/host-facts';
import { UserLookup } from '#worker/runtime/user-lookup';
import { VolumeStore } from '#worker/volumes/volume-store';
import { type Files, streamOf, tarOf } from './image-tar.ts';
import { type ImageFixture, imageFixture, linesOf, NATIVE_DIR } from './images.ts';
import { HostNetwork } from './worker-fakes.ts';

export interface BuildFixture extends ImageFixture {
  readonly builder: Builder;
  /** Builds from files; the lines of progress. */
  build(files: Files, options?: Partial<BuildOptions>, signal?: AbortSignal): Promise<EngineJson[]>;
  /** A path below the builder's data folder. */
  dataPath(...names: string[]): string;
}

export const BUILD_DEFAULTS: BuildOptions = {
  dockerfile: '',
  tags: [],
  target: '',
  buildArgs: {},
  labels: {},
  noCache: false,
  pull: false,
  quiet: false,
  events: false,
  networkMode: '',
  extraHosts: [],
  shmBytes: 0,
  noCacheFilter: [],
  ulimits: [],
  limits: NO_BUILD_LIMITS,
  entitlements: [],
  secrets: new Map(),
  sshAgents: {},
  contexts: {},
  platform: '',
  registryAuths: {},
};

export async function buildFixture(): Promise<BuildFixture> {
  const images = await imageFixture();
  const tag = `t${process.pid.toString(36)}`;
  const runDir = await mkdtemp('/run/tsw-build-');
  const dataDir = join(images.dir, 'build');
  const { clock, random, log, events } = images.deps;
  const volumes = new VolumeStore(join(images.dir, 'volumes'), {
    clock,
    random,
    events,
    usersOf: () => [],
  });
  const runner = createBuildStepRunner({
    options: {
      nativeDir: NATIVE_DIR,
      runtimePath: join(NATIVE_DIR, 'tswarm-runtime'),
      runtimes: {},
      runtimeRoot: join(runDir, 'runtime'),
      nodeTag: tag,
    },
    host: await readHostFacts(),
    clock,
    random,
    log,
    events,
    images: images.service.store,
    mounts: images.service.parts.mounts,
    network: new HostNetwork(),
    volumes,
    files: new ContainerFiles({
      dataRoot: join(images.dir, 'containers'),
      runRoot: join(runDir, 'c'),
      secretsRoot: join(runDir, 's'),
    }),
    table: new ContainerTable(),
    users: new UserLookup(NATIVE_DIR),
    fileSource: { read: () => undefined },
    // The output of a step is read as it comes.
    forwarding: {
      open: async () => {},
      follow: () => {},
      finish: async () => {},
      release: async () => {},
    },
    changed: () => {},
  });
  const builder = createBuilder(
    { dataDir, nativeDir: NATIVE_DIR, architecture: 'amd64' },
    { ...images.deps, images: images.service, runner, secretsDir: join(runDir, 'build') },
  );
  return {
    ...images,
    service: images.service,
    builder,
    dataPath: (...names) => join(dataDir, ...names),
    async build(files, options = {}, signal = new AbortController().signal) {
      const context = streamOf(await tarOf(files));
      return linesOf(builder.build(context, { ...BUILD_DEFAULTS, ...options }, signal));
    },
    async dispose() {
      await images.dispose();
      await rm(runDir, { recursive: true, force: true });
      await removeCgroups(`tswarm-${tag}`);
    },
  };
}

/** Text of all `stream` lines, and the error at the end if there is one. */
export function outputOf(lines: readonly EngineJson[]): string {
  return lines.map((line) => String(line.stream ?? line.error ?? '')).join('');
}

async function removeCgroups(name: string): Promise<void> {
  const { readdir, rmdir } = await import('node:fs/promises');
  for (const controller of await readdir('/sys/fs/cgroup')) {
    await rmdir(join('/sys/fs/cgroup', controller, name)).catch(() => {});
  }
}
