// Calls of /tswarm/v1 with the types of their definitions: `call(client, 'GET /tswarm/v1/stacks/{name}', { params: { name } })`. A path, a parameter or a
// body that is not defined does not compile, and the answer has its type.
import type { ClusterCalls } from '#api/cluster/generated/calls';
import type { ApiClient, CallOptions } from './http.ts';

type Key = keyof ClusterCalls;

/** What a call is given; `params` and `body` where it has them. */
export type CallInput<K extends Key> = {
  readonly query?: ClusterCalls[K]['query'];
  readonly signal?: AbortSignal;
} & (keyof ClusterCalls[K]['params'] extends never
  ? { readonly params?: undefined }
  : { readonly params: ClusterCalls[K]['params'] }) &
  (ClusterCalls[K]['body'] extends undefined
    ? { readonly body?: undefined }
    : { readonly body?: ClusterCalls[K]['body'] });

type Rest<K extends Key> = keyof ClusterCalls[K]['params'] extends never
  ? [input?: CallInput<K>]
  : [input: CallInput<K>];

/** One JSON answer; undefined for an empty one. @throws TswarmError with the server's code and hint */
export async function call<K extends Key>(
  client: ApiClient,
  key: K,
  ...[input]: Rest<K>
): Promise<ClusterCalls[K]['answer']> {
  const { method, path, options } = requestOf(key, input);
  return (await client.json(method, path, options)) as ClusterCalls[K]['answer'];
}

interface AnyInput {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

function requestOf(
  key: string,
  input: AnyInput = {},
): { readonly method: string; readonly path: string; readonly options: CallOptions } {
  const [method = '', pattern = ''] = key.split(' ');
  const { params = {}, query = {}, body, signal } = input;
  const path = pattern.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ''),
  );
  // What may be repeated goes into the path: a query of the client has one value for each name.
  const repeated = new URLSearchParams();
  const single: Record<string, string | number | boolean | undefined> = {};
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value) repeated.append(name, String(one));
    else single[name] = value as string | number | boolean | undefined;
  }
  for (const [name, value] of Object.entries(repeated.size > 0 ? single : {})) {
    if (value !== undefined) repeated.append(name, String(value));
  }
  const options: CallOptions = {
    ...(repeated.size > 0 ? {} : { query: single }),
    ...(body === undefined ? {} : { body }),
    ...(signal ? { signal } : {}),
  };
  return { method, path: repeated.size > 0 ? `${path}?${repeated}` : path, options };
}
