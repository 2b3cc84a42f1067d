// A persistent ordered map from text to values: a B+ tree whose nodes are never changed once somebody
// else can see them. `set` and `delete` copy only the path to one leaf, so an old map stays valid and
// costs nothing: that is what lets a reader, a snapshot and several open transactions look at
// different states of the store without locks or copies. Who makes many changes in a row (an editor)
// copies the map and each node once and changes its own copies in place; that is a third of the work. Keys are
// ordered by UTF-16 code units, the same on every host.
import { assert } from '#protocol/errors';
import { MAP_NODE_ENTRIES_MAX, MAP_NODE_ENTRIES_MIN } from './limits.ts';

/**
 * Whoever makes many changes in a row names itself: nodes that were made for it may be changed in
 * place by it, for nobody else has seen them. Any object; two are the same only by identity.
 */
export type Editor = object;

interface Leaf<V> {
  keys: string[];
  readonly values: V[];
  readonly children: undefined;
  /** Who may change `values` (or `children`) in place; undefined = nobody any more. */
  readonly editor: Editor | undefined;
  /** Who may change `keys`, which nodes share when only values differ. */
  keysEditor: Editor | undefined;
}

/**
 * `keys[i]` is a lower bound of all keys below `children[i]` and above all keys below
 * `children[i-1]`.
 */
interface Inner<V> {
  keys: string[];
  readonly values: undefined;
  readonly children: TreeNode<V>[];
  readonly editor: Editor | undefined;
  keysEditor: Editor | undefined;
}

type TreeNode<V> = Leaf<V> | Inner<V>;

/**
 * An immutable ordered map. Methods that change return a new map; with an editor the map that it was
 * called on must not be used any more: it may be the one that is returned.
 */
export class SortedMap<V> {
  #size: number;
  #root: TreeNode<V>;
  /** Who may change this map in place. */
  readonly #editor: Editor | undefined;

  private constructor(root: TreeNode<V>, size: number, editor: Editor | undefined) {
    this.#root = root;
    this.#size = size;
    this.#editor = editor;
  }

  /** The map without entries. */
  static empty<V>(): SortedMap<V> {
    return new SortedMap<V>(leafOf<V>([], [], undefined), 0, undefined);
  }

