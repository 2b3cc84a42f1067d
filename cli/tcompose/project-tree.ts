// What is at a path of this host, for bind mounts that are sent to other nodes: the files below it, symbolic links as what they lead to. Reads no more than may be sent.
import { type Dirent, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SHIPPED_BYTES_MAX, SHIPPED_FILES_MAX } from '#compose-spec/deploy/limits';
import type { Tree, TreeFile } from '#compose-spec/deploy/shipped';
import { messageOf } from '#protocol/errors';

/** The tree at a path. Never throws: what cannot be read is unfit, and says why. */
export function readTree(path: string): Tree {
  try {
    const info = statSync(path);
    if (info.isFile())
      return info.size > SHIPPED_BYTES_MAX ? tooLarge() : { kind: 'file', file: read(path, '') };
    if (!info.isDirectory()) return { kind: 'unfit', why: 'is neither a file nor a folder' };
    const walk = new Walk(realpathSync(path));
    walk.add(path, '');
    return { kind: 'folder', files: walk.files };
  } catch (error) {
    if (error instanceof UnfitError) return { kind: 'unfit', why: error.message };
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'missing' };
    return { kind: 'unfit', why: `cannot be read (${messageOf(error)})` };
  }
}

class UnfitError extends Error {}

function tooLarge(): Tree {
  return { kind: 'unfit', why: tooLargeText() };
}

function tooLargeText(): string {
  return `holds more than ${SHIPPED_FILES_MAX} files or ${SHIPPED_BYTES_MAX / 1024} KiB`;
}

function read(path: string, name: string): TreeFile {
  return { path: name, data: readFileSync(path), mode: statSync(path).mode & 0o777 };
}

class Walk {
  readonly files: TreeFile[] = [];
  readonly #root: string;
  #bytes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** @throws UnfitError */
  add(folder: string, prefix: string): void {
    const entries = readdirSync(folder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1)))
      this.#addEntry(folder, prefix, entry);
  }

  #addEntry(folder: string, prefix: string, entry: Dirent): void {
    const path = join(folder, entry.name);
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) {
      this.add(path, `${name}/`);
      return;
    }
    const real = realpathSync(path);
    const info = statSync(real);
    if (!real.startsWith(`${this.#root}/`) || !info.isFile())
      throw new UnfitError(`holds ${name}, which is no file of this folder`);
    this.#bytes += info.size;
    if (this.#bytes > SHIPPED_BYTES_MAX || this.files.length >= SHIPPED_FILES_MAX)
      throw new UnfitError(tooLargeText());
    this.files.push(read(real, name));
  }
}
