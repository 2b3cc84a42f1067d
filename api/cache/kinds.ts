// The kinds of objects in the cache, by the field of ObjectUnion that holds them.
import type { ObjectUnion } from '#protocol/generated/control';

export const KIND_NAMES = [
  'node',
  'service',
  'task',
  'network',
  'secret',
  'config',
  'cluster',
  'volume',
  'stack',
  'credential',
] as const;

export type KindName = (typeof KIND_NAMES)[number];

export type ObjectOf<K extends KindName> = NonNullable<ObjectUnion[K]>;

/** Which object a union holds; undefined for an empty one. */
export function unionKind(union: ObjectUnion): KindName | undefined {
  return KIND_NAMES.find((kind) => union[kind] !== undefined);
}
