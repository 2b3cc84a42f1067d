// One state of the store: all objects with their indexes, immutable. A Draft starts from a state,
// changes cheaply (persistent maps) and gives a new state; dropping the draft undoes everything.
// Refuses to decide anything: no versions, no checks beyond its own indexes.
import { assert } from '#protocol/errors';
import type { Cluster, Task } from '#protocol/generated/objects';
import { History } from './history.ts';
import {
  type AnyObject,
  KINDS,
  linkPrefix,
  linksOf,
  linksUnchanged,
  nameOf,
  type ReferencedKind,
} from './kinds.ts';
import { type Editor, SortedMap } from './sorted-map.ts';
import type { Kind, ObjectTypes, ReadView, WriteView } from './view.ts';

type Objects = { readonly [K in Kind]: SortedMap<ObjectTypes[K]> };
/** Name → id. */
type Names = Readonly<Record<Kind, SortedMap<string>>>;

/** All objects and their indexes. */
export interface StoreMaps {
  readonly objects: Objects;
  readonly names: Names;
  /** `<link prefix><id>` → id; see linkPrefix. */
  readonly links: SortedMap<string>;
}

export interface StoreState extends StoreMaps {
  /** Raft index of the last entry that is in this state. */
  readonly index: number;
  /** Id of the last transaction that was applied; 0 before the first. */
  readonly lastTransaction: number;
  readonly history: History;
}

/** The state before the first entry. */
export const EMPTY_STATE: StoreState = {
  index: 0,
  lastTransaction: 0,
  objects: emptyMaps() as Objects,
  names: emptyMaps() as Names,
  links: SortedMap.empty(),
  history: History.of([]),
};

function emptyMaps(): unknown {
  return Object.fromEntries(KINDS.map((kind) => [kind, SortedMap.empty()]));
}

/** Reads that the manager's own modules have on top of what controllers see. */
export interface StoreView extends ReadView {
  /** Services whose spec refers to a secret, config or network (by id) or a volume (by name). */
  servicesUsing(kind: ReferencedKind, key: string): Iterable<ObjectTypes['service']>;
  /** Attachments (`protocol/attachments.ts`) to a network; other tasks are found by their services. */
  attachmentsOn(networkId: string): Iterable<Task>;
  /** Objects of a kind that belong to a stack. */
  byStack<K extends Kind>(kind: K, stack: string): Iterable<ObjectTypes[K]>;
}

/** What a transaction's function gets. */
export interface StoreWriteView extends StoreView, WriteView {}

/** Reads over anything that has the store's maps: a state, or a draft whose maps move on. */
export class StateView implements StoreView {
  readonly #maps: () => StoreMaps;
  /** Gives maps that stay as they are while somebody goes through them. */
  readonly #frozen: () => StoreMaps;

  constructor(maps: () => StoreMaps, frozen: () => StoreMaps = maps) {
    this.#maps = maps;
    this.#frozen = frozen;
  }

  get<K extends Kind>(kind: K, id: string): ObjectTypes[K] | undefined {
    return this.#maps().objects[kind].get(id) as ObjectTypes[K] | undefined;
  }

  list<K extends Kind>(kind: K): Iterable<ObjectTypes[K]> {
    return this.#frozen().objects[kind].values() as Iterable<ObjectTypes[K]>;
  }

  byName<K extends Exclude<Kind, 'task'>>(kind: K, name: string): ObjectTypes[K] | undefined {
    const id = this.#maps().names[kind].get(name);
    return id === undefined ? undefined : this.get(kind, id);
  }

  tasksByService(serviceId: string): Iterable<Task> {
    return this.#linked('task', linkPrefix.tasksByService(serviceId));
  }

  tasksByNode(nodeId: string): Iterable<Task> {
    return this.#linked('task', linkPrefix.tasksByNode(nodeId));
  }

  attachmentsOn(networkId: string): Iterable<Task> {
    return this.#linked('task', linkPrefix.attachmentsOn(networkId));
  }

  servicesUsing(kind: ReferencedKind, key: string): Iterable<ObjectTypes['service']> {
    return this.#linked('service', linkPrefix.servicesUsing(kind, key));
  }

  byStack<K extends Kind>(kind: K, stack: string): Iterable<ObjectTypes[K]> {
    return this.#linked(kind, linkPrefix.byStack(kind, stack));
  }

  cluster(): Cluster {
    for (const cluster of this.#maps().objects.cluster.values()) return cluster;
    throw new Error('bug: the cluster object was asked for before the cluster was created');
  }

  *#linked<K extends Kind>(kind: K, prefix: string): Iterable<ObjectTypes[K]> {
    const { objects, links } = this.#frozen();
    for (const [, id] of links.withPrefix(prefix)) {
      const object = objects[kind].get(id);
      assert(object, 'the index names an object that is not there', { kind, id });
      yield object as ObjectTypes[K];
    }
  }
}

