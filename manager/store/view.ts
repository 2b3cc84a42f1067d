// How the manager's controllers see the store: typed reads with indexes, and a transaction that
// sees its own writes. Objects are immutable; `update` takes a whole new object. Everything here is
// synchronous and deterministic.
import type {
  Cluster,
  Config,
  Credential,
  Network,
  Node,
  Secret,
  Service,
  Stack,
  Task,
  Volume,
} from '#protocol/generated/objects';

/** Kind name → object type. */
export interface ObjectTypes {
  readonly node: Node;
  readonly service: Service;
  readonly task: Task;
  readonly network: Network;
  readonly secret: Secret;
  readonly config: Config;
  readonly cluster: Cluster;
  readonly volume: Volume;
  readonly stack: Stack;
  readonly credential: Credential;
}
export type Kind = keyof ObjectTypes;

export interface ReadView {
  get<K extends Kind>(kind: K, id: string): ObjectTypes[K] | undefined;
  /** All objects of a kind, ordered by id. */
  list<K extends Kind>(kind: K): Iterable<ObjectTypes[K]>;
  /** Exact name (spec.name; a node's hostname is not a name). Tasks have none. */
  byName<K extends Exclude<Kind, 'task'>>(kind: K, name: string): ObjectTypes[K] | undefined;
  tasksByService(serviceId: string): Iterable<Task>;
  /** Tasks assigned to a node. */
  tasksByNode(nodeId: string): Iterable<Task>;
  /** The one cluster object. @throws bug before bootstrap. */
  cluster(): Cluster;
}

export interface WriteView extends ReadView {
  /** @throws TswarmError already_exists for an id or a name in use. */
  create<K extends Kind>(kind: K, object: ObjectTypes[K]): void;
  /**
   * @throws TswarmError not_found. The version of the object passed is not compared: the caller has
   * just read it in this transaction.
   */
  update<K extends Kind>(kind: K, object: ObjectTypes[K]): void;
  remove(kind: Kind, id: string): void;
}

/**
 * What a decision may know of the world; stamped by the leader, so that replaying needs neither
 * clock nor randomness.
 */
export interface DecisionContext {
  /** Microseconds since 1970. */
  readonly nowMicros: number;
  newId(): string;
  /** In [0, 1). */
  random(): number;
}

/** A committed change. `before` is absent for a creation, `after` for a removal. */
export interface StoreChange<K extends Kind = Kind> {
  readonly kind: K;
  readonly before?: ObjectTypes[K] | undefined;
  readonly after?: ObjectTypes[K] | undefined;
}
