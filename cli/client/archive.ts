// Files of this machine as a tar stream, and a tar stream as files: what `cp` sends and receives. Unpacking never leaves its folder, whatever the
// archive says: names with `..`, and ways through symbolic links that it brings along, are refused.
import { createReadStream, createWriteStream } from 'node:fs';
import { link, lstat, mkdir, readdir, readlink, rm, stat, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { TswarmError } from '#protocol/errors';

export interface PackOptions {
  /** Name of the first entry. */
  readonly name: string;
  /** The path itself, if it is a symbolic link, is what it leads to. */
  readonly followLink: boolean;
  /** Else everything is root's. */
  readonly keepOwners: boolean;
}

/** The file or folder as a tar stream. */
export function packPath(path: string, options: PackOptions): Readable {
  return packed((pack) => addPath(pack, path, options));
}

/** Files under the names that they are to have, owned by root. */
export function packFiles(
  files: readonly { readonly path: string; readonly name: string }[],
): Readable {
  return packed(async (pack) => {
    for (const { path, name } of files)
      await addPath(pack, path, { name, followLink: false, keepOwners: false });
  });
}

function packed(fill: (pack: tar.Pack) => Promise<void>): Readable {
  const pack = tar.pack();
  fill(pack).then(
    () => pack.finalize(),
    (error: Error) => pack.destroy(error),
  );
  return pack as unknown as Readable;
}

async function addPath(pack: tar.Pack, path: string, options: PackOptions): Promise<void> {
  const { name, followLink, keepOwners } = options;
  const info = followLink ? await stat(path) : await lstat(path);
  const { uid, gid } = keepOwners ? info : { uid: 0, gid: 0 };
  const common = { name, mode: info.mode & 0o7777, uid, gid, mtime: info.mtime };
  if (info.isDirectory()) {
    pack.entry({ ...common, name: `${name}/`, type: 'directory' });
    for (const child of (await readdir(path)).sort()) {
      const below = { name: `${name}/${child}`, followLink: false, keepOwners };
      await addPath(pack, join(path, child), below);
    }
  } else if (info.isSymbolicLink()) {
    pack.entry({ ...common, type: 'symlink', linkname: await readlink(path) });
  } else if (info.isFile()) {
    const entry = pack.entry({ ...common, size: info.size });
    if (info.size === 0) entry.end('');
    // A file that grows while it is read must not break the archive.
    else await pipeline(createReadStream(path, { end: info.size - 1 }), entry);
  }
}

/** Writes the entries of a tar stream below `folder`, the first component of each name replaced by `name` ('' = the folder itself); of a whole root file system
 * (`isRoot`), whose names have no such component, all of it below `name`. */
export async function unpackTo(
  source: Readable,
  folder: string,
  name: string,
  isRoot = false,
): Promise<void> {
  const extract = tar.extract();
  const done = pipeline(source, extract);
  // The loop meets the same error, or one of its own, and throws it.
  done.catch(() => {});
  const partsOf = (inArchive: string): readonly string[] => {
    const names = inArchive.split('/').filter((part) => part !== '' && part !== '.');
    const parts = [...(name === '' ? [] : [name]), ...(isRoot ? names : names.slice(1))];
    if (!parts.includes('..')) return parts;
    throw new TswarmError('invalid_argument', `the archive leaves its folder: ${inArchive}`);
  };
  for await (const entry of extract) {
    const { type, name: own, linkname } = entry.header;
    const parts = partsOf(own);
    if (type === 'link') {
      await linkEntry(folder, parts, partsOf(linkname ?? ''));
      entry.resume();
    } else {
      await writeEntry(entry, folder, parts);
    }
  }
  await done;
}

/** A second name for a file that has come before. */
async function linkEntry(
  folder: string,
  parts: readonly string[],
  target: readonly string[],
): Promise<void> {
  await checkParents(folder, parts.slice(0, -1));
  await checkParents(folder, target);
  const path = join(folder, ...parts);
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await link(join(folder, ...target), path);
}

type Entry = tar.Extract extends AsyncIterable<infer T> ? T : never;

async function writeEntry(entry: Entry, folder: string, parts: readonly string[]): Promise<void> {
  const { type, mode = 0o644, mtime = new Date(), linkname } = entry.header;
  const path = join(folder, ...parts);
  await checkParents(folder, parts.slice(0, -1));
  if (type === 'directory') {
    await mkdir(path, { recursive: true, mode });
  } else if (type === 'symlink') {
    await rm(path, { force: true });
    await symlink(linkname ?? '', path);
  } else if (type === 'file' || type === 'contiguous-file') {
    await mkdir(dirname(path), { recursive: true });
    // Not through a link that is there already.
    if ((await lstat(path).catch(() => undefined))?.isSymbolicLink()) await rm(path);
    await pipeline(entry, createWriteStream(path, { mode }));
    await utimes(path, mtime, mtime);
    return;
  } else {
    process.stderr.write(`Note: ${parts.join('/')} is left out: a ${KINDS[type ?? ''] ?? type}\n`);
  }
  entry.resume();
}

/** What only root could make, and nobody means by copying a folder. */
const KINDS: Readonly<Record<string, string>> = {
  'character-device': 'device',
  'block-device': 'device',
  fifo: 'pipe',
};

/** @throws TswarmError for a component that is a symbolic link */
async function checkParents(folder: string, parents: readonly string[]): Promise<void> {
  let path = folder;
  for (const part of parents) {
    path = join(path, part);
    if ((await lstat(path).catch(() => undefined))?.isSymbolicLink())
      throw new TswarmError(
        'invalid_argument',
        `${path} is a symbolic link: nothing is written through it`,
      );
  }
}
