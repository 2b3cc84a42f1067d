// Signing in, and calls of the HTTP API below /api: those of /tswarm/v1 by their definitions (`call`), those of the Engine API by path (`engine`). The cookie is
// the browser's business; the secret that changes carry is kept in memory only.
import { type CallAnswer, type CallKey, type CallRest, requestOf } from '#api/cluster/client-call';
import type { WhoAmI } from '#api/cluster/types';

export interface Who {
  readonly role: WhoAmI['role'];
  readonly csrf: string;
}

/** What the server answers when it refuses (application/problem+json). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string;

  constructor(status: number, code: string, detail: string, hint: string) {
    super(detail);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

let who: Who | undefined;

/** Takes the link in the address, or the session that there is. @throws ApiError 401. */
export async function signIn(): Promise<Who> {
  const link = /^#link=([\w-]+)$/.exec(location.hash)?.[1];
  // The secret must not stay in the address or in the history.
  if (link !== undefined) history.replaceState(null, '', '/');
  const body = link === undefined ? undefined : JSON.stringify({ link });
  who = (await request('/session', body === undefined ? 'GET' : 'POST', body)) as Who;
  return who;
}

export async function signOut(): Promise<void> {
  await request('/session', 'DELETE');
  location.reload();
}

/** A call of /tswarm/v1. A path or a parameter that is not defined does not compile. @throws ApiError */
export async function call<K extends CallKey>(
  key: K,
  ...[input]: CallRest<K>
): Promise<CallAnswer<K>> {
  const { method, target, body, signal } = requestOf(key, input);
  const text = body === undefined ? undefined : JSON.stringify(body);
  return (await request(`/api${target}`, method, text, signal)) as CallAnswer<K>;
}

/** The same, for an answer that comes as lines. */
export function callLines<K extends CallKey>(
  key: K,
  ...[input]: CallRest<K>
): Promise<Lines<CallAnswer<K>>> {
  const { target, signal } = requestOf(key, input);
  return lines(target, signal ?? new AbortController().signal);
}

/** A call of the Engine API. @throws ApiError */
export function engine<T>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return request(`/api${path}`, method, text, signal) as Promise<T>;
}

/** What a WebSocket names as its protocols: the one that it speaks, and the session's secret, for which there is no header. */
export function socketProtocols(protocol: string): string[] {
  return [protocol, `tswarm.csrf.${who?.csrf ?? ''}`];
}

/** Lines of an answer, and the nodes that it is without. */
export interface Lines<T> {
  readonly missing: readonly string[];
  readonly rows: AsyncIterable<T>;
}

/** Lines of JSON as they come, until the signal is aborted or the server ends. */
export async function lines<T>(
  path: string,
  signal: AbortSignal,
  method: 'GET' | 'POST' = 'GET',
): Promise<Lines<T>> {
  const headers = method === 'GET' || !who ? {} : { 'X-Tswarm-CSRF': who.csrf };
  const response = await fetch(`/api${path}`, { method, headers, signal });
  const { body } = response;
  if (!response.ok || !body) throw await errorOf(response);
  const names = response.headers.get('X-Tswarm-Missing-Nodes') ?? '';
  return {
    missing: names === '' ? [] : names.split(',').map(decodeURIComponent),
    rows: rowsOf<T>(body),
  };
}

async function* rowsOf<T>(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncIterable<T> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part.trim() !== '') yield JSON.parse(part) as T;
  }
}

async function request(
  path: string,
  method: string,
  body?: string,
  signal?: AbortSignal,
): Promise<unknown> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && who) headers['X-Tswarm-CSRF'] = who.csrf;
  const response = await fetch(path, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(signal ? { signal } : {}),
  });
  if (!response.ok) throw await errorOf(response);
  const text = await response.text();
  return text === '' ? undefined : JSON.parse(text);
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { code = '', detail, message, hint = '' } = JSON.parse(text);
    return new ApiError(response.status, code, detail ?? message ?? text, hint);
  } catch {
    return new ApiError(response.status, '', text || response.statusText, '');
  }
}
