// tswarm token, client-cert, audit: who may come over the network, and what was done. A token is printed once, alone on standard output, so that it can be
// piped; the key of a certificate is made here and never leaves this host.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CredentialInfo } from '#api/cluster/types';
import { ROLES, type Role } from '#protocol/access';
import { TswarmError } from '#protocol/errors';
import { humanDuration } from '#protocol/human-duration';
import { certificateRequestFor, newNodeKey } from '#protocol/transport/csr';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient } from '../../client/http.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';

const KEY_MODE = 0o600;
const FOLDER_MODE = 0o700;
const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, y: 365 * 86_400_000 } as const;

interface NewOptions {
  readonly role?: string;
  readonly expires?: string;
}

/** `90d`, `12h`, `30m`, `1y` from now on; undefined = as the server thinks best. @throws TswarmError invalid_argument */
export function expiryOf(text: string | undefined, nowMs: number): string | undefined {
  if (text === undefined || text === 'never') return undefined;
  const [, count = '', unit = ''] = /^(\d{1,6})([mhdy])$/.exec(text) ?? [];
  if (count === '' || Number(count) === 0) {
    throw new TswarmError(
      'invalid_argument',
      `--expires "${text}": must be as 30m, 12h, 90d or 1y`,
    );
  }
  return new Date(nowMs + Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]).toISOString();
}

/** @throws TswarmError invalid_argument */
function wordOf(text = 'viewer'): Role {
  const role = ROLES.find((known) => known === text);
  if (role) return role;
  throw new TswarmError('invalid_argument', `--role "${text}": must be one of ${ROLES.join(', ')}`);
}

export async function createToken(
  client: ApiClient,
  name: string,
  options: NewOptions,
): Promise<number> {
  const expiresAt = expiryOf(options.expires, Date.now());
  const body = { name, role: wordOf(options.role), ...(expiresAt ? { expiresAt } : {}) };
  const made = await call(client, 'POST /tswarm/v1/tokens', { body });
  process.stdout.write(`${made.token}\n`);
  process.stderr.write(
    `Token "${made.name}" (${made.role}, ${made.expiresAt ? `until ${made.expiresAt}` : 'without end'}). It is shown this once. Use it with: tswarm login HOST:2376\n`,
  );
  return EXIT.ok;
}

export async function createCertificate(
  client: ApiClient,
  name: string,
  options: NewOptions & { readonly out?: string },
): Promise<number> {
  if (options.expires === 'never') {
    throw new TswarmError('invalid_argument', '--expires never: a certificate has an end', {
      hint: 'Five years are the most: --expires 5y.',
    });
  }
  const expiresAt = expiryOf(options.expires, Date.now());
  // Before the certificate is made: one that cannot be written down would only be taken back again.
  const folder = options.out ?? `tswarm-${name}`;
  // Where nothing can be made (/proc), Node's mkdir with parents tries for ever.
  const recursive = !existsSync(dirname(folder)) || existsSync(folder);
  mkdirSync(folder, { recursive, mode: FOLDER_MODE });
  const key = newNodeKey();
  const made = await call(client, 'POST /tswarm/v1/certificates', {
    body: {
      name,
      role: wordOf(options.role),
      csr: certificateRequestFor(key),
      ...(expiresAt ? { expiresAt } : {}),
    },
  });
  writeFileSync(join(folder, 'ca.pem'), made.caCert);
  writeFileSync(join(folder, 'cert.pem'), made.certificate);
  // A file that is there already would keep its mode.
  rmSync(join(folder, 'key.pem'), { force: true });
  writeFileSync(join(folder, 'key.pem'), key, { mode: KEY_MODE, flag: 'wx' });
  process.stdout.write(`${folder}\n`);
  process.stderr.write(
    `Certificate "${made.name}" (${made.role}, until ${made.expiresAt}). Use it with:\n  export DOCKER_HOST=tcp://HOST:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=${folder}\n`,
  );
  return EXIT.ok;
}

export async function ls(
  client: ApiClient,
  kind: CredentialInfo['kind'],
  options: { readonly format?: string; readonly quiet?: boolean; readonly json?: boolean },
): Promise<number> {
  const all = await call(client, 'GET /tswarm/v1/credentials');
  const rows = all
    .filter((one) => one.kind === kind)
    .map((one) => ({
      ID: one.id,
      Name: one.name,
      Role: one.role,
      Owner: one.owner,
      Created: `${humanDuration(Date.now() - Date.parse(one.createdAt))} ago`,
      Expires: expiresText(one.expiresAt, Date.now()),
      CreatedAt: one.createdAt,
      ExpiresAt: one.expiresAt ?? '',
    }));
  const columns = [
    ['ID', 'ID'],
    ['NAME', 'Name'],
    ['ROLE', 'Role'],
    ['OWNER', 'Owner'],
    ['CREATED', 'Created'],
    ['EXPIRES', 'Expires'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}

function expiresText(at: string | null, nowMs: number): string {
  if (at === null) return 'never';
  const leftMs = Date.parse(at) - nowMs;
  return leftMs <= 0 ? 'expired' : `in ${humanDuration(leftMs).toLowerCase()}`;
}

export async function rm(client: ApiClient, names: readonly string[]): Promise<number> {
  return forEachName(names, async (name) => {
    await call(client, 'DELETE /tswarm/v1/credentials/{id}', { params: { id: name } });
    process.stdout.write(`${name}\n`);
  });
}

export async function audit(
  client: ApiClient,
  options: { readonly limit?: string; readonly format?: string; readonly json?: boolean },
): Promise<number> {
  const found = await call(client, 'GET /tswarm/v1/audit', {
    query: { limit: options.limit },
  });
  const rows = found.map((row) => ({
    Time: row.time,
    Who: row.who || '-',
    Role: row.role,
    From: row.from,
    Request: `${row.method} ${row.path}`,
    Status: row.status,
    Credential: row.credential,
    DurationMs: row.durationMs,
  }));
  const columns = [
    ['TIME', 'Time'],
    ['WHO', 'Who'],
    ['FROM', 'From'],
    ['REQUEST', 'Request'],
    ['STATUS', 'Status'],
  ] as const;
  process.stdout.write(formatList({ columns, rows }, options));
  return EXIT.ok;
}
