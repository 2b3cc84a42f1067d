// tswarm dashboard: a link that signs a browser in. The dashboard listens on this host's loopback unless tswarmd was told otherwise, so for a host far away
// the way there is said as well.

import { TswarmError } from '#protocol/errors';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';

const WORDS = { admin: 'an administrator', operator: 'an operator', viewer: 'a viewer' } as const;

export async function dashboard(
  client: ApiClient,
  options: { readonly viewer?: boolean; readonly operator?: boolean; readonly json?: boolean },
): Promise<number> {
  if (options.viewer && options.operator) {
    throw new TswarmError('invalid_argument', '--viewer and --operator exclude each other');
  }
  const role = options.viewer ? 'viewer' : options.operator ? 'operator' : 'admin';
  const link = await call(client, 'POST /tswarm/v1/dashboard/links', { body: { role } });
  if (options.json) {
    process.stdout.write(`${JSON.stringify(link)}\n`);
    return EXIT.ok;
  }
  process.stdout.write(`${link.url}\n`);
  const { hostname, port } = new URL(link.url);
  const isLoopback = hostname.startsWith('127.') || hostname === 'localhost';
  if (!process.stdout.isTTY) return EXIT.ok;
  process.stderr.write(
    `Good once, for ${link.validSeconds / 60} minutes; whoever opens it is ${WORDS[link.role]}.\n`,
  );
  if (isLoopback && process.env.SSH_CONNECTION) {
    process.stderr.write(
      `It listens on this host only. From your own machine: ssh -L ${port}:127.0.0.1:${port} THIS-HOST\n`,
    );
  }
  return EXIT.ok;
}
