// YAML text to trees. npm `yaml` parses with its failsafe schema (everything a string); types are
// given here as go-yaml gives them, aliases are expanded, `<<` is merged, duplicate keys, alias
// cycles and alias bombs are refused, and `!reset` / `!override` are taken out and remembered.

import type { Document, YAMLMap, YAMLSeq, Node as YamlNode } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import type { Diagnostics } from './errors.ts';
import { FILE_LENGTH_MAX, NESTING_DEPTH_MAX, NODES_MAX } from './limits.ts';
import { resolvePlainScalar, resolveTaggedScalar } from './scalars.ts';
import type { Position, SourceFile } from './source.ts';
import type { Entry, Node, Path } from './tree.ts';
import { badNode, formatPath, formatPathBrackets, nullNode } from './tree.ts';
import { reportSyntaxErrors } from './yaml-errors.ts';

/** One YAML document of a file. */
export interface ParsedDocument {
  /** A null scalar when the document is empty. */
  readonly root: Node;
  /** Paths that carried `!reset` or `!override`: what came before is dropped there. */
  readonly resets: readonly Path[];
}

/** The documents of `file`; `undefined` after a syntax error, which is in `diagnostics` then. */
export function parseYaml(
  file: SourceFile,
  diagnostics: Diagnostics,
): readonly ParsedDocument[] | undefined {
  const fail = (message: string, offset = 0, hint?: string): undefined => {
    const text = `failed to parse ${file.path}: ${message}`;
    diagnostics.error('yaml', text, { at: { file, offset }, hint });
    return undefined;
  };
  if (file.text.length > FILE_LENGTH_MAX) {
    return fail(`yaml: file has more than ${FILE_LENGTH_MAX} characters`);
  }
  const control = findControlCharacter(file.text);
  if (control !== -1) {
    return fail('yaml: control characters are not allowed', control, 'is this a text file?');
  }
  let documents: readonly Document[];
  try {
    documents = parseAllDocuments(file.text, {
      schema: 'failsafe',
      uniqueKeys: false,
      merge: false,
      logLevel: 'silent',
      prettyErrors: false,
    }) as readonly Document[];
  } catch (error) {
    if (error instanceof RangeError) return fail('yaml: nested too deeply');
    throw error;
  }
  const faults = documents.flatMap((document) => document.errors);
  if (faults.length > 0) {
    reportSyntaxErrors(file, faults, diagnostics);
    return undefined;
  }
  const parsed: ParsedDocument[] = [];
  for (const document of documents) {
    try {
      const converter = new Converter(file, document.contents as YamlNode | null, diagnostics);
      parsed.push(converter.convert());
    } catch (error) {
      if (!(error instanceof YamlFault)) throw error;
      return fail(error.message, error.offset, error.hint);
    }
  }
  return parsed;
}

/** Position of the first character that YAML forbids, -1 when there is none. */
function findControlCharacter(text: string): number {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 32 && code !== 9 && code !== 10 && code !== 13) return i;
    if (code === 0x7f || code === 0xfffd || code === 0xfffe || code === 0xffff) return i;
  }
  return -1;
}

class YamlFault extends Error {
  readonly offset: number;
  readonly hint: string | undefined;
  constructor(message: string, offset: number, hint?: string) {
    super(message);
    this.offset = offset;
    this.hint = hint;
  }
}

interface Anchor {
  readonly node: YamlNode;
  readonly path: Path;
  /** Still being read: an alias to it from inside is a cycle. */
  open: boolean;
  /** Its tree and size, once read, when nothing in it depends on where it is used. */
  converted: { readonly node: Node; readonly size: number } | undefined;
}

/** Turns one parsed document into a tree. */
class Converter {
  readonly #file: SourceFile;
  readonly #contents: YamlNode | null;
  readonly #diagnostics: Diagnostics;
  readonly #anchors = new Map<string, Anchor>();
  readonly #resets: Path[] = [];
  /** All nodes visited, and those of them that were reached through an alias. */
  #visited = 0;
  #aliased = 0;
  #aliasDepth = 0;

  constructor(file: SourceFile, contents: YamlNode | null, diagnostics: Diagnostics) {
    this.#file = file;
    this.#contents = contents;
    this.#diagnostics = diagnostics;
  }

