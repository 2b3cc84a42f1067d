// What the mesh should be, from what the managers say: peers with their allowed addresses, and what the kernel's routing needs. Pure.
// Invariants: an address has one node; a node gets only the addresses of networks that this node takes part in; nothing but parsed addresses and keys
// gets through, so that a bad object harms only itself.
import { isIPv4 } from 'node:net';
import type { MeshPeer, ServiceEndpoints } from '#protocol/generated/dispatcher';
import { PublishMode } from '#protocol/generated/specs';
import { addressNumber, addressText } from '../host.ts';
import type { Door, Doors } from '../parts.ts';
import {
  doorAddress4,
  MARK_MASK,
  MESH_PREFIX,
  type MeshNames,
  markOf,
  meshIdentity,
  RULE_END,
  RULE_MESH,
  RULE_ORIGIN,
  RULE_UNMARKED,
  tableOf,
} from './addresses.ts';

export const TABLE_MAIN = 254;

/** One item of tswarm-net's `routing`; see native/PROTOCOL.md. */
export type RoutingItem =
  | {
      readonly kind: 'route';
      readonly to: string;
      readonly link: string;
      readonly table: number;
      readonly via?: string;
    }
  | {
      readonly kind: 'neighbour';
      readonly link: string;
      readonly mac: string;
      readonly address: string;
    }
  | { readonly kind: 'fdb'; readonly link: string; readonly mac: string; readonly to: string }
  | {
      readonly kind: 'rule';
      readonly family: 4 | 6;
      readonly priority: number;
      readonly mark?: number;
      readonly mask?: number;
      readonly to?: string;
      readonly table?: number;
      readonly goto?: number;
    };

export interface PeerPlan {
  readonly nodeId: string;
  readonly hostname: string;
  /** `address:port`; '' = not known, it will call. */
  readonly endpoint: string;
  /** CIDR, whole addresses; the first is the node's own inside the tunnel. */
  readonly allowedIps: readonly string[];
}

export interface MeshPlan {
  /** public key → peer */
  readonly peers: ReadonlyMap<string, PeerPlan>;
  /** key → item; equal keys are the same object in the kernel */
  readonly routing: ReadonlyMap<string, RoutingItem>;
  /** Nodes that published ports lead to through the door, by node id. */
  readonly doors: Doors;
  /** Family of the nodes' addresses that carry networks in clear; '' = there is no such network. */
  readonly clear: '4' | '6' | '';
  /** Ethernet address of a node that clients may come from → connection mark; empty = nothing here is published. */
  readonly origins: ReadonlyMap<string, number>;
}

export interface MeshInput {
  /** '' = not known yet. */
  readonly nodeId: string;
  readonly names: MeshNames;
  readonly peers: readonly MeshPeer[];
  readonly services: readonly ServiceEndpoints[];
  /** Ids of the cluster's networks that are in use on this node. */
  readonly networkIds: ReadonlySet<string>;
  /** Those of them that go in clear. */
  readonly clearIds: ReadonlySet<string>;
  /** node id → number from 1; every peer has one */
  readonly numbers: ReadonlyMap<string, number>;
}

export const NO_MESH: MeshPlan = {
  peers: new Map(),
  routing: new Map(),
  doors: new Map(),
  origins: new Map(),
  clear: '',
};

