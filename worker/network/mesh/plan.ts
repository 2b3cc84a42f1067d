// What the mesh should be, from what the managers say: peers with their allowed addresses, and what the kernel's routing needs. Pure.
// Invariants: an address has one node; a node gets only the addresses of networks that this node takes part in; nothing but parsed addresses and keys
// gets through, so that a bad object harms only itself.
import type { MeshPeer, ServiceEndpoints } from '#protocol/generated/dispatcher';
import { PublishMode } from '#protocol/generated/specs';
import { canonicalAddress, wholeAddress } from '../host.ts';
import type { Door, Doors } from '../parts.ts';
import { doorAddress4, type MeshNames, markOf, meshIdentity, relayAddress } from './addresses.ts';
import { type DirectAddress, directRoutes, type Paths } from './direct.ts';
import { Routing, type RoutingItem } from './routing.ts';

export interface PeerPlan {
  readonly nodeId: string;
  readonly hostname: string;
  /** `address:port`; '' = not known, it will call. */
  readonly endpoint: string;
  /** UDP. */
  readonly port: number;
  /** Known by an address that its host does not have: a translation of addresses is in front of it. */
  readonly isTranslated: boolean;
  /** CIDR, whole addresses, and those by which it passes packets on; the first is the node's own inside the tunnel. */
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
  /** Containers of other nodes that are reached by plain routes: through which interface. */
  readonly direct: readonly DirectAddress[];
  /** Some are behind translations of addresses: there may be two that reach each other only through a third. */
  readonly needsRelays: boolean;
  /** What this node passes on between such nodes: its address for one → the node's own inside the tunnel. Empty while it knows fewer than two. */
  readonly relays: ReadonlyMap<string, string>;
  /** Why some of those cannot be reached so, a sentence for each node. */
  readonly faults: readonly string[];
}

export interface MeshInput {
  /** '' = not known yet. */
  readonly nodeId: string;
  readonly names: MeshNames;
  readonly peers: readonly MeshPeer[];
  readonly services: readonly ServiceEndpoints[];
  /** Ids of the cluster's networks that are in use on this node. */
  readonly networkIds: ReadonlySet<string>;
  /** Those of them that go in clear, in a VXLAN. */
  readonly clearIds: ReadonlySet<string>;
  /** Those of them that go in clear, by plain routes. */
  readonly directIds: ReadonlySet<string>;
  /** For those: to the hosts' addresses. */
  readonly paths: Paths;
  /** node id → number from 1; every peer has one */
  readonly numbers: ReadonlyMap<string, number>;
}

export const NO_MESH: MeshPlan = {
  peers: new Map(),
  routing: new Map(),
  doors: new Map(),
  origins: new Map(),
  clear: '',
  direct: [],
  needsRelays: false,
  relays: new Map(),
  faults: [],
};

export function planMesh(input: MeshInput): MeshPlan {
  const { nodeId, names, numbers } = input;
  const known = input.peers.filter((peer) => peer.nodeId !== nodeId && isKey(peer.wireguardKey));
  if (nodeId === '' || known.length === 0) return NO_MESH;
  const { clearIds, directIds } = input;
  const remote = remoteAddresses(input, (id) => !clearIds.has(id) && !directIds.has(id));
  const inClear = remoteAddresses(input, (id) => clearIds.has(id));
  const routed = remoteAddresses(input, (id) => directIds.has(id));
  const clear = familyInClear(known, inClear);
  const published = publishedOn(input.services);
  const isServing = published.has(nodeId);
  const peers = new Map<string, PeerPlan>();
  const routing = new Routing();
  const doors = new Map<string, Door>();
  const origins = new Map<string, number>();
  const direct: DirectAddress[] = [];
  const faults: string[] = [];
  const relays = new Map<string, string>();
  const translated = new Set(known.filter(isTranslated));
  /** There is another one that this one may pass our packets on to. */
  const isBetween = (peer: MeshPeer): boolean => translated.size > (translated.has(peer) ? 1 : 0);
  for (const peer of known) {
    const identity = meshIdentity(peer.nodeId);
    const addresses = remote.get(peer.nodeId) ?? [];
    peers.set(peer.wireguardKey, {
      nodeId: peer.nodeId,
      hostname: peer.hostname,
      endpoint: endpointText(peer),
      port: peer.port,
      isTranslated: translated.has(peer),
      allowedIps: [
        ...[identity.address, ...addresses].map(wholeAddress),
        ...(isBetween(peer) ? [identity.relayPrefix] : []),
      ],
    });
    routing.route(wholeAddress(identity.address), names.tunnel);
    if (isBetween(peer)) routing.route(identity.relayPrefix, names.tunnel);
    if (translated.size > 1 && translated.has(peer)) {
      relays.set(relayAddress(nodeId, peer.nodeId), identity.address);
    }
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
    const straight = directRoutes(peer, routed.get(peer.nodeId) ?? [], input.paths);
    for (const { link, address, via } of straight.routes) {
      routing.route(wholeAddress(address), link, { via, direct: true });
      direct.push({ link, address });
    }
    if (straight.fault !== '') faults.push(straight.fault);
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
  return {
    peers,
    routing: routing.items,
    doors,
    origins,
    clear,
    direct,
    needsRelays: known.some(isBetween),
    relays,
    faults,
  };
}

/** With `former` in place of doors that say the same: the rules of published ports are made anew for another object. */
export function withFormerDoors(plan: MeshPlan, former: Doors): MeshPlan {
  const isSame = JSON.stringify([...plan.doors]) === JSON.stringify([...former]);
  return isSame ? { ...plan, doors: former } : plan;
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

/** 32 bytes in base64. */
export function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text);
}

function isTranslated({ addr, hostAddrs }: MeshPeer): boolean {
  const at = canonicalAddress(addr);
  return at !== '' && hostAddrs.length > 0 && !hostAddrs.map(canonicalAddress).includes(at);
}

function endpointText({ addr, port }: MeshPeer): string {
  const address = canonicalAddress(addr);
  if (address === '' || port < 1 || port > 65_535) return '';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
