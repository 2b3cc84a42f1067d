// `include`: other compose projects as parts of this one (compose.md §2.6). Each entry is loaded with
// its own folder and its own `.env`; what it defines comes under what is defined here, so that this
// file can adjust it.

import { addEnvFiles } from './environment.ts';
import { type LayerContext, loadLayer } from './layer.ts';
import { INCLUDE_DEPTH_MAX } from './limits.ts';
import { mergeTrees } from './merge.ts';
import { dirName, isRemote, resolvePath } from './paths.ts';
import type { StringMap } from './project.ts';
import type { Entry, MapNode, Node } from './tree.ts';
import { child, childString, isNull, mapNode, withEntry, withoutEntry } from './tree.ts';

const IMPORTED = ['services', 'volumes', 'networks', 'secrets', 'configs', 'models'] as const;

interface IncludeEntry {
  readonly at: Node;
  readonly path: string;
  readonly files: readonly string[];
  readonly projectDirectory: string | undefined;
  readonly envFiles: readonly string[];
}

/** The document with what it includes merged under it. */
export function applyIncludes(root: Node, path: string, context: LayerContext): Node {
  const include = child(root, 'include');
  if (root.kind !== 'map' || include === undefined) return root;
  if (isNull(include)) return withoutEntry(root, 'include');
  // A shape that makes no sense stays, for the schema to say so.
  if (include.kind !== 'seq') return root;
  const entries: IncludeEntry[] = [];
  for (const [index, item] of include.items.entries()) {
    const entry = readEntry(item, `include.${index}`);
    if (entry === undefined && item.kind !== 'bad') return root;
    if (entry !== undefined) entries.push(entry);
  }
  let tree = withoutEntry(root, 'include');
  for (const entry of entries) {
    const included = loadEntry(entry, path, context);
    if (included !== undefined) tree = importInto(tree, included, context);
  }
  return tree;
}

function readEntry(item: Node, path: string): IncludeEntry | undefined {
  if (item.kind === 'scalar' && typeof item.value === 'string') {
    return { at: item, path, files: [item.value], projectDirectory: undefined, envFiles: [] };
  }
  const files = texts(child(item, 'path'));
  if (item.kind !== 'map' || files === undefined || files.length === 0) return undefined;
  const envFile = child(item, 'env_file');
  const envFiles = envFile === undefined || isNull(envFile) ? [] : texts(envFile);
  if (envFiles === undefined) return undefined;
  const projectDirectory = childString(item, 'project_directory');
  return { at: item, path, files, projectDirectory, envFiles };
}

function texts(node: Node | undefined): string[] | undefined {
  const items = node?.kind === 'seq' ? node.items : node === undefined ? [] : [node];
  const result: string[] = [];
  for (const item of items) {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') return undefined;
    result.push(item.value);
  }
  return result;
}

function loadEntry(entry: IncludeEntry, from: string, context: LayerContext): Node | undefined {
  const { diagnostics } = context;
  const asker = { at: entry.at.at, path: entry.path };
  const remote = entry.files.find(isRemote);
  if (remote !== undefined) {
    diagnostics.error('unsupported', `include: ${remote}: remote files are not supported`, {
      ...asker,
      hint: 'download the project and name its path',
    });
    return undefined;
  }
  const files = entry.files.map((file) => resolvePath(context.baseDir, file));
  const main = files[0] ?? '';
  const including = [...context.including, from];
  if (including.includes(main)) {
    const [first, ...rest] = [...including, main];
    const message = `include cycle detected:\n${first}\n include ${rest.join('\n include ')}`;
    diagnostics.error('cycle', message, asker);
    return undefined;
  }
  if (including.length > INCLUDE_DEPTH_MAX) {
    diagnostics.error('cycle', `include: more than ${INCLUDE_DEPTH_MAX} levels deep`, asker);
    return undefined;
  }
  const { projectDirectory } = entry;
  const baseDir =
    projectDirectory === undefined || projectDirectory === ''
      ? dirName(main)
      : resolvePath(context.baseDir, projectDirectory);
  const before = diagnostics.errors.length;
  const variables = entryVariables(entry, baseDir, context);
  // Without its variables the project would only be a source of warnings.
  if (diagnostics.errors.length > before) return undefined;
  return loadLayer(
    files,
    { ...context, skipPathResolution: false, baseDir, variables, including },
    asker,
  );
}

/** Variables of the included project: the outer ones over those of its env files. */
function entryVariables(entry: IncludeEntry, baseDir: string, context: LayerContext): StringMap {
  const { reader, diagnostics, variables } = context;
  const asker = { at: entry.at.at, path: entry.path };
  if (entry.envFiles.length === 0) {
    const implicit = resolvePath(baseDir, '.env');
    if (!reader.files.isFile(implicit)) return variables;
    return addEnvFiles(variables, [implicit], reader, diagnostics, asker);
  }
  const paths: string[] = [];
  for (const file of entry.envFiles) {
    const path = resolvePath(context.baseDir, file);
    if (path === '/dev/null' || reader.files.isFile(path)) paths.push(path);
    else if (reader.files.isDirectory(path)) {
      diagnostics.error('file', `${path} is not a file`, asker);
    } else diagnostics.error('file', `stat ${path}: no such file or directory`, asker);
  }
  return addEnvFiles(variables, paths, reader, diagnostics, asker);
}

function importInto(local: MapNode, included: Node, context: LayerContext): MapNode {
  let tree = local;
  for (const section of IMPORTED) {
    const from = child(included, section);
    if (from?.kind !== 'map') continue;
    const existing = child(tree, section);
    const to = existing === undefined || isNull(existing) ? mapNode([], from.at) : existing;
    if (to.kind !== 'map') continue;
    const entries = new Map<string, Entry>(from.entries);
    for (const [name, entry] of to.entries) {
      const base = from.entries.get(name)?.value;
      const value =
        base === undefined
          ? entry.value
          : mergeTrees(base, entry.value, [section, name], context.diagnostics);
      entries.set(name, { ...entry, value });
    }
    tree = withEntry(tree, section, { ...to, entries });
  }
  return tree;
}