  convert(): ParsedDocument {
    const root = this.#node(this.#contents, []) ?? nullNode(this.#at(0));
    return { root, resets: this.#resets };
  }

  /** `undefined` for a node that `!reset` took away. */
  #node(yaml: YamlNode | null, path: Path): Node | undefined {
    this.#count(1, yaml);
    if (path.length > NESTING_DEPTH_MAX) {
      throw new YamlFault('yaml: nested too deeply', offsetOf(yaml));
    }
    if (yaml === null) return nullNode(this.#at(0));
    if (isAlias(yaml)) return this.#alias(yaml.source, offsetOf(yaml), path);
    const anchor = this.#open(yaml, path);
    const before = { visited: this.#visited, resets: this.#resets.length };
    const node = this.#content(yaml, path);
    if (anchor !== undefined) {
      anchor.open = false;
      if (node !== undefined && this.#resets.length === before.resets) {
        anchor.converted = { node, size: this.#visited - before.visited + 1 };
      }
    }
    return node;
  }

  #open(yaml: YamlNode, path: Path): Anchor | undefined {
    const name = isScalar(yaml) || isMap(yaml) || isSeq(yaml) ? yaml.anchor : undefined;
    if (name === undefined) return undefined;
    const anchor: Anchor = { node: yaml, path, open: true, converted: undefined };
    this.#anchors.set(name, anchor);
    return anchor;
  }

  #alias(name: string, offset: number, path: Path): Node | undefined {
    const anchor = this.#anchors.get(name);
    if (anchor === undefined) {
      throw new YamlFault(`yaml: unknown anchor '${name}' referenced`, offset, didDefine(name));
    }
    if (anchor.open) {
      const inside = path.slice(anchor.path.length);
      const again = formatPath([...path, ...inside]);
      throw new YamlFault(
        this.#construct(
          `cycle detected: node at path ${again} references node at path ${formatPath(path)}`,
        ),
        offset,
        `\`*${name}\` is used inside \`&${name}\` itself`,
      );
    }
    this.#aliasDepth += 1;
    let node: Node | undefined;
    if (anchor.converted !== undefined) {
      this.#count(anchor.converted.size, anchor.node);
      node = anchor.converted.node;
    } else {
      anchor.open = true;
      node = this.#content(anchor.node, path);
      anchor.open = false;
    }
    this.#aliasDepth -= 1;
    return node;
  }

