// From the tree in long form to typed objects, field by field as `fields.ts` says. Here texts become
// numbers: sizes, durations, modes; and command lines become words. What does not parse is reported
// and left out; `bad` nodes are left out in silence.

import type { Diagnostics } from './errors.ts';
import type { Field, Table } from './fields.ts';
import { parseBoolean } from './interpolate.ts';
import { asList } from './merge.ts';
import type { JsonValue } from './project.ts';
import { printScalar } from './scalars.ts';
import { splitShellWords } from './shell-words.ts';
import type { MapNode, Node, Path, ScalarNode } from './tree.ts';
import { formatPath, isNull } from './tree.ts';
import { parseBytes, parseDuration, parseFileMode, type UnitResult } from './units.ts';

/** Fields that were given, by key. */
export type Bound = Record<string, unknown>;

/** The object at `node` with the fields of `table`. */
export function bindObject(
  node: Node | undefined,
  table: Table,
  path: Path,
  diagnostics: Diagnostics,
): Bound {
  const bound: Bound = {};
  for (const [key, field] of Object.entries(table)) {
    const entry = node?.kind === 'map' ? node.entries.get(key) : undefined;
    const value = new FieldReader([...path, key], diagnostics).read(entry?.value, field);
    if (value !== undefined) bound[key] = value;
  }
  return bound;
}

/** Plain JSON of any tree, for `x-` keys. */
export function toJson(node: Node): JsonValue {
  switch (node.kind) {
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, toJson(value)]));
    case 'seq':
      return node.items.map(toJson);
    case 'bad':
      return null;
    case 'scalar':
      if (typeof node.value === 'bigint') return Number(node.value);
      if (typeof node.value === 'number' && !Number.isFinite(node.value)) return String(node.value);
      return node.value;
  }
}

class FieldReader {
  readonly #path: Path;
  readonly #diagnostics: Diagnostics;

  constructor(path: Path, diagnostics: Diagnostics) {
    this.#path = path;
    this.#diagnostics = diagnostics;
  }

  /** The value of the field; `undefined` when it is not given, or is what not giving it means. */
  read(node: Node | undefined, field: Field): unknown {
    if (typeof field === 'object') return this.#nested(node, field);
    if (field === 'command') return node === undefined ? null : this.#command(node);
    if (node === undefined || node.kind === 'bad') return undefined;
    if (isNull(node)) return undefined;
    switch (field) {
      case 'map':
      case 'nullableMap':
        return this.#map(node, field === 'nullableMap');
      case 'hosts':
        return this.#hosts(node);
      case 'ssh':
        return emptyToNothing(this.#strings(node.kind === 'map' ? listNode(node) : node));
      case 'strings':
        return emptyToNothing(this.#strings(node));
      case 'healthTest':
        return node.kind === 'scalar' ? ['CMD-SHELL', printScalar(node)] : this.#strings(node);
      case 'providerOptions':
        return this.#providerOptions(node);
      case 'ulimits':
        return this.#ulimits(node);
      default:
        return node.kind === 'scalar' ? this.#scalar(node, field) : undefined;
    }
  }

  #nested(node: Node | undefined, field: Exclude<Field, string>): unknown {
    const { kind, of: table } = field;
    if (kind === 'objectAlways') return bindObject(node, table, this.#path, this.#diagnostics);
    if (node === undefined || node.kind === 'bad' || isNull(node)) return undefined;
    const bind = (value: Node, key: string | number): Bound =>
      bindObject(value, table, [...this.#path, key], this.#diagnostics);
    if (kind === 'object') return bindObject(node, table, this.#path, this.#diagnostics);
    if (kind === 'list') {
      if (node.kind !== 'seq') return undefined;
      const items = node.items.flatMap((item, i) => (item.kind === 'bad' ? [] : [bind(item, i)]));
      return emptyToNothing(items);
    }
    if (node.kind !== 'map') return undefined;
    const result: [string, Bound | null][] = [];
    for (const [key, { value }] of node.entries) {
      // A value that was wrong still names something that exists.
      const nothing = kind === 'nullableDict' && (isNull(value) || value.kind === 'bad');
      if (nothing) result.push([key, null]);
      else if (value.kind !== 'bad') result.push([key, bind(value, key)]);
    }
    return emptyToNothing(Object.fromEntries(result));
  }

  #scalar(node: ScalarNode, field: Exclude<Field, object>): unknown {
    const text = printScalar(node);
    switch (field) {
      case 'string':
        this.#refuseInfinity(node);
        return text === '' ? undefined : text;
      case 'bool':
        return this.#bool(node) === true ? true : undefined;
      case 'boolKept':
        return this.#bool(node);
      case 'int':
        return zeroToNothing(this.#number(node, true));
      case 'intKept':
        return this.#number(node, true);
      case 'float':
        return zeroToNothing(this.#number(node, false));
      case 'bytes':
        return zeroToNothing(
          node.type === 'int' ? Number(node.value) : this.#unit(node, parseBytes(text)),
        );
      case 'duration':
        return zeroToNothing(this.#unit(node, parseDuration(text)));
      case 'durationKept':
        return this.#unit(node, parseDuration(text));
      case 'fileMode':
        return node.type === 'int' ? node.value : this.#unit(node, parseFileMode(text));
      case 'deviceCount':
        if (text === 'all') return -1;
        return zeroToNothing(this.#number(node, true));
      default:
        return undefined;
    }
  }

  #fail(node: Node, sentence: string, hint?: string): undefined {
    const message = `'${bindingPath(this.#path)}' ${sentence}`;
    const path = formatPath(this.#path);
    this.#diagnostics.error('value', message, { at: node.at, path, hint });
    return undefined;
  }

  #unit(node: ScalarNode, result: UnitResult): number | undefined {
    return result.ok ? result.value : this.#fail(node, result.message);
  }

  #bool(node: ScalarNode): boolean | undefined {
    if (typeof node.value === 'boolean') return node.value;
    const parsed = parseBoolean(printScalar(node));
    return parsed === undefined
      ? this.#fail(node, `invalid boolean: ${printScalar(node)}`, 'use true or false')
      : parsed.value;
  }

  #number(node: ScalarNode, whole: boolean): number | undefined {
    const text = printScalar(node);
    const value = node.type === 'string' && text.trim() === '' ? Number.NaN : Number(node.value);
    if (Number.isFinite(value) && (!whole || Number.isInteger(value))) return value;
    return this.#fail(
      node,
      `expected ${whole ? 'an integer' : 'a number'}, got ${JSON.stringify(text)}`,
    );
  }

  #refuseInfinity(node: ScalarNode): void {
    if (node.type !== 'float' || typeof node.value !== 'number') return;
    if (Number.isFinite(node.value)) return;
    this.#fail(node, `unsupported value: ${printScalar(node)}`, 'write it in quotes');
  }

  #strings(node: Node): string[] {
    if (node.kind === 'scalar') return [printScalar(node)];
    if (node.kind !== 'seq') return [];
    return node.items.flatMap((item) => (item.kind === 'scalar' ? [printScalar(item)] : []));
  }

  #command(node: Node): readonly string[] | null {
    if (node.kind === 'seq') return this.#strings(node);
    if (node.kind !== 'scalar' || isNull(node)) return null;
    const line = printScalar(node);
    const split = splitShellWords(line);
    if (!split.ok) {
      this.#fail(node, split.message, 'check the quotes, or write the command as a list');
      return null;
    }
    if (split.rest !== '') {
      const where = formatPath(this.#path);
      this.#diagnostics.warn(
        `${where}: ${JSON.stringify(split.rest)} is not part of the command, as no shell runs it; use \`sh -c '…'\` if you want one`,
        { at: node.at, path: where },
      );
    }
    return split.words;
  }

  #map(node: Node, nullable: boolean): Bound | undefined {
    const result: [string, string | null][] = [];
    if (node.kind === 'map') {
      for (const [key, { value }] of node.entries) {
        if (value.kind !== 'scalar') continue;
        this.#refuseInfinity(value);
        result.push([key, isNull(value) ? (nullable ? null : '') : printScalar(value)]);
      }
    } else if (node.kind === 'seq') {
      for (const item of node.items) {
        if (item.kind !== 'scalar') continue;
        const text = printScalar(item);
        const equals = text.indexOf('=');
        const key = equals === -1 ? text : text.slice(0, equals);
        if (key.endsWith(' ')) {
          this.#fail(item, `environment variable ${key} is declared with a trailing space`);
          continue;
        }
        result.push([key, equals === -1 ? (nullable ? null : '') : text.slice(equals + 1)]);
      }
    }
    return emptyToNothing(Object.fromEntries(result));
  }

