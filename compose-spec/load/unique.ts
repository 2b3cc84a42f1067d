// Lists in which one entry per key counts: after merging, the later entry takes the place of the
// earlier one (compose.md §2.6). What makes two entries the same depends on the path. An entry whose
// key cannot be told stays; validation says what is wrong with it.

import { printScalar } from './scalars.ts';
import type { Node, Path } from './tree.ts';
import { child, mapEntries, PathTable } from './tree.ts';
import { parseShortVolume } from './volumes.ts';

type KeyOf = (item: Node) => string | undefined;

const BY_KEY_VALUE = [
  'networks.*.labels',
  'networks.*.ipam.options',
  'volumes.*.labels',
  'services.*.annotations',
  'services.*.build.additional_contexts',
  'services.*.build.args',
  'services.*.build.labels',
  'services.*.build.platforms',
  'services.*.build.tags',
  'services.*.cap_add',
  'services.*.cap_drop',
  'services.*.deploy.labels',
  'services.*.dns',
  'services.*.dns_opt',
  'services.*.dns_search',
  'services.*.environment',
  'services.*.labels',
  'services.*.links',
  'services.*.networks.*.aliases',
  'services.*.networks.*.link_local_ips',
  'services.*.profiles',
  'services.*.sysctls',
  'services.*.tmpfs',
];

const KEYS = new PathTable<KeyOf>({
  ...Object.fromEntries(BY_KEY_VALUE.map((path) => [path, keyValueKey])),
  'services.*.build.extra_hosts': wholeKey,
  'services.*.configs': mountKey(''),
  'services.*.devices': deviceKey,
  'services.*.env_file': envFileKey,
  'services.*.expose': wholeKey,
  'services.*.extra_hosts': wholeKey,
  'services.*.ports': portKey,
  'services.*.secrets': mountKey('/run/secrets'),
  'services.*.volumes': volumeKey,
});

/** The tree with repeated entries of keyed lists reduced to the last of each. */
export function keepUnique(node: Node, path: Path = []): Node {
  if (node.kind === 'map') {
    return mapEntries(node, (value, key) => keepUnique(value, [...path, key]));
  }
  if (node.kind !== 'seq') return node;
  const keyOf = KEYS.get(path);
  if (keyOf === undefined) return node;
  const items: Node[] = [];
  const places = new Map<string, number>();
  for (const item of node.items) {
    const key = keyOf(item);
    const place = key === undefined ? undefined : places.get(key);
    if (place !== undefined) items[place] = item;
    else {
      if (key !== undefined) places.set(key, items.length);
      items.push(item);
    }
  }
  return items.length === node.items.length && items.every((item, i) => item === node.items[i])
    ? node
    : { ...node, items };
}

function text(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && node.type !== 'null' ? printScalar(node) : undefined;
}

function wholeKey(item: Node): string | undefined {
  return text(item);
}

function keyValueKey(item: Node): string | undefined {
  if (item.kind !== 'scalar' || item.type !== 'string') return undefined;
  return String(item.value).split('=', 1)[0];
}

function volumeKey(item: Node): string | undefined {
  if (item.kind === 'map') return text(child(item, 'target'));
  const spec = text(item);
  if (spec === undefined) return undefined;
  const volume = parseShortVolume(spec);
  return volume.ok ? volume.volume.target : undefined;
}

function deviceKey(item: Node): string | undefined {
  if (item.kind === 'map') return text(child(item, 'target')) ?? text(child(item, 'source'));
  const [source, target] = (text(item) ?? '').split(':');
  return target ?? source;
}

function mountKey(folder: string): KeyOf {
  return (item) => {
    if (item.kind === 'map') {
      return text(child(item, 'target')) ?? `${folder}/${text(child(item, 'source'))}`;
    }
    const name = text(item);
    return name === undefined ? undefined : `${folder}/${name}`;
  };
}

function portKey(item: Node): string | undefined {
  if (item.kind !== 'map') return text(item);
  const part = (key: string, otherwise: string): string => text(child(item, key)) ?? otherwise;
  return `${part('host_ip', '0.0.0.0')}:${part('published', '')}:${part('target', '')}/${part('protocol', 'tcp')}`;
}

function envFileKey(item: Node): string | undefined {
  return item.kind === 'map' ? text(child(item, 'path')) : text(item);
}
