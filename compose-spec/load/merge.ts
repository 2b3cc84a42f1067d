// How two trees become one: the later file over the earlier, the local service over the one it
// extends. Mappings merge deeply, lists append, scalars are replaced; the exceptions are the rules
// below, by path (compose.md §2.6). What appears twice in a list afterwards is `unique.ts`'s.

import type { Diagnostics } from './errors.ts';
import { printScalar } from './scalars.ts';
import type { Entry, MapNode, Node, Path, SeqNode } from './tree.ts';
import {
  badNode,
  boolNode,
  child,
  childString,
  formatPath,
  isExtension,
  isNull,
  mapNode,
  nullNode,
  PathTable,
  seqNode,
  stringNode,
} from './tree.ts';

type Rule = (base: Node, over: Node, path: Path, diagnostics: Diagnostics) => Node;

const KEY_VALUE_LISTS = [
  'services.*.annotations',
  'services.*.build.additional_contexts',
  'services.*.build.args',
  'services.*.build.labels',
  'services.*.deploy.labels',
  'services.*.dns',
  'services.*.dns_opt',
  'services.*.dns_search',
  'services.*.env_file',
  'services.*.environment',
  'services.*.label_file',
  'services.*.labels',
  'services.*.sysctls',
  'services.*.tmpfs',
  'networks.*.labels',
  'volumes.*.labels',
];
const REPLACED = [
  'services.*.command',
  'services.*.entrypoint',
  'services.*.healthcheck.test',
  'services.*.ulimits.*',
];

const RULES = new PathTable<Rule>({
  ...Object.fromEntries(KEY_VALUE_LISTS.map((path) => [path, appendAsList])),
  ...Object.fromEntries(REPLACED.map((path) => [path, (_base: Node, over: Node) => over])),
  'networks.*.ipam.config': mergeIpamConfig,
  'services.*.build': mergeBuild,
  'services.*.build.extra_hosts': appendMissing,
  'services.*.depends_on': mergeDependsOn,
  'services.*.extra_hosts': appendMissing,
  'services.*.logging': mergeLogging,
  'services.*.models': mergeNames,
  'services.*.networks': mergeNames,
});

/** `over` merged onto `base`. What cannot be combined is reported and becomes `bad`. */
export function mergeTrees(base: Node, over: Node, path: Path, diagnostics: Diagnostics): Node {
  if (base.kind === 'bad' || over.kind === 'bad') return over;
  const rule = RULES.get(path);
  if (rule !== undefined) return rule(base, over, path, diagnostics);
  if (isNull(over)) return base;
  if (base.kind === 'map') {
    if (over.kind === 'map') return mergeMaps(base, over, path, diagnostics);
    return cannotOverride(base, over, path, diagnostics);
  }
  if (base.kind === 'seq') {
    if (over.kind === 'seq') return seqNode([...base.items, ...over.items], over.at);
    return cannotOverride(base, over, path, diagnostics);
  }
  return over;
}

function mergeMaps(base: MapNode, over: MapNode, path: Path, diagnostics: Diagnostics): MapNode {
  const entries = new Map<string, Entry>(base.entries);
  for (const [key, entry] of over.entries) {
    const existing = entries.get(key);
    if (existing === undefined || isExtension(key, path)) {
      entries.set(key, entry);
      continue;
    }
    const value = mergeTrees(existing.value, entry.value, [...path, key], diagnostics);
    entries.set(key, { value, keyAt: entry.keyAt });
  }
  return { kind: 'map', entries, at: over.at };
}

function cannotOverride(base: Node, over: Node, path: Path, diagnostics: Diagnostics): Node {
  const is = base.kind === 'map' ? 'a mapping' : 'a list';
  const { line } = base.at.file.lineAt(base.at.offset);
  diagnostics.error('merge', `cannot override ${formatPath(path)}`, {
    at: over.at,
    path: formatPath(path),
    hint: `it is ${is} in ${base.at.file.path}:${line}; write it the same way, or use !override to replace it`,
  });
  return badNode(over.at);
}

function appendAsList(base: Node, over: Node): Node {
  return seqNode([...asList(base), ...asList(over)], isNull(over) ? base.at : over.at);
}

function appendMissing(base: Node, over: Node): Node {
  const first = asList(base);
  const known = new Set(first.map(hostText));
  const added = asList(over).filter((item) => !known.has(hostText(item)));
  return seqNode([...first, ...added], isNull(over) ? base.at : over.at);
}

/** `h:1.2.3.4` and `h=1.2.3.4` are the same host. */
function hostText(node: Node): string | Node {
  if (node.kind !== 'scalar') return node;
  const text = String(node.value);
  return text.includes('=') ? text : text.replace(':', '=');
}

