// Bytes that a folder takes on disk. Hard links count once; links are not followed; what vanishes meanwhile counts nothing.
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const BLOCK_BYTES = 512;

export async function folderBytes(path: string): Promise<number> {
  return measure(path, new Set());
}

async function measure(path: string, seen: Set<string>): Promise<number> {
  let total = 0;
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const child = join(path, entry.name);
    const info = await lstat(child).catch(() => undefined);
    if (!info) continue;
    if (info.nlink > 1 && !info.isDirectory()) {
      const key = `${info.dev}:${info.ino}`;
      if (seen.has(key)) continue;
      seen.add(key);
    }
    total += info.blocks * BLOCK_BYTES;
    if (entry.isDirectory()) total += await measure(child, seen);
  }
  return total;
}
