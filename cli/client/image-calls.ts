// What the calls about images of both command lines have in common: names split as the API wants them, what a push sends, how a stream says that it failed.
import { TswarmError } from '#protocol/errors';
import type { CallOptions } from './http.ts';
import { registryHeaders } from './registry-auth.ts';

/** `host:5000/name:tag`: the last colon counts, unless it belongs to the host's port. A digest stays with the name. */
export function splitTag(image: string): {
  readonly name: string;
  readonly tag: string | undefined;
} {
  const at = image.lastIndexOf(':');
  const hasTag = at > image.lastIndexOf('/') && !image.includes('@');
  return hasTag
    ? { name: image.slice(0, at), tag: image.slice(at + 1) }
    : { name: image, tag: undefined };
}

/** `/images/<name>`, with or without something below; slashes of the name stay. */
export function imagePath(name: string, below = ''): string {
  return `/images/${name.split('/').map(encodeURIComponent).join('/')}${below}`;
}

/** The push of one tag (`latest` unless the name has one), or of all tags of the repository. */
export async function pushCall(
  image: string,
  environment: NodeJS.ProcessEnv,
  allTags = false,
): Promise<{ readonly path: string; readonly options: CallOptions }> {
  const { name, tag } = splitTag(image);
  const isWhole = allTags || name.includes('@');
  // Unlike a pull, a push without credentials must say so.
  const headers = { 'x-registry-auth': 'e30', ...(await registryHeaders(image, environment)) };
  const query = { tag: isWhole ? undefined : (tag ?? 'latest') };
  return { path: imagePath(name, '/push'), options: { query, headers } };
}

/** The failure that a line of progress tells of; the place of the fault (`Dockerfile:3`) is part of the hint. */
export function streamError(line: Readonly<Record<string, unknown>>): TswarmError | undefined {
  if (typeof line.error !== 'string') return undefined;
  const { field, hint } = (line.errorDetail ?? {}) as Readonly<Record<string, unknown>>;
  const parts = [field, hint].filter((part) => typeof part === 'string' && part !== '');
  return new TswarmError('failed_precondition', line.error, {
    ...(parts.length > 0 ? { hint: parts.join(': ') } : {}),
  });
}
