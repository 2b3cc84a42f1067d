// What of containers is on this host without a container: folders, mounts, control groups, processes. Found by the 64 digits of a container's id, in the places of this
// node alone (its folders, its group of control groups), so nothing of another node or program is ever looked at. A worker takes most of it away when it starts; this is for a
// host that has been through more than that: a program killed half-way through a clean-up, a file system that was busy. Looking changes nothing; taking away is asked for by a person.
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Leftover } from '#protocol/engine';
import { messageOf } from '#protocol/errors';
import { listFolder } from '../files.ts';
import { delay } from '../queue.ts';
import { notedCgroupParents } from './cgroup-parents.ts';
import { cgroupRoots } from './cgroup-roots.ts';
import type { RuntimeDeps } from './deps.ts';
import { callNative } from './native-call.ts';
import { sweepUnknown } from './restore.ts';

/** What is seen in two looks so far apart is not in the middle of being made or removed. */
const LOOK_AGAIN_MS = 1_500;
const CGROUP_EMPTY_MS = 2_000;
const STEP_MS = 50;
const ID = /(?:^|[/\s])([0-9a-f]{64})(?=$|[/\s])/;

interface Found extends Leftover {
  readonly containerId: string;
  readonly pid?: number;
}

export class Leftovers {
  readonly #deps: RuntimeDeps;
  readonly #roots: readonly string[];
  readonly #stepIds: () => Promise<readonly string[]>;

  /** `roots`: this node's data and run folder. `stepIds`: of the steps of builds that are going on, which are containers without a record. */
  constructor(
    deps: RuntimeDeps,
    roots: readonly string[],
    stepIds: () => Promise<readonly string[]>,
  ) {
    this.#deps = deps;
    this.#roots = roots;
    this.#stepIds = stepIds;
  }

  async find(): Promise<readonly Leftover[]> {
    return (await this.#found()).map(({ kind, what }) => ({ kind, what }));
  }

  /** Takes it all away, as far as that is possible. */
  async remove(): Promise<void> {
    const found = await this.#found();
    if (found.length === 0) return;
    const ids = new Set(found.map(({ containerId }) => containerId));
    this.#deps.log.info('left-overs are removed', { containers: ids.size, things: found.length });
    for (const { pid } of found) if (pid !== undefined) kill(pid);
    const groups = found.filter(({ kind }) => kind === 'cgroup').map(({ what }) => what);
    await Promise.all(groups.map((path) => emptyCgroup(path)));
    for (const { kind, what } of [...found].reverse()) {
      if (kind !== 'mount') continue;
      await callNative('/bin/umount', ['-l', what]).catch((error: unknown) => {
        this.#deps.log.warn('left-over mount', { path: what, reason: messageOf(error) });
      });
    }
    // What is still mounted is not below folders that are removed: behind a bind mount is somebody's data.
    for (const { containerId } of await this.#mounts()) ids.delete(containerId);
    await sweepUnknown(ids, { known: new Set(), finishing: new Set() }, this.#deps);
  }

  async #found(): Promise<readonly Found[]> {
    const first = await this.#look();
    if (first.length === 0) return [];
    await delay(LOOK_AGAIN_MS);
    const again = new Set((await this.#look()).map(({ kind, what }) => `${kind} ${what}`));
    return first.filter(({ kind, what }) => again.has(`${kind} ${what}`));
  }

  async #look(): Promise<readonly Found[]> {
    const steps = new Set(await this.#stepIds());
    const all = await Promise.all([
      this.#folders(),
      this.#mounts(),
      this.#cgroups(),
      this.#processes(),
    ]);
    const { table } = this.#deps;
    const isKnown = (id: string): boolean =>
      table.get(id) !== undefined || table.making.has(id) || steps.has(id);
    return all.flat().filter(({ containerId }) => !isKnown(containerId));
  }

  async #folders(): Promise<readonly Found[]> {
    const { files, images } = this.#deps;
    const { data, run } = await files.ids();
    const paths = [
      ...data.map((id) => files.pathsOf(id).dataDir),
      ...run.map((id) => files.pathsOf(id).runDir),
    ];
    const roots = images.rootfsIds().map((id) => `root file system ${id}`);
    return [...paths, ...roots].flatMap((what) => foundAt('folder', what));
  }

  async #mounts(): Promise<readonly Found[]> {
    const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
    const points = lines.map((line) => line.split(' ')[4] ?? '');
    const own = points.filter((path) => this.#roots.some((root) => path.startsWith(`${root}/`)));
    return own.flatMap((path) => foundAt('mount', path));
  }

  async #cgroups(): Promise<readonly Found[]> {
    const folders = [...cgroupRoots(this.#deps), ...(await notedCgroupParents(this.#deps))];
    const found = await Promise.all(
      folders.map(async (folder) => (await listFolder(folder)).map((name) => join(folder, name))),
    );
    return found.flat().flatMap((path) => foundAt('cgroup', path));
  }

  /** Shims of this node. What runs in a container without a shim is found by its control group. */
  async #processes(): Promise<readonly Found[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found: Found[] = [];
    for (const pid of pids) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const words = command.split('\0');
      if (!/(^|\/)tswarm-shim$/.test(words[0] ?? '')) continue;
      if (!words.some((word) => this.#roots.some((root) => word.startsWith(`${root}/`)))) continue;
      const containerId = ID.exec(words.join(' '))?.[1];
      if (containerId === undefined) continue;
      const what = `${pid} tswarm-shim of ${containerId}`;
      found.push({ kind: 'process', what, containerId, pid: Number(pid) });
    }
    return found;
  }
}

function foundAt(kind: Leftover['kind'], what: string): readonly Found[] {
  const containerId = ID.exec(what)?.[1];
  return containerId === undefined ? [] : [{ kind, what, containerId }];
}

/** Ends what runs in a control group and those below it, and removes them. */
async function emptyCgroup(path: string): Promise<void> {
  for (let waitedMs = 0; waitedMs <= CGROUP_EMPTY_MS; waitedMs += STEP_MS) {
    const children = await readdir(path, { withFileTypes: true }).catch(() => []);
    for (const child of children)
      if (child.isDirectory()) await emptyCgroup(join(path, child.name));
    const pids = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const pid of pids.split('\n')) if (pid !== '') kill(Number(pid));
    const isGone = await rmdir(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
    if (isGone) return;
    await delay(STEP_MS);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
