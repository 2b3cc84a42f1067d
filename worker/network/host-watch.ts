// The one place that follows where this host is: its own addresses and its way out. The kernel's events say when to look (tswarm-net watches); a slow look beside
// them makes up for one that was lost. Who advertises an address and who calls other nodes from one are both told from here.
// Invariant: an address list counts as another one only when it is not empty: between two leases there is nothing to say, and nowhere to say it from.
import { HOST_LOOK_PERIOD_MS, HOST_SETTLE_MS } from './limits.ts';

export interface HostWatchDeps {
  /** Of this host, by which others reach it. */
  readonly addresses: () => readonly string[];
  /** They are others than at the last look. */
  readonly moved: (now: readonly string[]) => void;
  /** Addresses or default routes may be others: after each look. */
  readonly looked: () => void;
}

export class HostWatch {
  readonly #deps: HostWatchDeps;
  /** As one text; '' = there were none yet. */
  #known = '';
  #slow: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(deps: HostWatchDeps) {
    this.#deps = deps;
  }

  /** From now on changes are told. */
  start(): void {
    this.#known = asText(this.#deps.addresses());
    this.#slow = setInterval(() => this.look(), HOST_LOOK_PERIOD_MS);
    this.#slow.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#slow);
    clearTimeout(this.#soon);
  }

  /** The kernel has said that something is otherwise. Changes come in bursts: looked at once for all of them. */
  changed(): void {
    if (this.#soon !== undefined || this.#stopped) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.look();
    }, HOST_SETTLE_MS);
    this.#soon.unref();
  }

  look(): void {
    const now = this.#deps.addresses();
    const text = asText(now);
    const isOther = text !== '' && text !== this.#known;
    if (isOther) {
      const isFirst = this.#known === '';
      this.#known = text;
      if (!isFirst) this.#deps.moved(now);
    }
    this.#deps.looked();
  }
}

/** Interfaces have no order. */
function asText(addresses: readonly string[]): string {
  return [...addresses].sort().join(' ');
}
