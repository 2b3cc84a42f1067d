// The node's nftables rules as data, and the commands that turn what the kernel has into what it should have. Pure.
// Fixed chains hold a handful of rules over sets and maps; what changes with containers and services are elements of those and one small
// chain per virtual address or published port, so that a packet's cost does not grow with their number and a change costs what changed.
// Invariants: a virtual address is only translated for a sender on its network; whatever passes the forward chain as translated was allowed.

/** One verdict map or set: element key → text after the colon ('' for a set). */
export type Elements = ReadonlyMap<string, string>;

export interface RuleState {
  readonly sets: Readonly<Record<SetName, Elements>>;
  /** chain name → its rules */
  readonly chains: ReadonlyMap<string, readonly string[]>;
}

export const SET_NAMES = [
  'pairs4',
  'pairs6',
  'bound4',
  'bound6',
  'self4',
  'self6',
  'subnets4',
  'subnets6',
  'internal4',
  'internal6',
  'vip4',
  'vip6',
  'port4',
  'port6',
  'addrport4',
  'addrport6',
] as const;
export type SetName = (typeof SET_NAMES)[number];

const SET_TYPES: Readonly<Record<SetName, string>> = {
  pairs4: 'set { type ipv4_addr . ipv4_addr; flags interval; }',
  pairs6: 'set { type ipv6_addr . ipv6_addr; flags interval; }',
  bound4: 'set { type ifname . ipv4_addr; }',
  bound6: 'set { type ifname . ipv6_addr; }',
  self4: 'set { type ipv4_addr . ipv4_addr; }',
  self6: 'set { type ipv6_addr . ipv6_addr; }',
  subnets4: 'set { type ipv4_addr; flags interval; }',
  subnets6: 'set { type ipv6_addr; flags interval; }',
  internal4: 'set { type ipv4_addr; flags interval; }',
  internal6: 'set { type ipv6_addr; flags interval; }',
  vip4: 'map { type ipv4_addr : verdict; }',
  vip6: 'map { type ipv6_addr : verdict; }',
  port4: 'map { type inet_proto . inet_service : verdict; }',
  port6: 'map { type inet_proto . inet_service : verdict; }',
  addrport4: 'map { type ipv4_addr . inet_proto . inet_service : verdict; }',
  addrport6: 'map { type ipv6_addr . inet_proto . inet_service : verdict; }',
};

export interface RuleNames {
  /** Table in the inet family. */
  readonly table: string;
  /** Prefix of the host ends of this node's containers. */
  readonly links: string;
  /** Address of this node's resolver. */
  readonly dns: string;
}

/** Nothing at all: what a new table holds. */
export function emptyRules(): RuleState {
  const sets = Object.fromEntries(
    SET_NAMES.map((name) => [name, new Map()]),
  ) as unknown as RuleState['sets'];
  return { sets, chains: new Map() };
}

