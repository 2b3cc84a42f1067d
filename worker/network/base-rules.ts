// The fixed chains of the node's table. Pure; the only place where the order of rules matters.
// Invariants: a packet from a container has one of that container's addresses; nothing of a container reaches the host's 127.0.0.0/8; a virtual address
// is translated only for a sender on its network; between networks nothing passes but what was translated by a published port; an internal network
// reaches only itself and the resolver; what comes out of the tunnel from other nodes has a sender that lives there and stays on its network; clients
// that other nodes pass on reach nothing but published ports, and their answers go back the way they came.

import type { MeshNames } from './mesh/addresses.ts';
import { DOOR_UDP_PORT, MARK_MASK, MESH_SUBNET, RELAY_SUBNET } from './mesh/addresses.ts';
import type { RuleNames } from './ruleset.ts';

/** The resolver as every container knows it. */
export const RESOLVER_ADDRESS = '127.0.0.11';

/** Set of peers that are not to be heard through another node for a moment: their addresses there. It empties itself, so it is no part of the state. */
export const HUSHED = 'hushed6';

export function baseChains(names: RuleNames): readonly string[] {
  const ours = `"${names.links}*"`;
  return [
    ...guard(ours, names),
    ...marks(names.mesh),
    ...translation(ours, names.mesh),
    ...masquerading(ours, names.mesh),
    ...toTheHost(ours, names),
    ...between(ours, names.mesh),
    ...betweenNodes(ours),
  ];
}

/** By which containers of other nodes are reached: a network is on one of them, and routes say on which. */
function remote({ tunnel, clear }: MeshNames): string {
  return `{ "${tunnel}", "${clear}" }`;
}

/**
 * Before anything else: senders, and the resolver's address. That one is rewritten without connection tracking, both ways: questions are many and short,
 * and two that race through a tracked translation can lose one (the resolver's five seconds).
 */
function guard(ours: string, { dns, mesh }: RuleNames): string[] {
  const lines = [
    '  chain guard {',
    '    type filter hook prerouting priority raw; policy accept;',
    // A peer may still be allowed an address that has moved away; the routes know better.
    `    iifname ${remote(mesh)} fib saddr . iif oif missing drop`,
    `    iifname "${mesh.prefix}*" ip daddr 127.0.0.0/8 drop`,
    `    iifname != "${mesh.tunnel}" iifname != "lo" ip6 daddr { ${MESH_SUBNET}, ${RELAY_SUBNET} } drop`,
    `    iifname "${mesh.tunnel}" ip6 saddr @${HUSHED} meta l4proto udp drop`,
    `    iifname "${mesh.tunnel}" ip6 saddr ${MESH_SUBNET} ip6 daddr ${RELAY_SUBNET} goto relay`,
    `    iifname != "${mesh.tunnel}" meta nfproto ipv6 udp dport ${DOOR_UDP_PORT} fib daddr type local drop`,
    `    iifname != ${ours} return`,
    '    iifname . ip saddr != @bound4 drop',
    // Link-local senders are stopped further on; neighbour discovery needs them.
    '    ip6 saddr != fe80::/10 iifname . ip6 saddr != @bound6 drop',
    '    icmpv6 type { nd-router-advert, nd-redirect } drop',
    '    icmp type redirect drop',
    `    ip daddr ${dns} drop`,
    '    ip daddr 127.0.0.0/8 goto loopback',
    '  }',
    '  chain loopback {',
  ];
  for (const protocol of ['udp', 'tcp']) {
    lines.push(
      `    ip daddr ${RESOLVER_ADDRESS} ${protocol} dport 53 notrack ip daddr set ${dns} accept`,
    );
  }
  lines.push(
    // The host's own loopback is reachable through a container's interface (route_localnet); nobody may use that.
    '    drop',
    '  }',
    '  chain answers {',
    '    type filter hook output priority raw; policy accept;',
  );
  for (const protocol of ['udp', 'tcp']) {
    lines.push(
      `    oifname ${ours} ip saddr ${dns} ${protocol} sport 53 notrack ip saddr set ${RESOLVER_ADDRESS}`,
    );
  }
  return [...lines, '  }', ...relay()];
}

/**
 * WireGuard's packets of two nodes that cannot reach each other, and the question whether they could: both addresses are rewritten, nothing is remembered. Their
 * senders are checked: the tunnel lets a node be only itself. Who gets them takes nothing but WireGuard's (`fromnodes`).
 */
