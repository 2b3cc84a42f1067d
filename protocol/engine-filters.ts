// The Engine API's filters, as the gateway and the worker both test them: which names an endpoint knows, labels, prefixes, times. Pure; unknown names and
// impossible values are errors with the Engine API's texts.
import type { EngineFilters } from './engine.ts';
import { TswarmError } from './errors.ts';

/** @throws TswarmError invalid_argument naming the first filter that is not in `known`. */
export function checkFilters(filters: EngineFilters, known: readonly string[]): void {
  for (const name of Object.keys(filters)) {
    if (!known.includes(name)) throw invalid(name);
  }
}

/** A value of a filter that is none. */
export function invalidFilter(name: string, value: string, hint?: string): TswarmError {
  return invalid(`${name}=${value}`, hint);
}

function invalid(what: string, hint?: string): TswarmError {
  return new TswarmError('invalid_argument', `invalid filter '${what}'`, {
    field: 'filters',
    ...(hint === undefined ? {} : { hint }),
  });
}

/** `key` or `key=value` of a label filter. */
export function matchesLabel(
  labels: Readonly<Record<string, string>>,
  expression: string,
): boolean {
  const at = expression.indexOf('=');
  const key = at < 0 ? expression : expression.slice(0, at);
  return Object.hasOwn(labels, key) && (at < 0 || labels[key] === expression.slice(at + 1));
}

/** True when there is no such filter or all its expressions hold. */
export function matchesLabels(
  wanted: readonly string[] | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  return (wanted ?? []).every((expression) => matchesLabel(labels, expression));
}

/** True when there is no such filter or one of its values is a prefix of `text` (how Swarm matches names and ids). */
export function matchesPrefix(wanted: readonly string[] | undefined, text: string): boolean {
  return wanted === undefined || wanted.length === 0 || wanted.some((w) => text.startsWith(w));
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Value of an `until` filter in ms since 1970: an age (`10m`, `1h30m`), Unix seconds, or a date. @throws TswarmError invalid_argument */
export function untilMs(text: string, nowMs: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map((part) => part[0]).join('') === text) {
    const ago = parts.reduce(
      (sum, part) => sum + Number(part[1]) * (UNITS_MS[part[2] ?? ''] ?? 0),
      0,
    );
    return nowMs - ago;
  }
  const date = Date.parse(text);
  if (!Number.isNaN(date)) return date;
  throw new TswarmError(
    'invalid_argument',
    `failed to parse value as time or duration: ${JSON.stringify(text)}`,
    { field: 'filters', hint: 'Write a time (2026-01-31T12:00:00Z) or an age (24h).' },
  );
}