/** The fixed part. Makes the table anew, so it also heals one that somebody changed. */
export function baseScript(names: RuleNames): string {
  const link = `"${names.links}*"`;
  const sets = SET_NAMES.map((name) => {
    const [kind = 'set', ...rest] = SET_TYPES[name].split(' ');
    return `  ${kind} ${name} ${rest.join(' ')}`;
  });
  const translate = [
    '    fib daddr type local ip daddr . meta l4proto . th dport vmap @addrport4',
    '    fib daddr type local meta nfproto ipv4 meta l4proto . th dport vmap @port4',
    '    fib daddr type local ip6 daddr . meta l4proto . th dport vmap @addrport6',
    '    fib daddr type local meta nfproto ipv6 meta l4proto . th dport vmap @port6',
  ];
  return [
    `table inet ${names.table} {}`,
    `delete table inet ${names.table}`,
    `table inet ${names.table} {`,
    ...sets,
    '  chain guard {',
    '    type filter hook prerouting priority raw; policy accept;',
    // The host's own loopback is reachable through a container's interface (route_localnet); nobody may use that.
    `    iifname ${link} ip daddr 127.0.0.0/8 drop`,
    `    iifname ${link} iifname . ip saddr != @bound4 drop`,
    `    iifname ${link} ip6 saddr != fe80::/10 iifname . ip6 saddr != @bound6 drop`,
    '  }',
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    '    ip saddr . ip daddr @pairs4 ip daddr vmap @vip4',
    '    ip6 saddr . ip6 daddr @pairs6 ip6 daddr vmap @vip6',
    ...translate,
    '  }',
    '  chain output {',
    '    type nat hook output priority -100; policy accept;',
    '    ip daddr vmap @vip4',
    '    ip6 daddr vmap @vip6',
    ...translate,
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    // A task that reaches itself through its service's address or port must see the host as the sender.
    '    ip saddr . ip daddr @self4 masquerade',
    '    ip6 saddr . ip6 daddr @self6 masquerade',
    `    ip saddr 127.0.0.0/8 oifname ${link} masquerade`,
    `    ip saddr @subnets4 ip daddr != @subnets4 oifname != ${link} masquerade`,
    `    ip6 saddr @subnets6 ip6 daddr != @subnets6 oifname != ${link} masquerade`,
    '  }',
    '  chain input {',
    '    type filter hook input priority filter; policy accept;',
    `    iifname ${link} ct state established,related accept`,
    `    iifname ${link} ip daddr ${names.dns} udp dport 53 accept`,
    `    iifname ${link} ip daddr ${names.dns} tcp dport 53 accept`,
    `    iifname ${link} ip daddr ${names.dns} reject with icmpx admin-prohibited`,
    `    iifname ${link} ip saddr @internal4 reject with icmpx admin-prohibited`,
    `    iifname ${link} ip6 saddr @internal6 meta l4proto != icmpv6 reject with icmpx admin-prohibited`,
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy accept;',
    `    iifname != ${link} oifname != ${link} return`,
    '    ct state established,related accept',
    `    oifname != ${link} ip daddr @subnets4 reject with icmpx host-unreachable`,
    `    oifname != ${link} ip6 daddr @subnets6 reject with icmpx host-unreachable`,
    '    ip saddr . ip daddr @pairs4 accept',
    '    ip6 saddr . ip6 daddr @pairs6 accept',
    '    ct status dnat accept',
    `    iifname ${link} ip saddr @internal4 reject with icmpx admin-prohibited`,
    `    iifname ${link} ip6 saddr @internal6 reject with icmpx admin-prohibited`,
    `    iifname ${link} oifname != ${link} accept`,
    `    oifname ${link} drop`,
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Commands from one state to another, applied as one transaction. '' when they are equal. */
export function diffScript(names: RuleNames, from: RuleState, to: RuleState): string {
  const table = `inet ${names.table}`;
  const lines: string[] = [];
  for (const [chain, rules] of to.chains) {
    const before = from.chains.get(chain);
    if (before && before.join('\n') === rules.join('\n')) continue;
    lines.push(`add chain ${table} ${chain}`, `flush chain ${table} ${chain}`);
    for (const rule of rules) lines.push(`add rule ${table} ${chain} ${rule}`);
  }
  for (const set of SET_NAMES) {
    const before = from.sets[set];
    const after = to.sets[set];
    const gone = [...before].filter(([key, value]) => after.get(key) !== value);
    const fresh = [...after].filter(([key, value]) => before.get(key) !== value);
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

/** Translation to one of several addresses, all ports. Empty when there is none. */
export function balanceAddresses(addresses: readonly string[]): string[] {
  if (addresses.length === 0) return [];
  const family = familyWord(addresses[0] ?? '');
  if (addresses.length === 1) return [`dnat ${family} to ${addresses[0]}`];
  const choices = addresses.map((address, index) => `${index} : ${address}`).join(', ');
  return [`dnat ${family} to numgen random mod ${addresses.length} map { ${choices} }`];
}

/** Translation of one published port to one of several address and port pairs. */
export function balancePorts(
  protocol: string,
  targets: readonly { address: string; port: number }[],
): string[] {
  const [first] = targets;
  if (!first) return [];
  const family = familyWord(first.address);
  const match = `meta l4proto ${protocol}`;
  if (targets.length === 1) {
    const address = first.address.includes(':') ? `[${first.address}]` : first.address;
    return [`${match} dnat ${family} to ${address}:${first.port}`];
  }
  const choices = targets
    .map(({ address, port }, index) => `${index} : ${address} . ${port}`)
    .join(', ');
  return [
    `${match} dnat ${family} addr . port to numgen random mod ${targets.length} map { ${choices} }`,
  ];
}

function familyWord(address: string): 'ip' | 'ip6' {
  return address.includes(':') ? 'ip6' : 'ip';
}

/** Rules inside a container's namespace: 127.0.0.11 is the node's resolver. */
export function resolverScript(dns: string): string {
  return [
    'table ip tswarm {',
    '  chain output {',
    '    type nat hook output priority -100; policy accept;',
    `    ip daddr 127.0.0.11 udp dport 53 dnat to ${dns}`,
    `    ip daddr 127.0.0.11 tcp dport 53 dnat to ${dns}`,
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority 100; policy accept;',
    `    ip daddr ${dns} masquerade`,
    '  }',
    '}',
    '',
  ].join('\n');
}
