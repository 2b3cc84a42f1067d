// A backup on its way from a client to the manager: written to a file that only the manager's user may read, and removed whatever happens.
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chown, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { User } from './manager-user.ts';

/** Runs `use` with the path of a file that holds `data`. */
export async function withSpoolFile<T>(
  folder: string,
  data: AsyncIterable<Uint8Array>,
  reader: User | undefined,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(folder, `restore-${randomBytes(8).toString('hex')}`);
  try {
    await pipeline(data, createWriteStream(path, { mode: 0o600, flags: 'wx' }));
    if (reader) await chown(path, reader.uid, reader.gid);
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}
