// Goal: slots are shared evenly, nothing moves without need, and every node decides alike. Method: property tests over sets of tasks.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SESSION_SLOTS, slotOwners } from '#worker/network/session-slots';

const TASKS = fc.uniqueArray(fc.stringMatching(/^[0-9a-z]{25}$/), { minLength: 2, maxLength: 20 });

function ownersOf(tasks: readonly string[]): readonly (string | undefined)[] {
  return slotOwners(tasks).map((index) => tasks[index]);
}

describe('slots of sessions', () => {
  it('are shared evenly', () => {
    const tasks = Array.from({ length: 8 }, (_, i) => `task${i}`);
    for (const task of tasks) {
      const share = ownersOf(tasks).filter((owner) => owner === task).length;
      expect(share).toBeGreaterThan(SESSION_SLOTS / 8 / 2);
      expect(share).toBeLessThan((SESSION_SLOTS / 8) * 2);
    }
  });

  it('move only from a task that leaves, whatever the order of the others', () => {
    fc.assert(
      fc.property(TASKS, ([gone = '', ...rest]) => {
        const before = ownersOf([gone, ...rest]);
        const after = ownersOf([...rest].reverse());
        for (const [slot, owner] of before.entries()) {
          if (owner !== gone) expect(after[slot]).toBe(owner);
        }
      }),
    );
  });

  it('belong, among the tasks of one node, to the one that has them among all', () => {
    fc.assert(
      fc.property(TASKS, fc.integer({ min: 1, max: 19 }), (tasks, count) => {
        const here = tasks.slice(0, count);
        const inner = ownersOf(here);
        for (const [slot, owner] of ownersOf(tasks).entries()) {
          if (owner !== undefined && here.includes(owner)) expect(inner[slot]).toBe(owner);
        }
      }),
    );
  });
});
