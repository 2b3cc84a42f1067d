// Bytes in a folder tree, for people ("how much has this container written"): what `du
// --apparent-size` says of its files, hard links counted once. Never follows links or enters
// another file system. A tree that changes meanwhile gives a number of some moment.
import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Data bytes of all files below. */
export async function treeSize(root: string): Promise<number> {
  const { dev } = await lstat(root);
  const linked = new Set<number>();
  let bytes = 0;
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const child of await children(folder)) {
      const path = join(folder, child.name);
      const info = await lstat(path).catch(() => undefined);
      if (info === undefined || info.dev !== dev) continue;
      if (info.isDirectory()) folders.push(path);
      if (!info.isFile()) continue;
      if (info.nlink > 1) {
        if (linked.has(info.ino)) continue;
        linked.add(info.ino);
      }
      bytes += info.size;
    }
  }
  return bytes;
}

async function children(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch {
    // Removed meanwhile.
    return [];
  }
}
