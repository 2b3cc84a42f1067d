// Checks a tree against the schema and reports everything that does not fit. Sentences are those
// that compose-go has for its schema errors (compose.md §2.10). What fails is cut out of the tree
// that comes back, so that the steps after this one only see values of the right shape.

import { nearestWord } from '#protocol/nearest-word';
import type { Diagnostics } from './errors.ts';
import { sameContent } from './merge.ts';
import { ownValue } from './records.ts';
import { COMPOSE_FILE } from './schema.ts';
import type { Schema, ShapeSchema, TypeName } from './shapes.ts';
import type { Position } from './source.ts';
import { misplacedKeyHint } from './suggest.ts';
import type { Entry, MapNode, Node, Path } from './tree.ts';
import { badNode, formatPath } from './tree.ts';

/** The tree without what does not fit; `fileName` is the file that was merged last. */
export function validateSchema(root: Node, fileName: string, diagnostics: Diagnostics): Node {
  const faults: Fault[] = [];
  const checked = checkNode(root, COMPOSE_FILE, [], faults);
  for (const fault of faults) {
    const where = formatPath(fault.path);
    const message = `validating ${fileName}: ${where} ${fault.sentence}`;
    diagnostics.error('schema', message, { at: fault.at, path: where, hint: fault.hint });
  }
  return checked;
}

interface Fault {
  readonly path: Path;
  readonly sentence: string;
  readonly at: Position;
  readonly hint?: string | undefined;
}

function checkNode(node: Node, schema: Schema, path: Path, faults: Fault[]): Node {
  if (node.kind === 'bad') return node;
  if ('oneOf' in schema) return checkChoice(node, schema.oneOf, path, faults);
  if (!schema.types.some((type) => hasType(node, type))) {
    faults.push(typeFault(node, schema.types, path));
    return badNode(node.at);
  }
  switch (node.kind) {
    case 'map':
      return checkMap(node, schema, path, faults);
    case 'seq':
      return checkList(node, schema, path, faults);
    default:
      return checkScalar(node, schema, path, faults) ? node : badNode(node.at);
  }
}

/** Takes the shape whose type fits; of several, the one that complains least. */
function checkChoice(
  node: Node,
  shapes: readonly ShapeSchema[],
  path: Path,
  faults: Fault[],
): Node {
  const fitting = shapes.filter((shape) => shape.types.some((type) => hasType(node, type)));
  if (fitting.length === 0) {
    faults.push(typeFault(node, [...new Set(shapes.flatMap((shape) => shape.types))], path, false));
    return badNode(node.at);
  }
  let best: { node: Node; faults: Fault[]; shape: ShapeSchema } | undefined;
  for (const shape of fitting) {
    const own: Fault[] = [];
    const checked = checkNode(node, shape, path, own);
    if (best === undefined || own.length < best.faults.length) {
      best = { node: checked, faults: own, shape };
    }
    if (own.length === 0) break;
  }
  if (best === undefined) return node;
  const [first] = shapes;
  for (const fault of best.faults) {
    // compose-go names the first form that does not fit; ours adds what is wrong with this one.
    const isHere = fault.path.length === path.length && !fault.sentence.startsWith('additional');
    const another = isHere && first !== undefined && first !== best.shape;
    faults.push(
      another
        ? {
            ...fault,
            sentence: `must be a ${humanTypes(first.types)}; as it is: ${fault.sentence}`,
          }
        : fault,
    );
  }
  return best.node;
}

function hasType(node: Node, type: TypeName): boolean {
  if (node.kind === 'map') return type === 'object';
  if (node.kind === 'seq') return type === 'array';
  if (node.kind === 'bad') return true;
  switch (node.type) {
    case 'int':
      return type === 'integer' || type === 'number';
    case 'float':
      return type === 'number' || (type === 'integer' && Number.isInteger(node.value));
    case 'bool':
      return type === 'boolean';
    case 'null':
      return type === 'null';
    default:
      return type === 'string';
  }
}

const HUMAN: Readonly<Record<string, string>> = { object: 'mapping' };

function typeFault(node: Node, types: readonly TypeName[], path: Path, sorted = true): Fault {
  const sentence = `must be a ${humanTypes(types, sorted)}`;
  return { path, sentence, at: node.at, hint: typeHint(node, types) };
}

