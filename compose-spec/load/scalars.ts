// Which type a plain YAML scalar has, and how a typed value is printed where a string is wanted.
// Both follow go-yaml and Go's fmt, not YAML 1.2's core schema, because that is what people's
// files were tried with: `017` is fifteen, `3.10` is 3.1, `yes` is a string (compose.md §2.5).

import type { ScalarNode, ScalarType } from './tree.ts';

/** Type and value of a plain (unquoted) scalar. */
export interface ResolvedScalar {
  readonly type: ScalarType;
  readonly value: string | number | bigint | boolean | null;
}

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const BOOLEANS = new Map<string, boolean>([
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
]);
const INFINITY = /^([-+]?)\.(inf|Inf|INF)$/;
const NOT_A_NUMBER = /^\.(nan|NaN|NAN)$/;
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

/** Resolves the text of a plain scalar as go-yaml does. */
export function resolvePlainScalar(text: string): ResolvedScalar {
  if (NULLS.has(text)) return { type: 'null', value: null };
  const word = BOOLEANS.get(text);
  if (word !== undefined) return { type: 'bool', value: word };
  const infinity = INFINITY.exec(text);
  if (infinity !== null) {
    const value = infinity[1] === '-' ? -Infinity : Infinity;
    return { type: 'float', value };
  }
  if (NOT_A_NUMBER.test(text)) return { type: 'float', value: Number.NaN };
  if (/^[-+.0-9]/.test(text)) {
    const time = parseTimestamp(text);
    if (time !== undefined) return { type: 'time', value: time };
    const number = parseNumber(text.replaceAll('_', ''));
    if (number !== undefined) return number;
  }
  return { type: 'string', value: text };
}

/** A scalar with an explicit `!!tag`; `undefined` when the text does not fit the tag. */
export function resolveTaggedScalar(tag: string, text: string): ResolvedScalar | undefined {
  const plain = resolvePlainScalar(text);
  switch (tag) {
    case 'str':
      return { type: 'string', value: text };
    case 'int':
      return plain.type === 'int' ? plain : undefined;
    case 'float':
      if (plain.type === 'int') return { type: 'float', value: Number(plain.value) };
      return plain.type === 'float' ? plain : undefined;
    case 'bool':
      return plain.type === 'bool' ? plain : undefined;
    case 'null':
      return plain.type === 'null' ? plain : undefined;
    case 'timestamp':
      return plain.type === 'time' ? plain : undefined;
    default:
      return { type: 'string', value: text };
  }
}

function parseNumber(text: string): ResolvedScalar | undefined {
  const integer = parseInteger(text);
  if (integer !== undefined) return integer;
  if (!FLOAT.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? { type: 'float', value } : undefined;
}

/** Go's strconv.ParseInt and ParseUint with base 0: prefix or leading zero chooses the base. */
function parseInteger(text: string): ResolvedScalar | undefined {
  const match = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, sign, hex, binary, octal, decimal] = match;
  let value: bigint;
  if (hex !== undefined) value = BigInt(`0x${hex}`);
  else if (binary !== undefined) value = BigInt(`0b${binary}`);
  else if (octal !== undefined) value = BigInt(`0o${octal}`);
  else value = BigInt(decimal ?? '0');
  if (sign === '-') value = -value;
  if (value < INT64_MIN || value > UINT64_MAX) return undefined;
  const number = Number(value);
  return { type: 'int', value: Number.isSafeInteger(number) ? number : value };
}

const TIMESTAMP =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]| +)(\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?(Z|[-+]\d{2}:\d{2})?)?$/;

/** A timestamp as Go prints a time.Time, `undefined` when `text` is none. */
function parseTimestamp(text: string): string | undefined {
  const match = TIMESTAMP.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const inRange = (value: string | undefined, low: number, high: number): boolean =>
    value === undefined || (Number(value) >= low && Number(value) <= high);
  const days = daysInMonth(Number(year), Number(month));
  if (!inRange(month, 1, 12) || !inRange(day, 1, days)) return undefined;
  if (!inRange(hour, 0, 23) || !inRange(minute, 0, 59) || !inRange(second, 0, 59)) return undefined;
  // Go's layouts want a zone after a `T` and none after a space.
  if (hour !== undefined && /[Tt]/.test(text) !== (zone !== undefined)) return undefined;
  const two = (value: string | undefined): string => (value ?? '0').padStart(2, '0');
  const sub = (fraction ?? '').replace(/0+$/, '').replace(/^\.$/, '');
  const offset = zone === undefined || zone === 'Z' ? '+0000 UTC' : numericZone(zone);
  return `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}${sub} ${offset}`;
}

function numericZone(zone: string): string {
  const digits = zone.replace(':', '');
  return digits === '+0000' ? '+0000 UTC' : `${digits} ${digits}`;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** What Go's `%v` prints for the scalar; null gives `<nil>` there and the empty string here. */
export function printScalar(node: ScalarNode): string {
  if (node.value === null) return '';
  if (node.type === 'float' && typeof node.value === 'number') return printFloat(node.value);
  return String(node.value);
}

/** A float as Go's `%v` prints it: fewest digits, exponent form below 1e-4 and from 1e6 on. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '0', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 6) {
    const digits = String(Math.abs(exponent)).padStart(2, '0');
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  return String(value);
}