  get size(): number {
    return this.#size;
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

  set(key: string, value: V, editor?: Editor): SortedMap<V> {
    return this.#put(key, value, { editor, keepsOld: false, isNew: false, right: undefined });
  }

  /** Like `set`. Undefined when the key is there already: then nothing has changed. */
  insert(key: string, value: V, editor?: Editor): SortedMap<V> | undefined {
    const edit: Edit<V> = { editor, keepsOld: true, isNew: false, right: undefined };
    const map = this.#put(key, value, edit);
    return edit.isNew ? map : undefined;
  }

  #put(key: string, value: V, edit: Edit<V>): SortedMap<V> {
    const { editor } = edit;
    const left = insert(this.#root, key, value, edit);
    const root = edit.right === undefined ? left : innerOf([left, edit.right], editor);
    const size = edit.isNew ? this.#size + 1 : this.#size;
    if (editor === undefined || editor !== this.#editor) return new SortedMap(root, size, editor);
    this.#root = root;
    this.#size = size;
    return this;
  }

  delete(key: string): SortedMap<V> {
    if (!this.has(key)) return this;
    let root = remove(this.#root, key);
    if (root.children?.length === 1) root = root.children[0] as TreeNode<V>;
    return new SortedMap(root, this.#size - 1, undefined);
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

function leafOf<V>(keys: string[], values: V[], editor: Editor | undefined): Leaf<V> {
  return { keys, values, children: undefined, editor, keysEditor: editor };
}

function innerWith<V>(
  keys: string[],
  children: TreeNode<V>[],
  editor: Editor | undefined,
): Inner<V> {
  return { keys, values: undefined, children, editor, keysEditor: editor };
}

function innerOf<V>(children: TreeNode<V>[], editor: Editor | undefined): Inner<V> {
  return innerWith(
    children.map((child) => child.keys[0] ?? ''),
    children,
    editor,
  );
}

/** One insertion on its way down the tree and up again. */
interface Edit<V> {
  readonly editor: Editor | undefined;
  /** A key that is there keeps its value. */
  readonly keepsOld: boolean;
  /** The key was not there before; a way of its own down the tree would cost as much again. */
  isNew: boolean;
  /** The right half of the node that is being returned, when it had to be split. */
  right: TreeNode<V> | undefined;
}

/** The node with the key in it, or its left half. */
function insert<V>(node: TreeNode<V>, key: string, value: V, edit: Edit<V>): TreeNode<V> {
  if (!node.children) return insertIntoLeaf(node, key, value, edit);
  const at = childIndex(node.keys, key);
  const child = insert(node.children[at] as TreeNode<V>, key, value, edit);
  if (edit.keepsOld && !edit.isNew) return node;
  const own = ownInner(node, edit.editor);
  own.children[at] = child;
  // The lower bound only ever falls: a removed smallest key may leave it too low, which is still one.
  const first = child.keys[0] ?? '';
  if (first < (own.keys[at] as string)) ownKeys(own, edit.editor)[at] = first;
  const { right } = edit;
  if (right === undefined) return own;
  edit.right = undefined;
  ownKeys(own, edit.editor).splice(at + 1, 0, right.keys[0] ?? '');
  own.children.splice(at + 1, 0, right);
  return splitInner(own, edit);
}

/** The node itself when the editor may change it, else a copy. */
function ownInner<V>(node: Inner<V>, editor: Editor | undefined): Inner<V> {
  if (node.editor !== undefined && node.editor === editor) return node;
  const { keys, children } = node;
  return { keys, values: undefined, children: children.slice(), editor, keysEditor: undefined };
}

/** The node's keys, not shared with any other node from here on. */
function ownKeys<V>(node: TreeNode<V>, editor: Editor | undefined): string[] {
  if (node.keysEditor === undefined || node.keysEditor !== editor) {
    node.keys = node.keys.slice();
    node.keysEditor = editor;
  }
  return node.keys;
}

function insertIntoLeaf<V>(leaf: Leaf<V>, key: string, value: V, edit: Edit<V>): TreeNode<V> {
  const { editor } = edit;
  const at = lowerBound(leaf.keys, key);
  const isOwn = leaf.editor !== undefined && leaf.editor === editor;
  if (leaf.keys[at] === key) {
    if (edit.keepsOld) return leaf;
    if (!isOwn) {
      const values = leaf.values.with(at, value);
      return { keys: leaf.keys, values, children: undefined, editor, keysEditor: undefined };
    }
    leaf.values[at] = value;
    return leaf;
  }
  edit.isNew = true;
  if (!isOwn) {
    const keys = leaf.keys.toSpliced(at, 0, key);
    return splitLeaf(leafOf(keys, leaf.values.toSpliced(at, 0, value), editor), at, edit);
  }
  ownKeys(leaf, editor).splice(at, 0, key);
  leaf.values.splice(at, 0, value);
  return splitLeaf(leaf, at, edit);
}

/** The leaf, whose arrays nobody else has, or its left half. */
function splitLeaf<V>(leaf: Leaf<V>, insertedAt: number, edit: Edit<V>): Leaf<V> {
  const { keys, values } = leaf;
  if (keys.length <= MAP_NODE_ENTRIES_MAX) return leaf;
  const half = splitPoint(keys.length, insertedAt);
  edit.right = leafOf(keys.splice(half), values.splice(half), edit.editor);
  return leaf;
}

/** Appending (keys that grow) leaves the left node nearly full instead of half empty. */
function splitPoint(length: number, insertedAt: number): number {
  return insertedAt === length - 1 ? length - MAP_NODE_ENTRIES_MIN : length >> 1;
}

/** The node, whose arrays nobody else has, or its left half. */
function splitInner<V>(node: Inner<V>, edit: Edit<V>): Inner<V> {
  const { keys, children } = node;
  if (children.length <= MAP_NODE_ENTRIES_MAX) return node;
  const half = children.length >> 1;
  edit.right = innerWith(keys.splice(half), children.splice(half), edit.editor);
  return node;
}

function remove<V>(node: TreeNode<V>, key: string): TreeNode<V> {
  if (!node.children) {
    const at = lowerBound(node.keys, key);
    return leafOf(node.keys.toSpliced(at, 1), node.values.toSpliced(at, 1), undefined);
  }
  const at = childIndex(node.keys, key);
  const child = remove(node.children[at] as TreeNode<V>, key);
  if (child.keys.length >= MAP_NODE_ENTRIES_MIN || node.children.length === 1) {
    return innerWith(node.keys, node.children.with(at, child), undefined);
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
  return innerWith(
    node.keys.toSpliced(left, 2, ...keys),
    node.children.toSpliced(left, 2, ...parts),
    undefined,
  );
}

function join<V>(
  [a, b]: readonly [TreeNode<V>, TreeNode<V>],
  bounds: readonly [string, string],
): TreeNode<V> {
  if (a.children && b.children) {
    // Below an inner node the first bound may be an empty placeholder: take the parent's.
    const bKeys = b.keys.with(0, bounds[1]);
    return innerWith(a.keys.concat(bKeys), a.children.concat(b.children), undefined);
  }
  assert(a.values && b.values, 'neighbours of different depth');
  return leafOf(a.keys.concat(b.keys), a.values.concat(b.values), undefined);
}

function halves<V>(node: TreeNode<V>): TreeNode<V>[] {
  const { keys } = node;
  const half = keys.length >> 1;
  if (node.children) {
    const { children } = node;
    return [
      innerWith(keys.slice(0, half), children.slice(0, half), undefined),
      innerWith(keys.slice(half), children.slice(half), undefined),
    ];
  }
  const { values } = node;
  return [
    leafOf(keys.slice(0, half), values.slice(0, half), undefined),
    leafOf(keys.slice(half), values.slice(half), undefined),
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
