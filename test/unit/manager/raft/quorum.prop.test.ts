// Goal: quorum arithmetic and configuration changes agree with naive twins for any input.
// Method: fast-check; the twins count and enumerate instead of sorting and reasoning.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyConfChange,
  type Conf,
  confProblem,
  EMPTY_CONF,
  enterJoint,
  isJoint,
  leaveJoint,
  simpleChange,
  voterIds,
} from '#manager/raft/conf';
import {
  type ChangeType,
  type ConfChange,
  type ConfChangeSingle,
  decodeConfChange,
  encodeConfChange,
  formatChanges,
  parseChanges,
  type Transition,
} from '#manager/raft/conf-change';
import { jointCommitted, jointVote, majorityCommitted, majorityVote } from '#manager/raft/quorum';

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 });
const acks = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 10, maxLength: 10 });
const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 10, maxLength: 10 });
const single = fc.record({
  type: fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<ChangeType>,
  nodeId: fc.integer({ min: 0, max: 8 }),
});
const changes = fc.array(single, { maxLength: 6 });

/** The largest index that more than half of the voters have reached. */
function naiveCommitted(voters: readonly number[], acked: readonly number[]): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  let best = 0;
  for (let index = 0; index <= 20; index++) {
    const count = voters.filter((id) => (acked[id] ?? 0) >= index).length;
    if (2 * count > voters.length) best = index;
  }
  return best;
}

/** Tries all ways in which the missing votes may still turn out. */
function naiveVote(voters: readonly number[], known: readonly (boolean | undefined)[]): string {
  if (voters.length === 0) return 'won';
  const missing = voters.filter((id) => known[id] === undefined).length;
  const yes = voters.filter((id) => known[id] === true).length;
  const outcomes = new Set<boolean>();
  for (let more = 0; more <= missing; more++) outcomes.add(2 * (yes + more) > voters.length);
  // Not more than half for sure, whatever comes: lost; more than half already: won.
  if (2 * yes > voters.length) return 'won';
  return outcomes.has(true) ? 'pending' : 'lost';
}

function quorums(conf: Conf): number[][] {
  const all = voterIds(conf);
  const result: number[][] = [];
  for (let mask = 0; mask < 1 << all.length; mask++) {
    const members = all.filter((_, i) => (mask & (1 << i)) !== 0);
    const has = (id: number): boolean => members.includes(id);
    if (jointVote(conf.voters, conf.votersOutgoing, has) === 'won') result.push(members);
  }
  return result;
}

function overlap(a: Conf, b: Conf): boolean {
  const others = quorums(b);
  return quorums(a).every((q) => others.every((r) => q.some((id) => r.includes(id))));
}

describe('quorums', () => {
  it('the committed index is what a majority has', () => {
    fc.assert(
      fc.property(ids, ids, acks, (first, second, acked) => {
        const of = (id: number): number | undefined => acked[id];
        expect(majorityCommitted(first, of)).toBe(naiveCommitted(first, acked));
        const both = Math.min(naiveCommitted(first, acked), naiveCommitted(second, acked));
        expect(jointCommitted(first, second, of)).toBe(both);
      }),
    );
  });

  it('a vote is won, lost or open as enumeration says', () => {
    fc.assert(
      fc.property(ids, ids, votes, (first, second, known) => {
        const of = (id: number): boolean | undefined => known[id];
        const [a, b] = [naiveVote(first, known), naiveVote(second, known)];
        expect(majorityVote(first, of)).toBe(a);
        const both =
          a === 'lost' || b === 'lost' ? 'lost' : a === 'won' && b === 'won' ? 'won' : 'pending';
        expect(jointVote(first, second, of)).toBe(both);
      }),
    );
  });

  it('a vote never contradicts the commit of the same members', () => {
    fc.assert(
      fc.property(ids, ids, votes, (first, second, known) => {
        const won = jointVote(first, second, (id) => known[id]) === 'won';
        const acked = (id: number): number => (known[id] === true ? 1 : 0);
        expect(jointCommitted(first, second, acked) >= 1).toBe(won);
      }),
    );
  });
});

describe('configurations', () => {
  it('stay well formed, and every step overlaps with the next, for any list of operations', () => {
    const operation = fc.record({ kind: fc.integer({ min: 0, max: 2 }), changes });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 12 }), (operations) => {
        let conf: Conf = { ...EMPTY_CONF, voters: [1] };
        for (const { kind, changes: list } of operations) {
          const result =
            kind === 0
              ? simpleChange(conf, list)
              : kind === 1
                ? enterJoint(conf, list, list.length % 2 === 0)
                : leaveJoint(conf);
          if (result.error !== null) continue;
          expect(confProblem(result.conf)).toBeNull();
          expect(result.conf.voters.length).toBeGreaterThan(0);
          expect(overlap(conf, result.conf)).toBe(true);
          conf = result.conf;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a joint detour ends where the naive change ends', () => {
    fc.assert(
      fc.property(ids, changes, (voters, list) => {
        fc.pre(voters.length > 0);
        const start: Conf = { ...EMPTY_CONF, voters: [...voters].sort((a, b) => a - b) };
        const joint = enterJoint(start, list, false);
        const naive = naiveApply(start, list);
        expect(joint.error === null).toBe(naive !== null);
        if (joint.error !== null || naive === null) return;
        expect(isJoint(joint.conf)).toBe(true);
        const left = leaveJoint(joint.conf);
        expect(left.conf).toEqual({ ...EMPTY_CONF, ...naive });
      }),
    );
  });

  it('survives encoding, and junk is never taken for a change', () => {
    const change = fc.record({
      transition: fc.integer({ min: 0, max: 2 }) as fc.Arbitrary<Transition>,
      changes,
      context: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(change, (value: ConfChange) => {
        expect(decodeConfChange(encodeConfChange(value))).toEqual(value);
        expect(parseChanges(formatChanges(value.changes))).toEqual(value.changes);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const decoded = decodeConfChange(bytes);
        if (decoded !== null) expect(encodeConfChange(decoded)).toEqual(bytes);
      }),
    );
  });

  it('auto changes one voter directly and more through a joint configuration', () => {
    const start: Conf = { ...EMPTY_CONF, voters: [1, 2, 3] };
    const of = (text: string): ConfChange => ({
      transition: 0,
      changes: parseChanges(text) ?? [],
      context: new Uint8Array(0),
    });
    expect(applyConfChange(start, of('v4')).conf).toMatchObject({ voters: [1, 2, 3, 4] });
    expect(applyConfChange(start, of('r1 v4')).conf).toMatchObject({
      voters: [2, 3, 4],
      votersOutgoing: [1, 2, 3],
      autoLeave: true,
      epoch: 0,
    });
    expect(applyConfChange(start, of('')).error).toContain('non-joint');
  });
});

function naiveApply(
  start: Conf,
  list: readonly ConfChangeSingle[],
): { voters: number[]; learners: number[] } | null {
  const voters = new Set(start.voters);
  const learners = new Set<number>();
  for (const { type, nodeId } of list) {
    if (nodeId === 0 || type === 2) continue;
    voters.delete(nodeId);
    learners.delete(nodeId);
    if (type === 0) voters.add(nodeId);
    if (type === 3) learners.add(nodeId);
  }
  const sorted = (set: Set<number>): number[] => [...set].sort((a, b) => a - b);
  return voters.size === 0 ? null : { voters: sorted(voters), learners: sorted(learners) };
}
