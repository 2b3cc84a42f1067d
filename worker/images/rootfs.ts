// Containers' root file systems: `rootfs/<id>/{upper,work,merged}` over the image's layers, with a
// layer of empty mount points between (Docker's "-init" layer: an image whose /proc or /etc/hosts
// is a link cannot lead the runtime astray). The layer is the same for all and never written, so
// one serves all. Images that are mounted into a container (views) lie beside, at `view-N`, read-only.
// What a container stands on is written as two symbolic links, `image` and `chain`:
// made last, atomic, needing no fsync; a folder without them is unfinished. The kernel's mount
// table is the truth about what is mounted; nothing is remembered about that. The few names of a
// container are made and removed at once, not through the thread pool (why: worker/files.ts).
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import {
  chmod,
  lchown,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, TswarmError } from '#protocol/errors';
import type { Log } from '#protocol/world';
import type { MountHelper } from '../mount/mount-helper.ts';
import { KeyedLock } from './concurrency.ts';
import { diskError, isMissing } from './files.ts';
import type { LayerStore } from './layer-store.ts';
import { treeSize } from './tree-size.ts';
import type { RootfsPaths } from './types.ts';

/** An image whose files a container has: as its root, or mounted below it. */
interface Ground {
  readonly imageId: string;
  readonly chainId: string;
}

interface Rootfs extends Ground {
  /** In the order of `paths.viewDirs`. */
  readonly views: readonly Ground[];
  readonly paths: RootfsPaths;
}

const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

export class RootfsStore {
  readonly #dir: string;
  readonly #initDir: string;
  readonly #layers: LayerStore;
  readonly #mounts: MountHelper;
  readonly #lock = new KeyedLock();
  readonly #byId = new Map<string, Rootfs>();

  constructor(
    dataDir: string,
    deps: { readonly layers: LayerStore; readonly mounts: MountHelper },
  ) {
    this.#dir = join(dataDir, 'rootfs');
    this.#initDir = join(dataDir, 'init');
    this.#layers = deps.layers;
    this.#mounts = deps.mounts;
  }

