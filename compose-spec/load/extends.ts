// `extends`: a service takes what another one has, from the same file or another, under its own
// settings (compose.md §2.6). The other file is read without its includes, and not checked by
// itself: what counts is the result. Its relative paths belong to its own folder.

import { dropEmpty, toLongForms } from './canonical.ts';
import { interpolateWith, type LayerContext } from './layer.ts';
import { applyResets, mergeTrees } from './merge.ts';
import { dirName, isRemote, resolvePath, resolvePaths } from './paths.ts';
import type { MapNode, Node, Path } from './tree.ts';
import {
  child,
  childString,
  formatPath,
  isNull,
  mapNode,
  withEntry,
  withoutEntry,
} from './tree.ts';
import { keepUnique } from './unique.ts';

/** The services of one file, extended as they are asked for. */
interface Scope {
  readonly path: string;
  /** Absolute folder that `extends.file` starts from. */
  readonly baseDir: string;
  readonly resets: readonly Path[];
  readonly context: LayerContext;
  readonly services: Map<string, Node>;
  readonly done: Set<string>;
}

interface Step {
  readonly service: string;
  readonly path: string;
}

/** The document with every `extends` carried out. */
export function applyExtends(
  root: Node,
  input: {
    readonly path: string;
    readonly resets: readonly Path[];
    readonly context: LayerContext;
  },
): Node {
  const services = child(root, 'services');
  if (root.kind !== 'map' || services?.kind !== 'map') return root;
  const scope = scopeOf(services, { ...input, baseDir: input.context.baseDir });
  let changed = false;
  for (const name of services.entries.keys()) {
    const extended = extendService(name, scope, []);
    if (extended !== child(services, name)) changed = true;
  }
  if (!changed) return root;
  const entries = new Map(services.entries);
  for (const [name, entry] of services.entries) {
    entries.set(name, { ...entry, value: scope.services.get(name) ?? entry.value });
  }
  return withEntry(root, 'services', { ...services, entries });
}

function scopeOf(
  services: MapNode,
  input: Pick<Scope, 'path' | 'resets' | 'context' | 'baseDir'>,
): Scope {
  const { path, resets, context, baseDir } = input;
  const map = new Map([...services.entries].map(([name, { value }]) => [name, value]));
  return { path, resets, context, baseDir, services: map, done: new Set() };
}

function extendService(name: string, scope: Scope, trail: readonly Step[]): Node | undefined {
  const service = scope.services.get(name);
  if (service?.kind !== 'map' || scope.done.has(name)) return service;
  const extension = child(service, 'extends');
  if (extension === undefined || extension.kind === 'bad' || isNull(extension)) return service;
  const own = withoutEntry(service, 'extends');
  const finish = (node: Node): Node => {
    scope.done.add(name);
    scope.services.set(name, node);
    return node;
  };
  const reference = readReference(extension);
  // A shape that makes no sense stays, for the schema to say so.
  if (reference === undefined) return service;
  const found = findBase(name, reference, extension, scope);
  if (found === undefined) return finish(own);
  const step: Step = { service: name, path: reference.file ?? scope.path };
  if (isCircular(step, trail, scope, extension)) return finish(own);
  const base = extendService(reference.service, found, [...trail, step]);
  if (base?.kind !== 'map') return finish(own);
  const merged = mergeTrees(
    withoutOwnResets(withoutEntry(base, 'extends'), name, scope),
    own,
    ['services', name],
    scope.context.diagnostics,
  );
  return finish(merged);
}

function readReference(
  extension: Node,
): { readonly service: string; readonly file: string | undefined } | undefined {
  if (extension.kind === 'scalar' && typeof extension.value === 'string') {
    return { service: extension.value, file: undefined };
  }
  const service = childString(extension, 'service');
  return service === undefined ? undefined : { service, file: childString(extension, 'file') };
}

/** The scope that the extended service is in. */
function findBase(
  name: string,
  reference: { readonly service: string; readonly file: string | undefined },
  at: Node,
  scope: Scope,
): Scope | undefined {
  const { diagnostics } = scope.context;
  const path = `services.${name}.extends`;
  const start = `cannot extend service ${JSON.stringify(name)} in ${scope.path}: service ${JSON.stringify(reference.service)} not found`;
  if (reference.file === undefined) {
    if (scope.services.has(reference.service)) return scope;
    const names = [...scope.services.keys()].filter((other) => other !== name).join(', ');
    diagnostics.error('reference', start, {
      at: at.at,
      path,
      hint: names === '' ? undefined : `the services here are: ${names}`,
    });
    return undefined;
  }
  if (isRemote(reference.file)) {
    diagnostics.error(
      'unsupported',
      `extends.file: ${reference.file}: remote files are not supported`,
      {
        at: at.at,
        path,
        hint: 'download the file and name its path',
      },
    );
    return undefined;
  }
  const file = resolvePath(scope.baseDir, reference.file);
  const other = loadExtendedFile(file, at, path, scope.context);
  if (other === undefined) return undefined;
  if (other.services.has(reference.service)) return other;
  diagnostics.error('reference', `${start} in ${reference.file}`, {
    at: at.at,
    path,
    hint: `the services there are: ${[...other.services.keys()].join(', ')}`,
  });
  return undefined;
}

/** The services of another file in long form, with paths seen from that file. */
function loadExtendedFile(
  file: string,
  at: Node,
  path: string,
  context: LayerContext,
): Scope | undefined {
  const { reader, diagnostics, homeDir } = context;
  const documents = reader.parse(file, { at: at.at, path });
  if (documents === undefined) return undefined;
  let tree: Node | undefined;
  const resets: Path[] = [];
  for (const document of documents) {
    const next = interpolateWith(document.root, context);
    tree =
      tree === undefined
        ? next
        : mergeTrees(applyResets(tree, document.resets), next, [], diagnostics);
    resets.push(...document.resets);
  }
  if (tree === undefined) {
    diagnostics.error('file', `${file}: empty compose file`, { at: at.at, path });
    return undefined;
  }
  const baseDir = dirName(file);
  tree = keepUnique(dropEmpty(toLongForms(keepUnique(tree), diagnostics)));
  tree = resolvePaths(tree, { baseDir, homeDir, files: reader.files });
  const services = child(tree, 'services');
  if (services?.kind !== 'map') {
    const what = services === undefined ? 'no services section' : 'services must be a mapping';
    const name = path.split('.').slice(1, -1).join('.');
    const message = `cannot extend service ${JSON.stringify(name)} in ${file}: ${what}`;
    diagnostics.error('reference', message, { at: at.at, path });
    return undefined;
  }
  return scopeOf(services, { path: file, resets, context, baseDir });
}

function isCircular(step: Step, trail: readonly Step[], scope: Scope, at: Node): boolean {
  const seen = trail.some((other) => other.service === step.service && other.path === step.path);
  if (!seen) return false;
  const lines = [...trail, step].map(({ service, path }, i) =>
    i === 0 ? `  ${service} in ${path}` : `  extends ${service} in ${path}`,
  );
  scope.context.diagnostics.error('cycle', ['Circular reference:', ...lines].join('\n'), {
    at: at.at,
    path: formatPath(['services', step.service, 'extends']),
  });
  return true;
}

/** `!reset` and `!override` of the extending service also hold against what it extends. */
function withoutOwnResets(base: Node, name: string, scope: Scope): Node {
  const own = scope.resets.filter((path) => path[0] === 'services' && path[1] === name);
  if (own.length === 0) return base;
  const wrapped = mapNode([['services', mapNode([[name, base]], base.at)]], base.at);
  return child(child(applyResets(wrapped, own), 'services'), name) ?? base;
}
