// Reading request bodies of the Engine API: keys in any case (Go clients do not care about it), `null` and absent are the same, wrong types are errors
// that name the field. No schema library: each reader says what it wants where it is used.
import type { EngineJson } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';

/** A body (or a part of it) with its place, for error messages. */
export class Body {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw wrongType(path, 'an object', value);
    }
    this.#values = new Map(
      Object.entries(value as EngineJson).map(([key, item]) => [key.toLowerCase(), item]),
    );
    this.#path = path;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  /** The value as it is; undefined for absent and null. */
  raw(name: string): unknown {
    return this.#values.get(name.toLowerCase()) ?? undefined;
  }

  #at(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  text(name: string, fallback = ''): string {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    if (typeof value !== 'string') throw wrongType(this.#at(name), 'a string', value);
    return value;
  }

  number(name: string, fallback = 0): number {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number)) {
      throw wrongType(this.#at(name), 'a number', value);
    }
    return number;
  }

  flag(name: string, fallback = false): boolean {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    if (typeof value !== 'boolean') throw wrongType(this.#at(name), 'a boolean', value);
    return value;
  }

  optionalFlag(name: string): boolean | null {
    return this.has(name) ? this.flag(name) : null;
  }

  optionalNumber(name: string): number | null {
    return this.has(name) ? this.number(name) : null;
  }

  /** Null when absent. A single string is a list of one (old clients send Cmd and Entrypoint so). */
  texts(name: string): readonly string[] | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (typeof value === 'string') return [value];
    if (!Array.isArray(value)) throw wrongType(this.#at(name), 'a list of strings', value);
    return value.map((item, index) => {
      if (typeof item !== 'string')
        throw wrongType(`${this.#at(name)}[${index}]`, 'a string', item);
      return item;
    });
  }

  /** Null when absent. */
  textMap(name: string): Readonly<Record<string, string>> | null {
    const map = this.map(name);
    if (map === null) return null;
    const out: Record<string, string> = {};
    for (const [key, value] of Object.entries(map)) {
      if (typeof value !== 'string') throw wrongType(`${this.#at(name)}.${key}`, 'a string', value);
      out[key] = value;
    }
    return out;
  }

  /** Null when absent. Keys keep their case. */
  map(name: string): Readonly<Record<string, unknown>> | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (typeof value !== 'object' || Array.isArray(value)) {
      throw wrongType(this.#at(name), 'an object', value);
    }
    return value as Record<string, unknown>;
  }

  /** Undefined when absent. */
  body(name: string): Body | undefined {
    const value = this.raw(name);
    return value === undefined ? undefined : new Body(value, this.#at(name));
  }

  /** Empty when absent. */
  bodies(name: string): readonly Body[] {
    const value = this.raw(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw wrongType(this.#at(name), 'a list of objects', value);
    return value.map((item, index) => new Body(item, `${this.#at(name)}[${index}]`));
  }

  list(name: string): readonly unknown[] | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    if (!Array.isArray(value)) throw wrongType(this.#at(name), 'a list', value);
    return value;
  }
}

function wrongType(path: string, wanted: string, value: unknown): TswarmError {
  const got = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  return new TswarmError('invalid_argument', `${path}: must be ${wanted}, not ${got}`, {
    field: path,
  });
}
