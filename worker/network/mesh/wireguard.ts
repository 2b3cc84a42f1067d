// A WireGuard interface, whoever runs it: what it has now, what is to change. And what must be said to turn one into the other. Pure but for the interface.
// An allowed address is moved by giving it to the new peer; older kernels and wireguard-go cannot take one away from a peer, so that is never asked for:
// routes and nftables make an address unreachable. A peer's list is replaced as a whole when most of it is stale.
import type { PeerPlan } from './plan.ts';

export interface DevicePeer {
  /** `address:port` as last heard of; '' = none. */
  readonly endpoint: string;
  readonly allowedIps: readonly string[];
  /** Milliseconds since 1970 of the last handshake; 0 = none. */
  readonly handshakeMs: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface DeviceState {
  /** Base64; '' = none. */
  readonly publicKey: string;
  readonly listenPort: number;
  readonly peers: ReadonlyMap<string, DevicePeer>;
}

export interface PeerChange {
  /** Base64. */
  readonly publicKey: string;
  readonly remove?: boolean;
  readonly endpoint?: string;
  readonly replaceAllowedIps?: boolean;
  readonly addAllowedIps?: readonly string[];
  readonly keepaliveSeconds?: number;
}

export interface DeviceChange {
  /** Base64. */
  readonly privateKey?: string;
  readonly listenPort?: number;
  readonly peers: readonly PeerChange[];
}

export interface WireguardDevice {
  /** @throws TswarmError unavailable when it is not there */
  read(): Promise<DeviceState>;
  write(change: DeviceChange): Promise<void>;
}

/** Behind NAT a mapping lives some 30 s; it also keeps a handshake going that tells whether the peer can be reached. */
export const KEEPALIVE_SECONDS = 25;
/** Stale addresses that a peer may keep beside as many good ones. */
const STALE_MAX = 64;

/** What was told to the device. Address lists are sets that change with what is told. */
export type ToldPeers = Map<string, { endpoint: string; readonly allowedIps: Set<string> }>;

/** What the device has, as if we had told it. */
export function toldFrom(state: DeviceState, plan: ReadonlyMap<string, PeerPlan>): ToldPeers {
  const told: ToldPeers = new Map();
  for (const [key, peer] of state.peers) {
    // A peer that has been heard of may have moved since the managers knew it: its endpoint is better than theirs.
    const endpoint = peer.handshakeMs > 0 ? (plan.get(key)?.endpoint ?? '') : peer.endpoint;
    told.set(key, { endpoint, allowedIps: new Set(peer.allowedIps) });
  }
  return told;
}

/**
 * What to tell the device, and changes `told` accordingly. New peers and addresses first: what they take over moves without a gap. `calls`: which new
 * peers are called at once; the others are left to call us for a moment, until they are told `keepAlive`.
 */
export function peerChanges(
  told: ToldPeers,
  plan: ReadonlyMap<string, PeerPlan>,
  calls: (publicKey: string) => boolean,
): readonly PeerChange[] {
  const changes: PeerChange[] = [];
  const owners = new Map<string, string>();
  for (const [key, { allowedIps }] of told) for (const ip of allowedIps) owners.set(ip, key);
  for (const [publicKey, peer] of plan) {
    const known = told.get(publicKey);
    const change = known
      ? changeOf(publicKey, peer, known)
      : // Whom we do not know where to find calls us.
        freshPeer(publicKey, peer, peer.endpoint === '' || calls(publicKey));
    if (!change) continue;
    changes.push(change);
    // Turned on again it is sent at once: the new place hears of us, and a way back through NAT is open.
    if (change.keepaliveSeconds === 0) {
      changes.push(keepAlive(publicKey));
    }
    for (const ip of peer.allowedIps) {
      const owner = owners.get(ip);
      if (owner !== undefined && owner !== publicKey) told.get(owner)?.allowedIps.delete(ip);
      owners.set(ip, publicKey);
    }
    const allowedIps = change.replaceAllowedIps ? [] : (known?.allowedIps ?? []);
    told.set(publicKey, {
      endpoint: peer.endpoint,
      allowedIps: new Set([...allowedIps, ...peer.allowedIps]),
    });
  }
  for (const publicKey of [...told.keys()]) {
    if (plan.has(publicKey)) continue;
    told.delete(publicKey);
    changes.push({ publicKey, remove: true });
  }
  return changes;
}

/** Makes peers anew that have not answered, so that they are called at once. `told` then is what they have. */
export function calledAgain(
  told: ToldPeers,
  plan: ReadonlyMap<string, PeerPlan>,
  publicKeys: readonly string[],
): readonly PeerChange[] {
  const changes: PeerChange[] = [];
  for (const publicKey of publicKeys) {
    const peer = plan.get(publicKey);
    if (!peer || !told.has(publicKey)) continue;
    changes.push({ publicKey, remove: true }, freshPeer(publicKey, peer, true));
    told.set(publicKey, { endpoint: peer.endpoint, allowedIps: new Set(peer.allowedIps) });
  }
  return changes;
}

/** A peer from whom nothing has come yet is called at once by it. */
export function keepAlive(publicKey: string): PeerChange {
  return { publicKey, keepaliveSeconds: KEEPALIVE_SECONDS };
}

/**
 * Lets every peer whose place is known hear from this host at once, from the address that it has now. Its endpoint is said again as it is: with it the device
 * forgets from which address of this host it last sent there (wireguard-go would go on with one that is gone).
 */
export function callsFromHere(peers: DeviceState['peers']): readonly PeerChange[] {
  return [...peers].flatMap(([publicKey, { endpoint }]) =>
    endpoint === '' ? [] : [{ publicKey, endpoint, keepaliveSeconds: 0 }, keepAlive(publicKey)],
  );
}

function freshPeer(publicKey: string, peer: PeerPlan, calls: boolean): PeerChange {
  return {
    ...(calls ? keepAlive(publicKey) : { publicKey }),
    replaceAllowedIps: true,
    addAllowedIps: peer.allowedIps,
    ...(peer.endpoint === '' ? {} : { endpoint: peer.endpoint }),
  };
}

function changeOf(
  publicKey: string,
  peer: PeerPlan,
  known: { readonly endpoint: string; readonly allowedIps: ReadonlySet<string> },
): PeerChange | undefined {
  const fresh = peer.allowedIps.filter((ip) => !known.allowedIps.has(ip));
  const stale = known.allowedIps.size + fresh.length - peer.allowedIps.length;
  const isStale = stale > Math.max(STALE_MAX, peer.allowedIps.length);
  const hasMoved = peer.endpoint !== '' && peer.endpoint !== known.endpoint;
  if (fresh.length === 0 && !isStale && !hasMoved) return undefined;
  return {
    publicKey,
    ...(isStale
      ? { replaceAllowedIps: true, addAllowedIps: peer.allowedIps }
      : { addAllowedIps: fresh }),
    ...(hasMoved ? { endpoint: peer.endpoint, keepaliveSeconds: 0 } : {}),
  };
}