/** A mapping as sorted `key=value` items, a string as one item. */
export function asList(node: Node): readonly Node[] {
  if (node.kind === 'seq') return node.items;
  if (node.kind === 'map') {
    const items: { text: string; node: Node }[] = [];
    for (const [key, { value, keyAt }] of node.entries) {
      for (const one of value.kind === 'seq' ? value.items : [value]) {
        if (one.kind !== 'scalar') items.push({ text: key, node: one });
        else {
          const text = isNull(one) ? key : `${key}=${printScalar(one)}`;
          items.push({ text, node: stringNode(text, isNull(one) ? keyAt : one.at) });
        }
      }
    }
    items.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
    return items.map((item) => item.node);
  }
  return isNull(node) || node.kind === 'bad' ? [] : [node];
}

function mergeBuild(base: Node, over: Node, path: Path, diagnostics: Diagnostics): Node {
  if (isNull(over)) return base;
  const left = buildMap(base);
  const right = buildMap(over);
  if (left === undefined || right === undefined) return over;
  return mergeMaps(left, right, path, diagnostics);
}

function buildMap(node: Node): MapNode | undefined {
  if (node.kind === 'map') return node;
  if (node.kind === 'seq' || node.kind === 'bad') return undefined;
  return mapNode(isNull(node) ? [] : [['context', node]], node.at);
}

function mergeDependsOn(base: Node, over: Node, path: Path, diagnostics: Diagnostics): Node {
  return mergeNamed(base, over, path, diagnostics, (item) =>
    mapNode(
      [
        ['condition', stringNode('service_started', item.at)],
        ['required', boolNode(true, item.at)],
      ],
      item.at,
    ),
  );
}

function mergeNames(base: Node, over: Node, path: Path, diagnostics: Diagnostics): Node {
  return mergeNamed(base, over, path, diagnostics, (item) => nullNode(item.at));
}

function mergeNamed(
  base: Node,
  over: Node,
  path: Path,
  diagnostics: Diagnostics,
  toValue: (item: Node) => Node,
): Node {
  if (isNull(over)) return base;
  if (isNull(base)) return over;
  const left = namesToMap(base, toValue);
  const right = namesToMap(over, toValue);
  if (left === undefined || right === undefined) return over;
  return mergeMaps(left, right, path, diagnostics);
}

/** A list of names as a mapping from each to `toValue` it; `undefined` for other shapes. */
export function namesToMap(node: Node, toValue: (item: Node) => Node): MapNode | undefined {
  if (node.kind === 'map') return node;
  if (node.kind !== 'seq') return undefined;
  const entries = new Map<string, Entry>();
  for (const item of node.items) {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') return undefined;
    entries.set(item.value, { value: toValue(item), keyAt: item.at });
  }
  return { kind: 'map', entries, at: node.at };
}

/** Options of one driver mean nothing to another, so they only merge when the drivers agree. */
function mergeLogging(base: Node, over: Node, path: Path, diagnostics: Diagnostics): Node {
  if (isNull(over)) return base;
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  const before = childString(base, 'driver');
  const after = childString(over, 'driver');
  if (before !== undefined && after !== undefined && before !== after) return over;
  return mergeMaps(base, over, path, diagnostics);
}

/** Address pools are the same pool when they have the same subnet. */
function mergeIpamConfig(base: Node, over: Node, path: Path, diagnostics: Diagnostics): Node {
  if (isNull(over)) return base;
  if (base.kind !== 'seq' || over.kind !== 'seq') return over;
  const pools: SeqNode = over;
  const merged: Node[] = [...base.items];
  for (const pool of pools.items) {
    const subnet = childString(pool, 'subnet');
    const index = merged.findIndex((other) => childString(other, 'subnet') === subnet);
    const existing = merged[index];
    if (existing === undefined) merged.push(pool);
    else if (existing.kind === 'map' && pool.kind === 'map') {
      merged[index] = mergeMaps(existing, pool, path, diagnostics);
    }
  }
  return seqNode(merged, over.at);
}

/** Drops from `root` what `!reset` and `!override` in a later document name. */
export function applyResets(root: Node, resets: readonly Path[]): Node {
  let result = root;
  for (const path of resets) result = removeAt(result, path, 0);
  return result;
}

function removeAt(node: Node, path: Path, depth: number): Node {
  const part = path[depth];
  if (node.kind !== 'map' || typeof part !== 'string') return node;
  const existing = node.entries.get(part);
  if (existing === undefined) return node;
  const entries = new Map(node.entries);
  if (depth === path.length - 1) entries.delete(part);
  else entries.set(part, { ...existing, value: removeAt(existing.value, path, depth + 1) });
  return { ...node, entries };
}

/** Whether two trees have the same content, wherever they were written. */
export function sameContent(a: Node, b: Node): boolean {
  if (a === b) return true;
  if (a.kind === 'scalar' && b.kind === 'scalar') return a.type === b.type && a.value === b.value;
  if (a.kind === 'seq' && b.kind === 'seq') {
    if (a.items.length !== b.items.length) return false;
    return a.items.every((item, i) => {
      const other = b.items[i];
      return other !== undefined && sameContent(item, other);
    });
  }
  if (a.kind === 'map' && b.kind === 'map') {
    if (a.entries.size !== b.entries.size) return false;
    for (const [key, { value }] of a.entries) {
      const other = child(b, key);
      if (other === undefined || !sameContent(value, other)) return false;
    }
    return true;
  }
  return false;
}
