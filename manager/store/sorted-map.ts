// A persistent ordered map from text to values: a B+ tree whose nodes are never changed. `set` and
// `delete` copy only the path to one leaf, so an old map stays valid and costs nothing: that is
// what lets a reader, a snapshot and several open transactions look at different states of the
// store without locks or copies. Keys are ordered by UTF-16 code units, the same on every host.
import { assert } from '#protocol/errors';
import { MAP_NODE_ENTRIES_MAX, MAP_NODE_ENTRIES_MIN } from './limits.ts';

interface Leaf<V> {
  readonly keys: readonly string[];
  readonly values: readonly V[];
  readonly children: undefined;
}

/**
 * `keys[i]` is a lower bound of all keys below `children[i]` and above all keys below
 * `children[i-1]`.
 */
interface Inner<V> {
  readonly keys: readonly string[];
  readonly values: undefined;
  readonly children: readonly TreeNode<V>[];
}

type TreeNode<V> = Leaf<V> | Inner<V>;

/** An immutable ordered map. Methods that change return a new map. */
export class SortedMap<V> {
  readonly size: number;
  readonly #root: TreeNode<V>;

  private constructor(root: TreeNode<V>, size: number) {
    this.#root = root;
    this.size = size;
  }

  /** The map without entries. */
  static empty<V>(): SortedMap<V> {
    return new SortedMap<V>({ keys: [], values: [], children: undefined }, 0);
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (node.children) node = node.children[childIndex(node.keys, key)] as TreeNode<V>;
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values[at] : undefined;
  }

  has(key: string): boolean {
    let node = this.#root;
    while (node.children) node = node.children[childIndex(node.keys, key)] as TreeNode<V>;
    return node.keys[lowerBound(node.keys, key)] === key;
  }

