// Several operations under way at once, each at a random moment of its own when the node goes down.
import type { Prng } from '../../support/prng.ts';
import type { CrashNode } from './crash-node.ts';
import { type Operation, type Outcome, UNDISTURBED } from './operation.ts';

/** What became of one of them. */
export interface Ended {
  /** How long it had been under way at the chosen moment. */
  readonly elapsedMs: number;
  /** Undefined: it was acknowledged. */
  readonly error: unknown;
}

/** Longer than it takes: some are done by then, the moment just after is of interest too. */
const BEYOND = 1.15;
/** How much of what is thought typical each newer measurement replaces. */
const LEARNING = 0.4;

export class Together {
  readonly #node: CrashNode;
  readonly #operations: readonly Operation[];
  readonly #typicalMs = new Map<Operation, number>();

  constructor(node: CrashNode, operations: readonly Operation[]) {
    this.#node = node;
    this.#operations = operations;
  }

  /** Runs all at once without disturbance, to learn how long each takes. @throws when something is wrong already */
  async learn(): Promise<void> {
    const node = this.#node;
    for (const operation of this.#operations) await operation.prepare?.(node, 0);
    await Promise.all(
      this.#operations.map(async (operation) => {
        const started = performance.now();
        await operation.run(node, 0);
        this.#typicalMs.set(operation, performance.now() - started);
      }),
    );
    const undisturbed = new Map(
      this.#operations.map((operation) => [operation, { elapsedMs: 0, error: undefined }]),
    );
    const wrong = await this.check(0, undisturbed, UNDISTURBED);
    if (wrong.length > 0) throw new Error(wrong.join('; '));
  }

  /** The first time is a slow one: with what is known of then, most of the later ones would be done before their moment. */
  #learnt(operation: Operation, ms: number): void {
    const before = this.#typical(operation);
    this.#typicalMs.set(operation, before + (ms - before) * LEARNING);
  }

  #typical(operation: Operation): number {
    return this.#typicalMs.get(operation) ?? 100;
  }

  /** A random moment of each. */
  moments(prng: Prng, operations: readonly Operation[]): ReadonlyMap<Operation, number> {
    return new Map(
      operations.map((operation) => {
        return [operation, Math.round(prng.next() * BEYOND * this.#typical(operation))];
      }),
    );
  }

  /** Begins each so long before the common moment as it shall have been under way then. */
  async run(
    round: number,
    moments: ReadonlyMap<Operation, number>,
  ): Promise<ReadonlyMap<Operation, Ended>> {
    const commonMs = commonMoment(moments);
    const ended = [...moments].map(async ([operation, elapsedMs]) => {
      await sleep(commonMs - elapsedMs);
      const started = performance.now();
      try {
        await operation.run(this.#node, round);
        this.#learnt(operation, performance.now() - started);
        return [operation, { elapsedMs, error: undefined }] as const;
      } catch (error) {
        // It takes longer than was thought.
        if (elapsedMs > this.#typical(operation)) this.#learnt(operation, elapsedMs * BEYOND);
        return [operation, { elapsedMs, error }] as const;
      }
    });
    return new Map(await Promise.all(ended));
  }

  /** What must hold afterwards, of all at once. @returns what is wrong, each with the operation's name before it */
  async check(
    round: number,
    ended: ReadonlyMap<Operation, Ended>,
    how: Omit<Outcome, 'acknowledged'>,
  ): Promise<string[]> {
    const found = [...ended].map(async ([operation, { error }]) => {
      const outcome = { ...how, acknowledged: error === undefined };
      const wrong = await operation.check(this.#node, round, outcome);
      return wrong.map((line) => `${operation.name}: ${line}`);
    });
    return (await Promise.all(found)).flat();
  }
}

/** When the node shall go down, in ms after `run`. */
export function commonMoment(moments: ReadonlyMap<Operation, number>): number {
  return Math.max(...moments.values());
}

/** Operation → how far it was and what its caller was told, for the report. */
export function summary(ended: ReadonlyMap<Operation, Ended>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...ended].map(([{ name }, { elapsedMs, error }]) => {
      return [name, `${elapsedMs} ms ${error === undefined ? 'done' : 'cut'}`];
    }),
  );
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