/** A view of one state. It never changes. */
export function viewOf(state: StoreState): StoreView {
  return new StateView(() => state);
}

const NO_LINKS: readonly string[] = [];

/** A state in the making. */
export class Draft implements StoreMaps {
  #objects: Objects;
  #names: Names;
  #links: SortedMap<string>;
  /** The two above when nobody else has seen them: only then they may be changed. */
  #ownObjects: Record<Kind, SortedMap<AnyObject>> | undefined;
  #ownNames: Record<Kind, SortedMap<string>> | undefined;
  /** As long as it is the same, nobody else has seen the nodes that were made for it. */
  #editor: Editor = {};

  constructor(base: StoreMaps) {
    this.#objects = base.objects;
    this.#names = base.names;
    this.#links = base.links;
  }

  get objects(): Objects {
    return this.#objects;
  }

  get names(): Names {
    return this.#names;
  }

  get links(): SortedMap<string> {
    return this.#links;
  }

  get(kind: Kind, id: string): AnyObject | undefined {
    return this.#objects[kind].get(id);
  }

  /** Puts a new object. Returns what of it another one has already; then nothing has changed. */
  create(kind: Kind, object: AnyObject): 'id' | 'name' | undefined {
    const { id } = object;
    const objects = this.#mapOf(kind).insert(id, object, this.#editor);
    if (!objects) return 'id';
    const name = nameOf(kind, object);
    const names = this.#names[kind];
    const named = name === '' ? names : names.insert(name, id, this.#editor);
    this.#setMap(kind, named ? objects : objects.delete(id));
    if (!named) return 'name';
    if (named !== names) this.#setNames(kind, named);
    this.#moveLinks(id, NO_LINKS, linksOf(kind, object));
    return undefined;
  }

  /** `before`: what has the object's id now. */
  put(kind: Kind, object: AnyObject, before: AnyObject | undefined): void {
    this.#setMap(kind, this.#mapOf(kind).set(object.id, object, this.#editor));
    this.#moveName(kind, object.id, before && nameOf(kind, before), nameOf(kind, object));
    if (before && linksUnchanged(kind, before, object)) return;
    this.#moveLinks(object.id, before ? linksOf(kind, before) : NO_LINKS, linksOf(kind, object));
  }

  remove(kind: Kind, id: string): void {
    const before = this.get(kind, id);
    if (!before) return;
    this.#setMap(kind, this.#mapOf(kind).delete(id));
    this.#moveName(kind, id, nameOf(kind, before), '');
    this.#moveLinks(id, linksOf(kind, before), NO_LINKS);
  }

  /** The draft itself: each of its maps, as it is now, will not be changed any more but replaced. */
  frozen(): this {
    this.#editor = {};
    this.#ownObjects = undefined;
    this.#ownNames = undefined;
    return this;
  }

  /** The maps as they are now; the draft may go on being changed without touching them. */
  maps(): StoreMaps {
    const { objects, names, links } = this.frozen();
    return { objects, names, links };
  }

  /** The new state; the draft may go on being changed without touching it. */
  finish({ index, lastTransaction, history }: Omit<StoreState, keyof StoreMaps>): StoreState {
    return { index, lastTransaction, history, ...this.maps() };
  }

  #mapOf(kind: Kind): SortedMap<AnyObject> {
    return this.#objects[kind] as unknown as SortedMap<AnyObject>;
  }

  #setMap(kind: Kind, map: SortedMap<AnyObject>): void {
    if (!this.#ownObjects) {
      this.#ownObjects = { ...this.#objects } as unknown as Record<Kind, SortedMap<AnyObject>>;
      this.#objects = this.#ownObjects as unknown as Objects;
    }
    this.#ownObjects[kind] = map;
  }

  #setNames(kind: Kind, names: SortedMap<string>): void {
    if (!this.#ownNames) this.#names = this.#ownNames = { ...this.#names };
    this.#ownNames[kind] = names;
  }

  /**
   * Within one transaction names may pass from one object to another in any order, so a name is
   * only deleted by its owner.
   */
  #moveName(kind: Kind, id: string, before: string | undefined, after: string): void {
    if (before === after) return;
    const names = this.#names[kind];
    const left = before && names.get(before) === id ? names.delete(before) : names;
    const moved = after === '' ? left : left.set(after, id, this.#editor);
    if (moved !== names) this.#setNames(kind, moved);
  }

  #moveLinks(id: string, before: readonly string[], after: readonly string[]): void {
    for (const link of before) {
      if (!after.includes(link)) this.#links = this.#links.delete(link + id);
    }
    for (const link of after) {
      if (!before.includes(link)) this.#links = this.#links.set(link + id, id, this.#editor);
    }
  }
}
