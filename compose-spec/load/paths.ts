// POSIX paths as text: join, folder, clean. And which fields of a compose file are paths: those are
// made absolute against the folder that counts for the file they come from (compose.md §2.6).

import type { ComposeFiles } from './files.ts';
import type { Node, Path } from './tree.ts';
import { child, childString, PathTable, stringNode, withEntry } from './tree.ts';
import { isWindowsAbsolute } from './volumes.ts';

/** `path` without `.`, `..` and doubled slashes. */
export function cleanPath(path: string): string {
  const absolute = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !absolute) parts.push(part);
  }
  const joined = parts.join('/');
  if (absolute) return `/${joined}`;
  return joined === '' ? '.' : joined;
}

/** `path` seen from folder `base`; an absolute path stays as it is. */
export function resolvePath(base: string, path: string): string {
  return path.startsWith('/') ? path : cleanPath(`${base}/${path}`);
}

/** Folder of `path`. */
export function dirName(path: string): string {
  const slash = path.lastIndexOf('/');
  if (slash === -1) return '.';
  return slash === 0 ? '/' : path.slice(0, slash);
}

/** Last part of `path`. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether `reference` names something that is not on this machine. */
export function isRemote(reference: string): boolean {
  return (
    reference.includes('://') || reference.startsWith('git@') || reference.startsWith('github.com/')
  );
}

/** What is needed to make paths absolute. */
export interface PathContext {
  /** Absolute folder that relative paths start from. */
  readonly baseDir: string;
  /** For `~`. */
  readonly homeDir: string | undefined;
  readonly files: ComposeFiles;
}

type Resolver = (node: Node, context: PathContext) => Node;

const RESOLVERS = new PathTable<Resolver>({
  'services.*.build.additional_contexts.*': onText(contextPath),
  'services.*.build.context': onText(contextPath),
  'services.*.develop.watch.*.path': onText(linkedPath),
  'services.*.env_file.*.path': onText(filePath),
  'services.*.extends.file': onText(filePath),
  'services.*.label_file.*': onText(filePath),
  'services.*.volumes.*': bindSource,
  'configs.*.file': onText(hostPath),
  'secrets.*.file': onText(hostPath),
  'volumes.*': localDevice,
});

/** The tree with every path in it absolute. */
export function resolvePaths(node: Node, context: PathContext, path: Path = []): Node {
  const resolver = node.kind === 'bad' ? undefined : RESOLVERS.get(path);
  if (resolver !== undefined) return resolver(node, context);
  if (node.kind === 'map') {
    let changed = false;
    const entries = new Map(node.entries);
    for (const [key, entry] of node.entries) {
      const value = resolvePaths(entry.value, context, [...path, key]);
      if (value === entry.value) continue;
      changed = true;
      entries.set(key, { ...entry, value });
    }
    return changed ? { ...node, entries } : node;
  }
  if (node.kind === 'seq') {
    return {
      ...node,
      items: node.items.map((item, i) => resolvePaths(item, context, [...path, i])),
    };
  }
  return node;
}

function onText(resolve: (text: string, context: PathContext) => string): Resolver {
  return (node, context) => {
    if (node.kind !== 'scalar' || typeof node.value !== 'string') return node;
    return stringNode(resolve(node.value, context), node.at);
  };
}

function expandHome(path: string, context: PathContext): string {
  if (context.homeDir === undefined || !/^~(\/|$)/.test(path)) return path;
  return cleanPath(`${context.homeDir}/${path.slice(1)}`);
}

function filePath(path: string, context: PathContext): string {
  return resolvePath(context.baseDir, expandHome(path, context));
}

/** As {@link filePath}, but a path of Windows stays what it is. */
function hostPath(path: string, context: PathContext): string {
  const expanded = expandHome(path, context);
  return isWindowsAbsolute(expanded) ? expanded : resolvePath(context.baseDir, expanded);
}

function contextPath(path: string, context: PathContext): string {
  return isRemote(path) || path.startsWith('service:') ? path : filePath(path, context);
}

/** Watched files are compared with what the system reports, which knows no links. */
function linkedPath(path: string, context: PathContext): string {
  const absolute = filePath(path, context);
  return context.files.realpath(absolute) ?? absolute;
}

function bindSource(node: Node, context: PathContext): Node {
  const source = child(node, 'source');
  if (node.kind !== 'map' || childString(node, 'type') !== 'bind' || source === undefined)
    return node;
  return withEntry(node, 'source', onText(hostPath)(source, context));
}

/** A local volume that is a bind mount in disguise: `o: bind` with a `device`. */
function localDevice(node: Node, context: PathContext): Node {
  const options = child(node, 'driver_opts');
  const device = child(options, 'device');
  const driver = childString(node, 'driver');
  if (node.kind !== 'map' || options?.kind !== 'map' || device === undefined) return node;
  if (driver !== undefined && driver !== '' && driver !== 'local') return node;
  if (childString(options, 'o') !== 'bind') return node;
  const resolved = withEntry(options, 'device', onText(hostPath)(device, context));
  return withEntry(node, 'driver_opts', resolved);
}
