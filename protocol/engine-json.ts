// Engine API JSON from messages and back, driven by the generated field tables. Writing: exact names, default values left out unless
// marked `always`. Reading: names match without regard to case (Go clients rely on it), unknown names are ignored, null = absent,
// a wrong type is an invalid_argument that names the field.
import type { FieldInfo, MessageType } from './codec.ts';
import { TswarmError } from './errors.ts';

type Json = Record<string, unknown>;

const ZERO_TIME = '0001-01-01T00:00:00Z';
const TIME_PATTERN = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** RFC 3339 with nanoseconds from microseconds since 1970; 0 is Go's zero time. */
export function formatTime(micros: number): string {
  if (micros === 0) return ZERO_TIME;
  const seconds = Math.floor(micros / 1e6);
  const fraction = String(micros - seconds * 1e6)
    .padStart(6, '0')
    .replace(/0+$/, '');
  const base = new Date(seconds * 1000).toISOString().slice(0, 19);
  return fraction === '' ? `${base}Z` : `${base}.${fraction}Z`;
}

/** Microseconds since 1970 of an RFC 3339 text; NaN when it is not one. */
export function parseTime(text: string): number {
  if (text === ZERO_TIME) return 0;
  const match = TIME_PATTERN.exec(text);
  if (!match) return Number.NaN;
  const [, base = '', fraction = '', zone = ''] = match;
  return Date.parse(`${base}${zone}`) * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}

/** The Engine API's JSON value of a message. */
export function toEngineJson<T>(type: MessageType<T>, message: T): Json {
  const out: Json = {};
  const source = message as Json;
  for (const field of type.fields) {
    if (field.internal) continue;
    const value = source[field.name];
    if (field.flatten && field.message) {
      if (value !== undefined) Object.assign(out, toEngineJson(field.message(), value));
      continue;
    }
    const json = fieldToJson(field, value);
    if (json !== undefined) out[field.json] = json;
  }
  return out;
}

function fieldToJson(field: FieldInfo, value: unknown): unknown {
  if (field.shape === 'repeated') {
    const list = value as readonly unknown[];
    if (list.length === 0 && !field.always) return undefined;
    return list.map((item) => oneToJson(field, item));
  }
  if (field.shape === 'map') {
    const entries = Object.entries(value as Json);
    if (entries.length === 0 && !field.always) return undefined;
    return Object.fromEntries(entries.map(([key, item]) => [key, oneToJson(field, item)]));
  }
  if (value === undefined) return field.always && field.kind === 'message' ? {} : undefined;
  if (field.shape === 'one' && !field.always && isDefault(value)) return undefined;
  return oneToJson(field, value);
}

function isDefault(value: unknown): boolean {
  return (
    value === '' ||
    value === 0 ||
    value === false ||
    (value instanceof Uint8Array && value.length === 0)
  );
}

function oneToJson(field: FieldInfo, value: unknown): unknown {
  if (field.message) return toEngineJson(field.message(), value);
  if (field.text) return field.text.get(value as number) ?? '';
  if (field.time) return formatTime(value as number);
  if (field.kind === 'bytes') return toBase64(value as Uint8Array);
  return value;
}

/** Reads a message from Engine API JSON. @throws TswarmError invalid_argument with the path of the field. */
export function fromEngineJson<T>(type: MessageType<T>, json: unknown, path = ''): T {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw bad(path === '' ? type.name : path, 'an object', json);
  }
  const byName = new Map(Object.entries(json).map(([key, value]) => [key.toLowerCase(), value]));
  const partial: Json = {};
  for (const field of type.fields) {
    if (field.internal) continue;
    if (field.flatten && field.message) {
      partial[field.name] = fromEngineJson(field.message(), json, path);
      continue;
    }
    const value = byName.get(field.json.toLowerCase());
    if (value === undefined || value === null) continue;
    partial[field.name] = fieldFromJson(
      field,
      value,
      path === '' ? field.json : `${path}.${field.json}`,
    );
  }
  return type.create(partial as Partial<T>);
}

function fieldFromJson(field: FieldInfo, value: unknown, path: string): unknown {
  if (field.shape === 'repeated') {
    if (!Array.isArray(value)) throw bad(path, 'a list', value);
    return value.map((item, index) => oneFromJson(field, item, `${path}[${index}]`));
  }
  if (field.shape === 'map') {
    if (typeof value !== 'object' || Array.isArray(value)) throw bad(path, 'an object', value);
    const entries = Object.entries(value as Json);
    return Object.fromEntries(
      entries.map(([key, item]) => [key, oneFromJson(field, item, `${path}.${key}`)]),
    );
  }
  return oneFromJson(field, value, path);
}

function oneFromJson(field: FieldInfo, value: unknown, path: string): unknown {
  if (field.message) return fromEngineJson(field.message(), value, path);
  if (field.text) return enumFromText(field.text, value, path);
  if (field.time) {
    const micros = typeof value === 'string' ? parseTime(value) : Number.NaN;
    if (Number.isNaN(micros)) throw bad(path, 'an RFC 3339 time', value);
    return micros;
  }
  if (field.kind === 'string') {
    if (typeof value !== 'string') throw bad(path, 'a string', value);
    return value;
  }
  if (field.kind === 'bool') {
    if (typeof value !== 'boolean') throw bad(path, 'true or false', value);
    return value;
  }
  if (field.kind === 'bytes') {
    if (typeof value !== 'string') throw bad(path, 'base64 text', value);
    return fromBase64(value, path);
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) throw bad(path, 'a number', value);
  if (field.kind !== 'double' && !Number.isSafeInteger(value))
    throw bad(path, 'a whole number', value);
  if ((field.kind === 'uint32' || field.kind === 'uint64') && value < 0)
    throw bad(path, 'not negative', value);
  return value;
}

function enumFromText(texts: ReadonlyMap<number, string>, value: unknown, path: string): number {
  for (const [number, text] of texts) if (text === value) return number;
  if (value === '' && texts.has(0)) return 0;
  throw bad(path, `one of ${[...texts.values()].map((t) => `"${t}"`).join(', ')}`, value);
}

function bad(path: string, wanted: string, value: unknown): TswarmError {
  const shown = JSON.stringify(value) ?? String(value);
  return new TswarmError(
    'invalid_argument',
    `${path}: must be ${wanted}, is ${shown.slice(0, 80)}`,
    { field: path },
  );
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3);
    const left = bytes.length - i;
    out += BASE64.charAt(a >> 2) + BASE64.charAt(((a & 3) << 4) | (b >> 4));
    out += left > 1 ? BASE64.charAt(((b & 15) << 2) | (c >> 6)) : '=';
    out += left > 2 ? BASE64.charAt(c & 63) : '=';
  }
  return out;
}

/** Bytes of standard or URL-safe base64. @throws TswarmError invalid_argument. */
export function fromBase64(text: string, path = 'value'): Uint8Array {
  const clean = text
    .replace(/-/g, '+')
    .replace(/_/g, '/')
    .replace(/[\r\n]/g, '')
    .replace(/=+$/, '');
  if (/[^A-Za-z0-9+/]/.test(clean) || clean.length % 4 === 1) throw bad(path, 'base64 text', text);
  const out = new Uint8Array(Math.floor((clean.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const char of clean) {
    held = ((held << 6) | BASE64.indexOf(char)) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[at++] = (held >> bits) & 255;
  }
  return out;
}
