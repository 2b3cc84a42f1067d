// Short forms to long forms (compose.md §1, §2.6): after this step each place in the tree has one
// shape. It runs after every file, so that the next one merges onto long forms. Values of a shape
// that the schema refuses are passed through; texts that do not parse are reported and cut out.

import type { Diagnostics } from './errors.ts';
import { namesToMap } from './merge.ts';
import { parseShortPorts } from './ports.ts';
import { printScalar } from './scalars.ts';
import type { Entry, MapNode, Node, Path, ScalarNode } from './tree.ts';
import {
  badNode,
  boolNode,
  child,
  formatPath,
  intNode,
  isExtension,
  isNull,
  mapEntries,
  mapNode,
  nullNode,
  PathTable,
  seqNode,
  stringNode,
  withEntry,
} from './tree.ts';
import { parseShortVolume } from './volumes.ts';

type Rule = (node: Node, path: Path, diagnostics: Diagnostics) => Node;

const RULES = new PathTable<Rule>({
  'services.*.build': longBuild,
  'services.*.build.additional_contexts': keyValueMap,
  'services.*.build.no_cache_filter': stringList,
  'services.*.build.secrets.*': fileReference,
  'services.*.configs.*': fileReference,
  'services.*.depends_on': longDependsOn,
  'services.*.develop.watch.*.ignore': stringList,
  'services.*.develop.watch.*.include': stringList,
  'services.*.devices.*': longDevice,
  'services.*.dns': stringList,
  'services.*.dns_search': stringList,
  'services.*.env_file': longEnvFiles,
  'services.*.extends': longExtends,
  'services.*.gpus': longGpus,
  'services.*.label_file': stringList,
  'services.*.models': namesAsMap,
  'services.*.networks': namesAsMap,
  'services.*.ports': longPorts,
  'services.*.secrets.*': fileReference,
  'services.*.tmpfs': stringList,
  'services.*.volumes.*': longVolume,
  'configs.*': longExternal,
  'networks.*': longExternal,
  'secrets.*': longExternal,
  'volumes.*': longExternal,
});

/** The tree with every short form written out. */
export function toLongForms(node: Node, diagnostics: Diagnostics, path: Path = []): Node {
  const rule = node.kind === 'bad' ? undefined : RULES.get(path);
  const long = rule === undefined ? node : rule(node, path, diagnostics);
  if (long.kind === 'map') {
    return mapEntries(long, (value, key) =>
      isExtension(key, path) ? value : toLongForms(value, diagnostics, [...path, key]),
    );
  }
  if (long.kind === 'seq' && rule !== longPorts) {
    const items = long.items.map((item, i) => toLongForms(item, diagnostics, [...path, i]));
    return { ...long, items };
  }
  return long;
}

