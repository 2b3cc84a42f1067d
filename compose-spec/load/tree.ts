// The tree that every step of the loader works on: YAML values that know where they were written.
// Nodes are immutable and may be shared (an alias is the anchor's node); a step that changes
// something builds new nodes along the path. A `bad` node stands for something already reported:
// later steps pass over it in silence, so that one mistake gives one error.

import type { Position } from './source.ts';

/** What a scalar was resolved to; `time` is a timestamp, kept as Go prints it. */
export type ScalarType = 'string' | 'int' | 'float' | 'bool' | 'null' | 'time';

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly type: ScalarType;
  readonly value: string | number | bigint | boolean | null;
  readonly at: Position;
}
export interface MapNode {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
  readonly at: Position;
}
export interface Entry {
  readonly value: Node;
  /** Where the key is written. */
  readonly keyAt: Position;
}
export interface SeqNode {
  readonly kind: 'seq';
  readonly items: readonly Node[];
  readonly at: Position;
}
export interface BadNode {
  readonly kind: 'bad';
  readonly at: Position;
}
export type Node = ScalarNode | MapNode | SeqNode | BadNode;

/** Keys and list indices from the root. */
export type Path = readonly (string | number)[];

/** `services.web.ports.0` */
export function formatPath(path: Path): string {
  return path.join('.');
}

/** `services.web.ports.[]`, as compose-go names list items while interpolating. */
export function formatPathAnyIndex(path: Path): string {
  return path.map((part) => (typeof part === 'number' ? '[]' : part)).join('.');
}

/** `services.web.ports[0]` */
export function formatPathBrackets(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** Whether `key` in the mapping at `path` is an extension, and not somebody's name for a thing. */
export function isExtension(key: string, path: Path): boolean {
  if (!key.startsWith('x-')) return false;
  const namesThings = path.length === 1 || path[2] === 'depends_on' || path[2] === 'networks';
  return !(namesThings && (path.length === 1 || path.length === 3));
}

export function stringNode(value: string, at: Position): ScalarNode {
  return { kind: 'scalar', type: 'string', value, at };
}
export function intNode(value: number, at: Position): ScalarNode {
  return { kind: 'scalar', type: 'int', value, at };
}
export function boolNode(value: boolean, at: Position): ScalarNode {
  return { kind: 'scalar', type: 'bool', value, at };
}
export function nullNode(at: Position): ScalarNode {
  return { kind: 'scalar', type: 'null', value: null, at };
}
export function badNode(at: Position): BadNode {
  return { kind: 'bad', at };
}
export function seqNode(items: readonly Node[], at: Position): SeqNode {
  return { kind: 'seq', items, at };
}
/** A mapping whose keys have no place of their own. */
export function mapNode(entries: Iterable<readonly [string, Node]>, at: Position): MapNode {
  const map = new Map<string, Entry>();
  for (const [key, value] of entries) map.set(key, { value, keyAt: value.at });
  return { kind: 'map', entries: map, at };
}

export function isNull(node: Node | undefined): boolean {
  return node?.kind === 'scalar' && node.type === 'null';
}

/** Value of `key`, `undefined` when `node` is no mapping or lacks it. */
export function child(node: Node | undefined, key: string): Node | undefined {
  return node?.kind === 'map' ? node.entries.get(key)?.value : undefined;
}

/** The string at `key`, `undefined` when it is anything else. */
export function childString(node: Node | undefined, key: string): string | undefined {
  const value = child(node, key);
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

/** `map` with `key` set; keeps the key's place when it had one. */
export function withEntry(map: MapNode, key: string, value: Node): MapNode {
  const entries = new Map(map.entries);
  entries.set(key, { value, keyAt: entries.get(key)?.keyAt ?? value.at });
  return { ...map, entries };
}

/** `map` without `key`. */
export function withoutEntry(map: MapNode, key: string): MapNode {
  if (!map.entries.has(key)) return map;
  const entries = new Map(map.entries);
  entries.delete(key);
  return { ...map, entries };
}

/** `map` with each value replaced by what `change` returns; `undefined` removes the key. */
export function mapEntries(
  map: MapNode,
  change: (value: Node, key: string, entry: Entry) => Node | undefined,
): MapNode {
  const entries = new Map<string, Entry>();
  let changed = false;
  for (const [key, entry] of map.entries) {
    const value = change(entry.value, key, entry);
    if (value !== entry.value) changed = true;
    if (value !== undefined) entries.set(key, value === entry.value ? entry : { ...entry, value });
  }
  return changed ? { ...map, entries } : map;
}

/** The node at `path`, or the deepest one on the way to it. */
export function deepestNode(
  root: Node,
  path: Path,
): { readonly at: Position; readonly found: number } {
  let node: Node = root;
  let at = root.at;
  let found = 0;
  for (const part of path) {
    if (node.kind === 'map') {
      const entry = node.entries.get(String(part));
      if (entry === undefined) break;
      at = entry.keyAt;
      node = entry.value;
    } else if (node.kind === 'seq') {
      const item: Node | undefined = node.items[Number(part)];
      if (item === undefined) break;
      at = item.at;
      node = item;
    } else break;
    found += 1;
  }
  return { at, found };
}

/** Rules by path pattern; `*` stands for any one key or index. */
export class PathTable<T> {
  readonly #root: TableNode<T> = { children: new Map(), value: undefined };

  constructor(rules: Readonly<Record<string, T>>) {
    for (const [pattern, value] of Object.entries(rules)) {
      let node = this.#root;
      for (const part of pattern.split('.')) {
        let next = node.children.get(part);
        if (next === undefined) {
          next = { children: new Map(), value: undefined };
          node.children.set(part, next);
        }
        node = next;
      }
      node.value = value;
    }
  }

  /** The rule for `path`, the one with the fewest `*` first. */
  get(path: Path): T | undefined {
    return lookUp(this.#root, path, 0);
  }
}

interface TableNode<T> {
  readonly children: Map<string, TableNode<T>>;
  value: T | undefined;
}

function lookUp<T>(node: TableNode<T>, path: Path, depth: number): T | undefined {
  const part = path[depth];
  if (part === undefined) return node.value;
  const exact = typeof part === 'string' ? node.children.get(part) : undefined;
  const found = exact === undefined ? undefined : lookUp(exact, path, depth + 1);
  if (found !== undefined) return found;
  const any = node.children.get('*');
  return any === undefined ? undefined : lookUp(any, path, depth + 1);
}