function humanTypes(types: readonly TypeName[], sorted = true): string {
  const names = types.map((type) => HUMAN[type] ?? type);
  if (sorted) names.sort();
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} or ${last}`;
}

function typeHint(node: Node, types: readonly TypeName[]): string | undefined {
  if (node.kind === 'scalar' && types.includes('string') && node.type !== 'null') {
    return `write it in quotes: "${String(node.value)}"`;
  }
  if (node.kind === 'scalar' && node.type === 'null') return 'it has no value here';
  if (node.kind === 'scalar' && types.includes('array')) return 'start each item with "- "';
  if (node.kind === 'seq' && types.includes('object')) return 'write `key: value`, without "- "';
  return undefined;
}

function checkMap(node: MapNode, schema: ShapeSchema, path: Path, faults: Fault[]): Node {
  const entries = new Map<string, Entry>();
  const unknown: { key: string; at: Position }[] = [];
  for (const [key, entry] of node.entries) {
    const next = [...path, key];
    const known = ownValue(schema.keys, key);
    const rule =
      known ??
      (schema.keyPattern?.pattern.test(key) === true ? schema.keyPattern.schema : undefined);
    if (rule !== undefined) {
      entries.set(key, { ...entry, value: checkNode(entry.value, rule, next, faults) });
    } else if (schema.closed === true && !(schema.extensible === true && key.startsWith('x-'))) {
      unknown.push({ key, at: entry.keyAt });
    } else entries.set(key, entry);
  }
  const [first] = unknown;
  if (first !== undefined) {
    const names = unknown.map(({ key }) => key).sort();
    faults.push({
      path,
      sentence: `additional properties ${names.map((name) => `'${name}'`).join(', ')} not allowed`,
      at: first.at,
      hint: unknownKeyHint(names, schema, path),
    });
  }
  const missing = (schema.required ?? []).filter((key) => !node.entries.has(key));
  if (missing.length > 0) {
    const names = missing.map((key) => `'${key}'`).join(', ');
    const word = missing.length === 1 ? 'property' : 'properties';
    faults.push({ path, sentence: `missing ${word} ${names}`, at: node.at });
    return badNode(node.at);
  }
  return { ...node, entries };
}

function unknownKeyHint(
  names: readonly string[],
  schema: ShapeSchema,
  path: Path,
): string | undefined {
  const hints: string[] = [];
  for (const name of names) {
    if (schema.keys === undefined) {
      hints.push(`\`${name}\`: names consist of letters, digits, "." "_" and "-"`);
      continue;
    }
    const near = nearestWord(name, Object.keys(schema.keys));
    if (near !== undefined) hints.push(`did you mean \`${near}\` instead of \`${name}\`?`);
    else {
      const elsewhere = misplacedKeyHint(name, path);
      if (elsewhere !== undefined) hints.push(elsewhere);
    }
  }
  return hints.length === 0 ? undefined : hints.join(' ');
}

function checkList(
  node: Node & { readonly kind: 'seq' },
  schema: ShapeSchema,
  path: Path,
  faults: Fault[],
): Node {
  const { items: rule } = schema;
  const items =
    rule === undefined
      ? node.items
      : node.items.map((item, i) => checkNode(item, rule, [...path, i], faults));
  if (schema.unique === true) {
    const equal = findEqual(items);
    if (equal !== undefined) {
      const [first, second] = equal;
      faults.push({
        path,
        sentence: `items at ${first} and ${second} are equal`,
        at: items[second]?.at ?? node.at,
        hint: 'remove one of the two',
      });
    }
  }
  return { ...node, items };
}

function findEqual(items: readonly Node[]): readonly [number, number] | undefined {
  const scalars = new Map<unknown, number>();
  for (const [i, item] of items.entries()) {
    if (item.kind === 'bad') continue;
    if (item.kind === 'scalar') {
      const first = scalars.get(item.value);
      if (first !== undefined) return [first, i];
      scalars.set(item.value, i);
      continue;
    }
    const first = items.findIndex((other, j) => j < i && sameContent(other, item));
    if (first !== -1) return [first, i];
  }
  return undefined;
}

function checkScalar(
  node: Node & { readonly kind: 'scalar' },
  schema: ShapeSchema,
  path: Path,
  faults: Fault[],
): boolean {
  const fault = (sentence: string, hint?: string): false => {
    faults.push({ path, sentence, at: node.at, hint });
    return false;
  };
  const { value } = node;
  if (schema.values !== undefined && !schema.values.includes(String(value))) {
    const near = nearestWord(String(value), schema.values);
    return fault(
      `value must be one of ${schema.values.map((word) => `'${word}'`).join(', ')}`,
      near === undefined ? undefined : `did you mean \`${near}\`?`,
    );
  }
  if (schema.pattern !== undefined && !schema.pattern.test(String(value))) {
    return fault(`'${String(value)}' does not match pattern '${schema.pattern.source}'`);
  }
  if (typeof value !== 'number' && typeof value !== 'bigint') return true;
  if (schema.minimum !== undefined && value < schema.minimum) {
    return fault(`must be greater than or equal to ${schema.minimum}`);
  }
  if (schema.maximum !== undefined && value > schema.maximum) {
    return fault(`must be less than or equal to ${schema.maximum}`);
  }
  return true;
}
