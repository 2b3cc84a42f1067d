// Signing in, and calls of the HTTP API below /api. The cookie is the browser's business; the secret that changes carry is kept in memory only.

export interface Who {
  readonly role: 'viewer' | 'admin';
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

/** GET of the HTTP API. */
export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request(`/api${path}`, 'GET', undefined, signal) as Promise<T>;
}

export function post<T>(path: string, body?: unknown): Promise<T> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return request(`/api${path}`, 'POST', text) as Promise<T>;
}

/** Lines of JSON as they come, until the signal is aborted or the server ends. */
export async function* lines<T>(path: string, signal: AbortSignal): AsyncIterable<T> {
  const response = await fetch(`/api${path}`, { signal });
  if (!response.ok || !response.body) throw await errorOf(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part !== '') yield JSON.parse(part) as T;
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
