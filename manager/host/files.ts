// Files of the manager's data folder: written to a temporary name, synced, renamed, and the folder
// synced, so that after a crash there is the old file or the new one, never a part.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { isDiskFull } from './raft/thread-errors.ts';

/** Replaces a file. `mode` is that of the new file. */
export function writeFileAtomic(path: string, data: string | Uint8Array, mode: number): void {
  const temporary = `${path}.new`;
  try {
    writeDurable(temporary, data, mode);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new TswarmError('no_space', `cannot write ${path}: no space left on device`, {
      cause: error,
      hint: 'Free some space on the file system of that folder and try again.',
    });
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

function writeDurable(path: string, data: string | Uint8Array, mode: number): void {
  const file = openSync(path, 'w', mode);
  try {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    let done = 0;
    while (done < bytes.length) done += writeSync(file, bytes, done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes a renamed or new entry of a folder durable. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Creates a private folder with its parents. */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** The text of a file; undefined when there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