/** Text of a string scalar. */
function textOf(node: Node): string | undefined {
  return node.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

function longBuild(node: Node): Node {
  const context = textOf(node);
  if (context !== undefined) return mapNode([['context', node]], node.at);
  return node;
}

function keyValueMap(node: Node): Node {
  if (node.kind !== 'seq') return node;
  const entries = new Map<string, Entry>();
  for (const item of node.items) {
    const text = textOf(item);
    if (text === undefined) return node;
    const equals = text.indexOf('=');
    const key = equals === -1 ? text : text.slice(0, equals);
    const value = equals === -1 ? nullNode(item.at) : stringNode(text.slice(equals + 1), item.at);
    entries.set(key, { value, keyAt: item.at });
  }
  return { kind: 'map', entries, at: node.at };
}

function stringList(node: Node): Node {
  return textOf(node) === undefined ? node : seqNode([node], node.at);
}

function fileReference(node: Node): Node {
  return textOf(node) === undefined ? node : mapNode([['source', node]], node.at);
}

function longDependsOn(node: Node): Node {
  const map = namesToMap(node, (item) =>
    mapNode([['condition', stringNode('service_started', item.at)]], item.at),
  );
  if (map === undefined) return node;
  return mapEntries(map, (value) =>
    value.kind === 'map' && !value.entries.has('required')
      ? withEntry(value, 'required', boolNode(true, value.at))
      : value,
  );
}

function namesAsMap(node: Node): Node {
  return namesToMap(node, (item) => nullNode(item.at)) ?? node;
}

function longDevice(node: Node, path: Path, diagnostics: Diagnostics): Node {
  const spec = textOf(node);
  if (spec === undefined) return node;
  const [source = '', target = source, permissions = 'rwm', ...more] = spec.split(':');
  if (source === '' || more.length > 0) {
    diagnostics.error('value', `confusing device mapping, please use long syntax: ${spec}`, {
      at: node.at,
      path: formatPath(path),
    });
    return badNode(node.at);
  }
  // `vendor/class=name` names a CDI device: it has no place of its own in the container.
  return mapNode(
    [
      ['source', stringNode(source, node.at)],
      ['target', stringNode(target, node.at)],
      ['permissions', stringNode(permissions, node.at)],
    ],
    node.at,
  );
}

function longEnvFiles(node: Node): Node {
  const items = node.kind === 'seq' ? node.items : textOf(node) === undefined ? undefined : [node];
  if (items === undefined) return node;
  const long = items.map((item) => {
    const map = textOf(item) === undefined ? item : mapNode([['path', item]], item.at);
    if (map.kind !== 'map' || map.entries.has('required')) return map;
    return withEntry(map, 'required', boolNode(true, map.at));
  });
  return seqNode(long, node.at);
}

function longExtends(node: Node): Node {
  return textOf(node) === undefined ? node : mapNode([['service', node]], node.at);
}

function longGpus(node: Node): Node {
  if (textOf(node) !== 'all') return node;
  return seqNode([mapNode([['count', stringNode('all', node.at)]], node.at)], node.at);
}

function longPorts(node: Node, path: Path, diagnostics: Diagnostics): Node {
  if (node.kind !== 'seq') return node;
  const items: Node[] = [];
  for (const [index, item] of node.items.entries()) {
    if (item.kind !== 'scalar' || isNull(item)) items.push(longPublished(item));
    else items.push(...shortPort(item, [...path, index], diagnostics));
  }
  return seqNode(items, node.at);
}

/** `published` is text in the long form, since it may be a range. */
function longPublished(item: Node): Node {
  if (item.kind !== 'map') return item;
  const published = child(item, 'published');
  if (published?.kind !== 'scalar' || published.type === 'string' || isNull(published)) return item;
  return withEntry(item, 'published', stringNode(printScalar(published), published.at));
}

function shortPort(item: ScalarNode, path: Path, diagnostics: Diagnostics): Node[] {
  const parsed = parseShortPorts(printScalar(item));
  if (!parsed.ok) {
    diagnostics.error('value', parsed.message, {
      at: item.at,
      path: formatPath(path),
      hint: parsed.hint,
    });
    return [badNode(item.at)];
  }
  return parsed.ports.map((port) => {
    const entries: [string, Node][] = [['mode', stringNode('ingress', item.at)]];
    if (port.hostIp !== undefined) entries.push(['host_ip', stringNode(port.hostIp, item.at)]);
    entries.push(['target', intNode(port.target, item.at)]);
    if (port.published !== undefined) {
      entries.push(['published', stringNode(port.published, item.at)]);
    }
    entries.push(['protocol', stringNode(port.protocol, item.at)]);
    return mapNode(entries, item.at);
  });
}

function longVolume(node: Node, path: Path, diagnostics: Diagnostics): Node {
  const spec = textOf(node);
  if (spec === undefined) return node;
  const parsed = parseShortVolume(spec);
  const { at } = node;
  if (!parsed.ok) {
    diagnostics.error('value', parsed.message, { at, path: formatPath(path) });
    return badNode(at);
  }
  const { volume } = parsed;
  if (volume.unknownOptions.length > 0) {
    diagnostics.warn(
      `${formatPath(path)}: volume options ${volume.unknownOptions.join(', ')} mean nothing and are ignored`,
      { at, path: formatPath(path) },
    );
  }
  const entries: [string, Node][] = [['type', stringNode(volume.type, at)]];
  if (volume.source !== undefined) entries.push(['source', stringNode(volume.source, at)]);
  entries.push(['target', stringNode(volume.target, at)]);
  if (volume.readOnly === true) entries.push(['read_only', boolNode(true, at)]);
  const bind: [string, Node][] = [];
  if (volume.selinux !== undefined) bind.push(['selinux', stringNode(volume.selinux, at)]);
  if (volume.propagation !== undefined) {
    bind.push(['propagation', stringNode(volume.propagation, at)]);
  }
  if (volume.type === 'bind') bind.push(['create_host_path', boolNode(true, at)]);
  if (bind.length > 0) entries.push(['bind', mapNode(bind, at)]);
  if (volume.noCopy === true) {
    entries.push(['volume', mapNode([['nocopy', boolNode(true, at)]], at)]);
  } else if (volume.type === 'volume' && !volume.bare) entries.push(['volume', mapNode([], at)]);
  return mapNode(entries, at);
}

/** `external: {name: x}`, the form of old files, as `external: true` and `name: x`. */
function longExternal(node: Node, path: Path, diagnostics: Diagnostics): Node {
  if (node.kind !== 'map') return node;
  const external = child(node, 'external');
  if (external?.kind !== 'map') return node;
  const where = formatPath(path);
  const name = child(external, 'name');
  const own = child(node, 'name');
  diagnostics.warn(`${where}: external.name is deprecated. Please set name and external: true`, {
    at: external.at,
    path: where,
  });
  let long: MapNode = withEntry(node, 'external', boolNode(true, external.at));
  if (name?.kind !== 'scalar') return long;
  if (own?.kind === 'scalar' && own.value !== name.value) {
    diagnostics.error('conflict', `${where}: name and external.name conflict; only use name`, {
      at: own.at,
      path: where,
    });
  }
  long = withEntry(long, 'name', name);
  return long;
}

/** Lists in which an empty text stands for nothing: what `dns: ${UNSET}` leaves. */
export function dropEmpty(root: Node): Node {
  const services = child(root, 'services');
  if (root.kind !== 'map' || services?.kind !== 'map') return root;
  const cleaned = mapEntries(services, (service) => {
    const dns = child(service, 'dns');
    if (service.kind !== 'map' || dns?.kind !== 'seq') return service;
    const items = dns.items.filter((item) => textOf(item) !== '');
    return items.length === dns.items.length
      ? service
      : withEntry(service, 'dns', { ...dns, items });
  });
  return withEntry(root, 'services', cleaned);
}
