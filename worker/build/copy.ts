// COPY and ADD as a stream of archive entries: which sources, under which names, with which owner
// and mode. The entries come from tswarm-layer (which reads a tree with all its attributes), are
// renamed here, and go into the root file system through tswarm-layer again, so that links there
// lead inside. The same stream, hashed without times, is the cache key. Follows Docker's rules for
// destinations.
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { Dockerignore } from '#protocol/dockerignore';
import { TswarmError } from '#protocol/errors';
import type { LayerTool } from '../images/layer-tool.ts';
import type { TarHeader } from '../images/tar/format.ts';
import { bytesOfName } from '../images/tar/names.ts';
import { readTar } from '../images/tar/reader.ts';
import { fileMember, simpleHeader, type TarMember } from '../images/tar/writer.ts';
import { expandGlob, hasWildcards } from './glob.ts';
import type { ModeChange } from './mode.ts';
import type { RootView } from './root-view.ts';

/** A COPY or ADD with variables put in. */
export interface CopySpec {
  readonly keyword: 'COPY' | 'ADD';
  readonly sources: readonly string[];
  /** Absolute; a trailing slash says that it is a folder. */
  readonly destination: string;
  readonly excludes: readonly string[];
  /** As written, and what it does; undefined = as the sources have it. */
  readonly mode: { readonly text: string; readonly change: ModeChange } | undefined;
  /** Contents given in the Dockerfile: file name → text. */
  readonly inline: ReadonlyMap<string, string>;
  /** ADD of this URL: `sources` is the name of the file that it became. */
  readonly url: string;
  /** Sources keep their folders below the destination. */
  readonly keepsParents: boolean;
  /** Where the sources come from, for messages. */
  readonly where: string;
}

/** One source found. */
export interface CopySource {
  /** Absolute in the view, without links. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly name: string;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** @throws TswarmError `invalid_argument` when a source does not exist, with Docker's text */
export async function findSources(view: RootView, spec: CopySpec): Promise<readonly CopySource[]> {
  const found: CopySource[] = [];
  for (const source of spec.sources) {
    if (spec.inline.has(source)) continue;
    if (posix.normalize(source).startsWith('..')) {
      throw failed(spec, `forbidden path outside the build context: ${source} ()`);
    }
    const paths = hasWildcards(source) ? await expandGlob(view, source) : [posix.join('/', source)];
    if (paths.length === 0) {
      const hint = 'Nothing has such a name. Of names that may be missing, give a folder instead.';
      throw failed(spec, `no source files were specified: ${source}`, hint);
    }
    for (const path of paths) {
      const resolved = await view.resolve(path);
      if (resolved.info === undefined) {
        throw failed(spec, `file not found in ${spec.where}: stat ${source}: file does not exist`);
      }
      const isFolder = resolved.info.isDirectory();
      const name = spec.keepsParents ? nameBelow(source, path) : posix.basename(path);
      found.push({ path: resolved.path, isFolder, name });
    }
  }
  const count = found.length + spec.inline.size;
  if (count > 1 && !spec.destination.endsWith('/')) {
    throw failed(
      spec,
      'When using COPY with more than one source file, the destination must be a directory and end with a /',
    );
  }
  return found;
}

/** Path that a source keeps with --parents: all of it, or what follows `/./`. */
function nameBelow(source: string, path: string): string {
  const pivot = source.indexOf('/./');
  const top = pivot < 0 ? '/' : posix.join('/', source.slice(0, pivot));
  return posix.relative(top, path);
}

/**
 * Content of the sources for the cache key: names, kinds, modes, links, attributes, data; not
 * times.
 */
export async function hashSources(
  view: RootView,
  sources: readonly CopySource[],
  spec: CopySpec,
  tool: LayerTool,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) {
    const isNamed = spec.keepsParents || !source.isFolder;
    hash.update(JSON.stringify([source.isFolder, isNamed ? source.name : '']));
    for await (const { header, data } of entriesOf(view, source, spec, tool, signal)) {
      const { name, kind, mode, linkName, size, deviceMajor, deviceMinor } = header;
      hash.update(JSON.stringify([name, kind, mode, linkName, size, deviceMajor, deviceMinor]));
      for (const [key, value] of header.records) hash.update(`${key}\0`).update(value);
      for await (const chunk of data) hash.update(chunk);
    }
  }
  for (const [name, text] of spec.inline) hash.update(JSON.stringify([name, text]));
  return hash.digest('hex');
}

