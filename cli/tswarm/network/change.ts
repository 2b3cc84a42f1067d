// tswarm network create, rm, prune, connect, disconnect.
import { createInterface } from 'node:readline/promises';
import { hasCode, TswarmError } from '#protocol/errors';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT, forEachName } from '../../output/fail.ts';
import { filtersQuery } from '../context.ts';
import { labelsOf } from '../data/fields.ts';

export interface CreateOptions {
  readonly driver?: string;
  readonly opt?: readonly string[];
  readonly subnet?: readonly string[];
  readonly gateway?: readonly string[];
  readonly ipRange?: readonly string[];
  readonly auxAddress?: readonly string[];
  readonly ipv6?: boolean;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly label?: readonly string[];
}

/** Of a node in a cluster the usual network is the cluster's. */
export async function create(
  client: ApiClient,
  name: string,
  options: CreateOptions,
): Promise<number> {
  const driver = options.driver ?? (await defaultDriver(client));
  const body = {
    Name: name,
    Driver: driver,
    Options: labelsOf(options.opt, '--opt'),
    Labels: labelsOf(options.label, '--label'),
    EnableIPv6: options.ipv6 === true,
    Internal: options.internal === true,
    Attachable: options.attachable === true,
    IPAM: { Driver: 'default', Config: ipamOf(options) },
  };
  const made = await client.post<Json>('/networks/create', { body });
  if (made.Warning) process.stderr.write(`WARNING: ${made.Warning}\n`);
  process.stdout.write(`${made.Id}\n`);
  return EXIT.ok;
}

async function defaultDriver(client: ApiClient): Promise<string> {
  const info = await client.get<Json>('/info');
  const { ControlAvailable } = (info.Swarm ?? {}) as Json;
  return ControlAvailable === true ? 'overlay' : 'bridge';
}

/** Gateways, ranges and auxiliary addresses go to the subnet that holds them; by family, as there is one subnet for each. */
function ipamOf(options: CreateOptions): readonly Json[] {
  const configs = (options.subnet ?? []).map((Subnet) => ({ Subnet, AuxiliaryAddresses: {} }));
  const place = (text: string, flag: string): Record<string, unknown> => {
    const found = configs.find((config) => config.Subnet.includes(':') === text.includes(':'));
    if (found) return found;
    throw new TswarmError('invalid_argument', `${flag} ${text}: there is no --subnet for it`);
  };
  for (const text of options.gateway ?? []) place(text, '--gateway').Gateway = text;
  for (const text of options.ipRange ?? []) place(text, '--ip-range').IPRange = text;
  for (const [name, text] of Object.entries(labelsOf(options.auxAddress, '--aux-address'))) {
    (place(text, '--aux-address').AuxiliaryAddresses as Record<string, string>)[name] = text;
  }
  return configs;
}

export async function rm(
  client: ApiClient,
  names: readonly string[],
  options: { readonly force?: boolean },
): Promise<number> {
  return forEachName(names, async (name) => {
    try {
      await client.delete(`/networks/${encodeURIComponent(name)}`);
      process.stdout.write(`${name}\n`);
    } catch (error) {
      if (!(options.force && hasCode(error, 'not_found'))) throw error;
    }
  });
}

export async function prune(
  client: ApiClient,
  options: { readonly force?: boolean; readonly filter?: readonly string[] },
): Promise<number> {
  if (!options.force && !(await isSure())) return EXIT.ok;
  const query = { filters: filtersQuery(options.filter) };
  const answer = await client.post<Json>('/networks/prune', { query });
  const gone = (answer.NetworksDeleted as readonly string[] | null) ?? [];
  if (gone.length > 0) process.stdout.write(`Deleted Networks:\n${gone.join('\n')}\n`);
  return EXIT.ok;
}

async function isSure(): Promise<boolean> {
  const ask = createInterface({ input: process.stdin, output: process.stdout });
  const question =
    'WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue? [y/N] ';
  const answer = await ask.question(question);
  ask.close();
  return /^y(es)?$/i.test(answer.trim());
}

export interface Membership {
  readonly network: string;
  readonly container: string;
}

export async function connect(
  client: ApiClient,
  { network, container }: Membership,
  options: { readonly ip?: string; readonly ip6?: string; readonly alias?: readonly string[] },
): Promise<number> {
  const body = {
    Container: container,
    EndpointConfig: {
      Aliases: options.alias ?? [],
      IPAMConfig: { IPv4Address: options.ip ?? '', IPv6Address: options.ip6 ?? '' },
    },
  };
  await client.post(`/networks/${encodeURIComponent(network)}/connect`, { body });
  return EXIT.ok;
}

export async function disconnect(
  client: ApiClient,
  { network, container }: Membership,
  options: { readonly force?: boolean },
): Promise<number> {
  const body = { Container: container, Force: options.force === true };
  await client.post(`/networks/${encodeURIComponent(network)}/disconnect`, { body });
  return EXIT.ok;
}
