// tswarm join-token, unlock, unlock-key, ca: the cluster's secrets and its root certificate. A key is never taken from the command line, where others see it.

import { readFileSync } from 'node:fs';
import { TswarmError } from '#protocol/errors';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { ProgressDisplay } from '../../output/progress.ts';
import { readSecret } from '../../output/read-secret.ts';
import { type SettingFlags, settingsOf } from './settings.ts';

const POLL_MS = 500;

export async function joinToken(
  client: ApiClient,
  role: string,
  flags: { readonly quiet?: boolean; readonly rotate?: boolean },
): Promise<number> {
  if (role !== 'worker' && role !== 'manager') {
    throw new TswarmError('invalid_argument', `role "${role}": must be worker or manager`);
  }
  if (flags.rotate) {
    const body = role === 'worker' ? { rotateWorkerToken: true } : { rotateManagerToken: true };
    await call(client, 'POST /tswarm/v1/cluster/update', { body });
    if (!flags.quiet) process.stdout.write(`Successfully rotated ${role} join token.\n\n`);
  }
  // Through /swarm, so that a worker's answer says what a worker is.
  const swarm = await client.get<Json>('/swarm');
  const tokens = swarm.JoinTokens as { readonly Worker: string; readonly Manager: string };
  const token = role === 'worker' ? tokens.Worker : tokens.Manager;
  if (flags.quiet) process.stdout.write(`${token}\n`);
  else {
    const { controlAddr = '' } = await call(client, 'GET /tswarm/v1/cluster');
    process.stdout.write(
      `To add a ${role} to this swarm, run the following command:\n\n    tswarm join --token ${token} ${controlAddr}\n\n`,
    );
    if (/^(127\.|\[::1\])/.test(controlAddr)) {
      process.stderr.write(
        `Other hosts do not reach ${controlAddr}. Open this host's cluster to them first: tswarm init\n`,
      );
    }
  }
  return EXIT.ok;
}

export async function unlock(client: ApiClient): Promise<number> {
  // A manager that has just started finds out in a moment that it is locked.
  const { state } = await call(client, 'GET /tswarm/v1/cluster', { query: { wait: true } });
  if (state === 'inactive') throw new TswarmError('no_cluster', 'this node is in no cluster');
  if (state !== 'locked') throw new TswarmError('conflict', 'swarm is not locked');
  const unlockKey = await readSecret('Enter unlock key: ');
  await call(client, 'POST /tswarm/v1/cluster/unlock', { body: { unlockKey } });
  return EXIT.ok;
}

export async function unlockKey(
  client: ApiClient,
  flags: { readonly quiet?: boolean; readonly rotate?: boolean },
): Promise<number> {
  if (flags.rotate) {
    await call(client, 'POST /tswarm/v1/cluster/update', { body: { rotateUnlockKey: true } });
    if (!flags.quiet) process.stdout.write('Successfully rotated manager unlock key.\n\n');
  }
  if (!flags.quiet) {
    await printUnlockKey(client);
    return EXIT.ok;
  }
  process.stdout.write(`${await fetchUnlockKey(client)}\n`);
  return EXIT.ok;
}

async function fetchUnlockKey(client: ApiClient): Promise<string> {
  const answer = await call(client, 'GET /tswarm/v1/cluster/unlock-key');
  if (answer.unlockKey !== '') return answer.unlockKey;
  throw new TswarmError('failed_precondition', 'no unlock key is set', {
    hint: 'Managers of this cluster start without one; tswarm update --autolock changes that.',
  });
}

/** The key, and what it is for. */
export async function printUnlockKey(client: ApiClient): Promise<void> {
  const key = await fetchUnlockKey(client);
  process.stdout.write(
    'To unlock a swarm manager after it restarts, run the `tswarm unlock`\n' +
      `command and provide the following key:\n\n    ${key}\n\n` +
      'Remember to store this key in a password manager, since without it you\n' +
      'will not be able to restart the manager.\n',
  );
}

export interface CaFlags extends SettingFlags {
  readonly rotate?: boolean;
  readonly caCert?: string;
  readonly caKey?: string;
  readonly detach?: boolean;
  readonly quiet?: boolean;
}

export async function ca(client: ApiClient, flags: CaFlags): Promise<number> {
  if (!flags.rotate) {
    for (const [flag, value] of [
      ['--ca-cert', flags.caCert],
      ['--ca-key', flags.caKey],
      ['--cert-expiry', flags.certExpiry],
      ['--external-ca', flags.externalCa],
    ] as const) {
      if (value !== undefined) {
        throw new TswarmError('invalid_argument', `${flag} flag requires the --rotate flag`);
      }
    }
    const swarm = await client.get<Json>('/swarm');
    process.stdout.write(trustRoot(swarm));
    return EXIT.ok;
  }
  if ((flags.caCert === undefined) !== (flags.caKey === undefined)) {
    throw new TswarmError('invalid_argument', '--ca-cert and --ca-key need each other');
  }
  const swarm = await client.get<Json>('/swarm');
  const spec = swarm.Spec as Json;
  const config = (spec.CAConfig ?? {}) as Json;
  const change = {
    ForceRotate: Number(config.ForceRotate ?? 0) + 1,
    ...(flags.caCert ? { SigningCACert: readText(flags.caCert) } : {}),
    ...(flags.caKey ? { SigningCAKey: readText(flags.caKey) } : {}),
  };
  const settings = settingsOf({ ...flags });
  const caConfig = { ...((settings.CAConfig ?? {}) as Json), ...change };
  await call(client, 'POST /tswarm/v1/cluster/update', {
    body: { spec: { ...settings, CAConfig: caConfig } },
  });
  if (flags.detach) return EXIT.ok;
  const rotated = await untilRotated(client, flags.quiet === true);
  process.stdout.write(trustRoot(rotated));
  return EXIT.ok;
}

function trustRoot(swarm: Json): string {
  const root = String((swarm.TLSInfo as Json | undefined)?.TrustRoot ?? '');
  return root.endsWith('\n') ? root : `${root}\n`;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new TswarmError('invalid_argument', `${path}: ${(error as Error).message}`);
  }
}

/** Asks until every node has a certificate of the new root, and shows how far they are. */
async function untilRotated(client: ApiClient, quiet: boolean): Promise<Json> {
  const display = quiet ? undefined : new ProgressDisplay('Rotating root certificate', 'auto');
  try {
    for (;;) {
      const swarm = await client.get<Json>('/swarm');
      if (swarm.RootRotationInProgress !== true) {
        display?.update('nodes', 'done', 'all have certificates of the new root');
        return swarm;
      }
      if (display) {
        const nodes = await client.get<Json[]>('/nodes');
        const down = nodes.filter((node) => (node.Status as Json | undefined)?.State === 'down');
        const waiting =
          down.length === 0 ? '' : `; ${down.length} are down: start them or remove them (node rm)`;
        display.update('nodes', 'working', `${nodes.length} get new certificates${waiting}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    display?.stop();
  }
}
