// The node's nftables rules: their data, and the commands that turn what the kernel has into what it should have. Pure.
// Fixed chains (base-rules.ts) hold a handful of rules over sets and maps; what changes with containers and services are elements of those and one
// small chain per virtual address or published port, so that a packet's cost does not grow with their number and a change costs what changed.
import { baseChains, HUSHED } from './base-rules.ts';
import type { MeshNames } from './mesh/addresses.ts';
import { SESSION_SEED, SESSION_SLOTS, slotOwners } from './session-slots.ts';

export type Family = '4' | '6';

/** One verdict map or set: element key → text after the colon ('' for a set). */
export type Elements = ReadonlyMap<string, string>;

/** A chain that translates to one of several targets, chosen for each connection: at random, or by the client's address. */
export interface BalanceChain {
  readonly family: Family;
  /** '' = all protocols and ports: a virtual address. */
  readonly protocol: '' | 'tcp' | 'udp' | 'sctp';
  /** What clients call: address '' = any of the host's; port 0 = all. */
  readonly front: Target;
  readonly targets: readonly Target[];
  /** The one rule that does it. */
  readonly rule: string;
}

export interface Target {
  readonly address: string;
  readonly port: number;
}

export interface RuleState {
  readonly sets: Readonly<Record<SetName, Elements>>;
  /** chain name → what it does */
  readonly chains: ReadonlyMap<string, BalanceChain>;
}

/** name → declaration */
const SETS = {
  /** Networks that may talk: (subnet, subnet). */
  pairs4: 'set { type ipv4_addr . ipv4_addr; flags interval; }',
  pairs6: 'set { type ipv6_addr . ipv6_addr; flags interval; }',
  /** Which addresses come from which interface. */
  bound4: 'set { type ifname . ipv4_addr; }',
  bound6: 'set { type ifname . ipv6_addr; }',
  /** A container's addresses among themselves. */
  self4: 'set { type ipv4_addr . ipv4_addr; }',
  self6: 'set { type ipv6_addr . ipv6_addr; }',
  subnets4: 'set { type ipv4_addr; flags interval; }',
  subnets6: 'set { type ipv6_addr; flags interval; }',
  internal4: 'set { type ipv4_addr; flags interval; }',
  internal6: 'set { type ipv6_addr; flags interval; }',
  /** Containers of other nodes that are reached by plain routes, and through which interface of the host. */
  direct4: 'set { type ifname . ipv4_addr; }',
  direct6: 'set { type ifname . ipv6_addr; }',
  vip4: 'map { type ipv4_addr : verdict; }',
  vip6: 'map { type ipv6_addr : verdict; }',
  port4: 'map { type inet_proto . inet_service : verdict; }',
  port6: 'map { type inet_proto . inet_service : verdict; }',
  addrport4: 'map { type ipv4_addr . inet_proto . inet_service : verdict; }',
  addrport6: 'map { type ipv6_addr . inet_proto . inet_service : verdict; }',
  /** What comes from another node for one of our published ports: the tasks here. */
  door4: 'map { type inet_proto . inet_service : verdict; }',
  door6: 'map { type inet_proto . inet_service : verdict; }',
  /** Which node a client came through: its Ethernet address on the VXLAN → connection mark. */
  origins: 'map { type ether_addr : mark; }',
  /** What a program on this host calls itself when it calls by loopback and is answered elsewhere. */
  loopback4: 'map { type ipv4_addr : ipv4_addr; flags interval; }',
  /** (a node's own address, its door) → what we call ourselves: no host takes packets from itself. */
  hairpin4: 'map { type ipv4_addr . ipv4_addr : ipv4_addr; }',
  hairpin6: 'map { type ipv6_addr . ipv6_addr : ipv6_addr; }',
  /** What this node passes on between others: its address for a node → that node. */
  relay6: 'map { type ipv6_addr : ipv6_addr; }',
  /** The other way round: a node → our address for it. */
  relayed6: 'map { type ipv6_addr : ipv6_addr; }',
  /** Where WireGuard listens here. */
  meshport: 'set { type inet_service; }',
} as const;
export type SetName = keyof typeof SETS;
export const SET_NAMES = Object.keys(SETS) as readonly SetName[];

export interface RuleNames {
  /** Table in the inet family. */
  readonly table: string;
  /** Prefix of the host ends of this node's containers. */
  readonly links: string;
  readonly mesh: MeshNames;
  /** Address of this node's resolver. */
  readonly dns: string;
}

/** Nothing at all: what a new table holds. */
export function emptyRules(): RuleState {
  const sets = Object.fromEntries(SET_NAMES.map((name) => [name, new Map<string, string>()]));
  return { sets: sets as unknown as RuleState['sets'], chains: new Map() };
}

