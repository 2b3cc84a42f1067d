// `tswarm network check`, state against truth: what the kernel's maps and chains hold, by which interface it would send to containers of other nodes, and
// what containers really get for names. Looks only. What is under way changes both sides at any time, so a difference counts when it is seen twice.
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '#protocol/errors';
import { canonicalAddress } from '../host.ts';
import {
  CHECK_AGAIN_MS,
  CHECKED_ADDRESSES_MAX,
  CHECKED_NAMES_MAX,
  PROBE_TIMEOUT_MS,
} from '../limits.ts';
import type { NetHelper } from '../net-helper.ts';
import type { RuleNames, RuleState, SetName } from '../ruleset.ts';
import type { Mesh } from './mesh.ts';

export interface TruthDeps {
  readonly mesh: Mesh;
  readonly helper: NetHelper;
  readonly names: RuleNames;
  readonly rules: () => RuleState;
  /** What the resolver should know, its configuration's text; and which containers may be asked in: address → path of the network namespace. */
  readonly resolver: () => {
    readonly config: string;
    readonly namespaces: ReadonlyMap<string, string>;
  };
  /** tswarm-net. */
  readonly program: string;
}

/** Maps whose elements people miss when they are gone. */
const COMPARED: readonly (readonly [name: SetName, what: string])[] = [
  ['vip4', 'virtual address'],
  ['vip6', 'virtual address'],
  ['port4', 'published port'],
  ['port6', 'published port'],
  ['addrport4', 'published port'],
  ['addrport6', 'published port'],
  ['door4', 'published port for other nodes'],
  ['door6', 'published port for other nodes'],
  ['origins', 'node that clients come through'],
  ['relay6', 'node that packets are passed on to'],
];
/** Of one kind, so many are named. */
const NAMED_MAX = 5;

/** Virtual addresses and published ports as the kernel has them. */
export function ruleFaults({ helper, names, rules }: TruthDeps): Promise<readonly string[]> {
  return seenTwice(async () => {
    try {
      const text = await helper.nftList(`list table inet ${names.table}`);
      return ruleDifferences(rules(), text);
    } catch (error) {
      // Before the first container, and after the last one of a node without a cluster, there is no table.
      const { sets } = rules();
      if (COMPARED.every(([set]) => sets[set].size === 0)) return [];
      return [`rules not in the kernel: ${messageOf(error)}`];
    }
  });
}

/** What nft's listing of our table has otherwise than it should be, one sentence each. Pure. */
export function ruleDifferences(wanted: RuleState, listing: string): readonly string[] {
  const blocks = blocksOf(listing);
  const faults: string[] = [];
  const say = (text: string, keys: readonly string[]): void => {
    const more = keys.length > NAMED_MAX ? ` and ${keys.length - NAMED_MAX} more` : '';
    if (keys.length > 0) faults.push(`${text}: ${keys.slice(0, NAMED_MAX).join(', ')}${more}`);
  };
  for (const [set, what] of COMPARED) {
    const there = elementsOf(blocks.get(`map ${set}`) ?? '');
    const keys = new Set([...wanted.sets[set].keys()].map(canonicalKey));
    say(
      `${what} not in the kernel`,
      [...keys].filter((key) => !there.has(key)),
    );
    say(
      `${what} of nobody in the kernel`,
      [...there].filter((key) => !keys.has(key)),
    );
  }
  const wrong = [...wanted.chains].filter(([chain, { targets }]) => {
    const should = new Set(targets.map(({ address }) => canonicalAddress(address)));
    const has = addressesIn(blocks.get(`chain ${chain}`) ?? '');
    return should.size !== has.size || [...should].some((address) => !has.has(address));
  });
  const fronts = wrong.map(([chain, { front, protocol }]) =>
    front.address === '' ? `${front.port}/${protocol}` : front.address || chain,
  );
  say('leads to other tasks than it should', fronts);
  return faults;
}

/** `map NAME` and `chain NAME` → what is between the braces. */
function blocksOf(listing: string): ReadonlyMap<string, string> {
  const blocks = new Map<string, string>();
  for (const [, head = '', body = ''] of listing.matchAll(
    /^\t((?:map|set|chain) \S+) \{[^\n]*\n([\s\S]*?)^\t\}/gm,
  )) {
    blocks.set(head, body);
  }
  return blocks;
}

