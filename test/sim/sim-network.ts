// Links between members: each direction of each pair on its own. A link delays, loses, repeats and
// reorders what is sent, and can be cut in one direction. Everything crosses as bytes.
import type { Prng } from '#test/support/prng';
import type { World } from './world.ts';

/** How the links behave at the moment. */
export interface LinkWeather {
  readonly loss: number;
  readonly duplicate: number;
  /** Usual delay; microseconds. */
  readonly delayUs: number;
  /** How often a packet takes much longer, and at most how long. */
  readonly lateChance: number;
  readonly lateUs: number;
  /** Packets of a link may overtake each other. */
  readonly reorders: boolean;
}

export const CALM: LinkWeather = {
  loss: 0,
  duplicate: 0,
  delayUs: 200,
  lateChance: 0,
  lateUs: 0,
  reorders: false,
};

export interface NetworkCounts {
  sent: number;
  lost: number;
  cut: number;
  duplicated: number;
  late: number;
}

export class SimNetwork {
  readonly #world: World;
  readonly #prng: Prng;
  /** `<from>><to>` of links that carry nothing. */
  readonly #cuts = new Set<string>();
  /** `<from>><to>` → how much longer packets take there; microseconds. */
  readonly #held = new Map<string, number>();
  /** When the last packet of a link arrives, for links that keep order. */
  readonly #lastUs = new Map<string, number>();
  readonly counts: NetworkCounts = { sent: 0, lost: 0, cut: 0, duplicated: 0, late: 0 };
  weather: LinkWeather = CALM;

  constructor(world: World, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  /** Has `deliver` run once for each copy that arrives. Returns false when none ever will. */
  send(from: number, to: number, deliver: () => void): boolean {
    const link = `${from}>${to}`;
    const { loss, duplicate } = this.weather;
    this.counts.sent++;
    if (this.#cuts.has(link)) {
      this.counts.cut++;
      return false;
    }
    if (this.#prng.chance(loss)) {
      this.counts.lost++;
      return false;
    }
    this.#carry(link, deliver);
    if (this.#prng.chance(duplicate)) {
      this.counts.duplicated++;
      this.#carry(link, deliver);
    }
    return true;
  }

  #carry(link: string, deliver: () => void): void {
    const { delayUs, lateChance, lateUs, reorders } = this.weather;
    let us = delayUs / 2 + this.#prng.next() * delayUs;
    if (this.#prng.chance(lateChance)) {
      this.counts.late++;
      us += this.#prng.next() * lateUs;
    }
    us += this.#held.get(link) ?? 0;
    let atUs = Math.round(this.#world.nowUs + us);
    if (!reorders) {
      atUs = Math.max(atUs, this.#lastUs.get(link) ?? 0);
      this.#lastUs.set(link, atUs);
    }
    this.#world.at(atUs - this.#world.nowUs, null, deliver);
  }

  cut(from: number, to: number): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** What is sent there from now on is late by this. */
  hold(from: number, to: number, lateUs: number): void {
    this.#held.set(`${from}>${to}`, lateUs);
  }

  healAll(): void {
    this.#cuts.clear();
    this.#held.clear();
  }

  get isCut(): boolean {
    return this.#cuts.size > 0;
  }
}