/** What comes from a relayed peer by this address is dropped, for so long. */
export function hushScript(names: RuleNames, address: string, ms: number): string {
  return `add element inet ${names.table} ${HUSHED} { ${address} timeout ${ms}ms }\n`;
}

/** Nobody is hushed any more. */
export function unhushScript(names: RuleNames): string {
  return `flush set inet ${names.table} ${HUSHED}\n`;
}

/** The fixed part. Makes the table anew, so it also heals one that somebody changed. */
export function baseScript(names: RuleNames): string {
  const sets = SET_NAMES.map((name) => {
    const [kind = 'set', ...rest] = SETS[name].split(' ');
    return `  ${kind} ${name} ${rest.join(' ')}`;
  });
  return [
    `table inet ${names.table} {}`,
    `delete table inet ${names.table}`,
    `table inet ${names.table} {`,
    ...sets,
    `  set ${HUSHED} { type ipv6_addr; flags timeout; }`,
    ...baseChains(names),
    '}',
    '',
  ].join('\n');
}

/** Removes all of it, also when it is not there. */
export function removeScript(names: RuleNames): string {
  return `table inet ${names.table} {}\ndelete table inet ${names.table}\n`;
}

/** Commands from one state to another, applied as one transaction. '' when they are equal. */
export function diffScript(names: RuleNames, from: RuleState, to: RuleState): string {
  const table = `inet ${names.table}`;
  const lines: string[] = [];
  for (const [chain, content] of to.chains) {
    if (from.chains.get(chain)?.rule === content.rule) continue;
    // Adding a chain that is there is no error.
    lines.push(`add chain ${table} ${chain}`, `flush chain ${table} ${chain}`);
    lines.push(`add rule ${table} ${chain} ${content.rule}`);
  }
  for (const set of SET_NAMES) {
    const before = from.sets[set];
    const after = to.sets[set];
    const gone = missing(before, after);
    const fresh = missing(after, before);
    if (gone.length > 0) {
      lines.push(`delete element ${table} ${set} { ${gone.map(([key]) => key).join(', ')} }`);
    }
    if (fresh.length > 0) {
      const text = fresh.map(([key, value]) => (value === '' ? key : `${key} : ${value}`));
      lines.push(`add element ${table} ${set} { ${text.join(', ')} }`);
    }
  }
  for (const chain of from.chains.keys()) {
    if (!to.chains.has(chain))
      lines.push(`flush chain ${table} ${chain}`, `delete chain ${table} ${chain}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** The elements of one that the other does not have in the same way. */
function missing(from: Elements, to: Elements): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (const [key, value] of from) if (to.get(key) !== value) found.push([key, value]);
  return found;
}

/** A chain with its rule; it must have at least one target. */
export function balanceChain(chain: Omit<BalanceChain, 'rule'>): BalanceChain {
  const { targets } = chain;
  return { ...chain, rule: balanceRule(chain, targets, `numgen random mod ${targets.length}`) };
}

/** The same with session affinity. `keys`: what the owner of a slot is decided by, one for each target. */
export function stickyChain(
  chain: Omit<BalanceChain, 'rule'>,
  keys: readonly string[],
): BalanceChain {
  if (chain.targets.length < 2) return balanceChain(chain);
  const bySlot = slotOwners(keys).map((owner) => chain.targets[owner] ?? NOWHERE);
  const word = chain.family === '4' ? 'ip' : 'ip6';
  const slot = `jhash ${word} saddr mod ${SESSION_SLOTS} seed 0x${SESSION_SEED.toString(16)}`;
  const targets = chain.targets.filter((target) => bySlot.includes(target));
  return { ...chain, targets, rule: balanceRule(chain, bySlot, slot) };
}

/** Never used: every slot has an owner. */
const NOWHERE: Target = { address: '', port: 0 };

/** `number`: the expression that gives an index into the targets. */
function balanceRule(
  { family, protocol }: Omit<BalanceChain, 'rule'>,
  targets: readonly Target[],
  number: string,
): string {
  const word = family === '4' ? 'ip' : 'ip6';
  const match = protocol === '' ? '' : `meta l4proto ${protocol} `;
  const [only] = targets;
  if (only && targets.length === 1) {
    const address = family === '6' && only.port > 0 ? `[${only.address}]` : only.address;
    return `${match}dnat ${word} to ${address}${only.port > 0 ? `:${only.port}` : ''}`;
  }
  const withPort = targets.some(({ port }) => port > 0);
  const choices = targets.map(
    ({ address, port }, index) => `${index} : ${address}${withPort ? ` . ${port}` : ''}`,
  );
  const what = withPort ? 'addr . port to' : 'to';
  return `${match}dnat ${word} ${what} ${number} map { ${choices.join(', ')} }`;
}
