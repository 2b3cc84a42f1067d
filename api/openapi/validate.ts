// Checks a value against the part of JSON Schema that our schemas use: type, enum, properties, required, items, additionalProperties, $ref, allOf, anyOf.
// Strict refuses properties that no schema names: a request with a misspelt field must not be taken for one without it. Says the first fault with its path.
import type { Schema } from './engine-schemas.ts';

export interface Fault {
  /** `spec.labels[2]`; '' = the whole value. */
  readonly path: string;
  /** As in "must be a string". */
  readonly problem: string;
}

export interface ValidateOptions {
  readonly components: Readonly<Record<string, Schema>>;
  /** Unknown properties are faults. */
  readonly isStrict?: boolean;
}

const REF = '#/components/schemas/';

/** The first fault; undefined = it fits. */
export function faultOf(
  schema: Schema,
  value: unknown,
  options: ValidateOptions,
  path = '',
): Fault | undefined {
  if (typeof schema.$ref === 'string') {
    const found = options.components[schema.$ref.slice(REF.length)];
    if (!found) throw new Error(`bug: no schema ${schema.$ref}`);
    return faultOf(found, value, options, path);
  }
  if (Array.isArray(schema.anyOf)) {
    const parts = schema.anyOf as readonly Schema[];
    const faults = parts.map((part) => faultOf(part, value, options, path));
    return faults.every((fault) => fault !== undefined) ? faults[0] : undefined;
  }
  if (Array.isArray(schema.allOf)) {
    const parts = schema.allOf as readonly Schema[];
    // Each part names some of the properties: none of them can say that another is unknown.
    const lax = { components: options.components };
    return first(parts, (part) => faultOf(part, value, lax, path));
  }
  const wrongType = typeFault(schema, value, path);
  if (wrongType) return wrongType;
  if (Array.isArray(schema.enum) && !schema.enum.includes(value)) {
    const words = schema.enum.map((word) => JSON.stringify(word)).join(', ');
    return { path, problem: `must be one of ${words}` };
  }
  if (Array.isArray(value) && schema.items) {
    const items = schema.items as Schema;
    return first([...value.entries()], ([place, item]) =>
      faultOf(items, item, options, `${path}[${place}]`),
    );
  }
  return isObject(value) ? objectFault(schema, value, options, path) : undefined;
}

function typeFault(schema: Schema, value: unknown, path: string): Fault | undefined {
  const { type } = schema;
  if (type === undefined) return undefined;
  const fits = isOfType(type, value);
  if (fits) return undefined;
  const article = type === 'array' || type === 'object' || type === 'integer' ? 'an' : 'a';
  return { path, problem: `must be ${article} ${type === 'array' ? 'array' : String(type)}` };
}

function isOfType(type: unknown, value: unknown): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  if (type === 'integer') return Number.isSafeInteger(value);
  if (type === 'null') return value === null;
  if (type === 'string') return typeof value === 'string';
  if (type === 'boolean') return typeof value === 'boolean';
  return typeof value === 'number' && Number.isFinite(value);
}

function objectFault(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  options: ValidateOptions,
  path: string,
): Fault | undefined {
  const properties = (schema.properties ?? {}) as Readonly<Record<string, Schema>>;
  const required = (schema.required ?? []) as readonly string[];
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  for (const name of required) {
    if (value[name] === undefined) return { path: at(name), problem: 'is missing' };
  }
  const rest = schema.additionalProperties as Schema | undefined;
  return first(Object.entries(value), ([name, item]) => {
    const own = Object.hasOwn(properties, name) ? properties[name] : rest;
    if (own) {
      // Null is how some clients say that they have nothing to say.
      if (item === undefined || (item === null && !required.includes(name))) return undefined;
      return faultOf(own, item, options, at(name));
    }
    if (!options.isStrict || !schema.properties) return undefined;
    const known = Object.keys(properties).join(', ');
    return { path: at(name), problem: `is not known; known are ${known}` };
  });
}

function first<T>(list: readonly T[], look: (item: T) => Fault | undefined): Fault | undefined {
  for (const item of list) {
    const fault = look(item);
    if (fault) return fault;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
