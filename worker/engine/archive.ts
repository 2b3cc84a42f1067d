// `docker cp`, export and diff: everything that reads or writes a container's files as root goes through tswarm-layer, which never leaves the root.
// A running container is seen through its own mount namespace (/proc/PID/root), so volumes and tmpfs are where the program sees them; a stopped one
// through its mounted layers and, below a mount's target, through that mount's source.
import { spawn } from 'node:child_process';
import { lstat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { Container } from '../runtime/container.ts';
import type { RuntimeDeps } from '../runtime/deps.ts';
import { withViews } from '../runtime/image-mounts.ts';
import { readyMounts } from '../runtime/mount-points.ts';
import { callNative, endOf } from '../runtime/native-call.ts';

/** A folder on the host and the path in it. */
interface Place {
  readonly root: string;
  readonly path: string;
  /** It may not be written to: the mount is read-only. */
  readonly readonly: boolean;
  /** Undoes what opening it has mounted. */
  release(): Promise<void>;
}

const nothing = async (): Promise<void> => {};

async function placeOf(container: Container, path: string, deps: RuntimeDeps): Promise<Place> {
  const clean = posix.normalize(`/${path}`);
  if (container.run) {
    return {
      root: `/proc/${container.run.pid}/root`,
      path: clean,
      readonly: false,
      release: nothing,
    };
  }
  const mounts = [...container.record.mounts]
    .filter((mount) => mount.Type !== 'tmpfs' && isBelow(clean, mount.Destination))
    .sort((a, b) => b.Destination.length - a.Destination.length);
  const [nearest] = mounts;
  if (nearest?.Type === 'image') {
    const { viewDirs } = await deps.images.mountRootfs(container.id);
    const views = await withViews(container.record.mounts, viewDirs);
    return {
      root: views.find(({ Destination }) => Destination === nearest.Destination)?.Source ?? '',
      path: clean.slice(nearest.Destination.length) || '/',
      readonly: true,
      release: () => unmountUnlessRunning(container, deps),
    };
  }
  if (nearest) {
    const [mount] = await readyMounts([nearest], deps.volumes);
    return {
      root: mount?.Source ?? nearest.Source,
      path: posix.join('/', nearest.extra.subpath, clean.slice(nearest.Destination.length)),
      readonly: !nearest.RW,
      release: nothing,
    };
  }
  const rootfs = await deps.images.mountRootfs(container.id);
  return {
    root: rootfs.mergedDir,
    path: clean,
    readonly: container.record.hostConfig.ReadonlyRootfs,
    release: () => unmountUnlessRunning(container, deps),
  };
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** {name, size, mode (Go's bits), mtime, linkTarget}. @throws not_found with Docker's text */
export async function statPath(
  container: Container,
  path: string,
  shownName: string,
  deps: RuntimeDeps,
): Promise<EngineJson> {
  const place = await placeOf(container, path, deps);
  try {
    return await statIn(place, path, shownName, deps);
  } finally {
    await place.release();
  }
}

async function statIn(
  place: Place,
  path: string,
  shownName: string,
  deps: RuntimeDeps,
): Promise<EngineJson> {
  const program = join(deps.options.nativeDir, 'tswarm-layer');
  const text = await callNative(program, [
    'stat',
    '--root',
    place.root,
    '--path',
    place.path,
  ]).catch((error: unknown) => {
    throw missing(error, path, shownName);
  });
  const { name, size, mode, mtime, linkTarget } = JSON.parse(text) as Record<string, unknown>;
  return { name: posix.basename(path) || name, size, mode, mtime, linkTarget };
}

function missing(error: unknown, path: string, shownName: string): unknown {
  if (!(error instanceof TswarmError)) return error;
  const absent =
    error.code === 'not_found' ||
    error.code === 'command_not_found' ||
    /no such file or directory|not a directory/i.test(error.message);
  if (!absent) return error;
  return new TswarmError('not_found', `Could not find the file ${path} in container ${shownName}`, {
    cause: error,
  });
}

/** A tar of one path, its name first. */
export async function getArchive(
  container: Container,
  path: string,
  shownName: string,
  deps: RuntimeDeps,
): Promise<{ readonly stat: EngineJson; readonly tar: AsyncIterable<Uint8Array> }> {
  const place = await placeOf(container, path, deps);
  try {
    const stat = await statIn(place, path, shownName, deps);
    // The client asks for `folder/.` when it wants what is in it, and looks for names that begin so.
    const isContent = /(^|\/)\.$/.test(path);
    const name = isContent ? '.' : posix.basename(posix.normalize(`/${path}`)) || '/';
    const from = isContent ? posix.join(place.path, '/') : place.path;
    const args = ['tar', '--root', place.root, '--path', from, '--name', name];
    return { stat, tar: streamOf(args, place, deps) };
  } catch (error) {
    await place.release();
    throw error;
  }
}

/** The whole file system, without what is mounted in it while it runs. */
export async function exportTar(
  container: Container,
  deps: RuntimeDeps,
): Promise<AsyncIterable<Uint8Array>> {
  const rootfs = await deps.images.mountRootfs(container.id);
  const place: Place = {
    root: rootfs.mergedDir,
    path: '/',
    readonly: true,
    release: () => unmountUnlessRunning(container, deps),
  };
  return streamOf(['tar', '--root', place.root, '--path', '/', '--name', '/'], place, deps);
}

async function* streamOf(
  args: readonly string[],
  place: Place,
  deps: RuntimeDeps,
): AsyncGenerator<Uint8Array> {
  const program = join(deps.options.nativeDir, 'tswarm-layer');
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
  const ended = endOf(child, program);
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const failure = await ended;
    if (failure) throw failure;
  } finally {
    child.kill('SIGKILL');
    await ended;
    await place.release();
  }
}

/** Unpacks a tar into a folder of the container. @throws not_found, invalid_argument when the path is no folder, permission_denied */
export async function putArchive(
  container: Container,
  path: string,
  tar: AsyncIterable<Uint8Array>,
  options: {
    readonly noOverwriteDirNonDir: boolean;
    readonly copyUidGid: boolean;
    readonly shownName: string;
  },
  deps: RuntimeDeps,
): Promise<void> {
  const owner = options.copyUidGid ? await ownerFlags(container, deps) : [];
  const place = await placeOf(container, path, deps);
  try {
    if (place.readonly || (container.run && container.record.hostConfig.ReadonlyRootfs)) {
      throw new TswarmError('permission_denied', 'container rootfs is marked read-only');
    }
    const stat = await statIn(place, path, options.shownName, deps);
    const mode = Number(stat.mode ?? 0);
    if (!isFolderMode(mode) && stat.linkTarget === '') {
      throw new TswarmError('invalid_argument', 'extraction point is not a directory');
    }
    await applyTar(
      [
        'apply',
        '--root',
        place.root,
        '--path',
        place.path,
        '--plain',
        '--unterminated-ok',
        ...(options.noOverwriteDirNonDir ? ['--keep-kind'] : []),
        ...owner,
      ],
      tar,
      deps,
    );
  } finally {
    await place.release();
  }
}

/** What is copied in belongs to the container's own user, as far as one is named; else owners stay as they are in the archive. */
async function ownerFlags(container: Container, deps: RuntimeDeps): Promise<readonly string[]> {
  const { User: named = '' } = container.record.config;
  if (named === '') return [];
  const user = container.run?.user ?? (await userOf(container, named, deps));
  return ['--chown-uid', String(user.uid), '--chown-gid', String(user.gid)];
}

/** In a container that does not run. Its layers are unmounted again. */
async function userOf(
  container: Container,
  user: string,
  deps: RuntimeDeps,
): Promise<{ readonly uid: number; readonly gid: number }> {
  const { mergedDir: rootDir } = await deps.images.mountRootfs(container.id);
  try {
    return await deps.users.resolve({ rootDir, user, groups: [], cacheKey: '' });
  } finally {
    await unmountUnlessRunning(container, deps);
  }
}

/** The lock keeps a start away meanwhile. */
function unmountUnlessRunning(container: Container, deps: RuntimeDeps): Promise<void> {
  return container.lock.run(async () => {
    if (!container.run) await deps.images.unmountRootfs(container.id);
  });
}

/** Go's FileMode: the folder bit is the topmost of 32. */
function isFolderMode(mode: number): boolean {
  return mode >= 2 ** 31;
}

async function applyTar(
  args: readonly string[],
  tar: AsyncIterable<Uint8Array>,
  deps: RuntimeDeps,
): Promise<void> {
  const program = join(deps.options.nativeDir, 'tswarm-layer');
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'], env: {} });
  const ended = endOf(child, program);
  let gone = false;
  child.stdin.on('error', () => {
    gone = true;
  });
  try {
    for await (const chunk of tar) {
      if (gone) break;
      if (!child.stdin.write(chunk)) {
        await Promise.race([new Promise((resolve) => child.stdin.once('drain', resolve)), ended]);
      }
    }
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    throw error;
  }
  child.stdin.end();
  const failure = await ended;
  if (failure) throw failure;
}

const KIND_CHANGED = 0;
const KIND_ADDED = 1;
const KIND_DELETED = 2;

/** GET /containers/{id}/changes: from the tar of the difference, which names additions, changes and deletions. */
export async function changesOf(
  container: Container,
  deps: RuntimeDeps,
): Promise<readonly EngineJson[]> {
  const rootfs = deps.images.rootfsOf(container.id);
  if (!rootfs) return [];
  const place: Place = { root: rootfs.upperDir, path: '/', readonly: true, release: nothing };
  const lowers = rootfs.lowerDirs.flatMap((folder) => ['--lower', folder]);
  const names: string[] = [];
  const reader = new TarNames((name) => names.push(name));
  for await (const chunk of streamOf(
    ['diff', '--upper', rootfs.upperDir, ...lowers],
    place,
    deps,
  )) {
    reader.push(chunk);
  }
  const out: EngineJson[] = [];
  for (const name of names) out.push(await changeOf(name, rootfs.lowerDirs));
  return out;
}

async function changeOf(name: string, lowerDirs: readonly string[]): Promise<EngineJson> {
  const clean = `/${name.replace(/^\.?\/+/, '').replace(/\/+$/, '')}`;
  const base = posix.basename(clean);
  if (base.startsWith('.wh.')) {
    return { Path: posix.join(posix.dirname(clean), base.slice(4)), Kind: KIND_DELETED };
  }
  for (const lower of lowerDirs) {
    const info = await lstat(join(lower, clean)).catch(() => undefined);
    if (info) return { Path: clean, Kind: KIND_CHANGED };
  }
  return { Path: clean, Kind: KIND_ADDED };
}

const BLOCK = 512;

/** Names of the entries of a tar as tswarm-layer writes it (ustar, PAX headers for long names). Contents are skipped. */
class TarNames {
  readonly #found: (name: string) => void;
  #bytes: Uint8Array = new Uint8Array(0);
  #skip = 0;
  #paxPath = '';
  #paxLeft = -1;

  constructor(found: (name: string) => void) {
    this.#found = found;
  }

  push(chunk: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, this.#bytes.length);
        this.#bytes = this.#bytes.subarray(step);
        this.#skip -= step;
        if (this.#skip > 0) return;
      }
      if (this.#paxLeft >= 0) {
        const padded = Math.ceil(this.#paxLeft / BLOCK) * BLOCK;
        if (this.#bytes.length < padded) return;
        this.#readPax(this.#bytes.subarray(0, this.#paxLeft));
        this.#bytes = this.#bytes.subarray(padded);
        this.#paxLeft = -1;
      }
      if (this.#bytes.length < BLOCK) return;
      const header = this.#bytes.subarray(0, BLOCK);
      this.#bytes = this.#bytes.subarray(BLOCK);
      this.#readHeader(header);
    }
  }

  #readHeader(header: Uint8Array): void {
    if (header[0] === 0) return;
    const text = (from: number, length: number): string =>
      Buffer.from(header.subarray(from, from + length))
        .toString('utf8')
        .split('\0', 1)[0] ?? '';
    const size = Number.parseInt(text(124, 12).trim() || '0', 8) || 0;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === 'x') {
      this.#paxLeft = size;
      return;
    }
    const prefix = text(345, 155);
    const own = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
    const name = this.#paxPath === '' ? own : this.#paxPath;
    this.#paxPath = '';
    const isFile = type === '0' || type === '\0';
    this.#skip = isFile ? Math.ceil(size / BLOCK) * BLOCK : 0;
    if (name.replace(/^\.?\/*/, '') !== '') this.#found(name);
  }

  #readPax(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('utf8');
    const path = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(text);
    if (path) this.#paxPath = path[1] ?? '';
  }
}