  /** Reads what is there; removes what interrupted calls left. */
  async open(log: Log): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o710 });
    await makeInitLayer(this.#initDir);
    for (const id of await readdir(this.#dir)) {
      const dir = join(this.#dir, id);
      const ground = await readGround(dir, '');
      const views = await readViews(dir);
      if (!CONTAINER_ID.test(id) || ground === undefined) await this.#removeDir(id);
      else if ([ground, ...views].every(({ chainId }) => this.#isChainHere(chainId)))
        this.#byId.set(id, this.#describe(id, ground, views));
      // Its files are kept: they may be worth more than the image.
      else log.error('container without its image: layers are missing', { container: id });
    }
  }

  get(containerId: string): Rootfs | undefined {
    return this.#byId.get(containerId);
  }

  entries(): IterableIterator<[string, Rootfs]> {
    return this.#byId.entries();
  }

  async prepare(
    containerId: string,
    ground: Ground,
    views: readonly Ground[] = [],
  ): Promise<RootfsPaths> {
    if (!CONTAINER_ID.test(containerId)) {
      throw new TswarmError('invalid_argument', `"${containerId}" is not a container id`);
    }
    return this.#lock.with(containerId, async () => {
      const known = this.#byId.get(containerId);
      if (known !== undefined) return known.paths;
      const rootfs = this.#describe(containerId, ground, views);
      // From here on garbage collection leaves the layers alone.
      this.#byId.set(containerId, rootfs);
      try {
        await this.#makeDirs(containerId, rootfs);
      } catch (error) {
        this.#byId.delete(containerId);
        await this.#removeDir(containerId);
        throw diskError(error, `container ${containerId}: cannot make its root file system`);
      }
      return rootfs.paths;
    });
  }

  async mount(containerId: string): Promise<RootfsPaths> {
    return this.#lock.with(containerId, async () => {
      const { paths, views } = this.#need(containerId);
      if (await isMountPoint(paths.mergedDir)) return paths;
      for (const [index, target] of paths.viewDirs.entries()) {
        // What a start that was cut short has left.
        await this.unmountView(target);
        await this.mountView(views[index]?.chainId ?? '', target);
      }
      await this.#mounts.overlay({
        lower: paths.lowerDirs,
        upper: paths.upperDir,
        work: paths.workDir,
        target: paths.mergedDir,
      });
      return paths;
    });
  }

  async unmount(containerId: string): Promise<void> {
    await this.#lock.with(containerId, async () => {
      const known = this.#byId.get(containerId);
      if (known === undefined) return;
      await this.#unmount(known.paths.mergedDir);
      for (const view of known.paths.viewDirs) await this.unmountView(view);
    });
  }

  async remove(containerId: string): Promise<void> {
    await this.#lock.with(containerId, async () => {
      if (!this.#byId.has(containerId)) return;
      await this.#removeDir(containerId);
      this.#byId.delete(containerId);
    });
  }

  /**
   * Gives the upper folder away (to become a layer) and removes the rest. Must not be mounted by
   * anyone else.
   */
  async takeUpper(containerId: string, to: string): Promise<void> {
    await this.#lock.with(containerId, async () => {
      const { paths } = this.#need(containerId);
      await this.#unmount(paths.mergedDir);
      await rm(to, { recursive: true, force: true });
      await rename(paths.upperDir, to);
      await this.#removeDir(containerId);
      this.#byId.delete(containerId);
    });
  }

  async upperSize(containerId: string): Promise<number> {
    return treeSize(this.#need(containerId).paths.upperDir);
  }

  /** Mounts an image's files, read-only, for a look from outside. */
  async mountView(chainId: string, target: string): Promise<void> {
    const lower = this.#layers.chain(chainId).map((layer) => this.#layers.diffDir(layer.chainId));
    await this.#mounts.overlay({ lower: lower.length > 0 ? lower : [this.#initDir], target });
  }

  /**
   * Ends a view; nothing when there is none. A view of one layer is a bind mount, which no
   * comparison of devices shows.
   */
  async unmountView(target: string): Promise<void> {
    while (await this.#mounts.unmount(target, { lazy: true })) {
      // Until none is left.
    }
  }

  #isChainHere(chainId: string): boolean {
    try {
      this.#layers.chain(chainId);
      return true;
    } catch {
      return false;
    }
  }

  #need(containerId: string): Rootfs {
    const rootfs = this.#byId.get(containerId);
    if (rootfs !== undefined) return rootfs;
    throw new TswarmError('not_found', `container ${containerId} has no root file system here`);
  }

  #describe(containerId: string, ground: Ground, views: readonly Ground[]): Rootfs {
    const dir = join(this.#dir, containerId);
    const layers = this.#layers
      .chain(ground.chainId)
      .map((layer) => this.#layers.diffDir(layer.chainId));
    const paths = {
      lowerDirs: [this.#initDir, ...layers],
      upperDir: join(dir, 'upper'),
      workDir: join(dir, 'work'),
      mergedDir: join(dir, 'merged'),
      viewDirs: views.map((_, index) => join(dir, viewName(index))),
    };
    return { ...ground, views, paths };
  }

  async #makeDirs(containerId: string, rootfs: Rootfs): Promise<void> {
    const dir = join(this.#dir, containerId);
    const { upperDir, workDir, mergedDir } = rootfs.paths;
    await this.#removeDir(containerId);
    mkdirSync(dir, { mode: 0o710 });
    mkdirSync(upperDir, 0o755);
    mkdirSync(workDir, 0o711);
    mkdirSync(mergedDir, 0o755);
    // The upper folder is the root that the container sees: it takes after the image's.
    if (rootfs.chainId !== '') {
      const top = statSync(this.#layers.diffDir(rootfs.chainId));
      chownSync(upperDir, top.uid, top.gid);
      chmodSync(upperDir, top.mode & 0o7777);
    }
    for (const [index, view] of rootfs.views.entries()) {
      mkdirSync(join(dir, viewName(index)), 0o755);
      writeGround(dir, `${viewName(index)}-`, view);
    }
    writeGround(dir, '', rootfs);
  }

  async #removeDir(containerId: string): Promise<void> {
    const dir = join(this.#dir, containerId);
    await this.#unmount(join(dir, 'merged'));
    // Behind a view are an image's own files.
    for (const name of viewsIn(dir)) await this.unmountView(join(dir, name));
    // The links go first: what is left after a crash is then seen as unfinished.
    rmSync(join(dir, 'image'), { force: true });
    if (!removedUnused(dir)) await rm(dir, { recursive: true, force: true });
  }

  async #unmount(target: string): Promise<void> {
    if (!(await isMountPoint(target))) return;
    try {
      // Several mounts on one point happen when a program died between two steps.
      while (await this.#mounts.unmount(target)) {
        // Until none is left.
      }
    } catch (error) {
      if (hasCode(error, 'unavailable')) throw error;
      // Busy: somebody still has a file open there. It goes when they close it.
      await this.#mounts.unmount(target, { lazy: true });
    }
  }
}

/** Stands for no image and no layers: a link cannot lead nowhere. */
const NONE = 'none';

function viewName(index: number): string {
  return `view-${index}`;
}

/** Names of the places where images are mounted, in a folder that may be unfinished or not there. */
function viewsIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir).filter((name) => /^view-\d+$/.test(name));
  } catch {
    return [];
  }
}

