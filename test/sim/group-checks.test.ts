// Goal: what the rules know of a group that begins anew is only what its survivor shares with the group before it.
import { expect, it } from 'vitest';
import { type Entry, EntryType } from '#manager/raft/types';
import { GroupChecks } from './group-checks.ts';

function entry(index: number, term: number, text: string): Entry {
  return { index, term, type: EntryType.normal, data: Buffer.from(text) };
}

/** Rules of a group that has committed and applied these entries. */
function committed(entries: readonly Entry[]): GroupChecks {
  const checks = GroupChecks.forced(new GroupChecks(), { baseIndex: 0, entries });
  for (const { index, data } of entries) checks.applied(1, index, data);
  return checks;
}

const OLD = [entry(1, 2, 'a'), entry(2, 4, 'b'), entry(3, 4, 'c')];

it('a forced entry that has a term of the old group does not make the entries before it the same', () => {
  const own = [entry(1, 2, 'a'), entry(2, 3, 'x'), entry(3, 4, 'forced')];
  const checks = GroupChecks.forced(committed(OLD), { baseIndex: 0, entries: own });
  expect(checks.hasLost).toBe(true);
  for (const { index, data } of own) checks.applied(2, index, data);
});

it('what the survivor shares is held to what was applied', () => {
  const checks = GroupChecks.forced(committed(OLD), { baseIndex: 0, entries: OLD });
  expect(checks.hasLost).toBe(false);
  expect(() => checks.applied(2, 2, Buffer.from('x'))).toThrow('members apply the same entries');
});
