// What the `inspect` commands print: docker's JSON with four spaces, one line of a template for each object, or prose with `--pretty`.
import { TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { renderTemplate } from './format.ts';

export interface InspectOptions {
  readonly format?: string;
  readonly pretty?: boolean;
}

/** @throws invalid_argument for both ways of printing at once */
export function checkInspectOptions({ format, pretty }: InspectOptions): void {
  if (!(pretty && format)) return;
  const text = '--format is incompatible with human friendly format';
  throw new TswarmError('invalid_argument', text);
}

/** All of the objects as text. */
export function inspected(
  found: readonly Json[],
  { format, pretty }: InspectOptions,
  prose?: (object: Json) => string,
): string {
  if (pretty && prose) return found.map(prose).join('\n');
  if (!format || format === 'json') return `${JSON.stringify(found, null, 4)}\n`;
  return found.map((object) => `${renderTemplate(format, object)}\n`).join('');
}
