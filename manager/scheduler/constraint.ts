// Placement constraints: parsing and matching. Swarm's grammar (`key == value`, `key != value`, case-insensitive whole values, missing
// value compares as "") plus `in (a, b)`, `notin (a, b)`, `exists`, `>`, `<` on numbers, and `*` globs in values.
// node.ip takes an address or a CIDR. An unknown key is an error when it is written, never a constraint that silently matches nothing.
import { TswarmError } from '#protocol/errors';
import { type Node, NodeRole } from './types.ts';

export type ConstraintOperator = '==' | '!=' | '>' | '<' | 'in' | 'notin' | 'exists';

export interface Constraint {
  readonly key: string;
  readonly operator: ConstraintOperator;
  readonly values: readonly string[];
  readonly text: string;
}

const KEY = /^[a-z_][a-z0-9\-_.]+$/i;
const VALUE = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;
const PLAIN_KEYS = new Set([
  'node.id',
  'node.hostname',
  'node.ip',
  'node.role',
  'node.platform.os',
  'node.platform.arch',
]);

/** Parses one expression. @throws TswarmError invalid_argument with the expression and what is allowed. */
export function parseConstraint(text: string): Constraint {
  const membership = /^\s*(\S+)\s+(in|notin)\s*\(([^)]*)\)\s*$/i.exec(text);
  if (membership) {
    const [, key = '', operator = 'in', list = ''] = membership;
    const values = list.split(',').map((value) => value.trim());
    return checked(text, key, operator.toLowerCase() as ConstraintOperator, values);
  }
  const existence = /^\s*(\S+)\s+exists\s*$/i.exec(text);
  if (existence) return checked(text, existence[1] ?? '', 'exists', []);
  const comparison = /^\s*([^=!<>\s]+)\s*(==|!=|>|<)\s*(.*?)\s*$/.exec(text);
  if (!comparison) throw invalid(text, 'expected "key == value"');
  const [, key = '', operator = '==', value = ''] = comparison;
  return checked(text, key, operator as ConstraintOperator, [value]);
}

function checked(
  text: string,
  key: string,
  operator: ConstraintOperator,
  values: readonly string[],
): Constraint {
  if (!KEY.test(key)) throw invalid(text, `"${key}" is not a key`);
  const lower = key.toLowerCase();
  const known =
    PLAIN_KEYS.has(lower) || lower.startsWith('node.labels.') || lower.startsWith('engine.labels.');
  if (!known) {
    throw invalid(
      text,
      `unknown key "${key}"; keys are ${[...PLAIN_KEYS].join(', ')}, node.labels.K, engine.labels.K`,
    );
  }
  for (const value of values) {
    if (!VALUE.test(value)) throw invalid(text, `"${value}" is not a value`);
    if ((operator === '>' || operator === '<') && Number.isNaN(Number(value))) {
      throw invalid(text, `"${value}" is not a number, and ${operator} compares numbers`);
    }
    if (lower === 'node.ip' && !isAddressPattern(value)) {
      throw invalid(text, `"${value}" is neither an IP address nor a CIDR`);
    }
  }
  return { key, operator, values, text };
}

function invalid(text: string, why: string): TswarmError {
  return new TswarmError('invalid_argument', `constraint "${text}": ${why}`, {
    field: 'TaskTemplate.Placement.Constraints',
  });
}

/** What the node has for a constraint's key; undefined = nothing. */
export function valueFor(constraint: Constraint, node: Node): string | undefined {
  return nodeValue(constraint.key, node);
}

/** True when the node meets the constraint. */
export function matchesConstraint(constraint: Constraint, node: Node): boolean {
  const actual = nodeValue(constraint.key, node);
  const { operator, values } = constraint;
  if (operator === 'exists') return actual !== undefined;
  const [first = ''] = values;
  if (operator === '>' || operator === '<') {
    const left = Number(actual);
    const right = Number(first);
    if (actual === undefined || Number.isNaN(left) || Number.isNaN(right)) return false;
    return operator === '>' ? left > right : left < right;
  }
  const equal = values.some((value) => matchesValue(constraint.key, actual ?? '', value));
  return operator === '==' || operator === 'in' ? equal : !equal;
}

function nodeValue(key: string, node: Node): string | undefined {
  const lower = key.toLowerCase();
  const description = node.description;
  switch (lower) {
    case 'node.id':
      return node.id;
    case 'node.hostname':
      return description?.hostname;
    case 'node.ip':
      return node.status?.addr;
    case 'node.role':
      return node.spec?.role === NodeRole.MANAGER ? 'manager' : 'worker';
    case 'node.platform.os':
      return description?.platform?.os;
    case 'node.platform.arch':
      return description?.platform?.architecture;
  }
  if (lower.startsWith('node.labels.')) return node.spec?.labels[key.slice('node.labels.'.length)];
  return description?.engine?.labels[key.slice('engine.labels.'.length)];
}

/** What machines call themselves and what images call them are the same. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

function matchesValue(key: string, actual: string, wanted: string): boolean {
  switch (key.toLowerCase()) {
    case 'node.ip':
      return matchesAddress(actual, wanted);
    case 'node.platform.arch':
      return (
        matchesText(actual, wanted) ||
        matchesText(ARCHITECTURES[actual] ?? actual, ARCHITECTURES[wanted] ?? wanted)
      );
    default:
      return matchesText(actual, wanted);
  }
}

function matchesText(actual: string, wanted: string): boolean {
  const a = actual.toLowerCase();
  const w = wanted.toLowerCase();
  return w.includes('*') ? matchesGlob(a, w) : a === w;
}

/** `*` matches any run of characters; linear time, no backtracking into earlier stars. */
function matchesGlob(text: string, pattern: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const stop = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > stop) return false;
    at = found + part.length;
  }
  return at <= stop;
}

function isAddressPattern(text: string): boolean {
  const [base = '', length] = text.split('/');
  const address = parseAddress(base);
  if (!address) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= address.bits);
}

function matchesAddress(actual: string, wanted: string): boolean {
  const [base = '', length] = wanted.split('/');
  const a = parseAddress(actual);
  const b = parseAddress(base);
  if (!a || !b || a.bits !== b.bits) return false;
  const free = BigInt(b.bits - Number(length ?? b.bits));
  return a.value >> free === b.value >> free;
}

interface Address {
  readonly value: bigint;
  /** 32 or 128. */
  readonly bits: number;
}

function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Address | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) {
    return undefined;
  }
  return { value: parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n), bits: 32 };
}

function parseIpv6(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [left = [], right = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right];
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return {
    value: groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n),
    bits: 128,
  };
}
