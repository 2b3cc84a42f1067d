// Looks for a way through another node to peers that are not reached, and goes back to the direct way when that is open again (relay.ts says who and by whom).
// Nothing is kept that the device does not know: a peer's endpoint says by whom it is reached, also after a restart.
import { messageOf } from '#protocol/errors';
import type { Log } from '#protocol/world';
import {
  RELAY_DIRECT_BUSY_MS,
  RELAY_DIRECT_MS,
  RELAY_IDLE_BYTES,
  RELAY_LOST_LOOKS,
} from '../limits.ts';
import { meshIdentity, relayIn } from './addresses.ts';
import { callsFirst } from './greeting.ts';
import type { Probe } from './probe.ts';
import { type Moment, RelayNeeds, relayedPeers, relayName, type Unreached } from './relay.ts';
import { keepAlive, type PeerChange, type WireguardDevice } from './wireguard.ts';

export interface RelayFinderDeps {
  /** Which of these addresses inside the tunnel answer, asked in a hurry. */
  readonly probe: (addresses: readonly string[]) => Promise<ReadonlyMap<string, Probe>>;
  /** For a moment nothing of the peer's comes by this address of a relay. */
  readonly hush: (address: string) => Promise<void>;
  /** All come again. */
  readonly unhush: () => Promise<void>;
  readonly log: Log;
}

interface Relayed {
  /** Looks in a row at which it did not answer. */
  readonly unanswered: number;
  /** When the direct way was last tried, monotonic. */
  readonly triedMs: number;
  /** Of both directions, at the last look. */
  readonly bytes: number;
}

export class RelayFinder {
  readonly #deps: RelayFinderDeps;
  readonly #needs = new RelayNeeds();
  /** public key → what was seen of it */
  readonly #relayed = new Map<string, Relayed>();

  constructor(deps: RelayFinderDeps) {
    this.#deps = deps;
  }

  /** After a look at the handshakes. */
  async look(device: WireguardDevice, moment: Moment): Promise<void> {
    if (!moment.plan.needsRelays) return;
    const lost = await this.#followRelayed(device, moment);
    const due = this.#needs.due(moment, lost);
    if (due.length === 0) return;
    const answers = await this.#deps.probe(due.flatMap(({ candidates }) => candidates));
    for (const one of due) await this.#take(device, moment, one, answers);
  }

  /** By the candidate that is nearest; directly again when nobody passes packets on any more. */
  async #take(
    device: WireguardDevice,
    { plan, state }: Moment,
    { publicKey, candidates }: Unreached,
    answers: ReadonlyMap<string, Probe>,
  ): Promise<void> {
    const rttMs = (address: string): number => answers.get(address)?.rttMs ?? 0;
    const [best] = candidates
      .filter((address) => (answers.get(address)?.received ?? 0) > 0)
      .sort((a, b) => rttMs(a) - rttMs(b));
    const peer = plan.peers.get(publicKey);
    if (!peer) return;
    if (best === undefined) {
      const isRelayed = relayIn(state.peers.get(publicKey)?.endpoint ?? '') !== undefined;
      // Who passed packets on is gone: where it was found at first is as good as nowhere, or better.
      if (isRelayed && peer.endpoint !== '') {
        await device.write({ peers: callAt(publicKey, peer.endpoint) });
      }
      return;
    }
    const endpoint = `[${best}]:${peer.port}`;
    await device.write({ peers: callAt(publicKey, endpoint) });
    this.#deps.log.info('node is reached through another one', {
      node: peer.nodeId,
      through: relayName(plan, publicKey, best),
    });
  }

  /** Relayed peers that do not answer any more. The direct way is tried, seldom where something is said. */
  async #followRelayed(device: WireguardDevice, moment: Moment): Promise<ReadonlySet<string>> {
    const { plan, state, monotonicMs } = moment;
    const keys = [...relayedPeers(state).keys()].filter((key) => plan.peers.has(key));
    for (const key of this.#relayed.keys()) if (!keys.includes(key)) this.#relayed.delete(key);
    if (keys.length === 0) return new Set();
    const inside = (key: string): string => meshIdentity(plan.peers.get(key)?.nodeId ?? '').address;
    const answers = await this.#deps.probe(keys.map(inside));
    const lost = new Set<string>();
    for (const key of keys) {
      const isAnswered = (answers.get(inside(key))?.received ?? 0) > 0;
      const { receivedBytes = 0, sentBytes = 0, endpoint = '' } = state.peers.get(key) ?? {};
      const bytes = receivedBytes + sentBytes;
      const before = this.#relayed.get(key) ?? { unanswered: 0, triedMs: monotonicMs, bytes: 0 };
      const unanswered = isAnswered ? 0 : before.unanswered + 1;
      if (unanswered >= RELAY_LOST_LOOKS) lost.add(key);
      const isIdle = bytes - before.bytes < RELAY_IDLE_BYTES;
      const periodMs = isIdle ? RELAY_DIRECT_MS : RELAY_DIRECT_BUSY_MS;
      const isDue = monotonicMs - before.triedMs >= periodMs;
      const isOurs = callsFirst(state.publicKey, key);
      const triesNow = isAnswered && isDue && isOurs;
      const triedMs = triesNow ? monotonicMs : before.triedMs;
      this.#relayed.set(key, { unanswered, triedMs, bytes });
      if (triesNow) await this.#tryDirect(device, moment, key, endpoint, inside(key));
    }
    return lost;
  }

  /**
   * `relayed`: the endpoint that it has. What the peer still says through the relay is not heard meanwhile: WireGuard answers where the last packet came from,
   * so with each of them it would go back to the relay before the peer has heard us directly and answers there.
   */
  async #tryDirect(
    device: WireguardDevice,
    { plan }: Moment,
    publicKey: string,
    relayed: string,
    inside: string,
  ): Promise<void> {
    const peer = plan.peers.get(publicKey);
    if (!peer || peer.endpoint === '') return;
    const relay = relayIn(relayed);
    if (relay !== undefined) await this.#deps.hush(relay);
    await device.write({ peers: callAt(publicKey, peer.endpoint) });
    const isAnswered = await this.#deps.probe([inside]).then(
      (answers) => (answers.get(inside)?.received ?? 0) > 0,
      (error: unknown) => {
        this.#deps.log.warn('direct way not tried', { error: messageOf(error) });
        return false;
      },
    );
    // It may have called meanwhile, from wherever: that is as good as what we know.
    const now = (await device.read()).peers.get(publicKey)?.endpoint;
    if (isAnswered && now === peer.endpoint) {
      this.#deps.log.info('node is reached directly again', { node: peer.nodeId });
      return;
    }
    if (now === peer.endpoint) await device.write({ peers: callAt(publicKey, relayed) });
    if (relay !== undefined) await this.#deps.unhush();
  }
}

/** From now on there, and something is sent at once. */
function callAt(publicKey: string, endpoint: string): readonly PeerChange[] {
  return [{ publicKey, endpoint, keepaliveSeconds: 0 }, keepAlive(publicKey)];
}
