// The managers that this node knows, and which one to ask next. Each failure makes an address four times less likely, a success makes it whole again; so a
// node leaves a dead manager at once, comes back to it by and by, and a thousand nodes spread over the managers by themselves.
// Pure: randomness comes in. After swarmkit remotes/remotes.go, which keeps weights too.
import type { ManagerAddress } from '#protocol/generated/dispatcher';

/** A failed address keeps at least 4^-4 of its share: it must be found again when it is the only one that is back. */
const FAILURES_MAX = 4;
const FAILURE_FACTOR = 4;

interface Remote {
  readonly nodeId: string;
  readonly addr: string;
  readonly weight: number;
  failures: number;
}

export class Remotes {
  #remotes: Remote[] = [];

  constructor(managers: readonly ManagerAddress[]) {
    this.set(managers);
  }

  /** The managers there are from now on; what is known about the ones that stay is kept. An empty list changes nothing. */
  set(managers: readonly ManagerAddress[]): void {
    if (managers.length === 0) return;
    const before = new Map(this.#remotes.map((remote) => [remote.addr, remote.failures]));
    const seen = new Set<string>();
    this.#remotes = [];
    for (const { nodeId, addr, weight } of managers) {
      if (addr === '' || seen.has(addr)) continue;
      seen.add(addr);
      const failures = before.get(addr) ?? 0;
      this.#remotes.push({ nodeId, addr, weight: Math.max(1, weight), failures });
    }
  }

  list(): readonly ManagerAddress[] {
    return this.#remotes.map(({ nodeId, addr, weight }) => ({ nodeId, addr, weight }));
  }

  /** An address by weight; `point` in [0, 1). undefined when none is known. */
  pick(point: number): string | undefined {
    const shares = this.#remotes.map(({ weight, failures }) => weight / FAILURE_FACTOR ** failures);
    let rest = point * shares.reduce((sum, share) => sum + share, 0);
    for (const [index, share] of shares.entries()) {
      rest -= share;
      if (rest < 0) return this.#remotes[index]?.addr;
    }
    return this.#remotes.at(-1)?.addr;
  }

  succeeded(addr: string): void {
    for (const remote of this.#remotes) if (remote.addr === addr) remote.failures = 0;
  }

  failed(addr: string): void {
    for (const remote of this.#remotes) {
      if (remote.addr === addr) remote.failures = Math.min(FAILURES_MAX, remote.failures + 1);
    }
  }
}