  set(key: string, value: V): SortedMap<V> {
    const outcome = { isNew: false };
    const parts = insert(this.#root, key, value, outcome);
    const root = parts.length === 1 ? (parts[0] as TreeNode<V>) : innerOf(parts);
    return new SortedMap(root, outcome.isNew ? this.size + 1 : this.size);
  }

  delete(key: string): SortedMap<V> {
    if (!this.has(key)) return this;
    let root = remove(this.#root, key);
    if (root.children?.length === 1) root = root.children[0] as TreeNode<V>;
    return new SortedMap(root, this.size - 1);
  }

  /** All values, in the order of their keys. */
  *values(): IterableIterator<V> {
    yield* valuesBelow(this.#root);
  }

  /** All entries, in the order of their keys. */
  *entries(): IterableIterator<readonly [string, V]> {
    yield* entriesFrom(this.#root, '');
  }

  /** The entries whose key starts with `prefix`, in order. */
  *withPrefix(prefix: string): IterableIterator<readonly [string, V]> {
    for (const entry of entriesFrom(this.#root, prefix)) {
      if (!entry[0].startsWith(prefix)) return;
      yield entry;
    }
  }
}

/** First index whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The child that holds `key` if any does. */
function childIndex(keys: readonly string[], key: string): number {
  const at = lowerBound(keys, key);
  return keys[at] === key ? at : Math.max(0, at - 1);
}

function innerOf<V>(children: readonly TreeNode<V>[]): Inner<V> {
  return { keys: children.map((child) => child.keys[0] ?? ''), values: undefined, children };
}

/** Tells whether the key was not there before; a way of its own down the tree would cost as much again. */
interface Outcome {
  isNew: boolean;
}

function insert<V>(node: TreeNode<V>, key: string, value: V, outcome: Outcome): TreeNode<V>[] {
  if (!node.children) return insertIntoLeaf(node, key, value, outcome);
  const at = childIndex(node.keys, key);
  const parts = insert(node.children[at] as TreeNode<V>, key, value, outcome);
  const first = parts[0] as TreeNode<V>;
  if (parts.length === 1 && (node.keys[at] as string) <= (first.keys[0] ?? '')) {
    // As nearly always: the bounds stay, and are shared.
    return [{ keys: node.keys, values: undefined, children: node.children.with(at, first) }];
  }
  const children = node.children.toSpliced(at, 1, ...parts);
  const keys = node.keys.toSpliced(at, 1, ...parts.map((part) => part.keys[0] ?? ''));
  // The lower bound of the first part only ever falls: a removed smallest key may leave it too low,
  // which is still a bound.
  if ((node.keys[at] as string) < (first.keys[0] ?? '')) keys[at] = node.keys[at] as string;
  return splitInner({ keys, values: undefined, children });
}

function insertIntoLeaf<V>(leaf: Leaf<V>, key: string, value: V, outcome: Outcome): TreeNode<V>[] {
  const at = lowerBound(leaf.keys, key);
  if (leaf.keys[at] === key) {
    return [{ keys: leaf.keys, values: leaf.values.with(at, value), children: undefined }];
  }
  outcome.isNew = true;
  const keys = leaf.keys.toSpliced(at, 0, key);
  const values = leaf.values.toSpliced(at, 0, value);
  if (keys.length <= MAP_NODE_ENTRIES_MAX) return [{ keys, values, children: undefined }];
  const half = splitPoint(keys.length, at);
  return [
    { keys: keys.slice(0, half), values: values.slice(0, half), children: undefined },
    { keys: keys.slice(half), values: values.slice(half), children: undefined },
  ];
}

/** Appending (keys that grow) leaves the left node nearly full instead of half empty. */
function splitPoint(length: number, insertedAt: number): number {
  return insertedAt === length - 1 ? length - MAP_NODE_ENTRIES_MIN : length >> 1;
}

function splitInner<V>(node: Inner<V>): TreeNode<V>[] {
  if (node.children.length <= MAP_NODE_ENTRIES_MAX) return [node];
  const half = node.children.length >> 1;
  return [
    { keys: node.keys.slice(0, half), values: undefined, children: node.children.slice(0, half) },
    { keys: node.keys.slice(half), values: undefined, children: node.children.slice(half) },
  ];
}

function remove<V>(node: TreeNode<V>, key: string): TreeNode<V> {
  if (!node.children) {
    const at = lowerBound(node.keys, key);
    return {
      keys: node.keys.toSpliced(at, 1),
      values: node.values.toSpliced(at, 1),
      children: undefined,
    };
  }
  const at = childIndex(node.keys, key);
  const child = remove(node.children[at] as TreeNode<V>, key);
  if (child.keys.length >= MAP_NODE_ENTRIES_MIN || node.children.length === 1) {
    return { keys: node.keys, values: undefined, children: node.children.with(at, child) };
  }
  return mergeChild(node, at, child);
}

/**
 * Joins the child at `at`, which has become too small, with a neighbour; splits the two again when
 * they are too large for one node.
 */
function mergeChild<V>(node: Inner<V>, at: number, child: TreeNode<V>): Inner<V> {
  const left = at === 0 ? 0 : at - 1;
  const pair: readonly [TreeNode<V>, TreeNode<V>] =
    at === 0
      ? [child, node.children[1] as TreeNode<V>]
      : [node.children[at - 1] as TreeNode<V>, child];
  const bounds = [node.keys[left] as string, node.keys[left + 1] as string] as const;
  const joined = join(pair, bounds);
  const parts = joined.keys.length <= MAP_NODE_ENTRIES_MAX ? [joined] : halves(joined);
  const keys = parts.map((part, i) => (i === 0 ? bounds[0] : (part.keys[0] ?? '')));
  return {
    keys: node.keys.toSpliced(left, 2, ...keys),
    values: undefined,
    children: node.children.toSpliced(left, 2, ...parts),
  };
}

function join<V>(
  [a, b]: readonly [TreeNode<V>, TreeNode<V>],
  bounds: readonly [string, string],
): TreeNode<V> {
  if (a.children && b.children) {
    // Below an inner node the first bound may be an empty placeholder: take the parent's.
    const bKeys = b.keys.with(0, bounds[1]);
    return {
      keys: a.keys.concat(bKeys),
      values: undefined,
      children: a.children.concat(b.children),
    };
  }
  assert(a.values && b.values, 'neighbours of different depth');
  return { keys: a.keys.concat(b.keys), values: a.values.concat(b.values), children: undefined };
}

function halves<V>(node: TreeNode<V>): TreeNode<V>[] {
  if (node.children) {
    const half = node.children.length >> 1;
    return [
      { keys: node.keys.slice(0, half), values: undefined, children: node.children.slice(0, half) },
      { keys: node.keys.slice(half), values: undefined, children: node.children.slice(half) },
    ];
  }
  const half = node.keys.length >> 1;
  return [
    { keys: node.keys.slice(0, half), values: node.values.slice(0, half), children: undefined },
    { keys: node.keys.slice(half), values: node.values.slice(half), children: undefined },
  ];
}

function* valuesBelow<V>(node: TreeNode<V>): IterableIterator<V> {
  if (!node.children) {
    yield* node.values;
    return;
  }
  for (const child of node.children) yield* valuesBelow(child);
}

function* entriesFrom<V>(node: TreeNode<V>, from: string): IterableIterator<readonly [string, V]> {
  if (!node.children) {
    for (let i = lowerBound(node.keys, from); i < node.keys.length; i++) {
      yield [node.keys[i] as string, node.values[i] as V];
    }
    return;
  }
  for (let i = childIndex(node.keys, from); i < node.children.length; i++) {
    yield* entriesFrom(node.children[i] as TreeNode<V>, from);
  }
}
