// Calls and streams between nodes and managers: both ways cross the simulated network, calls end by
// an answer, an error or a timeout, streams by an error at the latest when one side is gone. What a
// manager does for a call runs as an event of its main thread and dies with it.
import type { Prng } from '#test/support/prng';
import type { SimManager } from './sim-manager.ts';
import type { SimNetwork } from './sim-network.ts';
import type { SimNode } from './sim-node.ts';
import type { World } from './world.ts';

/** Nodes are numbered behind the members on the network. */
export const NODE_BASE = 1000;
/** A broken connection is noticed after this time. */
const RESET_MS = 150;
/** So many calls are taken up late, by up to so much: longer than nodes wait before they ask again. */
const HELD_UP_CHANCE = 0.03;
const HELD_UP_MS_MAX = 5_000;

export interface Ends {
  readonly node: SimNode;
  readonly manager: SimManager;
}

export interface WireDeps {
  readonly network: SimNetwork;
  readonly managers: () => readonly SimManager[];
  readonly prng: Prng;
  /** No call is held up any more. */
  readonly isCalm: () => boolean;
}

export class Wire {
  readonly #world: World;
  readonly #network: SimNetwork;
  readonly #managers: () => readonly SimManager[];
  readonly #prng: Prng;
  readonly #isCalm: () => boolean;
  readonly #numbers = new Map<SimNode, number>();

  constructor(world: World, deps: WireDeps) {
    this.#world = world;
    this.#network = deps.network;
    this.#managers = deps.managers;
    this.#prng = deps.prng;
    this.#isCalm = deps.isCalm;
  }

  add(node: SimNode, number: number): void {
    this.#numbers.set(node, NODE_BASE + number);
  }

  /** Somebody to talk to; nodes try one after the other until they meet the leader. */
  pick(prng: Prng): SimManager | null {
    const managers = this.#managers();
    const serving = managers.find(({ isServing }) => isServing);
    if (serving !== undefined && prng.chance(0.7)) return serving;
    return managers[prng.below(managers.length)] ?? null;
  }

  /** One question; exactly one of `done` and `failed` (null: no answer in time) is called. */
  call<T>(
    { node, manager, timeoutMs }: Ends & { readonly timeoutMs: number },
    action: () => Promise<T>,
    done: (answer: T) => void,
    failed: (error: unknown) => void,
  ): void {
    let isOver = false;
    const { actor } = node;
    const once = (what: () => void): void => {
      if (isOver) return;
      isOver = true;
      what();
    };
    setTimeout(() => once(() => failed(null)), timeoutMs);
    const back = (what: () => void): void => {
      this.#toNode(node, manager, () => {
        // An answer to an earlier life of the node's worker reaches nobody.
        if (actor !== null && actor === node.actor) this.#world.become(actor, () => once(what));
      });
    };
    const begin = (): void => {
      action().then(
        (answer) => back(() => done(answer)),
        (error: unknown) => back(() => failed(error)),
      );
    };
    // Calls are not in order among each other: one may be taken up long after its repetition.
    const isHeldUp = !this.#isCalm() && this.#prng.chance(HELD_UP_CHANCE);
    const heldUpUs = isHeldUp ? this.#prng.next() * HELD_UP_MS_MAX * 1000 : 0;
    this.#toManager(node, manager, () => {
      if (!isHeldUp) begin();
      else this.#world.at(heldUpUs, null, () => this.#world.become(manager.main, begin));
    });
  }

  /** A stream of messages; `over` is called once, with what the manager said, unless the node ends it by `signal`. */
  stream<T>(
    { node, manager, signal }: Ends & { readonly signal: AbortSignal },
    open: () => AsyncIterable<T>,
    received: (message: T) => void,
    over: (error: unknown) => void,
  ): void {
    const { actor } = node;
    const isCurrent = (): boolean => !signal.aborted && actor !== null && actor === node.actor;
    const end = (error: unknown): void => {
      // Whatever becomes of the network, the node notices in the end.
      this.#world.at(RESET_MS * 1000, null, () => {
        if (isCurrent() && actor) this.#world.become(actor, () => over(error));
      });
    };
    // A message that is lost ends the stream: connections keep order or break.
    const pump = async (): Promise<void> => {
      for await (const message of open()) {
        const isSent = this.#toNode(node, manager, () => {
          if (isCurrent() && actor) this.#world.become(actor, () => received(message));
        });
        if (!isSent) return;
      }
    };
    const isOpened = this.#toManager(node, manager, () => pump().then(() => end(null), end));
    if (!isOpened) setTimeout(() => over(null), RESET_MS);
  }

  #toManager(node: SimNode, manager: SimManager, action: () => void): boolean {
    const from = this.#numbers.get(node) ?? 0;
    return this.#network.send(from, manager.id, () => this.#world.become(manager.main, action));
  }

  #toNode(node: SimNode, manager: SimManager, action: () => void): boolean {
    return this.#network.send(manager.id, this.#numbers.get(node) ?? 0, action);
  }
}