export function planMesh(input: MeshInput): MeshPlan {
  const { nodeId, names, numbers } = input;
  const known = input.peers.filter((peer) => peer.nodeId !== nodeId && isKey(peer.wireguardKey));
  if (nodeId === '' || known.length === 0) return NO_MESH;
  const remote = remoteAddresses(input, (id) => !input.clearIds.has(id));
  const inClear = remoteAddresses(input, (id) => input.clearIds.has(id));
  const clear = familyInClear(known, inClear);
  const published = publishedOn(input.services);
  const isServing = published.has(nodeId);
  const peers = new Map<string, PeerPlan>();
  const routing = new Routing();
  const doors = new Map<string, Door>();
  const origins = new Map<string, number>();
  for (const peer of known) {
    const identity = meshIdentity(peer.nodeId);
    const addresses = remote.get(peer.nodeId) ?? [];
    peers.set(peer.wireguardKey, {
      nodeId: peer.nodeId,
      hostname: peer.hostname,
      endpoint: endpointText(peer),
      allowedIps: [identity.address, ...addresses].map(wholeAddress),
    });
    routing.route(wholeAddress(identity.address), names.tunnel);
    for (const address of addresses) routing.route(wholeAddress(address), names.tunnel);
    const at = canonicalAddress(peer.addr);
    if (at !== '' && familyOf(at) === clear) {
      const open = inClear.get(peer.nodeId) ?? [];
      // The node's next hop on this VXLAN, which is the node itself, without a tunnel.
      if (open.length > 0) routing.nextHop(names.clear, { ...identity, address: at });
      for (const address of open) {
        routing.route(wholeAddress(address), names.clear, { via: identity.linkLocal });
      }
    }
    const number = numbers.get(peer.nodeId);
    const isBehindDoor = published.has(peer.nodeId);
    if (number === undefined || !(isBehindDoor || isServing)) continue;
    routing.nextHop(names.door, identity);
    if (isBehindDoor) {
      const hostAddresses = [...new Set([peer.addr, ...peer.hostAddrs].map(canonicalAddress))];
      const door = { v4: doorAddress4(number), v6: identity.door6, hostAddresses };
      doors.set(peer.nodeId, door);
      for (const address of [door.v4, door.v6]) {
        routing.route(wholeAddress(address), names.door, { via: identity.linkLocal });
      }
    }
    if (isServing) {
      origins.set(identity.mac, markOf(number));
      routing.wayBack(names.door, identity.linkLocal, number);
    }
  }
  if (doors.size + origins.size > 0) routing.commonRules();
  return { peers, routing: routing.items, doors, origins, clear };
}

/** A VXLAN interface speaks IPv4 or IPv6: what the first node of such a network is known by. Nodes of the other kind cannot be reached in clear. */
function familyInClear(
  peers: readonly MeshPeer[],
  inClear: ReadonlyMap<string, readonly string[]>,
): MeshPlan['clear'] {
  const first = peers.find(
    ({ nodeId, addr }) => inClear.has(nodeId) && canonicalAddress(addr) !== '',
  );
  return first ? familyOf(first.addr) : '';
}

function familyOf(address: string): '4' | '6' {
  return address.includes(':') ? '6' : '4';
}

/** Containers of other nodes on our networks: node id → bare addresses. */
function remoteAddresses(
  { nodeId, services, networkIds }: MeshInput,
  isMeant: (networkId: string) => boolean,
): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, string>();
  for (const service of services) {
    for (const place of placesOf(service)) {
      if (place.nodeId === nodeId || !networkIds.has(place.networkId)) continue;
      if (isMeant(place.networkId)) {
        owners.set(place.address, place.nodeId);
      }
    }
  }
  const byNode = new Map<string, string[]>();
  for (const [address, owner] of owners) {
    const list = byNode.get(owner);
    if (list) list.push(address);
    else byNode.set(owner, [address]);
  }
  return byNode;
}

interface Place {
  readonly address: string;
  readonly networkId: string;
  readonly nodeId: string;
}

const PLACES: WeakMap<ServiceEndpoints, readonly Place[]> = new WeakMap();

/** Where a service's tasks are. Read once from each object, which is never changed: with thousands of services nearly all are the same as before. */
function placesOf(service: ServiceEndpoints): readonly Place[] {
  const known = PLACES.get(service);
  if (known) return known;
  const places = service.backends
    .filter(({ nodeId }) => nodeId !== '')
    .flatMap(({ nodeId, attachments }) =>
      attachments.flatMap(({ networkId, addresses }) =>
        addresses
          .map((text) => canonicalAddress(text.split('/')[0] ?? ''))
          .filter((address) => address !== '')
          .map((address) => ({ address, networkId, nodeId })),
      ),
    );
  PLACES.set(service, places);
  return places;
}

