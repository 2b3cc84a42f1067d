// The clients' side of the definitions of /tswarm/v1: what a call is given, what it answers, and the request that it is. A path, a parameter or a body that is
// not defined does not compile. Pure, and without a dependency, so that the command lines and the browser use the same; how a request is sent is theirs.
import type { ClusterCalls } from './generated/calls.ts';

/** `GET /tswarm/v1/stacks/{name}` */
export type CallKey = keyof ClusterCalls;

export type CallAnswer<K extends CallKey> = ClusterCalls[K]['answer'];

/** What a call is given; `params` and `body` where it has them. */
export type CallInput<K extends CallKey> = {
  readonly query?: ClusterCalls[K]['query'];
  readonly signal?: AbortSignal;
} & (keyof ClusterCalls[K]['params'] extends never
  ? { readonly params?: undefined }
  : { readonly params: ClusterCalls[K]['params'] }) &
  (ClusterCalls[K]['body'] extends undefined
    ? { readonly body?: undefined }
    : { readonly body?: ClusterCalls[K]['body'] });

/** Arguments behind the key: none are needed where a path has no names. */
export type CallRest<K extends CallKey> = keyof ClusterCalls[K]['params'] extends never
  ? [input?: CallInput<K>]
  : [input: CallInput<K>];

export interface CallRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly body: unknown;
  readonly signal: AbortSignal | undefined;
}

interface AnyInput {
  readonly params?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export function requestOf(key: CallKey, input: AnyInput = {}): CallRequest {
  const [method = '', pattern = ''] = key.split(' ');
  const { params = {}, query = {}, body, signal } = input;
  const path = pattern.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ''),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) search.append(name, String(one));
    }
  }
  const target = search.size > 0 ? `${path}?${search}` : path;
  return { method, target, body, signal };
}
