// A register kept in the store, in the labels of a config, that clients read and write at managers; what
// they were told must fit into one order. When the group was forced to begin anew without something that
// had been committed, the clients begin anew, too: from what the survivor has.
import { createConfig } from '#manager/control/data-objects';
import type { RaftNode } from '#manager/host/raft/raft-node';
import type { StoreWriteView } from '#manager/store/state';
import type { DecisionContext, ReadView } from '#manager/store/view';
import { hasCode, TswarmError } from '#protocol/errors';
import { ConfigSpec } from '#protocol/generated/specs';
import type { Prng } from '#test/support/prng';
import { SimFailure } from './failure.ts';
import { findViolation, type Operation } from './linearizable.ts';
import { written } from './registers.ts';
import type { SimManager } from './sim-manager.ts';
import type { SimMember } from './sim-member.ts';
import type { Crowd } from './storms.ts';
import type { World } from './world.ts';

const OPERATIONS_MAX = 120;
const KEY = 1;
const NAME = 'register';
const BURST_MAX = 4;
/** Three of them are more than what a group with little room takes. */
const PADDING_CHARS = 800;

export class StoreRegister {
  readonly #world: World;
  readonly #prng: Prng;
  readonly #delayUs: number;
  #history: Operation[] = [];
  #operations = 0;
  #nextValue = 1;
  /** What was committed is lost, and the survivor has not begun yet. */
  #isHeld = false;

  constructor(world: World, prng: Prng, delayUs: number) {
    this.#world = world;
    this.#prng = prng;
    this.#delayUs = delayUs;
  }

  get operations(): number {
    return this.#operations;
  }

  /**
   * Reads at any manager, by its Raft node; or a few writes at one that leads, one behind the other before the first is answered, some only if the register holds what the one before writes.
   */
  use(managers: ReadonlyMap<SimMember, SimManager>, leader: SimManager | null): void {
    if (this.#isHeld) return;
    const prng = this.#prng;
    if (prng.chance(0.4)) {
      const running = [...managers].filter(([{ process }]) => process !== null);
      const [member, manager] = running[prng.below(running.length)] ?? [];
      if (manager && member?.process) this.#read(manager, member.process.node);
      return;
    }
    const count = 1 + prng.below(BURST_MAX);
    for (let i = 0; i < count && leader !== null; i++) this.#write(leader);
  }

  /** What storms ask for: a few writes at once, or a look at a manager that may lead no more, by a read or by a write that finds nothing to do. */
  crowdOf(managerOf: (member: SimMember | null) => SimManager | null): Crowd {
    return {
      write: (at) => {
        const manager = managerOf(at);
        for (let i = 0; i < BURST_MAX && manager !== null && !this.#isHeld; i++)
          this.#write(manager);
      },
      read: (at) => {
        const manager = managerOf(at);
        if (manager === null || at.process === null || this.#isHeld) return;
        if (this.#prng.chance(0.3)) this.#read(manager, at.process.node);
        else this.#write(manager);
      },
    };
  }

  /** Undefined when there were enough. */
  #begin(fields: Pick<Operation, 'kind' | 'value' | 'expected'>): Operation | undefined {
    if (this.#operations >= OPERATIONS_MAX) return undefined;
    this.#operations++;
    const operation: Operation = {
      key: KEY,
      ...fields,
      calledUs: this.#world.nowUs,
      endedUs: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      result: 0,
      hint: Number.POSITIVE_INFINITY,
    };
    this.#history.push(operation);
    return operation;
  }

  #answer(operation: Operation, result: number, hint: number): void {
    this.#world.at(this.#prng.next() * this.#delayUs, null, () => {
      Object.assign(operation, { outcome: 'ok', result, hint, endedUs: this.#world.nowUs });
    });
  }

  #read(manager: SimManager, node: RaftNode): void {
    const operation = this.#begin({ kind: 'read', value: 0, expected: 0 });
    if (!operation) return;
    this.#world.become(manager.main, () => {
      node.readIndex().then(
        () => this.#answer(operation, valueIn(manager), indexOf(manager)),
        () => {},
      );
    });
  }

  #write(manager: SimManager): void {
    const value = this.#nextValue++;
    const isSwap = this.#prng.chance(0.6);
    const expected = isSwap ? Math.max(1, value - 1 - this.#prng.below(2)) : 0;
    // With little room for what is not committed yet, a large one is refused, and a small one behind it is not.
    const padding = this.#prng.chance(0.3) ? 'x'.repeat(PADDING_CHARS) : '';
    const operation = this.#begin({ kind: isSwap ? 'swap' : 'write', value, expected });
    if (!operation) return;
    this.#world.become(manager.main, () => {
      manager.replicated
        .update({ author: 'client', summary: '', isFirm: true }, (tx, context) => {
          if (isSwap && registerIn(tx) !== expected) return 0;
          put(tx, context, { value: String(value), padding });
          return 1;
        })
        .then(
          ({ value: result, index }) => this.#answer(operation, result, index),
          (error: unknown) => this.#failed(operation, error),
        );
    });
  }

  #failed(operation: Operation, error: unknown): void {
    const codes = ['no_leader', 'no_space'] as const;
    if (codes.some((code) => hasCode(error, code))) operation.outcome = 'refused';
    else if (!(error instanceof TswarmError)) this.#world.failure ??= error;
  }

  /** Something that was committed is lost: nobody asks until `resume`. */
  hold(): void {
    this.check();
    this.#history = [];
    this.#isHeld = true;
  }

  /** The survivor leads. */
  resume(manager: SimManager): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#history.push(written(KEY, valueIn(manager), this.#world.nowUs));
  }

  /** @throws SimFailure */
  check(): void {
    const violation = findViolation(this.#history);
    if (violation === null) return;
    throw new SimFailure('the history of the clients is linearizable', { history: violation });
  }
}

function valueIn({ replicated }: SimManager): number {
  return registerIn(replicated.view);
}

function indexOf({ replicated }: SimManager): number {
  return replicated.store.index;
}

function registerIn(view: ReadView): number {
  return Number(view.byName('config', NAME)?.spec?.labels.value ?? 0);
}

function put(
  tx: StoreWriteView,
  context: DecisionContext,
  labels: Readonly<Record<string, string>>,
): void {
  const known = tx.byName('config', NAME);
  const data = known?.spec?.data ?? Uint8Array.of(1);
  const spec = ConfigSpec.create({ name: NAME, labels, data });
  if (known) tx.update('config', { ...known, spec });
  else createConfig(tx, context.newId(), spec);
}
