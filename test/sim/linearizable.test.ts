// Goal: the linearizability search accepts what is in order and refuses what is not. Method: small
// histories with known answers, and a naive twin that tries all orders of random ones.
import { describe, expect, it } from 'vitest';
import { Prng } from '#test/support/prng';
import { findViolation, isLinearizable, type Operation } from './linearizable.ts';

function operation(
  kind: Operation['kind'],
  at: readonly [number, number],
  fields: Partial<Operation> = {},
): Operation {
  const [calledUs, endedUs] = at;
  return {
    key: 1,
    kind,
    value: 0,
    expected: 0,
    calledUs,
    endedUs,
    outcome: 'ok',
    result: 0,
    hint: Number.POSITIVE_INFINITY,
    ...fields,
  };
}

const write = (value: number, from: number, to: number): Operation =>
  operation('write', [from, to], { value });
const read = (result: number, from: number, to: number): Operation =>
  operation('read', [from, to], { result });

describe('the linearizability search', () => {
  it('accepts a read of what was written before, or at the same time', () => {
    expect(isLinearizable([write(1, 0, 1), read(1, 2, 3)])).toBe(true);
    expect(isLinearizable([write(1, 0, 5), read(1, 2, 3)])).toBe(true);
    expect(isLinearizable([write(1, 0, 5), read(0, 2, 3)])).toBe(true);
  });

  it('finds the order of the log at once, with many operations that nobody was answered', () => {
    const never = { outcome: 'unknown' as const, endedUs: Number.POSITIVE_INFINITY };
    const lost = Array.from({ length: 60 }, (_, i) =>
      operation('swap', [10, 20], { ...never, value: 100 + i, expected: 99 + i, hint: 2 + i }),
    );
    const history = [
      { ...write(99, 0, 1), hint: 1 },
      ...lost,
      ...Array.from({ length: 30 }, () => ({ ...read(159, 30, 40), hint: 61 })),
      operation('swap', [30, 50], { value: 1, expected: 5, hint: 62 }),
      { ...write(5, 35, 50), hint: 62 },
    ];
    expect(isLinearizable(history)).toBe(true);
    expect(isLinearizable([...history, { ...read(159, 60, 61), hint: 61 }])).toBe(false);
  });

  it('refuses a stale read, a lost write, and time that goes back', () => {
    expect(isLinearizable([write(1, 0, 1), read(0, 2, 3)])).toBe(false);
    expect(isLinearizable([write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)])).toBe(false);
    const back = [write(1, 0, 9), read(1, 1, 2), read(0, 3, 4)];
    expect(isLinearizable(back)).toBe(false);
  });

  it('lets an unanswered write happen late or never, but not twice', () => {
    const unknown = { ...write(1, 0, Number.POSITIVE_INFINITY), outcome: 'unknown' as const };
    expect(isLinearizable([unknown, read(0, 5, 6), read(1, 7, 8)])).toBe(true);
    expect(isLinearizable([unknown, read(0, 5, 6)])).toBe(true);
    const twice = [unknown, read(1, 1, 2), write(2, 3, 4), read(1, 5, 6)];
    expect(isLinearizable(twice)).toBe(false);
  });

  it('knows conditional writes', () => {
    const swap = (expected: number, value: number, result: number): Operation =>
      operation('swap', [2, 3], { expected, value, result });
    expect(isLinearizable([write(1, 0, 1), swap(1, 2, 1), read(2, 4, 5)])).toBe(true);
    expect(isLinearizable([write(1, 0, 1), swap(7, 2, 1), read(2, 4, 5)])).toBe(false);
    expect(isLinearizable([write(1, 0, 1), swap(1, 2, 0)])).toBe(false);
  });

  it('lets a write without an answer explain why a conditional one did not find what it expected', () => {
    const unknown = { ...write(2, 2, Number.POSITIVE_INFINITY), outcome: 'unknown' as const };
    const missed = operation('swap', [4, 5], { expected: 1, value: 3, result: 0 });
    expect(findViolation([write(1, 0, 1), unknown, missed])).toBeNull();
    expect(findViolation([write(1, 0, 1), missed])).not.toBeNull();
    const early = { ...missed, calledUs: 1.2, endedUs: 1.4 };
    expect(findViolation([write(1, 0, 1), early, unknown])).not.toBeNull();
  });

  it('finds the chain of unanswered writes that a read needs, beside many others', () => {
    const never = Number.POSITIVE_INFINITY;
    const first = { ...write(50, 1, never), outcome: 'unknown' as const };
    const second = operation('swap', [1, never], { expected: 50, value: 51, result: 0 });
    const unanswered = { ...second, outcome: 'unknown' as const };
    const others = Array.from({ length: 30 }, (_, i) => ({ ...write(i + 1, 2, 90), hint: 20 + i }));
    const seen = { ...read(51, 3, 80), hint: 10 };
    expect(findViolation([first, unanswered, ...others, seen])).toBeNull();
    expect(findViolation([unanswered, ...others, seen])).not.toBeNull();
  });

  it('keeps keys apart, and takes a refused write that shows up for a violation', () => {
    const other = { ...read(0, 2, 3), key: 2 };
    expect(findViolation([write(1, 0, 1), other])).toBeNull();
    const refused = { ...write(1, 0, 1), outcome: 'refused' as const };
    expect(findViolation([refused, read(1, 2, 3)])).not.toBeNull();
  });

  it('agrees with the trial of all orders', () => {
    const prng = new Prng(7);
    let accepted = 0;
    for (let round = 0; round < 3000; round++) {
      const history = Array.from({ length: 6 }, () => anyOperation(prng));
      const expected = tryAll(history, [], 0);
      if (expected) accepted++;
      expect(findViolation(history) === null, JSON.stringify(history)).toBe(expected);
    }
    expect(accepted).toBeGreaterThan(200);
    expect(accepted).toBeLessThan(2800);
  });
});

function anyOperation(prng: Prng): Operation {
  const from = prng.below(12);
  const to = from + 1 + prng.below(5);
  const value = 1 + prng.below(4);
  const kind = prng.below(4);
  if (kind < 2) return read(prng.below(5), from, to);
  const made =
    kind === 2
      ? write(value, from, to)
      : operation('swap', [from, to], {
          value,
          expected: 1 + prng.below(3),
          result: prng.below(2),
        });
  const isUnknown = prng.chance(0.3);
  return isUnknown ? { ...made, endedUs: Number.POSITIVE_INFINITY, outcome: 'unknown' } : made;
}

/** What has no answer may be left over. */
function tryAll(left: readonly Operation[], done: readonly Operation[], value: number): boolean {
  if (left.every(({ outcome }) => outcome === 'unknown')) return true;
  return left.some((next) => {
    const rest = left.filter((other) => other !== next);
    if (rest.some(({ endedUs }) => endedUs < next.calledUs)) return false;
    if (next.kind === 'read' && next.result !== value) return false;
    const isDone = next.kind === 'write' || (next.kind === 'swap' && next.expected === value);
    if (next.kind === 'swap' && next.outcome === 'ok' && isDone !== (next.result === 1))
      return false;
    return tryAll(rest, [...done, next], isDone ? next.value : value);
  });
}