/** Nodes with a task of a service that has ingress ports. */
function publishedOn(services: readonly ServiceEndpoints[]): ReadonlySet<string> {
  const nodes = new Set<string>();
  for (const service of services) {
    if (!service.ports.some((port) => port.publishMode === PublishMode.INGRESS)) continue;
    for (const { nodeId } of service.backends) if (nodeId !== '') nodes.add(nodeId);
  }
  return nodes;
}

class Routing {
  readonly items = new Map<string, RoutingItem>();

  route(
    to: string,
    link: string,
    more: { readonly via?: string; readonly table?: number } = {},
  ): void {
    const item = { kind: 'route' as const, to, link, table: TABLE_MAIN, ...more };
    this.items.set(routeKey(item), item);
  }

  nextHop(link: string, { linkLocal, mac, address }: ReturnType<typeof meshIdentity>): void {
    const hop = canonicalAddress(linkLocal);
    this.items.set(`neighbour ${link} ${hop}`, { kind: 'neighbour', link, mac, address: hop });
    this.items.set(`fdb ${link} ${mac} ${address}`, {
      kind: 'fdb',
      link,
      mac,
      to: canonicalAddress(address),
    });
  }

  /** Answers to clients that came through that node go back through it. */
  wayBack(link: string, via: string, number: number): void {
    const table = tableOf(number);
    for (const [family, to] of [
      [4, '0.0.0.0/0'],
      [6, '::/0'],
    ] as const) {
      this.route(to, link, { via, table });
      this.rule({ family, priority: RULE_ORIGIN, mark: markOf(number), mask: MARK_MASK, table });
    }
  }

  commonRules(): void {
    // First, or the tunnel's own packets, which keep the mark of what they carry, would go round in circles.
    this.rule({ family: 6, priority: RULE_MESH, to: MESH_PREFIX, table: TABLE_MAIN });
    for (const family of [4, 6] as const) {
      // What has no mark of ours, nearly all, does not look at the rules of each node.
      this.rule({ family, priority: RULE_END });
      this.rule({ family, priority: RULE_UNMARKED, mark: 0, mask: MARK_MASK, goto: RULE_END });
    }
  }

  rule(rule: Omit<Extract<RoutingItem, { kind: 'rule' }>, 'kind'>): void {
    const item = { kind: 'rule' as const, ...rule };
    this.items.set(ruleKey(item), item);
  }
}

export function routeKey(route: {
  readonly to: string;
  readonly link: string;
  readonly table: number;
  readonly via?: string;
}): string {
  const via = route.via === undefined ? '' : canonicalAddress(route.via);
  return `route ${route.table} ${route.to} ${route.link} ${via}`;
}

export function ruleKey(rule: {
  readonly family: number;
  readonly priority: number;
  readonly mark?: number;
  readonly to?: string;
  readonly table?: number;
  readonly goto?: number;
}): string {
  const { family, priority, mark = 0, to = '', table = 0, goto = 0 } = rule;
  return `rule ${family} ${priority} ${mark} ${to} ${table} ${goto}`;
}

/** With its whole prefix length, spelled as the kernel does. */
export function wholeAddress(address: string): string {
  return `${canonicalAddress(address)}/${address.includes(':') ? 128 : 32}`;
}

/** '' for what is no address. */
export function canonicalAddress(text: string): string {
  // IPv4 has one spelling only, and is by far the most frequent.
  if (isIPv4(text)) return text;
  const value = addressNumber(text);
  return value < 0n ? '' : addressText(value, text.includes(':'));
}

/** 32 bytes in base64. */
export function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text);
}

function endpointText({ addr, port }: MeshPeer): string {
  const address = canonicalAddress(addr);
  if (address === '' || port < 1 || port > 65_535) return '';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
