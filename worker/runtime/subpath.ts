// A part of a volume or of an image that is mounted alone. What is in there is written by others: a symbolic link on the way must not lead to the
// host's own files. So the path is followed, and has to end where it began.
import { realpath } from 'node:fs/promises';
import { posix } from 'node:path';
import { TswarmError } from '#protocol/errors';

/** @throws invalid_argument unless `subpath` is relative and stays below */
export function checkSubpath(subpath: string, type: string): void {
  if (!subpath.startsWith('/') && !subpath.split('/').includes('..')) return;
  const field = `HostConfig.Mounts.${type === 'image' ? 'Image' : 'Volume'}Options.Subpath`;
  const reason = 'must be a relative path without ".."';
  const message = `invalid mount config for type "${type}": subpath "${subpath}" ${reason}`;
  throw new TswarmError('invalid_argument', message, { field });
}

/** Path on the host of `subpath` in `root`; '' = all of it. @throws invalid_argument when it is not there or leads outside */
export async function insideOf(root: string, subpath: string, type: string): Promise<string> {
  if (subpath === '') return root;
  const wrong = (reason: string): TswarmError =>
    new TswarmError(
      'invalid_argument',
      `cannot access path ${subpath} of the mounted ${type}: ${reason}`,
      { field: 'HostConfig.Mounts' },
    );
  const top = await realpath(root);
  const path = await realpath(posix.join(root, subpath)).catch(() => undefined);
  if (path === undefined) throw wrong('no such file or directory');
  if (path === top || path.startsWith(`${top}/`)) return path;
  throw wrong('a symbolic link leads out of it');
}