function elementsOf(block: string): ReadonlySet<string> {
  const text = /elements = \{([\s\S]*)\}/.exec(block)?.[1] ?? '';
  const keys = text
    .split(',')
    .map((element) => element.trim().split(' : ')[0] ?? '')
    .filter((key) => key !== '');
  return new Set(keys.map(canonicalKey));
}

/** Addresses in it as the kernel spells them. */
function canonicalKey(key: string): string {
  return key
    .split(' . ')
    .map((part) => canonicalAddress(part) || part)
    .join(' . ');
}

function addressesIn(rule: string): ReadonlySet<string> {
  const found = rule.match(/\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*/g) ?? [];
  return new Set(found.map(canonicalAddress).filter((address) => address !== ''));
}

/** Containers of other nodes to whom the kernel would not send through the tunnel: whatever the reason, that would be clear text. */
export function clearFaults({ mesh, helper, names }: TruthDeps): Promise<readonly string[]> {
  return seenTwice(async () => {
    const { peers } = mesh.plan;
    const to = [...peers.values()]
      .flatMap(({ allowedIps }) => allowedIps.map((ip) => ip.split('/')[0] ?? ''))
      .slice(0, CHECKED_ADDRESSES_MAX);
    if (to.length === 0 || mesh.fault !== '') return [];
    const paths = await helper.paths(to);
    return to.flatMap((address, index) => {
      const link = paths[index]?.link;
      if (link === undefined || link === names.mesh.tunnel) return [];
      return [`not encrypted: packets to ${address} would leave by ${link}`];
    });
  });
}

interface ResolverConfig {
  readonly clients: Readonly<Record<string, readonly string[]>>;
  readonly networks: Readonly<
    Record<
      string,
      {
        readonly names: Readonly<
          Record<string, { readonly a: readonly string[]; readonly aaaa: readonly string[] }>
        >;
      }
    >
  >;
}

interface Resolved {
  readonly name: string;
  readonly type: 'A' | 'AAAA';
  readonly rcode: number | null;
  readonly truncated: boolean;
  readonly addresses: readonly string[];
}

/** Names that containers of this node resolve otherwise than they should; asked in one container of each network. */
export function nameFaults(deps: TruthDeps): Promise<readonly string[]> {
  return seenTwice(async () => {
    const { config, namespaces } = deps.resolver();
    const { clients, networks } = JSON.parse(config) as ResolverConfig;
    const faults: string[] = [];
    const done = new Set<string>();
    for (const [address, namespace] of namespaces) {
      // The first of a container's networks that knows a name answers.
      const [network] = clients[address] ?? [];
      const known = network === undefined ? undefined : networks[network]?.names;
      if (network === undefined || !known || done.has(network)) continue;
      done.add(network);
      const names = Object.keys(known)
        .filter((name) => /^[\w.-]+$/.test(name))
        .slice(0, CHECKED_NAMES_MAX);
      if (names.length === 0) continue;
      const answers = await resolve(deps.program, namespace, names);
      faults.push(...answers.flatMap((answer) => nameFault(answer, known[answer.name], address)));
    }
    return faults;
  });
}

async function resolve(
  program: string,
  namespace: string,
  names: readonly string[],
): Promise<readonly Resolved[]> {
  const args = ['resolve', namespace, ...names];
  const { stdout } = await promisify(execFile)(program, args, {
    timeout: PROBE_TIMEOUT_MS,
    maxBuffer: 16 << 20,
  });
  return JSON.parse(stdout) as readonly Resolved[];
}

function nameFault(
  { name, type, rcode, truncated, addresses }: Resolved,
  entry: { readonly a: readonly string[]; readonly aaaa: readonly string[] } | undefined,
  asker: string,
): readonly string[] {
  const spelled = (list: readonly string[]): string =>
    [...new Set(list.map(canonicalAddress))].sort().join(', ');
  const should = spelled((type === 'A' ? entry?.a : entry?.aaaa) ?? []);
  const is = spelled(addresses);
  if (rcode === null) return [`no answer for the name ${name} to ${asker}`];
  if (rcode === 0 && (is === should || truncated)) return [];
  const said = rcode === 0 ? is || 'no address' : `error ${rcode}`;
  return [`name ${name} (${type}): ${asker} gets ${said}, should get ${should || 'no address'}`];
}

/** What `look` says now and a moment later, too. */
async function seenTwice(look: () => Promise<readonly string[]>): Promise<readonly string[]> {
  const first = new Set(await look());
  if (first.size === 0) return [];
  await sleep(CHECK_AGAIN_MS);
  return (await look()).filter((fault) => first.has(fault));
}
