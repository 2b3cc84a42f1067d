// tswarm init, join, leave, update: with docker's words, so that scripts that read them work.

import type { InitRequest, JoinRequest, UpdateRequest } from '#api/cluster/types';
import { TswarmError } from '#protocol/errors';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { printUnlockKey } from './keys.ts';
import { count, refuseDataPathAddr, type SettingFlags, settingsOf } from './settings.ts';

type Availability = 'active' | 'pause' | 'drain';

export interface InitFlags extends SettingFlags {
  readonly advertiseAddr?: string;
  readonly listenAddr?: string;
  readonly availability?: string;
  readonly dataPathAddr?: string;
  readonly dataPathPort?: string;
  readonly defaultAddrPool?: readonly string[];
  readonly defaultAddrPoolMaskLength?: string;
  readonly forceNewCluster?: boolean;
}

export async function init(client: ApiClient, flags: InitFlags): Promise<number> {
  refuseDataPathAddr(flags.dataPathAddr);
  const subnetSize = count('--default-addr-pool-mask-length', flags.defaultAddrPoolMaskLength, 1);
  const dataPathPort = count('--data-path-port', flags.dataPathPort, 1);
  const body: InitRequest = {
    ...pick(flags, ['advertiseAddr', 'listenAddr', 'defaultAddrPool', 'forceNewCluster']),
    ...availabilityOf(flags.availability),
    ...(subnetSize === undefined ? {} : { subnetSize }),
    ...(dataPathPort === undefined ? {} : { dataPathPort }),
    spec: settingsOf(flags),
  };
  const info = await call(client, 'POST /tswarm/v1/cluster/init', { body });
  process.stdout.write(
    `Swarm initialized: current node (${info.nodeId}) is now a manager.\n\n` +
      `To add a worker to this swarm, run the following command:\n\n` +
      `    tswarm join --token ${info.joinTokens?.worker ?? ''} ${info.controlAddr}\n\n` +
      `To add a manager to this swarm, run 'tswarm join-token manager' and follow the instructions.\n\n`,
  );
  if (info.autolock) await printUnlockKey(client);
  return EXIT.ok;
}

export async function join(
  client: ApiClient,
  addresses: readonly string[],
  flags: {
    readonly token?: string;
    readonly advertiseAddr?: string;
    readonly listenAddr?: string;
    readonly availability?: string;
    readonly dataPathAddr?: string;
  },
): Promise<number> {
  refuseDataPathAddr(flags.dataPathAddr);
  if (flags.token === undefined || addresses.length === 0) {
    const missing =
      flags.token === undefined ? '--token is missing' : 'a manager’s address is missing';
    throw new TswarmError('invalid_argument', missing, {
      hint: 'Run "tswarm join-token worker" on a manager: it prints the whole command.',
    });
  }
  const body: JoinRequest = {
    remoteAddrs: addresses,
    token: flags.token,
    ...pick(flags, ['advertiseAddr', 'listenAddr']),
    ...availabilityOf(flags.availability),
  };
  const info = await call(client, 'POST /tswarm/v1/cluster/join', { body });
  const role = info.isManager ? 'manager' : 'worker';
  process.stdout.write(`This node joined a swarm as a ${role}.\n`);
  return EXIT.ok;
}

export async function leave(
  client: ApiClient,
  flags: { readonly force?: boolean },
): Promise<number> {
  await call(client, 'POST /tswarm/v1/cluster/leave', { query: { force: flags.force === true } });
  process.stdout.write('Node left the swarm.\n');
  return EXIT.ok;
}

export async function update(client: ApiClient, flags: SettingFlags): Promise<number> {
  const spec = settingsOf(flags);
  if (Object.keys(spec).length === 0) {
    throw new TswarmError('invalid_argument', 'nothing to change was given', {
      hint: 'See tswarm update --help.',
    });
  }
  const before = await call(client, 'GET /tswarm/v1/cluster');
  const body: UpdateRequest = { spec };
  const after = await call(client, 'POST /tswarm/v1/cluster/update', { body });
  process.stdout.write('Swarm updated.\n');
  if (after.autolock && !before.autolock) await printUnlockKey(client);
  return EXIT.ok;
}

function availabilityOf(text: string | undefined): { readonly availability?: Availability } {
  if (text === undefined) return {};
  if (text === 'active' || text === 'pause' || text === 'drain') return { availability: text };
  throw new TswarmError(
    'invalid_argument',
    `--availability ${text}: must be active, pause or drain`,
  );
}

/** The named values that are there. */
function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  const entries = names
    .filter((name) => from[name] !== undefined)
    .map((name) => [name, from[name]]);
  return Object.fromEntries(entries) as Json as Pick<T, K>;
}
