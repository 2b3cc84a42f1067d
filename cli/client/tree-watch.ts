// What changes in a folder (or a file), told in batches. The kernel's events only say when to look: what has changed is found by comparing the tree with the
// last look at it, so that nothing is missed when events are lost, merged, or come from a folder that is not watched yet.
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';

/** Paths relative to the watched one, with slashes; '' = the file itself. */
export interface TreeChange {
  readonly changed: readonly string[];
  /** A folder that has gone stands for everything in it. */
  readonly removed: readonly string[];
}

/** An editor's save is many events. */
const QUIET_MS = 250;

export class TreeWatch {
  readonly #path: string;
  readonly #isIgnored: (path: string) => boolean;
  readonly #counts: (path: string) => boolean;
  #seen: ReadonlyMap<string, string> = new Map();
  #folders: ReadonlySet<string> = new Set();
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `isIgnored`: what is not looked at; of an ignored folder nothing is. `counts`: which files are meant. */
  constructor(
    path: string,
    isIgnored: (path: string) => boolean,
    counts: (path: string) => boolean = () => true,
  ) {
    this.#path = path;
    this.#isIgnored = isIgnored;
    this.#counts = counts;
  }

  /** All files, as of the last look. */
  everything(): readonly string[] {
    return [...this.#seen.keys()];
  }

  /** What has changed since the last look; everything at the first one. */
  async look(): Promise<TreeChange> {
    const before = this.#seen;
    const foldersBefore = this.#folders;
    const now = new Map<string, string>();
    const folders = new Set<string>();
    await this.#walk('', now, folders);
    this.#seen = now;
    this.#folders = folders;
    const isGone = (path: string): boolean => !now.has(path) && !folders.has(path);
    const gone = [...foldersBefore, ...before.keys()].filter(isGone);
    return {
      changed: [...now].filter(([path, mark]) => before.get(path) !== mark).map(([path]) => path),
      removed: gone.filter((path) => !gone.includes(posix.dirname(path))),
    };
  }

  /** Calls back when it has become quiet after a change. What is not there yet is waited for. */
  async start(onChange: () => void): Promise<void> {
    const info = await lstat(this.#path).catch(() => undefined);
    if (this.#isClosed) return;
    // A file that is replaced is another one: its folder is watched.
    const isFolder = info?.isDirectory() === true;
    const folder = isFolder ? this.#path : existingAbove(this.#path);
    this.#watcher?.close();
    this.#watcher = watch(folder, { recursive: isFolder }, () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        // It may be there by now, or a folder nearer to it.
        if (!info) void this.start(onChange).catch(() => undefined);
        onChange();
      }, QUIET_MS);
    });
    // A folder that goes away is seen at the next look.
    this.#watcher.on('error', () => {});
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  async #walk(path: string, into: Map<string, string>, folders: Set<string>): Promise<void> {
    if (path !== '' && this.#isIgnored(path)) return;
    const full = path === '' ? this.#path : join(this.#path, path);
    // It may have gone in this moment.
    const info = await lstat(full).catch(() => undefined);
    if (!info) return;
    if (!info.isDirectory()) {
      if (path !== '' && !this.#counts(path)) return;
      into.set(path, `${info.ino} ${info.size} ${info.mtimeMs} ${info.mode}`);
      return;
    }
    // Where only some files are meant, a folder is not ours to take away.
    if (path !== '' && this.#counts(path)) folders.add(path);
    for (const name of await readdir(full).catch(() => []))
      await this.#walk(path === '' ? name : `${path}/${name}`, into, folders);
  }
}

/** The nearest folder above that is there. */
function existingAbove(path: string): string {
  const above = dirname(path);
  return above === path || existsSync(above) ? above : existingAbove(above);
}
