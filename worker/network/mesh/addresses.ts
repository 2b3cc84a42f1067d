// Addresses and names of the mesh that follow from a node's id or tag: nothing to allocate, nothing to keep, no two nodes alike. Pure.
// IPv6 of a prefix of our own carries what nodes say to each other inside the tunnel; `door` addresses stand for "the published ports of that node".
import { createHash } from 'node:crypto';
import { addressNumber, canonicalAddress } from '../host.ts';

/** All of ours inside the tunnel (RFC 4193; the digits are chosen once). */
export const MESH_PREFIX = 'fd74:7377:6d00::/48';
/** The nodes themselves. */
export const MESH_SUBNET = 'fd74:7377:6d00:1::/64';
/** Addresses by which a node passes WireGuard's packets on to another one; see relay.ts. */
export const RELAY_SUBNET = 'fd74:7377:6d00:3::/64';
/** UDP port of the VXLAN that carries clients' packets between nodes; only inside the tunnel. */
export const DOOR_UDP_PORT = 24_789;
export const DOOR_VXLAN_ID = 0x747377;
/** As everybody has it for VXLAN (RFC 7348), and as firewalls and network cards know it; only where a network goes in clear. */
export const CLEAR_UDP_PORT = 4_789;
export const CLEAR_VXLAN_ID = 0x747378;
/** Bits of packet and connection marks that are ours: 20 to 30. Tailscale has 16 to 23 but 18 and 19 only, Kubernetes 14 and 15, wg-quick the lowest 16. */
export const MARK_SHIFT = 20;
export const MARK_MASK = 0x7ff0_0000;
/** Nodes that clients can come from at the same time; as many as the bits of the mark allow. */
export const ORIGINS_MAX = 2047;
/** Number of the routing table of the first origin; "ts" in the upper half, out of everybody's way. */
export const TABLE_BASE = 0x7473_0000;
/** Priorities of our routing rules, in the order in which they are looked at. */
export const RULE_MESH = 7473;
export const RULE_UNMARKED = 7474;
export const RULE_ORIGIN = 7475;
export const RULE_END = 7490;

const RELAY_GROUPS = 'fd74:7377:6d00:3';
const RELAY_NUMBER = 0xfd74_7377_6d00_0003n;

export interface MeshNames {
  /** Prefix of both interfaces. */
  readonly prefix: string;
  /** The WireGuard interface. */
  readonly tunnel: string;
  /** The VXLAN interface inside it. */
  readonly door: string;
  /** The VXLAN interface beside it, for networks that go in clear. */
  readonly clear: string;
}

export function meshNames(nodeTag: string): MeshNames {
  // Not the prefix of containers' interfaces, which have rules of their own.
  const prefix = `w${nodeTag}`;
  return { prefix, tunnel: `${prefix}0`, door: `${prefix}x`, clear: `${prefix}c` };
}

export interface MeshIdentity {
  /** Inside the tunnel. */
  readonly address: string;
  /** Ethernet address on the VXLAN. */
  readonly mac: string;
  /** Next hop on the VXLAN. */
  readonly linkLocal: string;
  /** Stands for the published ports of the node, for IPv6 clients. */
  readonly door6: string;
  /** Two groups that stand for the node in addresses of `RELAY_SUBNET`. */
  readonly relayId: string;
  /** All addresses of `relayAddress(this node, …)`, CIDR. */
  readonly relayPrefix: string;
}

const identities = new Map<string, MeshIdentity>();

export function meshIdentity(nodeId: string): MeshIdentity {
  const known = identities.get(nodeId);
  if (known) return known;
  const digest = createHash('sha256').update(`tswarm mesh ${nodeId}`).digest();
  const groups = (from: number): string =>
    [0, 2, 4, 6].map((at) => digest.readUInt16BE(from + at).toString(16)).join(':');
  const [first = 0, ...rest] = digest.subarray(8, 14);
  // Locally administered, not a group.
  const bytes = [(first & 0xfc) | 0x02, ...rest];
  const relayId = [24, 26].map((at) => digest.readUInt16BE(at).toString(16)).join(':');
  const identity = {
    address: `fd74:7377:6d00:1:${groups(16)}`,
    mac: bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    linkLocal: `fe80::${groups(16)}`,
    door6: `fd74:7377:6d00:2:${groups(16)}`,
    relayId,
    relayPrefix: `${canonicalAddress(`${RELAY_GROUPS}:${relayId}:0:0`)}/96`,
  };
  identities.set(nodeId, identity);
  return identity;
}

const relays = new Map<string, string>();

/** Where `relay` takes what it passes on to `target`, and where it comes from when that answers. Spelled as the kernel does. */
export function relayAddress(relay: string, target: string): string {
  const pair = `${relay} ${target}`;
  const known = relays.get(pair);
  if (known !== undefined) return known;
  const [through, to] = [meshIdentity(relay).relayId, meshIdentity(target).relayId];
  const address = canonicalAddress(`${RELAY_GROUPS}:${through}:${to}`);
  relays.set(pair, address);
  return address;
}

/** The relay's address in an endpoint (`[…]:port`); undefined = the peer is reached by itself. */
export function relayIn(endpoint: string): string | undefined {
  const address = /^\[([0-9a-f:]+)\]:\d+$/.exec(endpoint)?.[1];
  if (address === undefined || addressNumber(address) >> 64n !== RELAY_NUMBER) return undefined;
  return canonicalAddress(address);
}

/** Stands for the published ports of the node with this number (1 to ORIGINS_MAX), for IPv4 clients; only this host knows it. */
export function doorAddress4(number: number): string {
  return `169.254.${192 + (number >> 8)}.${number & 255}`;
}

export function markOf(number: number): number {
  return number * 2 ** MARK_SHIFT;
}

export function tableOf(number: number): number {
  return TABLE_BASE + number;
}
