// The number of each kind of object on the wire, by the field of ObjectUnion that holds it. One
// table for managers and the API: the compiler refuses it when a kind is missing. What a kind means
// is not said here.
import { ObjectKind, type ObjectUnion } from './generated/control.ts';

export const OBJECT_KINDS: Readonly<Record<keyof ObjectUnion, ObjectKind>> = {
  node: ObjectKind.NODE,
  service: ObjectKind.SERVICE,
  task: ObjectKind.TASK,
  network: ObjectKind.NETWORK,
  secret: ObjectKind.SECRET,
  config: ObjectKind.CONFIG,
  cluster: ObjectKind.CLUSTER,
  volume: ObjectKind.VOLUME,
  stack: ObjectKind.STACK,
  credential: ObjectKind.CREDENTIAL,
};
