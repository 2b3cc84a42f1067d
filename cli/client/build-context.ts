// A build context as a tar stream: the folder less what .dockerignore leaves out; the Dockerfile always goes along. Owners are dropped and
// times kept, as docker sends them. Reads files only while the far side takes the stream.
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { Dockerignore } from '#protocol/dockerignore';
import { TswarmError } from '#protocol/errors';

export interface BuildContext {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Name of the Dockerfile inside the context. */
  readonly dockerfile: string;
}

/** Name under which a Dockerfile from outside the context (or an inline one) travels. */
const FOREIGN_DOCKERFILE = '.dockerfile.tswarm';

export interface ContextOptions {
  readonly folder: string;
  /** Path of the Dockerfile, absolute or relative to the folder. */
  readonly dockerfile: string;
  /** Text of the Dockerfile instead of a file. */
  readonly inline: string | undefined;
}

/** @throws TswarmError not_found when folder or Dockerfile are missing. */
export function buildContext(options: ContextOptions): BuildContext {
  const { folder, inline } = options;
  if (!existsSync(folder)) {
    throw new TswarmError('not_found', `build context ${folder} does not exist`);
  }
  const path = resolve(folder, options.dockerfile);
  const inside = relative(folder, path);
  const foreign = inline !== undefined || inside.startsWith('..');
  if (inline === undefined && !existsSync(path)) {
    throw new TswarmError('not_found', `failed to read dockerfile: ${path} does not exist`);
  }
  const text = inline ?? (foreign ? readFileSync(path, 'utf8') : undefined);
  const ignore = new Dockerignore(ignoreText(folder, path));
  const pack = tar.pack();
  const name = foreign ? FOREIGN_DOCKERFILE : inside;
  void fill(pack, folder, ignore, { name, text }).catch((error: Error) => pack.destroy(error));
  return { stream: pack as unknown as AsyncIterable<Uint8Array>, dockerfile: name };
}

/** `<Dockerfile>.dockerignore` beside the Dockerfile counts before the context's own. */
function ignoreText(folder: string, dockerfile: string): string {
  for (const candidate of [`${dockerfile}.dockerignore`, join(folder, '.dockerignore')]) {
    if (existsSync(candidate)) return readFileSync(candidate, 'utf8');
  }
  return '';
}

interface Dockerfile {
  readonly name: string;
  readonly text: string | undefined;
}

async function fill(
  pack: tar.Pack,
  folder: string,
  ignore: Dockerignore,
  dockerfile: Dockerfile,
): Promise<void> {
  if (dockerfile.text !== undefined)
    pack.entry({ name: dockerfile.name, mode: 0o644 }, dockerfile.text);
  await addFolder(pack, folder, '', ignore, dockerfile.text === undefined ? dockerfile.name : '');
  pack.finalize();
}

async function addFolder(
  pack: tar.Pack,
  folder: string,
  below: string,
  ignore: Dockerignore,
  always: string,
): Promise<void> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    const ignored = ignore.ignores(path) && path !== always && path !== '.dockerignore';
    if (entry.isDirectory()) {
      const descend = !ignored || always.startsWith(`${path}/`) || ignore.mayTakeBackBelow(path);
      if (!ignored) await addEntry(pack, folder, path);
      if (descend) await addFolder(pack, folder, path, ignore, always);
    } else if (!ignored) {
      await addEntry(pack, folder, path);
    }
  }
}

async function addEntry(pack: tar.Pack, folder: string, path: string): Promise<void> {
  const full = join(folder, path);
  const info = await lstat(full);
  const common = { name: path, mode: info.mode & 0o7777, mtime: info.mtime, uid: 0, gid: 0 };
  if (info.isDirectory()) {
    pack.entry({ ...common, name: `${path}/`, type: 'directory' });
  } else if (info.isSymbolicLink()) {
    pack.entry({ ...common, type: 'symlink', linkname: await readlink(full) });
  } else if (info.isFile()) {
    const entry = pack.entry({ ...common, size: info.size });
    // A file that grows while it is read must not break the archive.
    await pipeline(createReadStream(full, { start: 0, end: Math.max(0, info.size - 1) }), entry);
  }
}
