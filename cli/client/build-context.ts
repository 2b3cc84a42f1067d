// A build context as a tar stream, and the arguments of a build: the folder less what .dockerignore leaves out; the Dockerfile always goes along. Owners are dropped and
// times kept, as docker sends them. Reads files only while the far side takes the stream.
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { Dockerignore } from '#protocol/dockerignore';
import { BUILD_CONTEXTS_FOLDER, FOREIGN_DOCKERFILE } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';

export interface BuildContext {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Name of the Dockerfile inside the context. */
  readonly dockerfile: string;
}

export interface ContextOptions {
  readonly folder: string;
  /** Path of the Dockerfile, absolute or relative to the folder. */
  readonly dockerfile: string;
  /** Text of the Dockerfile instead of a file. */
  readonly inline: string | undefined;
  /** Further folders that go along, by the name under which the Dockerfile knows them. */
  readonly more?: Readonly<Record<string, string>>;
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
  const own = ownIgnoreFile(path);
  const ownText = foreign && own !== undefined ? readFileSync(own, 'utf8') : undefined;
  const { more = {} } = options;
  for (const [key, path] of Object.entries(more)) {
    if (existsSync(path)) continue;
    throw new TswarmError('not_found', `build context ${key}: ${path} does not exist`);
  }
  const filled = fillMore(pack, more).then(() =>
    fill(pack, folder, ignore, { name, text, ignoreText: ownText }),
  );
  void filled.catch((error: Error) => pack.destroy(error));
  return { stream: pack as unknown as AsyncIterable<Uint8Array>, dockerfile: name };
}

/** What goes along with a context that the node fetches from a URL. */
export function besideRemote(options: Omit<ContextOptions, 'folder'>): BuildContext {
  const { inline, more = {} } = options;
  const pack = tar.pack();
  if (inline !== undefined) pack.entry({ name: FOREIGN_DOCKERFILE, mode: 0o644 }, inline);
  const filled = fillMore(pack, more).then(() => pack.finalize());
  void filled.catch((error: Error) => pack.destroy(error));
  const dockerfile = inline === undefined ? options.dockerfile : FOREIGN_DOCKERFILE;
  return { stream: pack as unknown as AsyncIterable<Uint8Array>, dockerfile };
}

/** A context that is not here, but at a URL. */
export function isRemoteContext(context: string): boolean {
  return /^https?:\/\//i.test(context);
}

/** Enough for the mark of a tar archive. */
const HEAD_BYTES = 512;

/** First bytes of gzip, bzip2, xz and zstd. */
const COMPRESSED: readonly string[] = ['1f8b', '425a68', 'fd377a58', '28b52ffd'];

/** What is piped in: an archive (also a compressed one) goes on as it is, anything else is a Dockerfile without files beside it. */
export async function pipedContext(
  input: AsyncIterable<Uint8Array>,
  dockerfile: string,
): Promise<BuildContext> {
  const chunks = input[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array();
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    head = Buffer.concat([head, next.value]);
    if (head.length >= HEAD_BYTES) break;
  }
  const stream = prefixed(head, { [Symbol.asyncIterator]: () => chunks });
  if (isArchive(head)) return { stream, dockerfile };
  const texts: Uint8Array[] = [];
  for await (const chunk of stream) texts.push(chunk);
  const pack = tar.pack();
  pack.entry({ name: FOREIGN_DOCKERFILE, mode: 0o644 }, Buffer.concat(texts));
  pack.finalize();
  const packed = pack as unknown as AsyncIterable<Uint8Array>;
  return { stream: packed, dockerfile: FOREIGN_DOCKERFILE };
}

/** A stream after some bytes. */
export async function* prefixed(
  head: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield head;
  yield* rest;
}

function isArchive(head: Uint8Array): boolean {
  const bytes = Buffer.from(head);
  if (bytes.subarray(257, 262).toString('latin1') === 'ustar') return true;
  return COMPRESSED.some((mark) => bytes.subarray(0, mark.length / 2).toString('hex') === mark);
}

