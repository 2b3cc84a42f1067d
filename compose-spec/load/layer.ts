// One stack of files merged into one tree: the `-f` files, or the files of one `include` entry. The
// order of the steps for each document is compose-go's (compose.md §2.6): variables, include, resets,
// extends, merge, uniqueness, schema, long forms, uniqueness again.

import { dropEmpty, toLongForms } from './canonical.ts';
import { checkValues, fillDefaults } from './defaults.ts';
import { lookupIn, resolveEnvironment } from './environment.ts';
import type { Diagnostics } from './errors.ts';
import { applyExtends } from './extends.ts';
import { applyIncludes } from './include.ts';
import { interpolate } from './interpolate.ts';
import { applyResets, mergeTrees } from './merge.ts';
import { resolvePaths } from './paths.ts';
import type { StringMap } from './project.ts';
import type { Asker, Reader } from './reader.ts';
import type { Node, Path } from './tree.ts';
import { withoutEntry } from './tree.ts';
import { keepUnique } from './unique.ts';
import { validateSchema } from './validate.ts';

/** What the steps of one stack share. */
export interface LayerContext {
  readonly reader: Reader;
  readonly diagnostics: Diagnostics;
  /** Variables that `${…}` sees in these files. */
  readonly variables: StringMap;
  readonly skipInterpolation: boolean;
  readonly homeDir: string | undefined;
  /** Leave the relative paths of these files as they are; includes are resolved all the same. */
  readonly skipPathResolution: boolean;
  /** Absolute folder of relative paths. */
  readonly baseDir: string;
  /** Main files from the first down to here, to notice an include of itself. */
  readonly including: readonly string[];
}

/** The files merged, checked, in long form, with absolute paths; `undefined` when all failed. */
export function loadLayer(
  paths: readonly string[],
  context: LayerContext,
  asker: Asker = {},
): Node | undefined {
  let tree: Node | undefined;
  for (const path of paths) tree = mergeFile(tree, path, context, asker);
  if (tree === undefined) return undefined;
  tree = fillDefaults(tree);
  checkValues(tree, context.diagnostics);
  const { reader, homeDir, baseDir, variables } = context;
  if (!context.skipPathResolution) {
    tree = resolvePaths(tree, { baseDir, homeDir, files: reader.files });
  }
  return resolveEnvironment(tree, variables);
}

function mergeFile(
  before: Node | undefined,
  path: string,
  context: LayerContext,
  asker: Asker,
): Node | undefined {
  let tree = before;
  for (const { root, resets } of context.reader.parse(path, asker) ?? []) {
    tree = mergeDocument(tree, { root, resets, path, context });
  }
  return tree;
}

interface DocumentInput {
  readonly root: Node;
  readonly resets: readonly Path[];
  readonly path: string;
  readonly context: LayerContext;
}

function mergeDocument(before: Node | undefined, input: DocumentInput): Node | undefined {
  const { root, resets, path, context } = input;
  const { diagnostics } = context;
  if (root.kind !== 'map') {
    diagnostics.error('schema', 'top-level object must be a mapping', {
      at: root.at,
      hint: 'a compose file starts with keys like `services:`',
    });
    return before;
  }
  let tree: Node = interpolateWith(root, context);
  tree = applyIncludes(tree, path, context);
  tree = applyExtends(tree, { path, resets, context });
  if (before !== undefined) tree = mergeTrees(applyResets(before, resets), tree, [], diagnostics);
  tree = validateSchema(keepUnique(tree), path, diagnostics);
  if (tree.kind === 'map' && tree.entries.has('version')) {
    diagnostics.warn(
      `${path}: the attribute \`version\` is obsolete, it will be ignored, please remove it to avoid potential confusion`,
      { at: tree.entries.get('version')?.keyAt },
    );
    tree = withoutEntry(tree, 'version');
  }
  return keepUnique(dropEmpty(toLongForms(tree, diagnostics)));
}

/** Fills in variables, unless that is turned off. */
export function interpolateWith(root: Node, context: LayerContext): Node {
  const lookup = context.skipInterpolation ? undefined : lookupIn(context.variables);
  return interpolate(root, lookup, context.diagnostics);
}