function relay(): string[] {
  return [
    '  chain relay {',
    '    icmpv6 type != { echo-request, echo-reply } drop',
    '    meta l4proto != { udp, icmpv6 } drop',
    '    notrack ip6 daddr set ip6 daddr map @relay6 ip6 saddr set ip6 saddr map @relayed6 accept',
    '    drop',
    '  }',
  ];
}

/** A client that came through another node is remembered with that node; answers are routed by it. */
function marks({ door }: MeshNames): string[] {
  const mask = `0x${MARK_MASK.toString(16)}`;
  return [
    '  chain marks {',
    '    type filter hook prerouting priority mangle; policy accept;',
    `    iifname "${door}" ct state new ct mark set ether saddr map @origins`,
    `    iifname "${door}" ct state new ct mark & ${mask} == 0 drop`,
    `    ct direction reply ct mark & ${mask} != 0 meta mark set ct mark`,
    '  }',
    // The resets of our own for such clients.
    '  chain ownmarks {',
    '    type route hook output priority mangle; policy accept;',
    `    ct direction reply ct mark & ${mask} != 0 meta mark set ct mark`,
    '  }',
  ];
}

/** Virtual addresses and published ports. */
function translation(ours: string, { door }: MeshNames): string[] {
  const published = [
    '    fib daddr type local ip daddr . meta l4proto . th dport vmap @addrport4',
    '    fib daddr type local meta nfproto ipv4 meta l4proto . th dport vmap @port4',
    // From ::1 nothing can be sent through another interface; programs then try 127.0.0.1.
    '    fib daddr type local ip6 daddr != ::1 ip6 daddr . meta l4proto . th dport vmap @addrport6',
    '    fib daddr type local ip6 daddr != ::1 meta l4proto . th dport vmap @port6',
  ];
  return [
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    `    iifname "${door}" meta nfproto ipv4 meta l4proto . th dport vmap @door4`,
    `    iifname "${door}" meta nfproto ipv6 meta l4proto . th dport vmap @door6`,
    `    iifname "${door}" return`,
    // Only containers of this node: their senders are checked, those of the outside are what they say.
    `    iifname ${ours} ip saddr . ip daddr @pairs4 ip daddr vmap @vip4`,
    `    iifname ${ours} ip6 saddr . ip6 daddr @pairs6 ip6 daddr vmap @vip6`,
    ...published,
    '  }',
    '  chain output {',
    '    type nat hook output priority -100; policy accept;',
    '    ip daddr vmap @vip4',
    '    ip6 daddr vmap @vip6',
    ...published,
    '  }',
  ];
}

function masquerading(ours: string, mesh: MeshNames): string[] {
  return [
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    // A task that reaches itself through its service's address or port must see the host as the sender.
    '    ip saddr . ip daddr @self4 masquerade',
    '    ip6 saddr . ip6 daddr @self6 masquerade',
    `    ip saddr 127.0.0.0/8 oifname ${ours} masquerade`,
    `    oifname "${mesh.door}" snat ip to ip saddr map @loopback4`,
    // A program of a host that called us and is sent back to its own host.
    `    oifname "${mesh.door}" snat ip to ip saddr . ip daddr map @hairpin4`,
    `    oifname "${mesh.door}" snat ip6 to ip6 saddr . ip6 daddr map @hairpin6`,
    // Other nodes see who it really is.
    `    oifname "${mesh.prefix}*" return`,
    `    ip saddr @subnets4 ip daddr != @subnets4 oifname != ${ours} masquerade`,
    `    ip6 saddr @subnets6 ip6 daddr != @subnets6 oifname != ${ours} masquerade`,
    '  }',
  ];
}

function toTheHost(ours: string, { dns, mesh }: RuleNames): string[] {
  return [
    '  chain input {',
    '    type filter hook input priority filter; policy accept;',
    `    iifname "${mesh.tunnel}" goto fromnodes`,
    // What goes in clear is for containers.
    `    iifname "${mesh.clear}" drop`,
    // Answers to programs of this host that called a published port.
    `    iifname "${mesh.door}" ct state established,related accept`,
    `    iifname "${mesh.door}" drop`,
    `    iifname != ${ours} return`,
    // Only what came for the resolver's well-known address gets here.
    `    ip daddr ${dns} accept`,
    '    ct state established,related accept',
    '    ip6 saddr fe80::/10 meta l4proto != icmpv6 drop',
    '    ip saddr @internal4 reject with icmpx admin-prohibited',
    '    ip6 saddr @internal6 meta l4proto != icmpv6 reject with icmpx admin-prohibited',
    '  }',
  ];
}

