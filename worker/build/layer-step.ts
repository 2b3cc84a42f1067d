// Steps that change files: a root file system on top of the state, something that fills it, and its
// upper folder becomes the next layer. Whatever happens, nothing but that layer stays: no mount, no
// folder.
import { randomBytes } from 'node:crypto';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerRecord } from '../images/layer-store.ts';
import type { BuildRun, StageState } from './build-run.ts';
import { RootView } from './root-view.ts';

export interface StepRootfs {
  /** Container id of the step. */
  readonly id: string;
  readonly mergedDir: string;
  readonly upperDir: string;
  readonly view: RootView;
}

/** Files that others are copied or mounted from: those of a state, or a folder that came along with the context. */
export type SourceFiles =
  | { readonly kind: 'chain'; readonly chainId: string }
  | { readonly kind: 'folder'; readonly view: RootView };

/** Runs `fill` in a root file system of its own. @returns the layer that came of it */
export async function makeLayer(
  run: BuildRun,
  state: StageState,
  fill: (rootfs: StepRootfs) => Promise<void>,
): Promise<LayerRecord> {
  const { rootfs, layers } = run.parts;
  const id = randomBytes(32).toString('hex');
  // Says that the root file system is a build's, should this process die.
  const mark = join(run.dataDir, 'steps', id);
  await mkdir(mark, { recursive: true, mode: 0o700 });
  const scratch = await layers.scratch();
  try {
    const paths = await rootfs.prepare(id, state);
    await rootfs.mount(id);
    const { mergedDir, upperDir } = paths;
    await fill({ id, mergedDir, upperDir, view: new RootView(mergedDir) });
    await rootfs.takeUpper(id, join(scratch, 'diff'));
    return await layers.adopt(scratch, state.chainId, run.signal, (chainId) => {
      run.lease.chains.add(chainId);
    });
  } finally {
    await rootfs.remove(id);
    await rm(scratch, { recursive: true, force: true });
    await rm(mark, { recursive: true, force: true });
  }
}

/** Looks at the files of a state without changing them. */
export async function withView<T>(
  run: BuildRun,
  chainId: string,
  look: (view: RootView) => Promise<T>,
): Promise<T> {
  const dir = await openView(run, chainId);
  try {
    return await look(new RootView(dir));
  } finally {
    await closeView(run, dir);
  }
}

/** A read-only mount of a state's files; to be closed. */
export async function openView(run: BuildRun, chainId: string): Promise<string> {
  const dir = join(run.dataDir, 'views', randomBytes(12).toString('hex'));
  await mkdir(dir, { recursive: true, mode: 0o700 });
  try {
    await run.parts.rootfs.mountView(chainId, dir);
    return dir;
  } catch (error) {
    await rmdir(dir);
    throw error;
  }
}

export async function closeView(run: Pick<BuildRun, 'parts'>, dir: string): Promise<void> {
  await run.parts.rootfs.unmountView(dir);
  // Never recursively: should it still be mounted, its files are an image's.
  await rmdir(dir);
}
