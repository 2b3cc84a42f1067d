// The vocabulary of the schema: what a shape is, and short ways to write one. Plain data, as in JSON
// schema, so that validation and hints can both walk it.

/** Types as JSON schema names them. */
export type TypeName = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';

/** What is allowed at one place. */
export interface ShapeSchema {
  readonly types: readonly TypeName[];
  /** Allowed strings. */
  readonly values?: readonly string[];
  /** Must match somewhere in the string. */
  readonly pattern?: RegExp;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly keys?: Readonly<Record<string, Schema>>;
  /** For keys that `keys` does not name. */
  readonly keyPattern?: { readonly pattern: RegExp; readonly schema: Schema };
  /** Whether keys that nothing names are refused, `x-` excepted. Default false. */
  readonly closed?: boolean;
  /** Whether `x-` keys are allowed in a closed mapping. */
  readonly extensible?: boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly unique?: boolean;
}
/** One of several shapes. */
export interface ChoiceSchema {
  readonly oneOf: readonly ShapeSchema[];
}
export type Schema = ShapeSchema | ChoiceSchema;

/** Schemas by key. */
export type Keys = Readonly<Record<string, Schema>>;

/** A value of one of these types. */
export const types = (...names: TypeName[]): ShapeSchema => ({ types: names });

/** One of these strings. */
export const words = (...values: string[]): ShapeSchema => ({ types: ['string'], values });

/** A list. */
export const list = (items: Schema, unique = false): ShapeSchema => ({
  types: ['array'],
  items,
  unique,
});

/** A mapping with these keys and `x-` ones. */
export const object = (keys: Keys, more: Partial<ShapeSchema> = {}): ShapeSchema => ({
  types: ['object'],
  keys,
  closed: true,
  extensible: true,
  ...more,
});

/** A mapping with arbitrary keys. */
export const mapOf = (schema: Schema, pattern: RegExp = /^.+$/, closed = false): ShapeSchema => ({
  types: ['object'],
  keyPattern: { pattern, schema },
  closed,
});

/** One of several shapes. */
export const oneOf = (...shapes: ShapeSchema[]): ChoiceSchema => ({ oneOf: shapes });