async function readViews(dir: string): Promise<readonly Ground[]> {
  const count = viewsIn(dir).length;
  const views = await Promise.all(
    Array.from({ length: count }, (_, index) => readGround(dir, `${viewName(index)}-`)),
  );
  return views.flatMap((view) => view ?? []);
}

async function readGround(dir: string, prefix: string): Promise<Ground | undefined> {
  const links = ['image', 'chain'].map((name) => link(dir, `${prefix}${name}`));
  const [imageId, chainId] = await Promise.all(links);
  return imageId === undefined || chainId === undefined ? undefined : { imageId, chainId };
}

function writeGround(dir: string, prefix: string, { imageId, chainId }: Ground): void {
  symlinkSync(imageId || NONE, join(dir, `${prefix}image`));
  symlinkSync(chainId || NONE, join(dir, `${prefix}chain`));
}

/** The folders of a container that wrote nothing, which most never do. False when something else is there. */
function removedUnused(dir: string): boolean {
  try {
    for (const name of ['upper', 'work/work', 'work', 'merged']) rmdirSync(join(dir, name));
    unlinkSync(join(dir, 'chain'));
    rmdirSync(dir);
    return true;
  } catch {
    return false;
  }
}

/** A mounted overlay is another device than the folder above it. */
async function isMountPoint(path: string): Promise<boolean> {
  try {
    const own = statSync(path, { throwIfNoEntry: false });
    const above = statSync(join(path, '..'), { throwIfNoEntry: false });
    return own !== undefined && above !== undefined && own.dev !== above.dev;
  } catch {
    // A mount whose layers are gone cannot be looked at, but can be unmounted.
    return true;
  }
}

async function link(dir: string, name: string): Promise<string | undefined> {
  try {
    const target = await readlink(join(dir, name));
    return target === NONE ? '' : target;
  } catch {
    return undefined;
  }
}

const INIT_DIRS = ['dev', 'dev/pts', 'dev/shm', 'proc', 'sys', 'etc'];
const INIT_FILES = ['dev/console', 'etc/hosts', 'etc/hostname', 'etc/resolv.conf', '.dockerenv'];

async function makeInitLayer(dir: string): Promise<void> {
  try {
    await stat(dir);
    return;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const temporary = `${dir}.new`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { mode: 0o755 });
  await chmod(temporary, 0o755);
  for (const name of INIT_DIRS) {
    await mkdir(join(temporary, name), { mode: 0o755 });
    await chmod(join(temporary, name), 0o755);
  }
  for (const name of INIT_FILES) {
    await writeFile(join(temporary, name), '');
    await chmod(join(temporary, name), 0o755);
  }
  await symlink('/proc/mounts', join(temporary, 'etc/mtab'));
  await lchown(join(temporary, 'etc/mtab'), 0, 0);
  await rename(temporary, dir);
}
