// The file that holds this manager's data encryption keys: `raft-key.json`, mode 0600, replaced as
// a whole (temporary file, sync, rename, sync of the folder). Old keys stay until no segment and no
// snapshot uses them. What is in it, and how it is locked: key-format.ts.
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { unreadable } from './key-format.ts';
import type { KeyPlace } from './key-vault.ts';
import { syncFolder } from './node-disk.ts';

/** The key file at `path`, for a vault. */
export function keyFileAt(path: string): KeyPlace {
  return {
    path,
    read: () => (existsSync(path) ? textOf(path) : null),
    replace: (content) => replaceFile(path, content),
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Writes `path` so that after a crash either the old or the new content is there, whole. */
function replaceFile(path: string, content: Uint8Array): void {
  const temporary = `${path}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    let done = 0;
    while (done < content.length) done += writeSync(fd, content, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}