  #content(yaml: YamlNode, path: Path): Node | undefined {
    const tag = (yaml as { tag?: string }).tag;
    if (tag === '!reset') {
      this.#resets.push(path);
      return undefined;
    }
    if (tag === '!override') this.#resets.push(path);
    if (isMap(yaml)) return this.#map(yaml, path);
    if (isSeq(yaml)) return this.#seq(yaml, path);
    return this.#scalar(yaml, tag);
  }

  #scalar(yaml: YamlNode, tag: string | undefined): Node {
    const at = this.#at(offsetOf(yaml));
    if (!isScalar(yaml)) return badNode(at);
    const text = typeof yaml.value === 'string' ? yaml.value : String(yaml.source ?? '');
    if (tag?.startsWith('tag:yaml.org,2002:') === true) {
      const name = tag.slice('tag:yaml.org,2002:'.length);
      const tagged = resolveTaggedScalar(name, text);
      if (tagged !== undefined) return { kind: 'scalar', at, ...tagged };
      const message = `cannot construct !!str \`${text}\` as a !!${name}`;
      throw new YamlFault(this.#construct(message), at.offset);
    }
    if (yaml.type !== 'PLAIN') return { kind: 'scalar', type: 'string', value: text, at };
    return { kind: 'scalar', at, ...resolvePlainScalar(text) };
  }

  #seq(yaml: YAMLSeq, path: Path): Node {
    const items: Node[] = [];
    for (const [index, item] of yaml.items.entries()) {
      const node = this.#node(item as YamlNode | null, [...path, index]);
      if (node !== undefined) items.push(node);
    }
    return { kind: 'seq', items, at: this.#at(offsetOf(yaml)) };
  }

  #map(yaml: YAMLMap, path: Path): Node {
    const entries = new Map<string, Entry>();
    const lines = new Map<string, number>();
    let merge: { readonly value: YamlNode | null; readonly offset: number } | undefined;
    for (const pair of yaml.items) {
      const keyNode = pair.key as YamlNode | null;
      const key = this.#key(keyNode, path);
      if (key === undefined) continue;
      this.#refuseDuplicate(key, keyNode, lines);
      const value = pair.value as YamlNode | null;
      if (key === '<<' && isScalar(keyNode) && keyNode.type === 'PLAIN') {
        merge = { value, offset: offsetOf(keyNode) };
        continue;
      }
      const node = this.#node(value, [...path, key]);
      const keyAt = this.#at(offsetOf(keyNode));
      // A key without a value has no place of its own: the key's will do.
      const placed = value === null && node !== undefined ? { ...node, at: keyAt } : node;
      if (placed !== undefined) entries.set(key, { value: placed, keyAt });
    }
    if (merge !== undefined) this.#merge(merge.value, merge.offset, path, entries);
    return { kind: 'map', entries, at: this.#at(offsetOf(yaml)) };
  }

  /** Applies `<<`: keys that are there already stay, of several sources the earlier wins. */
  #merge(value: YamlNode | null, offset: number, path: Path, entries: Map<string, Entry>): void {
    const node = this.#node(value, path);
    const sources = node?.kind === 'seq' ? node.items : [node];
    for (const source of sources) {
      if (source === undefined || source.kind === 'bad') continue;
      if (source.kind !== 'map') {
        const message = 'map merge requires map or sequence of maps as the value';
        throw new YamlFault(this.#construct(message), offset);
      }
      for (const [key, entry] of source.entries) {
        if (!entries.has(key)) entries.set(key, entry);
      }
    }
  }

  #key(yaml: YamlNode | null, path: Path): string | undefined {
    const offset = offsetOf(yaml);
    const target = isAlias(yaml) ? (this.#anchors.get(yaml.source)?.node ?? null) : yaml;
    if (target !== null && !isScalar(target)) {
      throw new YamlFault(this.#construct('invalid map key'), offset);
    }
    const key = target === null ? nullNode(this.#at(offset)) : this.#scalar(target, target.tag);
    if (key.kind !== 'scalar') return undefined;
    if (typeof key.value === 'string' && key.type === 'string') return key.value;
    const where = path.length === 0 ? 'at top level' : `in ${formatPathBrackets(path)}`;
    const shown = key.value === null ? '<nil>' : String(key.value);
    this.#diagnostics.error('yaml', `non-string key ${where}: ${shown}`, {
      at: this.#at(offset),
      path: formatPath(path),
      hint: `write the key in quotes: "${key.value === null ? '' : shown}"`,
    });
    return undefined;
  }

  #refuseDuplicate(key: string, yaml: YamlNode | null, lines: Map<string, number>): void {
    const offset = offsetOf(yaml);
    const { line } = this.#file.lineAt(offset);
    const first = lines.get(key);
    if (first !== undefined) {
      const message = `line ${line}: mapping key ${JSON.stringify(key)} already defined at line ${first}`;
      throw new YamlFault(this.#construct(message), offset, 'remove one of the two');
    }
    lines.set(key, line);
  }

  /** Counts visits, and refuses documents that are mostly repetition of themselves. */
  #count(nodes: number, yaml: YamlNode | null): void {
    this.#visited += nodes;
    if (this.#aliasDepth > 0) this.#aliased += nodes;
    if (this.#aliased > 100 && this.#visited > 1000) {
      if (this.#aliased / this.#visited > allowedAliasRatio(this.#visited)) {
        const message = 'yaml: document contains excessive aliasing';
        throw new YamlFault(this.#construct(message), offsetOf(yaml));
      }
    }
    if (this.#visited > NODES_MAX && this.#aliased * 2 < this.#visited) {
      const message = `compose file exceeds maximum node visit limit (${NODES_MAX})`;
      throw new YamlFault(this.#construct(message), offsetOf(yaml));
    }
  }

  /** go-yaml reports what is found while building values under this heading. */
  #construct(message: string): string {
    const { line } = this.#file.lineAt(offsetOf(this.#contents));
    return `yaml: construct errors:\n  line ${line}: ${message}`;
  }

  #at(offset: number): Position {
    return { file: this.#file, offset };
  }
}

function offsetOf(yaml: YamlNode | null): number {
  return yaml?.range?.[0] ?? 0;
}

function didDefine(name: string): string {
  return `define it before this line with \`&${name}\``;
}

/** Share of nodes that may come from aliases: go-yaml's decode.go, allowedAliasRatio. */
function allowedAliasRatio(visited: number): number {
  if (visited <= 400_000) return 0.99;
  if (visited >= 4_000_000) return 0.1;
  return 0.99 - 0.89 * ((visited - 400_000) / (4_000_000 - 400_000));
}