function between(ours: string, mesh: MeshNames): string[] {
  return [
    '  chain unreachable {',
    '    meta l4proto tcp reject with tcp reset',
    '    reject with icmpx host-unreachable',
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy accept;',
    // Nothing else that comes out of the tunnel is without tracking.
    `    iifname "${mesh.tunnel}" oifname "${mesh.tunnel}" ip6 daddr ${MESH_SUBNET} ct state untracked accept`,
    `    iifname ${remote(mesh)} goto frompeers`,
    // Without a tunnel: by the host's own interface, which carries other things, too.
    '    iifname . ip saddr @direct4 goto frompeers',
    '    iifname . ip6 saddr @direct6 goto frompeers',
    `    iifname "${mesh.door}" goto fromdoors`,
    `    oifname ${remote(mesh)} goto topeers`,
    '    oifname . ip daddr @direct4 goto topeers',
    '    oifname . ip6 daddr @direct6 goto topeers',
    `    oifname "${mesh.door}" goto todoors`,
    `    iifname != ${ours} oifname != ${ours} return`,
    // An address that nobody has: not out to the host's network, also not for connections that are older than its end.
    `    oifname != ${ours} ip daddr @subnets4 goto unreachable`,
    `    oifname != ${ours} ip6 daddr @subnets6 goto unreachable`,
    '    ct state established,related accept',
    `    iifname ${ours} ip saddr . ip daddr @pairs4 accept`,
    `    iifname ${ours} ip6 saddr . ip6 daddr @pairs6 accept`,
    `    iifname ${ours} ip saddr @internal4 reject with icmpx admin-prohibited`,
    `    iifname ${ours} ip6 saddr @internal6 reject with icmpx admin-prohibited`,
    '    ct status dnat accept',
    `    iifname ${ours} oifname != ${ours} accept`,
    `    oifname ${ours} drop`,
    '  }',
  ];
}

/** What goes to and comes from other nodes: containers' packets through the tunnel, clients' through the doors. */
function betweenNodes(ours: string): string[] {
  const pairs = [
    '    ip saddr . ip daddr @pairs4 accept',
    '    ip6 saddr . ip6 daddr @pairs6 accept',
  ];
  // Who sends more than the tunnel takes often never hears of it.
  const clamp = '    tcp flags syn / syn,rst tcp option maxseg size set rt mtu';
  return [
    '  chain topeers {',
    // Only containers of this node, whose senders are checked: who uses the host as a router is not let in under their addresses.
    `    iifname != ${ours} drop`,
    clamp,
    '    ct state established,related accept',
    ...pairs,
    '    goto unreachable',
    '  }',
    '  chain frompeers {',
    clamp,
    `    oifname != ${ours} ip daddr @subnets4 goto unreachable`,
    `    oifname != ${ours} ip6 daddr @subnets6 goto unreachable`,
    `    oifname != ${ours} drop`,
    '    ct state established,related accept',
    ...pairs,
    '    drop',
    '  }',
    '  chain todoors {',
    clamp,
    '    ct status dnat accept',
    '    ct state established,related accept',
    '    drop',
    '  }',
    '  chain fromdoors {',
    clamp,
    '    ct state established,related accept',
    `    oifname ${ours} ct status dnat accept`,
    // Nobody serves it here any more: said at once, so that the client can try again. The mark leads back.
    '    meta mark set ct mark meta l4proto tcp reject with tcp reset',
    '    drop',
    '  }',
    '  chain fromnodes {',
    '    ct state established,related accept',
    '    meta l4proto icmpv6 accept',
    `    ip6 saddr ${MESH_SUBNET} udp dport ${DOOR_UDP_PORT} accept`,
    // The tunnel's own packets, from a node that passes them on.
    `    ip6 saddr ${RELAY_SUBNET} udp dport @meshport accept`,
    '    drop',
    '  }',
  ];
}
