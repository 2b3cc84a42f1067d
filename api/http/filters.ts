// The `filters` query parameter of the Engine API. Two forms are in use: {"name":{"web":true}} (Go clients) and {"name":["web"]} (JavaScript,
// Python). Everything else is 400, as is a filter that the endpoint does not know.
import type { EngineFilters } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';

/** Parses the parameter; absent or empty = no filters. @throws invalid_argument. */
export function parseFilters(text: string | null): EngineFilters {
  if (text === null || text === '') return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad(text);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw bad(text);
  const out: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(json)) out[name] = valuesOf(value, text);
  return out;
}

function valuesOf(value: unknown, text: string): readonly string[] {
  if (Array.isArray(value)) {
    if (value.some((item) => typeof item !== 'string')) throw bad(text);
    return value as string[];
  }
  if (typeof value !== 'object' || value === null) throw bad(text);
  const out: string[] = [];
  for (const [item, on] of Object.entries(value)) {
    if (typeof on !== 'boolean') throw bad(text);
    if (on) out.push(item);
  }
  return out;
}

function bad(text: string): TswarmError {
  return new TswarmError('invalid_argument', `invalid filter: ${text.slice(0, 100)}`, {
    field: 'filters',
  });
}