/** KEY=VALUE; a bare KEY takes its value from the environment, and is left out when that has none. */
export function buildArguments(
  words: readonly string[] | undefined,
  environment: NodeJS.ProcessEnv,
): Readonly<Record<string, string>> {
  const args: Record<string, string> = {};
  for (const word of words ?? []) {
    const at = word.indexOf('=');
    const value = at < 0 ? environment[word] : word.slice(at + 1);
    if (value !== undefined) args[at < 0 ? word : word.slice(0, at)] = value;
  }
  return args;
}

/** `<Dockerfile>.dockerignore` beside the Dockerfile counts before the context's own. */
function ignoreText(folder: string, dockerfile: string): string {
  const file = ownIgnoreFile(dockerfile) ?? join(folder, '.dockerignore');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function ownIgnoreFile(dockerfile: string): string | undefined {
  const file = `${dockerfile}.dockerignore`;
  return existsSync(file) ? file : undefined;
}

interface Dockerfile {
  readonly name: string;
  /** Of one that is no file of the context. */
  readonly text: string | undefined;
  /** Of the ignore file that such a one has for itself. */
  readonly ignoreText: string | undefined;
}

async function fill(
  pack: tar.Pack,
  folder: string,
  ignore: Dockerignore,
  dockerfile: Dockerfile,
): Promise<void> {
  const { name, text } = dockerfile;
  if (text !== undefined) pack.entry({ name, mode: 0o644 }, text);
  if (dockerfile.ignoreText !== undefined)
    pack.entry({ name: `${name}.dockerignore`, mode: 0o644 }, dockerfile.ignoreText);
  // The builder goes by the same rules, which it reads from these.
  const always =
    text === undefined ? [name, `${name}.dockerignore`, '.dockerignore'] : ['.dockerignore'];
  await addFolder(pack, folder, '', ignore, always);
  pack.finalize();
}

/** Each in its folder beside the context's own files, less what its own .dockerignore names. */
async function fillMore(pack: tar.Pack, more: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, folder] of Object.entries(more)) {
    const prefix = `${BUILD_CONTEXTS_FOLDER}/${name}/`;
    pack.entry({ name: prefix, type: 'directory', mode: 0o755 });
    const ignore = new Dockerignore(ignoreText(folder, join(folder, 'Dockerfile')));
    await addFolder(pack, folder, '', ignore, ['.dockerignore'], prefix);
  }
}

async function addFolder(
  pack: tar.Pack,
  folder: string,
  below: string,
  ignore: Dockerignore,
  always: readonly string[],
  prefix = '',
): Promise<void> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    const ignored = ignore.ignores(path) && !always.includes(path);
    if (entry.isDirectory()) {
      const holdsWanted = always.some((name) => name.startsWith(`${path}/`));
      const descend = !ignored || holdsWanted || ignore.mayTakeBackBelow(path);
      if (!ignored) await addEntry(pack, folder, path, prefix);
      if (descend) await addFolder(pack, folder, path, ignore, always, prefix);
    } else if (!ignored) {
      await addEntry(pack, folder, path, prefix);
    }
  }
}

async function addEntry(
  pack: tar.Pack,
  folder: string,
  path: string,
  prefix: string,
): Promise<void> {
  const full = join(folder, path);
  const info = await lstat(full);
  const name = `${prefix}${path}`;
  // With the bits of the kind in it, which the archive leaves out: a mode of 0 would be taken for none.
  const common = { name, mode: info.mode, mtime: info.mtime, uid: 0, gid: 0 };
  if (info.isDirectory()) {
    pack.entry({ ...common, name: `${name}/`, type: 'directory' });
  } else if (info.isSymbolicLink()) {
    pack.entry({ ...common, type: 'symlink', linkname: await readlink(full) });
  } else if (info.isFile()) {
    const entry = pack.entry({ ...common, size: info.size });
    // A file that grows while it is read must not break the archive.
    await pipeline(createReadStream(full, { start: 0, end: Math.max(0, info.size - 1) }), entry);
  }
}