  #hosts(node: Node): string[] | undefined {
    const hosts: string[] = [];
    for (const item of asList(node)) {
      if (item.kind !== 'scalar') continue;
      const text = printScalar(item);
      const separator = text.includes('=') ? '=' : ':';
      const at = text.indexOf(separator);
      if (at === -1 || at === text.length - 1) {
        this.#fail(
          item,
          `invalid additional host, missing IP: ${text}`,
          'write it as host=address',
        );
        continue;
      }
      const address = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1');
      hosts.push(`${text.slice(0, at)}=${address}`);
    }
    return emptyToNothing(hosts.sort());
  }

  #providerOptions(node: Node): Bound | undefined {
    if (node.kind !== 'map') return undefined;
    const options = [...node.entries].map(
      ([key, { value }]) => [key, this.#strings(value)] as const,
    );
    return emptyToNothing(Object.fromEntries(options));
  }

  #ulimits(node: Node): Bound | undefined {
    if (node.kind !== 'map') return undefined;
    const limits: [string, unknown][] = [];
    for (const [key, { value }] of node.entries) {
      const reader = new FieldReader([...this.#path, key], this.#diagnostics);
      const limit =
        value.kind === 'scalar'
          ? reader.#number(value, true)
          : bindObject(
              value,
              { soft: 'int', hard: 'int' },
              [...this.#path, key],
              this.#diagnostics,
            );
      if (limit !== undefined) limits.push([key, limit]);
    }
    return emptyToNothing(Object.fromEntries(limits));
  }
}

function listNode(node: MapNode): Node {
  return { kind: 'seq', items: asList(node), at: node.at };
}

function zeroToNothing(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

function emptyToNothing<T extends readonly unknown[] | Bound>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value;
}

/** `services[web].mem_limit`, as compose-go names fields that do not decode. */
function bindingPath(path: Path): string {
  let text = '';
  for (const [i, part] of path.entries()) {
    if (typeof part === 'number' || i === 1) text += `[${part}]`;
    else text += i === 0 ? part : `.${part}`;
  }
  return text;
}
