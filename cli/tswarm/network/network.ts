// tswarm network ls, inspect: docker's columns, and whether what goes from node to node is encrypted.
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { inspected } from '../../output/inspect.ts';
import { filtersQuery, type ListFlags } from '../context.ts';

const SHORT_ID_LENGTH = 12;

export async function ls(
  client: ApiClient,
  options: ListFlags & { readonly trunc?: boolean },
): Promise<number> {
  const networks = await client.get<Json[]>('/networks', {
    query: { filters: filtersQuery(options.filter) },
  });
  const rows = networks.map((network) => {
    const id = String(network.Id);
    return {
      ID: options.trunc === false ? id : id.slice(0, SHORT_ID_LENGTH),
      Name: String(network.Name),
      Driver: String(network.Driver),
      Scope: String(network.Scope),
      Encrypted: encryptedOf(network),
    };
  });
  rows.sort((a, b) => a.Name.localeCompare(b.Name));
  const columns = [
    ['NETWORK ID', 'ID'],
    ['NAME', 'Name'],
    ['DRIVER', 'Driver'],
    ['SCOPE', 'Scope'],
    ['ENCRYPTED', 'Encrypted'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

/** Whether what goes from node to node is; '-' where nothing does. */
function encryptedOf({ Driver, Options }: Json): string {
  if (Driver !== 'overlay') return '-';
  const { backend = 'wireguard' } = (Options ?? {}) as { readonly backend?: string };
  return backend === 'wireguard' ? 'yes' : 'no';
}

export async function inspect(
  client: ApiClient,
  names: readonly string[],
  options: { readonly format?: string; readonly verbose?: boolean },
): Promise<number> {
  const query = options.verbose ? { verbose: true } : {};
  const found = await Promise.all(
    names.map((name) => client.get<Json>(`/networks/${encodeURIComponent(name)}`, { query })),
  );
  process.stdout.write(inspected(found, options));
  return EXIT.ok;
}
