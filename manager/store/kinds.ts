// The kinds of objects: their number on the wire, their name, which other objects they point at,
// and what of them a user's version covers. One table, so that a new kind is one row. Refuses to
// know what the objects mean.
import { isAttachment } from '#protocol/attachments';
import type { ObjectKind, ObjectUnion } from '#protocol/generated/control';
import { MountType, NodeSpec, ServiceSpec } from '#protocol/generated/specs';
import { OBJECT_KINDS } from '#protocol/object-kinds';
import type { Kind, ObjectTypes } from './view.ts';

export type AnyObject = ObjectTypes[Kind];

/**
 * All kinds in the order in which a snapshot holds them: services before tasks, whose spec may be
 * the service's.
 */
export const KINDS: readonly Kind[] = [
  'cluster',
  'node',
  'network',
  'volume',
  'secret',
  'config',
  'stack',
  'credential',
  'service',
  'task',
];

const KIND_BY_NUMBER: ReadonlyMap<number, Kind> = new Map(
  KINDS.map((kind) => [OBJECT_KINDS[kind], kind]),
);

/** The kind of a number on the wire; undefined for one that this version does not know. */
export function kindOf(number: ObjectKind): Kind | undefined {
  return KIND_BY_NUMBER.get(number);
}

/** Wraps one object for the wire. */
export function toUnion<K extends Kind>(kind: K, object: ObjectTypes[K]): ObjectUnion {
  return { ...EMPTY_UNION, [kind]: object };
}

const EMPTY_UNION: ObjectUnion = {
  node: undefined,
  service: undefined,
  task: undefined,
  network: undefined,
  secret: undefined,
  config: undefined,
  cluster: undefined,
  volume: undefined,
  stack: undefined,
  credential: undefined,
};

/** The one object of a union. Undefined when none that this version knows is set. */
export function fromUnion(union: ObjectUnion): { kind: Kind; object: AnyObject } | undefined {
  for (const kind of KINDS) {
    const object = union[kind];
    if (object) return { kind, object };
  }
  return undefined;
}

/** The object's name, unique within its kind; '' = it has none. */
export function nameOf(kind: Kind, object: AnyObject): string {
  if (kind === 'task') return '';
  return (object as { spec?: { name: string } | undefined }).spec?.name ?? '';
}

/** Kinds that a service's spec can refer to. A volume is meant by its name, the others by id. */
export type ReferencedKind = 'secret' | 'config' | 'network' | 'volume';

/** Key prefixes of the index of links; the last part, the id of the object that links, follows. */
export const linkPrefix = {
  tasksByService: (serviceId: string): string => `task.service/${serviceId}\0`,
  tasksByNode: (nodeId: string): string => `task.node/${nodeId}\0`,
  attachmentsOn: (networkId: string): string => `task.network/${networkId}\0`,
  servicesUsing: (kind: ReferencedKind, key: string): string => `service.${kind}/${key}\0`,
  byStack: (kind: Kind, stack: string): string => `${kind}.stack/${stack}\0`,
};

/** The index keys of an object, without its id. */
export function linksOf(kind: Kind, object: AnyObject): string[] {
  if (kind === 'task') {
    const task = object as ObjectTypes['task'];
    const links: string[] = [];
    if (task.serviceId !== '') links.push(linkPrefix.tasksByService(task.serviceId));
    if (task.nodeId !== '') links.push(linkPrefix.tasksByNode(task.nodeId));
    if (isAttachment(task)) {
      for (const { target } of task.spec?.networks ?? []) {
        links.push(linkPrefix.attachmentsOn(target));
      }
    }
    return links;
  }
  const stack = (object as { stack?: string }).stack ?? '';
  const links = stack === '' ? [] : [linkPrefix.byStack(kind, stack)];
  if (kind === 'service') links.push(...serviceLinks(object as ObjectTypes['service']));
  return links;
}

function serviceLinks(service: ObjectTypes['service']): string[] {
  const links = new Set<string>();
  const template = service.spec?.taskTemplate;
  const container = template?.containerSpec;
  for (const ref of container?.secrets ?? []) {
    links.add(linkPrefix.servicesUsing('secret', ref.secretId));
  }
  for (const ref of container?.configs ?? []) {
    links.add(linkPrefix.servicesUsing('config', ref.configId));
  }
  for (const mount of container?.mounts ?? []) {
    if (mount.type === MountType.VOLUME && mount.source !== '') {
      links.add(linkPrefix.servicesUsing('volume', mount.source));
    }
  }
  for (const network of template?.networks ?? []) {
    links.add(linkPrefix.servicesUsing('network', network.target));
  }
  return [...links];
}

/** True when nothing that `linksOf` looks at can differ; lets status updates skip the index. */
export function linksUnchanged(kind: Kind, before: AnyObject, after: AnyObject): boolean {
  if (kind === 'task') {
    const [a, b] = [before as ObjectTypes['task'], after as ObjectTypes['task']];
    return a.serviceId === b.serviceId && a.nodeId === b.nodeId;
  }
  const [a, b] = [before, after] as { spec?: unknown; stack?: string }[];
  return a?.spec === b?.spec && a?.stack === b?.stack;
}

/**
 * Whether a change moves the version that users give with an update. Of nodes and services only the
 * spec does: heartbeats, addresses and progress of an update come at any time, and a user who has
 * read the object a moment before must not be refused.
 */
export function movesVersion(kind: Kind, before: AnyObject, after: AnyObject): boolean {
  if (kind === 'node') {
    return !sameSpec(
      NodeSpec,
      (before as ObjectTypes['node']).spec,
      (after as ObjectTypes['node']).spec,
    );
  }
  if (kind === 'service') {
    const [a, b] = [before as ObjectTypes['service'], after as ObjectTypes['service']];
    return (
      !sameSpec(ServiceSpec, a.spec, b.spec) ||
      !sameSpec(ServiceSpec, a.previousSpec, b.previousSpec)
    );
  }
  return true;
}

function sameSpec<T>(
  type: { encode(message: T): Uint8Array },
  a: T | undefined,
  b: T | undefined,
): boolean {
  return (
    a === b || (a !== undefined && b !== undefined && sameBytes(type.encode(a), type.encode(b)))
  );
}

/** Equality of contents. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
