// tswarm history: the last changes of the cluster, newest first, and who made them.

import { call } from '../../client/cluster-call.ts';
import type { ApiClient } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';

export async function history(
  client: ApiClient,
  options: { readonly limit?: string; readonly format?: string; readonly json?: boolean },
): Promise<number> {
  const found = await call(client, 'GET /tswarm/v1/history', {
    query: { limit: options.limit },
  });
  const rows = found.map(({ index, time, author, summary }) => ({
    Index: index,
    Time: time,
    Author: author,
    Change: summary,
  }));
  const columns = [
    ['INDEX', 'Index'],
    ['TIME', 'Time'],
    ['AUTHOR', 'Author'],
    ['CHANGE', 'Change'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}
