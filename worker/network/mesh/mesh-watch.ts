// Looks at the handshakes with the other nodes from time to time and says whom this node cannot reach: WireGuard itself is silent about it, and a closed UDP
// port is the commonest fault of all. Every pair shakes hands at least every few minutes, because each end keeps the session alive.
import type { MeshPlan } from './plan.ts';
import type { RelayFinder } from './relay-finder.ts';
import type { DeviceState, WireguardDevice } from './wireguard.ts';

export interface MeshWatchDeps {
  readonly device: () => Promise<WireguardDevice | undefined>;
  readonly plan: () => MeshPlan;
  /** Before each look: the plan may follow from the host's own routes. */
  readonly followPaths: () => Promise<void>;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly periodMs: number;
  /** The faults are others than before. */
  readonly changed: (faults: readonly string[]) => void;
  /** Looks for another way to those who are not reached. */
  readonly relays: RelayFinder;
}

export interface HandshakeLimits {
  /** A new peer may take so long for its first handshake. */
  readonly firstMs: number;
  /** A session without a handshake for longer is dead. */
  readonly staleMs: number;
}

export class MeshWatch {
  readonly #deps: MeshWatchDeps;
  readonly #limits: HandshakeLimits;
  /** public key → when the peer was first seen, on the monotonic clock */
  readonly #since = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #faults: readonly string[] = [];

  constructor(deps: MeshWatchDeps, limits: HandshakeLimits) {
    this.#deps = deps;
    this.#limits = limits;
  }

  get faults(): readonly string[] {
    return this.#faults;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look().catch(() => undefined), this.#deps.periodMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async look(): Promise<void> {
    const { device, plan, nowMs, monotonicMs, changed } = this.#deps;
    await this.#deps.followPaths();
    const open = plan().peers.size > 0 ? await device() : undefined;
    const state = await open?.read();
    const { peers } = plan();
    for (const key of this.#since.keys()) if (!peers.has(key)) this.#since.delete(key);
    for (const key of peers.keys()) {
      if (!this.#since.has(key)) this.#since.set(key, monotonicMs());
    }
    const knownForMs = (key: string): number =>
      monotonicMs() - (this.#since.get(key) ?? monotonicMs());
    const silent = state
      ? handshakeFaults(plan(), state, { nowMs: nowMs(), knownForMs, limits: this.#limits })
      : [];
    const faults = [...plan().faults, ...silent];
    if (faults.join('\n') !== this.#faults.join('\n')) {
      this.#faults = faults;
      changed(faults);
    }
    if (!open || !state) return;
    const moment = { plan: plan(), state, nowMs: nowMs(), monotonicMs: monotonicMs(), knownForMs };
    await this.#deps.relays.look(open, moment);
  }
}

const TRANSLATED_ADVICE =
  'it is behind a translation of addresses (NAT), and no node is there that reaches both: forward the port and say where with --mesh-addr, ' +
  'or run a task of one of their networks on a node that both reach';

/** One sentence for each node that cannot be reached. Pure. */
export function handshakeFaults(
  plan: MeshPlan,
  state: DeviceState,
  at: {
    readonly nowMs: number;
    readonly knownForMs: (publicKey: string) => number;
    readonly limits: HandshakeLimits;
  },
): readonly string[] {
  const faults: string[] = [];
  for (const [key, peer] of plan.peers) {
    const handshakeMs = state.peers.get(key)?.handshakeMs ?? 0;
    const name = peer.hostname === '' ? peer.nodeId : peer.hostname;
    const knownForMs = at.knownForMs(key);
    if (handshakeMs === 0 && knownForMs > at.limits.firstMs) {
      const where = peer.endpoint === '' ? 'its address is not known' : `UDP to ${peer.endpoint}`;
      const advice = peer.isTranslated ? TRANSLATED_ADVICE : 'is the port open on both hosts?';
      faults.push(`no answer from node ${name}: ${where}; ${advice}`);
    } else if (
      handshakeMs > 0 &&
      knownForMs > at.limits.staleMs &&
      at.nowMs - handshakeMs > at.limits.staleMs
    ) {
      const minutes = Math.round((at.nowMs - handshakeMs) / 60_000);
      faults.push(`node ${name} has not answered for ${minutes} minutes: UDP to ${peer.endpoint}`);
    }
  }
  return faults.sort();
}
