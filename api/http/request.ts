// One request as handlers see it: path names, query, body. Bodies are read on demand and bounded: JSON whole (size, depth and idle time),
// tars as a stream. Works for ordinary requests and for those that ask to become a raw stream (Upgrade), where the body has to be cut out
// of the socket's bytes by Content-Length.
import { Buffer } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Role } from '#protocol/access';
import { TswarmError } from '#protocol/errors';
import { BODY_IDLE_TIMEOUT_MS, JSON_BODY_BYTES_MAX, JSON_DEPTH_MAX } from '../limits.ts';
import { EngineError } from './errors.ts';

/** Whose containers a socket shows: this node's, or the whole cluster's. */
export type Scope = 'node' | 'cluster';

/** Who sends a request. */
export interface Caller {
  /** As logs show it. */
  readonly name: string;
  readonly role: Role;
  /** '' = none: root or the group tswarm on this host, or a dashboard link of theirs. */
  readonly credentialId: string;
}

/** Whoever may open a unix socket. */
export const LOCAL_CALLER: Caller = { name: 'local', role: 'admin', credentialId: '' };

export interface ApiRequest {
  readonly method: string;
  /** Without the version prefix, not decoded. */
  readonly path: string;
  /** Engine API version of this request as a comparable number (version.ts). */
  readonly version: number;
  readonly scope: Scope;
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly headers: IncomingHttpHeaders;
  /** Aborted when the client goes away before the answer is complete. */
  readonly signal: AbortSignal;
  /** The JSON body. @throws invalid_argument when there is none or it is malformed. */
  json(bytesMax?: number): Promise<Readonly<Record<string, unknown>>>;
  /** The same, undefined for an empty body. */
  optionalJson(bytesMax?: number): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** The body as it comes. */
  stream(): AsyncIterable<Uint8Array>;
}

/** Query parameters with the Engine API's reading of booleans and numbers. */
export class Query {
  readonly #params: URLSearchParams;

  constructor(text: string) {
    this.#params = new URLSearchParams(text);
  }

  /** '' when absent. */
  text(name: string): string {
    return this.#params.get(name) ?? '';
  }

  has(name: string): boolean {
    return this.#params.has(name);
  }

  all(name: string): readonly string[] {
    return this.#params.getAll(name);
  }

  names(): readonly string[] {
    return [...new Set(this.#params.keys())];
  }

  raw(name: string): string | null {
    return this.#params.get(name);
  }

  /** Anything but '', 0, no, false, none is true. */
  bool(name: string, absent = false): boolean {
    const value = this.#params.get(name);
    if (value === null) return absent;
    return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
  }

  /** @throws EngineError with `status` when the value is not a whole number. */
  int(name: string, absent: number, status = 500): number {
    const value = this.text(name);
    if (value === '') return absent;
    if (!/^[+-]?\d{1,15}$/.test(value)) {
      throw new EngineError(
        status === 400 ? 'invalid_argument' : 'internal',
        status,
        `${name}: must be a whole number, is ${JSON.stringify(value.slice(0, 40))}`,
      );
    }
    return Number(value);
  }
}

/** Where body bytes come from. */
export type BodySource = AsyncIterable<Uint8Array>;

/** Collects a body. @throws too_large, deadline_exceeded. */
export async function collect(source: BodySource, bytesMax: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > bytesMax) {
      throw new TswarmError('too_large', `request body: at most ${bytesMax} bytes are accepted`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Body of an ordinary request, with a limit on how long the client may pause. */
export async function* bodyOf(message: IncomingMessage): AsyncIterable<Uint8Array> {
  const iterator = message.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  for (;;) {
    const next = await withIdleLimit(iterator.next());
    if (next.done) return;
    yield next.value as Uint8Array;
  }
}

async function withIdleLimit<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new EngineError('deadline_exceeded', 408, 'request body: the client paused too long'));
    }, BODY_IDLE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads a JSON object. `undefined` for an empty body. @throws invalid_argument, too_large. */
export async function readJson(
  source: BodySource,
  contentType: string | undefined,
  bytesMax: number = JSON_BODY_BYTES_MAX,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const bytes = await collect(source, bytesMax);
  if (bytes.length === 0) return undefined;
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json') {
    throw new TswarmError(
      'invalid_argument',
      `unsupported Content-Type header (${contentType ?? ''}): must be 'application/json'`,
    );
  }
  checkDepth(bytes);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new TswarmError('invalid_argument', `invalid JSON: ${(error as Error).message}`);
  }
  if (json === null) return undefined;
  if (typeof json !== 'object' || Array.isArray(json)) {
    throw new TswarmError('invalid_argument', 'invalid JSON: the body must be an object');
  }
  return json as Readonly<Record<string, unknown>>;
}

/** What a call that needs a body and has none gets. */
export function emptyBody(): TswarmError {
  return new TswarmError('invalid_argument', 'invalid JSON: got EOF while reading request body');
}

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function checkDepth(bytes: Buffer): void {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inText) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inText = false;
      continue;
    }
    if (byte === QUOTE) inText = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
    if (depth > JSON_DEPTH_MAX) {
      throw new TswarmError(
        'invalid_argument',
        `invalid JSON: nested deeper than ${JSON_DEPTH_MAX}`,
      );
    }
  }
}

/** Value of a key of a JSON object, whatever its case (Go's decoder does not care, and clients rely on it). */
export function keyOf(json: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(json, name)) return json[name];
  const wanted = name.toLowerCase();
  for (const [key, value] of Object.entries(json)) if (key.toLowerCase() === wanted) return value;
  return undefined;
}

/** The same as text; '' when absent or null. @throws invalid_argument. */
export function textKey(json: Readonly<Record<string, unknown>>, name: string): string {
  const value = keyOf(json, name) ?? '';
  if (typeof value !== 'string') {
    throw new TswarmError('invalid_argument', `${name}: must be a string`, { field: name });
  }
  return value;
}

/** The same as a boolean; false when absent or null. @throws invalid_argument. */
export function boolKey(json: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = keyOf(json, name) ?? false;
  if (typeof value !== 'boolean') {
    throw new TswarmError('invalid_argument', `${name}: must be true or false`, { field: name });
  }
  return value;
}
