// Calls of /tswarm/v1 with the types of their definitions: `call(client, 'GET /tswarm/v1/stacks/{name}', { params: { name } })`. A path, a parameter or a
// body that is not defined does not compile, and the answer has its type.
import { type CallAnswer, type CallKey, type CallRest, requestOf } from '#api/cluster/client-call';
import type { ApiClient } from './http.ts';

/** One JSON answer; undefined for an empty one. @throws TswarmError with the server's code and hint */
export async function call<K extends CallKey>(
  client: ApiClient,
  key: K,
  ...[input]: CallRest<K>
): Promise<CallAnswer<K>> {
  const { method, target, body, signal } = requestOf(key, input);
  const options = {
    ...(body === undefined ? {} : { body }),
    ...(signal ? { signal } : {}),
  };
  return (await client.json(method, target, options)) as CallAnswer<K>;
}
