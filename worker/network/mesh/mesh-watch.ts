// Looks at the handshakes with the other nodes from time to time and says whom this node cannot reach: WireGuard itself is silent about it, and a closed UDP
// port is the commonest fault of all. Every pair shakes hands at least every few minutes, because each end keeps the session alive. And it notices that this host
// has other addresses, which nobody tells, either: the other nodes must hear from there.
import type { MeshPlan } from './plan.ts';
import type { DeviceState, WireguardDevice } from './wireguard.ts';

export interface MeshWatchDeps {
  readonly device: () => Promise<WireguardDevice | undefined>;
  readonly plan: () => MeshPlan;
  /** Before each look: the plan may follow from the host's own routes. */
  readonly followPaths: () => Promise<void>;
  /** Of this host, by which others reach it. */
  readonly hostAddresses: () => readonly string[];
  /** The host's addresses are others than at the last look. */
  readonly hostMoved: (now: readonly string[]) => Promise<void>;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly periodMs: number;
  /** The faults are others than before. */
  readonly changed: (faults: readonly string[]) => void;
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
  /** Of this host; undefined = not looked at since there are peers. */
  #addresses: string | undefined;

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
    await this.#followHost();
    const open = plan().peers.size > 0 ? await device() : undefined;
    const state = await open?.read();
    const { peers } = plan();
    for (const key of this.#since.keys()) if (!peers.has(key)) this.#since.delete(key);
    for (const key of peers.keys()) {
      if (!this.#since.has(key)) this.#since.set(key, monotonicMs());
    }
    const silent = state
      ? handshakeFaults(plan(), state, {
          nowMs: nowMs(),
          knownForMs: (key) => monotonicMs() - (this.#since.get(key) ?? monotonicMs()),
          limits: this.#limits,
        })
      : [];
    const faults = [...plan().faults, ...silent];
    if (faults.join('\n') === this.#faults.join('\n')) return;
    this.#faults = faults;
    changed(faults);
  }

  async #followHost(): Promise<void> {
    const { plan, hostAddresses, hostMoved } = this.#deps;
    if (plan().peers.size === 0) {
      this.#addresses = undefined;
      return;
    }
    const now = hostAddresses();
    // Between two leases there is nothing to say, and nowhere to say it from.
    if (now.length === 0) return;
    const before = this.#addresses;
    this.#addresses = [...now].sort().join(' ');
    if (before !== undefined && before !== this.#addresses) await hostMoved(now);
  }
}

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
      faults.push(`no answer from node ${name}: ${where}; is the port open on both hosts?`);
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
