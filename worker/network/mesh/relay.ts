// Two nodes that cannot call each other, because both are behind translations of addresses (NAT), are reached through a third one that both reach. What is sent on is
// WireGuard's own packets of the two, inside the tunnel that each of them has with the third: it cannot read or forge anything, and who may send what is decided by
// the two ends as ever. For each other node it has an address (`relayAddress`); what comes for that goes on to the node, from the address that stands for the sender,
// both rewritten without any memory (base-rules.ts). So one end chooses, and WireGuard at the other answers where the call came from. This file: who needs one, and
// who could be it. Pure.
import {
  RELAY_AGAIN_MS,
  RELAY_AGAIN_MS_MAX,
  RELAY_CANDIDATES_MAX,
  RELAY_FIRST_MS,
  RELAY_OTHER_MS,
  RELAY_STALE_MS,
} from '../limits.ts';
import { relayAddress, relayIn } from './addresses.ts';
import { callsFirst } from './greeting.ts';
import type { MeshPlan } from './plan.ts';
import type { DeviceState } from './wireguard.ts';

/** A node that is not reached, and by which addresses it might be. */
export interface Unreached {
  readonly publicKey: string;
  /** Inside the tunnel, one for each node that might pass packets on; none when a node that did is gone and there is no other. */
  readonly candidates: readonly string[];
}

export interface Moment {
  readonly plan: MeshPlan;
  readonly state: DeviceState;
  /** Since 1970, as handshakes are dated. */
  readonly nowMs: number;
  readonly monotonicMs: number;
  /** public key → how long it has been a peer */
  readonly knownForMs: (publicKey: string) => number;
}

/** Remembers when peers were tried. */
export class RelayNeeds {
  /** public key → how often it was tried in vain, and when it is due again (monotonic) */
  readonly #tries = new Map<string, { readonly count: number; readonly nextMs: number }>();

  /** Who is to be reached otherwise now. `lost`: relayed, and not answering. */
  due(moment: Moment, lost: ReadonlySet<string>): readonly Unreached[] {
    const { plan, state, monotonicMs } = moment;
    for (const key of this.#tries.keys()) {
      if (!plan.peers.has(key) || !(lost.has(key) || isSilent(moment, key)))
        this.#tries.delete(key);
    }
    const due: Unreached[] = [];
    for (const [publicKey, peer] of plan.peers) {
      // Elsewhere a way that is closed is a fault to be put right, not to be gone round.
      if (!peer.isTranslated) continue;
      if (!lost.has(publicKey) && !isSilent(moment, publicKey)) continue;
      const known = this.#tries.get(publicKey);
      if (known && known.nextMs > monotonicMs) continue;
      const candidates = [...plan.peers]
        .filter(([key]) => key !== publicKey && isAtHand(moment, key))
        .map(([, { nodeId }]) => relayAddress(nodeId, peer.nodeId));
      if (candidates.length === 0 && !lost.has(publicKey)) continue;
      const count = known?.count ?? 0;
      const waitMs = Math.min(RELAY_AGAIN_MS * 2 ** count, RELAY_AGAIN_MS_MAX);
      this.#tries.set(publicKey, { count: count + 1, nextMs: monotonicMs + waitMs });
      // Calls that cross cancel each other out: the other end of the two waits to be called.
      const isOther = !callsFirst(state.publicKey, publicKey);
      if (isOther && !known) {
        this.#tries.set(publicKey, { count: 0, nextMs: monotonicMs + RELAY_OTHER_MS });
        continue;
      }
      due.push({ publicKey, candidates: someOf(candidates, count) });
    }
    return due;
  }
}

/** Others each time, when there are more than can be asked at once. */
function someOf(candidates: readonly string[], count: number): readonly string[] {
  if (candidates.length <= RELAY_CANDIDATES_MAX) return candidates;
  const first = (count * RELAY_CANDIDATES_MAX) % candidates.length;
  return [...candidates.slice(first), ...candidates].slice(0, RELAY_CANDIDATES_MAX);
}

/** It has not shaken hands for so long that no way to it can be open. */
function isSilent({ state, nowMs, knownForMs }: Moment, publicKey: string): boolean {
  const handshakeMs = state.peers.get(publicKey)?.handshakeMs ?? 0;
  if (knownForMs(publicKey) < RELAY_FIRST_MS) return false;
  return nowMs - handshakeMs > RELAY_STALE_MS;
}

/** It answers, and by itself: not through yet another node. */
function isAtHand(moment: Moment, publicKey: string): boolean {
  const peer = moment.state.peers.get(publicKey);
  if (!peer || peer.handshakeMs === 0 || relayIn(peer.endpoint) !== undefined) return false;
  return moment.nowMs - peer.handshakeMs <= RELAY_STALE_MS;
}

/** Peers whose packets go through another node, by the device's own word: public key → the relay's address. */
export function relayedPeers(state: DeviceState): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, { endpoint }] of state.peers) {
    const relay = relayIn(endpoint);
    if (relay !== undefined) found.set(key, relay);
  }
  return found;
}

/** The node that passes packets on to the peer by this address, as people know it. */
export function relayName(plan: MeshPlan, publicKey: string, relay: string): string {
  const target = plan.peers.get(publicKey)?.nodeId ?? '';
  for (const { nodeId, hostname } of plan.peers.values()) {
    if (relayAddress(nodeId, target) === relay) return hostname || nodeId;
  }
  return 'another node';
}