/** The entries that put the sources into `target`. */
export async function* copyMembers(
  view: RootView,
  sources: readonly CopySource[],
  spec: CopySpec,
  target: RootView,
  deps: { readonly tool: LayerTool; readonly owner: Owner; readonly signal: AbortSignal },
): AsyncGenerator<TarMember> {
  const place = await placeOf(sources, spec, target);
  const made = new Set<string>();
  const owned = (header: TarHeader): TarHeader => ({ ...header, ...deps.owner });
  for (const name of place.missing)
    yield { header: owned(simpleHeader(name, 'dir', 0, nowSeconds())) };
  for (const source of sources) {
    const own = posix.join(place.folder, source.name);
    const base = source.isFolder && !spec.keepsParents ? place.folder : (place.file ?? own);
    if (spec.keepsParents) {
      for (const name of await missingFolders(target, posix.dirname(own))) {
        if (!made.has(name)) yield { header: owned(simpleHeader(name, 'dir', 0, nowSeconds())) };
        made.add(name);
      }
    }
    for await (const entry of entriesOf(view, source, spec, deps.tool, deps.signal)) {
      const rename = (name: string): string => (source.isFolder ? posix.join(base, name) : base);
      const name = rename(entry.header.name).slice(1);
      if (entry.header.kind === 'dir' && (await isLinkToFolder(target, name))) continue;
      const { kind } = entry.header;
      const linkName =
        kind === 'link' ? rename(entry.header.linkName).slice(1) : entry.header.linkName;
      const mode = modeOf(spec, entry.header.mode & 0o7777, kind === 'dir');
      yield { header: owned({ ...entry.header, name, linkName, mode }), data: entry.data };
    }
  }
  for (const [name, text] of spec.inline) {
    const path = place.file ?? posix.join(place.folder, name);
    const { header, data } = fileMember(path.slice(1), text);
    const mode = modeOf(spec, 0o644, false);
    yield { header: owned({ ...header, mode, mtime: String(nowSeconds()) }), data };
  }
}

function modeOf({ mode }: CopySpec, own: number, isFolder: boolean): number {
  return mode?.change(own, isFolder) ?? own;
}

interface Place {
  /** Folder that things go into. */
  readonly folder: string;
  /** Full path of a single file; undefined when it goes into `folder` under its own name. */
  readonly file: string | undefined;
  /** Folders to be made, without leading slash, outermost first. */
  readonly missing: readonly string[];
}

async function placeOf(
  sources: readonly CopySource[],
  spec: CopySpec,
  target: RootView,
): Promise<Place> {
  const destination = posix.normalize(spec.destination).replace(/(?<=.)\/$/, '');
  const { info, path } = await target.resolve(destination);
  const isFolder =
    spec.destination.endsWith('/') ||
    spec.keepsParents ||
    info?.isDirectory() === true ||
    sources.some((source) => source.isFolder) ||
    sources.length + spec.inline.size > 1;
  if (isFolder && info !== undefined && !info.isDirectory()) {
    throw failed(spec, `cannot copy to non-directory: ${destination}`);
  }
  // A single file goes where a link at its place leads, be that there or not.
  const file = isFolder ? destination : path;
  const folder = isFolder ? destination : posix.dirname(file);
  return {
    folder,
    file: isFolder ? undefined : file,
    missing: await missingFolders(target, folder),
  };
}

/** Folders of a path that are not there yet, without leading slash, outermost first. */
export async function missingFolders(target: RootView, folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (let at = folder; at !== '/'; at = posix.dirname(at)) {
    const { info } = await target.resolve(at);
    if (info !== undefined) break;
    names.unshift(at.slice(1));
  }
  return names;
}

/**
 * A folder that is brought where the root file system has a link to a folder (/bin → usr/bin) goes
 * through the link.
 */
async function isLinkToFolder(target: RootView, name: string): Promise<boolean> {
  const own = await target.resolve(name, true);
  if (own.info?.isSymbolicLink() !== true) return false;
  return (await target.resolve(name)).info?.isDirectory() === true;
}

async function* entriesOf(
  view: RootView,
  source: CopySource,
  spec: CopySpec,
  tool: LayerTool,
  signal: AbortSignal,
): AsyncGenerator<{ readonly header: TarHeader; readonly data: AsyncIterable<Uint8Array> }> {
  const rules = new Dockerignore(spec.excludes.join('\n'));
  const top = source.isFolder ? '/' : source.name;
  const path = bytesOfName(source.path).toString();
  for await (const entry of readTar(tool.tar(view.dir, path, top, signal))) {
    const isOut = spec.excludes.length > 0 && rules.ignores(entry.header.name);
    if (!isOut) yield entry;
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function failed(spec: CopySpec, message: string, hint?: string): TswarmError {
  return new TswarmError('invalid_argument', `${spec.keyword} failed: ${message}`, {
    ...(hint ? { hint } : {}),
  });
}
