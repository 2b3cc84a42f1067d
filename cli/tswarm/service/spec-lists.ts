// The flags of `service create` and `service update` that name several things: --x on create, --x-add and --x-rm on update. An addition replaces what has the
// same key (a mount's target, a variable's name); a removal of what is not there is no error, as in docker.
import {
  device,
  environment,
  fileReference,
  genericResource,
  host,
  type JsonObject,
  labels,
  mount,
  network,
  ports,
  preference,
  ulimit,
} from './values.ts';

export type Options = Readonly<Record<string, unknown>>;

interface ListFlag {
  /** As on the command line, without -add and -rm. */
  readonly flag: string;
  readonly path: readonly string[];
  items(text: string): readonly unknown[];
  key(item: unknown): string;
  /** Key of what --x-rm takes away; absent: the text itself. */
  removalKey?(text: string): string;
}

const same = (item: unknown): string => String(item);
const field =
  (name: string) =>
  (item: unknown): string =>
    String((item as JsonObject)[name] ?? '');
const CONTAINER = ['TaskTemplate', 'ContainerSpec'] as const;
const PLACEMENT = ['TaskTemplate', 'Placement'] as const;

const plain = (flag: string, ...path: readonly string[]): ListFlag => ({
  flag,
  path,
  items: (text) => [text],
  key: same,
});

const LISTS: readonly ListFlag[] = [
  plain('group', ...CONTAINER, 'Groups'),
  plain('dns', ...CONTAINER, 'DNSConfig', 'Nameservers'),
  plain('dns-option', ...CONTAINER, 'DNSConfig', 'Options'),
  plain('dns-search', ...CONTAINER, 'DNSConfig', 'Search'),
  {
    ...plain('constraint', ...PLACEMENT, 'Constraints'),
    key: (item) => String(item).replaceAll(/\s+/g, ''),
    removalKey: (text) => text.replaceAll(/\s+/g, ''),
  },
  {
    flag: 'placement-pref',
    path: [...PLACEMENT, 'Preferences'],
    items: (text) => [preference('placement-pref', text)],
    key: (item) => JSON.stringify(item),
    removalKey: (text) => JSON.stringify(preference('placement-pref-rm', text)),
  },
  {
    flag: 'env',
    path: [...CONTAINER, 'Env'],
    items: (text) => environment([text]),
    key: (item) => String(item).split('=')[0] ?? '',
    removalKey: (text) => text.split('=')[0] ?? '',
  },
  {
    flag: 'mount',
    path: [...CONTAINER, 'Mounts'],
    items: (text) => [mount('mount', text)],
    key: field('Target'),
  },
  {
    flag: 'secret',
    path: [...CONTAINER, 'Secrets'],
    items: (text) => [fileReference('secret', 'secret', text)],
    key: field('SecretName'),
  },
  {
    flag: 'config',
    path: [...CONTAINER, 'Configs'],
    items: (text) => [fileReference('config', 'config', text)],
    key: field('ConfigName'),
  },
  {
    flag: 'host',
    path: [...CONTAINER, 'Hosts'],
    items: (text) => [host('host', text)],
    key: same,
    removalKey: (text) => (text.includes(':') ? host('host-rm', text) : text),
  },
  {
    flag: 'ulimit',
    path: [...CONTAINER, 'Ulimits'],
    items: (text) => [ulimit('ulimit', text)],
    key: field('Name'),
  },
  {
    flag: 'device',
    path: [...CONTAINER, 'Devices'],
    items: (text) => [device(text)],
    key: field('PathInContainer'),
  },
  {
    flag: 'generic-resource',
    path: ['TaskTemplate', 'Resources', 'Reservations', 'GenericResources'],
    items: (text) => text.split(',').map((one) => genericResource('generic-resource', one)),
    key: (item) => {
      const { NamedResourceSpec: named, DiscreteResourceSpec: discrete } = item as JsonObject;
      return String(((named ?? discrete) as JsonObject).Kind);
    },
    removalKey: (text) => text.split('=')[0] ?? '',
  },
  {
    flag: 'publish',
    path: ['EndpointSpec', 'Ports'],
    items: (text) => ports(text),
    key: portKey,
    removalKey: (text) => {
      const [port = '', protocol = 'tcp'] = text.replace(/^.*:/, '').split('/');
      return `${port}/${protocol}`;
    },
  },
  {
    flag: 'network',
    path: ['TaskTemplate', 'Networks'],
    items: (text) => [network('network', text)],
    key: field('Target'),
  },
];

function portKey(item: unknown): string {
  const port = item as JsonObject;
  return `${String(port.TargetPort)}/${String(port.Protocol ?? 'tcp')}`;
}

const MAPS: readonly { readonly flag: string; readonly path: readonly string[] }[] = [
  { flag: 'label', path: ['Labels'] },
  { flag: 'container-label', path: [...CONTAINER, 'Labels'] },
  { flag: 'sysctl', path: [...CONTAINER, 'Sysctls'] },
];

/** The flags of this file, for their registration. */
export const LIST_FLAGS: readonly string[] = [...LISTS, ...MAPS].map(({ flag }) => flag);

export function optionName(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function texts(options: Options, flag: string): readonly string[] {
  const value = options[optionName(flag)];
  return Array.isArray(value) ? (value as string[]) : [];
}

/** The object at a path, made where it is missing. */
export function child(of: JsonObject, ...path: readonly string[]): JsonObject {
  let at = of;
  for (const name of path) {
    const next = (at[name] ?? {}) as JsonObject;
    at[name] = next;
    at = next;
  }
  return at;
}

/** Applies --x (create) or --x-add and --x-rm (update) to a specification in Engine JSON. */
export function applyLists(spec: JsonObject, options: Options): void {
  for (const list of LISTS) {
    const added = [...texts(options, list.flag), ...texts(options, `${list.flag}-add`)];
    const removed = texts(options, `${list.flag}-rm`);
    if (added.length === 0 && removed.length === 0) continue;
    const parent = child(spec, ...list.path.slice(0, -1));
    const name = list.path.at(-1) ?? '';
    const goes = new Set(removed.map((text) => list.removalKey?.(text) ?? text));
    const items = new Map<string, unknown>();
    for (const item of (parent[name] as unknown[] | undefined) ?? []) {
      if (!goes.has(list.key(item))) items.set(list.key(item), item);
    }
    for (const text of added) for (const item of list.items(text)) items.set(list.key(item), item);
    parent[name] = [...items.values()];
  }
  for (const { flag, path } of MAPS) {
    const added = [...texts(options, flag), ...texts(options, `${flag}-add`)];
    const removed = texts(options, `${flag}-rm`);
    if (added.length === 0 && removed.length === 0) continue;
    const parent = child(spec, ...path.slice(0, -1));
    const name = path.at(-1) ?? '';
    const map = { ...(parent[name] as Record<string, string> | undefined), ...labels(added) };
    for (const key of removed) delete map[key];
    parent[name] = map;
  }
}
