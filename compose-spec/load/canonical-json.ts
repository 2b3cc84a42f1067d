// A project as the JSON that `config --format json` prints: compose-go's canonical output. Driven by
// the same tables that read the project (`fields.ts`). Secrets' contents are never printed.

import type { Field, Table } from './fields.ts';
import { FILE_OBJECT, MODEL, NETWORK, SERVICE, VOLUME } from './fields.ts';
import type { JsonValue, Project, Service } from './project.ts';
import { printDuration, printFileMode, shortestFloat32 } from './units.ts';

type JsonObject = { readonly [key: string]: JsonValue };

/** How to print. */
export interface CanonicalJsonOptions {
  /** Leave `$` single: for output that is not read as a compose file again. Default false. */
  readonly singleDollars?: boolean;
  /** Print `models` too: compose-go does in YAML, but not in JSON. Default false. */
  readonly models?: boolean;
  /** Print `env_file` and `label_file`: they have not been read into other fields. Default false. */
  readonly unreadFiles?: boolean;
}

/** The canonical JSON of `project`, keys in order of their texts, `$` doubled. */
export function toCanonicalJson(project: Project, options: CanonicalJsonOptions = {}): JsonObject {
  const json = printProject(project, options);
  return options.singleDollars === true ? json : (doubleDollars(json) as JsonObject);
}

/** Read again as a file, the output must mean what it means now. */
export function doubleDollars(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(doubleDollars);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key.replaceAll('$', '$$$$'), doubleDollars(item)]),
  );
}

function printProject(project: Project, options: CanonicalJsonOptions): JsonObject {
  const sections: Record<string, JsonValue> = { ...project.extensions, name: project.name };
  const hidden = options.unreadFiles === true ? ['extends'] : HIDDEN_IN_SERVICE;
  sections.services = printAll(project.services, SERVICE, hidden);
  const optional: readonly (readonly [
    string,
    Readonly<Record<string, object>>,
    Table,
    string[],
  ])[] = [
    ['networks', project.networks, NETWORK, []],
    ['volumes', project.volumes, VOLUME, []],
    ['configs', project.configs, FILE_OBJECT, []],
    ['secrets', project.secrets, FILE_OBJECT, ['content']],
    ['models', options.models === true ? project.models : {}, MODEL, []],
  ];
  for (const [name, objects, table, hidden] of optional) {
    if (Object.keys(objects).length > 0) sections[name] = printAll(objects, table, hidden);
  }
  return sorted(sections);
}

/** The canonical JSON of one service, with single `$`. */
export function serviceJson(service: Service): JsonObject {
  return printObject(service, SERVICE, HIDDEN_IN_SERVICE);
}

/** What was read into other fields is not printed again. */
const HIDDEN_IN_SERVICE: readonly string[] = ['env_file', 'label_file', 'extends'];

function printAll(
  objects: Readonly<Record<string, object>>,
  table: Table,
  hidden: readonly string[],
): JsonObject {
  return sorted(
    Object.fromEntries(
      Object.entries(objects).map(([name, value]) => [name, printObject(value, table, hidden)]),
    ),
  );
}

function printObject(value: object, table: Table, hidden: readonly string[] = []): JsonObject {
  const printed: Record<string, JsonValue> = {};
  for (const [key, field] of Object.entries(table)) {
    const fieldValue = (value as Readonly<Record<string, unknown>>)[key];
    if (fieldValue !== undefined && !hidden.includes(key))
      printed[key] = printField(fieldValue, field);
  }
  return sorted(printed);
}

function printField(value: unknown, field: Field): JsonValue {
  if (typeof field === 'object') return printNested(value, field);
  switch (field) {
    case 'bytes':
      return String(value);
    case 'duration':
    case 'durationKept':
      return printDuration(Number(value));
    case 'fileMode':
      return printFileMode(Number(value));
    case 'float':
      return shortestFloat32(Number(value));
    case 'map':
    case 'nullableMap':
    case 'providerOptions':
    case 'ulimits':
      return sorted(value as JsonObject);
    default:
      return value as JsonValue;
  }
}

function printNested(value: unknown, field: Exclude<Field, string>): JsonValue {
  if (value === null) return null;
  const { kind, of: table } = field;
  if (kind === 'list') return (value as object[]).map((item) => printObject(item, table));
  if (kind === 'object' || kind === 'objectAlways') return printObject(value as object, table);
  const items = Object.entries(value as Record<string, object | null>);
  return sorted(
    Object.fromEntries(
      items.map(([name, item]) => [name, item === null ? null : printObject(item, table)]),
    ),
  );
}

function sorted(object: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(object).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  );
}
