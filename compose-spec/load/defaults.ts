// Values that compose fills in when the file does not give them, and checks that no schema can
// express (compose.md §2.6, "defaults → extra validation"). Both work on long forms.

import type { Diagnostics } from './errors.ts';
import { isIpAddress } from './ports.ts';
import type { MapNode, Node, Path } from './tree.ts';
import {
  boolNode,
  child,
  childString,
  formatPath,
  formatPathAnyIndex,
  isNull,
  mapEntries,
  PathTable,
  stringNode,
  withEntry,
} from './tree.ts';

type Filler = (node: MapNode) => MapNode;

const DEFAULTS = new PathTable<Filler>({
  'services.*.build': (node) => fill(node, 'context', '.'),
  'services.*.deploy.resources.reservations.devices.*': allDevices,
  'services.*.gpus.*': allDevices,
  'services.*.ports.*': (node) => fill(fill(node, 'mode', 'ingress'), 'protocol', 'tcp'),
  'services.*.secrets.*': (node) => {
    const source = childString(node, 'source');
    return source === undefined ? node : fill(node, 'target', `/run/secrets/${source}`);
  },
  'services.*.volumes.*.bind': (node) =>
    node.entries.has('create_host_path')
      ? node
      : withEntry(node, 'create_host_path', boolNode(true, node.at)),
});

function fill(node: MapNode, key: string, value: string): MapNode {
  const present = child(node, key);
  if (present !== undefined && !isNull(present)) return node;
  return withEntry(node, key, stringNode(value, node.at));
}

function allDevices(node: MapNode): MapNode {
  if (node.entries.has('count') || node.entries.has('device_ids')) return node;
  return withEntry(node, 'count', stringNode('all', node.at));
}

/** The tree with defaults filled in. */
export function fillDefaults(node: Node, path: Path = []): Node {
  if (node.kind === 'seq') {
    return { ...node, items: node.items.map((item, i) => fillDefaults(item, [...path, i])) };
  }
  if (node.kind !== 'map') return node;
  const filled = DEFAULTS.get(path)?.(node) ?? node;
  return mapEntries(filled, (value, key) => fillDefaults(value, [...path, key]));
}

type Check = (node: MapNode, path: Path, diagnostics: Diagnostics) => void;

const CHECKS = new PathTable<Check>({
  'configs.*': contentSource(['file', 'environment', 'content']),
  'secrets.*': contentSource(['file', 'environment']),
  'services.*.deploy.resources.reservations.devices.*': countOrIds,
  'services.*.gpus.*': countOrIds,
  'services.*.develop.watch.*': (node, path, diagnostics) => {
    if (childString(node, 'path') !== '') return;
    const where = formatPathAnyIndex([...path, 'path']);
    report(diagnostics, [...path, 'path'], node, `${where}: value can't be blank`);
  },
  'services.*.ports.*': (node, path, diagnostics) => {
    if (!node.entries.has('target')) {
      const message = `service ports ${indexed(path)} is missing a target port`;
      report(diagnostics, path, node, message, 'add `target:`, the port inside the container');
    }
    const ip = childString(node, 'host_ip');
    if (ip === undefined || ip === '' || isIpAddress(ip)) return;
    const where = formatPathAnyIndex(path);
    report(diagnostics, [...path, 'host_ip'], node, `${where}: invalid ip address: ${ip}`);
  },
  'services.*.volumes.*': (node, path, diagnostics) => {
    if (node.entries.has('target')) return;
    const message = `service volume ${indexed(path)} is missing a mount target`;
    report(diagnostics, path, node, message, 'add `target:`, the path inside the container');
  },
  'volumes.*': nothingBesideExternal,
});

/** `services.web.ports.[0]` */
function indexed(path: Path): string {
  return path.map((part) => (typeof part === 'number' ? `[${part}]` : part)).join('.');
}

/** Reports what is wrong in ways that the schema does not see. */
export function checkValues(node: Node, diagnostics: Diagnostics, path: Path = []): void {
  if (node.kind === 'seq') {
    for (const [i, item] of node.items.entries()) checkValues(item, diagnostics, [...path, i]);
  }
  if (node.kind !== 'map') return;
  CHECKS.get(path)?.(node, path, diagnostics);
  for (const [key, { value }] of node.entries) checkValues(value, diagnostics, [...path, key]);
}

function report(
  diagnostics: Diagnostics,
  path: Path,
  node: MapNode,
  message: string,
  hint?: string,
): void {
  const key = path.at(-1);
  const at = (key === undefined ? undefined : node.entries.get(String(key))?.keyAt) ?? node.at;
  diagnostics.error('conflict', message, { at, path: formatPath(path), hint });
}

function isExternal(node: MapNode): boolean {
  const external = child(node, 'external');
  return external?.kind === 'scalar' && (external.value === true || external.value === 'true');
}

function contentSource(keys: readonly string[]): Check {
  return (node, path, diagnostics) => {
    const given = keys.filter((key) => node.entries.has(key));
    const all = keys.join('|');
    const where = formatPath(path);
    if (given.length > 1) {
      report(diagnostics, path, node, `${where}: ${all} attributes are mutually exclusive`);
    }
    if (given.length === 0 && !node.entries.has('driver') && !node.entries.has('external')) {
      const kind = path[0] === 'secrets' ? 'secret' : 'config';
      const hint = `say where its content comes from, or set \`external: true\` for a ${kind} of the cluster`;
      report(diagnostics, path, node, `${where}: one of ${all} must be set`, hint);
    }
  };
}

function countOrIds(node: MapNode, path: Path, diagnostics: Diagnostics): void {
  if (!node.entries.has('count') || !node.entries.has('device_ids')) return;
  const where = formatPath(path);
  report(diagnostics, path, node, `${where}: "count" and "device_ids" attributes are exclusive`);
}

function nothingBesideExternal(node: MapNode, path: Path, diagnostics: Diagnostics): void {
  if (!isExternal(node)) return;
  for (const key of node.entries.keys()) {
    if (key === 'name' || key === 'external' || key.startsWith('x-')) continue;
    const message = `${formatPath(path)}: conflicting parameters "external" and "${key}" specified`;
    const hint = 'an external volume is not created here, so nothing else can be set';
    report(diagnostics, [...path, key], node, message, hint);
  }
}
