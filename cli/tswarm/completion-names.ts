// Names for the completion of tswarm: what the cluster and this node have. A daemon that cannot be reached gives none.
import type { ApiClient, Json } from '../client/http.ts';
import type { NameQuestion } from '../completion/candidates.ts';

const SOURCES: Readonly<Record<string, (client: ApiClient) => Promise<readonly string[]>>> = {
  service: async (client) =>
    (await client.get<readonly Json[]>('/services')).map((one) => String((one.Spec as Json).Name)),
  node: async (client) =>
    (await client.get<readonly Json[]>('/nodes')).map((one) =>
      String((one.Description as Json).Hostname),
    ),
  network: async (client) =>
    (await client.get<readonly Json[]>('/networks')).map((one) => String(one.Name)),
  image: async (client) =>
    (await client.get<readonly Json[]>('/images/json')).flatMap(
      (one) => (one.RepoTags as readonly string[] | null) ?? [],
    ),
};

/** Words that fit the argument (`service`, `nodes`, …), sorted. */
export async function clusterNames(
  client: ApiClient,
  { argument }: NameQuestion,
): Promise<readonly string[]> {
  const kinds = argument === 'name' ? ['service', 'node'] : [argument.replace(/s$/, '')];
  const lists = await Promise.all(kinds.map((kind) => SOURCES[kind]?.(client) ?? []));
  return lists.flat().sort();
}
