// A builder on an image fixture, with steps under the real runtime in the node's own network namespace.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildOptions, EngineJson } from '#protocol/engine';
import { createBuilder } from '#worker/build/builder';
import { createStepRunner } from '#worker/build/run-step';
import type { Builder } from '#worker/images/types';
import { readHostFacts } from '#worker/runtime/host-facts';
import { type Files, streamOf, tarOf } from './image-tar.ts';
import { type ImageFixture, imageFixture, linesOf, NATIVE_DIR } from './images.ts';

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
  networkMode: '',
  extraHosts: [],
  shmBytes: 0,
  platform: '',
};

export async function buildFixture(): Promise<BuildFixture> {
  const images = await imageFixture();
  const tag = `t${process.pid.toString(36)}`;
  const runDir = await mkdtemp('/run/tsw-build-');
  const dataDir = join(images.dir, 'build');
  const runner = createStepRunner(
    {
      nativeDir: NATIVE_DIR,
      stepsDir: join(dataDir, 'steps'),
      runtimeRoot: join(runDir, 'runtime'),
      nodeTag: tag,
    },
    {
      images: images.service.store,
      host: await readHostFacts(),
      log: images.deps.log,
      network: undefined,
    },
  );
  const builder = createBuilder(
    { dataDir, nativeDir: NATIVE_DIR, architecture: 'amd64' },
    { ...images.deps, images: images.service, runner },
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
