// A register kept in the store, in the labels of a config, that clients read and write at managers; what
// they were told must fit into one order. When the group was forced to begin anew without something that
// had been committed, the clients begin anew, too: from what the survivor has.
import { createConfig, updateConfig } from '#manager/control/data-objects';
import type { RaftNode } from '#manager/host/raft/raft-node';
import { hasCode, TswarmError } from '#protocol/errors';
import { ConfigSpec } from '#protocol/generated/specs';
import type { Prng } from '#test/support/prng';
import { SimFailure } from './failure.ts';
import { findViolation, type Operation } from './linearizable.ts';
import { written } from './registers.ts';
import type { SimManager } from './sim-manager.ts';
import type { World } from './world.ts';

const OPERATIONS_MAX = 120;
const KEY = 1;

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

  /** One operation: reads at any manager, by its Raft node; writes at one that leads. */
  use(
    managers: readonly { readonly manager: SimManager; readonly node: RaftNode }[],
    leader: SimManager | null,
  ): void {
    if (this.#operations >= OPERATIONS_MAX || this.#isHeld) return;
    const any = managers[this.#prng.below(managers.length)];
    const isRead = this.#prng.chance(0.5);
    const manager = isRead ? any?.manager : leader;
    if (!manager) return;
    const operation: Operation = {
      key: KEY,
      kind: isRead ? 'read' : 'write',
      value: isRead ? 0 : this.#nextValue++,
      expected: 0,
      calledUs: this.#world.nowUs,
      endedUs: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      result: 0,
      hint: Number.POSITIVE_INFINITY,
    };
    this.#operations++;
    this.#history.push(operation);
    const answer = (result: number, hint: number): void => {
      this.#world.at(this.#prng.next() * this.#delayUs, null, () => {
        Object.assign(operation, { outcome: 'ok', result, hint, endedUs: this.#world.nowUs });
      });
    };
    this.#world.become(manager.main, () => {
      if (isRead)
        any?.node.readIndex().then(() => answer(valueIn(manager), indexOf(manager)), ignore);
      else this.#write(manager, operation, answer);
    });
  }

  #write(
    manager: SimManager,
    operation: Operation,
    answer: (result: number, hint: number) => void,
  ): void {
    const labels = { value: String(operation.value) };
    manager.replicated
      .update({ author: 'client', summary: '' }, (tx, context) => {
        const known = tx.byName('config', 'register');
        const data = known?.spec?.data ?? Uint8Array.of(1);
        const spec = ConfigSpec.create({ name: 'register', labels, data });
        if (known) updateConfig(tx, known.id, known.meta?.version?.index ?? 0, spec);
        else createConfig(tx, context.newId(), spec);
      })
      .then(
        ({ index }) => answer(1, index),
        (error: unknown) => {
          const codes = ['no_leader', 'no_space', 'out_of_sequence'] as const;
          if (codes.some((code) => hasCode(error, code))) operation.outcome = 'refused';
          else if (!(error instanceof TswarmError)) this.#world.failure ??= error;
        },
      );
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
  return Number(replicated.view.byName('config', 'register')?.spec?.labels.value ?? 0);
}

function indexOf({ replicated }: SimManager): number {
  return replicated.store.index;
}

function ignore(): void {}
