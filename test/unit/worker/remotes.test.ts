// Goal: a node spreads over the managers by weight, leaves one that fails, and finds it again. Method: shares counted over evenly spread points.
import { describe, expect, it } from 'vitest';
import { Remotes } from '#worker/remotes';

const POINTS = 10_000;

function shares(remotes: Remotes): Readonly<Record<string, number>> {
  const out: Record<string, number> = {};
  for (let i = 0; i < POINTS; i++) {
    const addr = remotes.pick(i / POINTS) ?? 'none';
    out[addr] = (out[addr] ?? 0) + 1 / POINTS;
  }
  return out;
}

const manager = (addr: string, weight = 1) => ({ nodeId: addr, addr, weight });

describe('remotes', () => {
  it('know nobody at first', () => {
    expect(new Remotes([]).pick(0.5)).toBeUndefined();
  });

  it('go to each by its weight', () => {
    const found = shares(new Remotes([manager('a', 1), manager('b', 3)]));
    expect(found.a).toBeCloseTo(0.25, 2);
    expect(found.b).toBeCloseTo(0.75, 2);
  });

  it('ask one that failed four times less, and after a success as before', () => {
    const remotes = new Remotes([manager('a'), manager('b')]);
    remotes.failed('a');
    expect(shares(remotes).a).toBeCloseTo(0.2, 2);
    remotes.failed('a');
    expect(shares(remotes).a).toBeCloseTo(1 / 17, 2);
    remotes.succeeded('a');
    expect(shares(remotes).a).toBeCloseTo(0.5, 2);
  });

  it('never give one up', () => {
    const remotes = new Remotes([manager('a'), manager('b')]);
    for (let i = 0; i < 100; i++) remotes.failed('a');
    expect(shares(remotes).a).toBeGreaterThan(0.003);
    expect(remotes.pick(0.999_999_999)).toBe('b');
  });

  it('keep what they know of those that stay, and forget nobody for an empty list', () => {
    const remotes = new Remotes([manager('a'), manager('b')]);
    remotes.failed('a');
    remotes.set([manager('a'), manager('c')]);
    expect(shares(remotes).a).toBeCloseTo(0.2, 2);
    remotes.set([]);
    expect(remotes.list().map(({ addr }) => addr)).toEqual(['a', 'c']);
  });

  it('take an address once and an empty one never', () => {
    const remotes = new Remotes([manager('a'), manager('a'), manager('')]);
    expect(remotes.list()).toEqual([manager('a')]);
  });
});
