// Goal: two hosts with one identity are found out, and hosts that reconnect or move are not taken
// for it. Method: the pure part with given times.
import { expect, it } from 'vitest';
import { Twins } from '#manager/dispatcher/twins';

it('leaves alone who reconnects, or moves once in a while', () => {
  const twins = new Twins();
  for (let i = 0; i < 50; i++) expect(twins.refusal('n', 'a', i * 100)).toBeUndefined();
  for (let i = 1; i < 10; i++) expect(twins.refusal('n', `a${i}`, i * 40_000)).toBeUndefined();
});

it('keeps the one of two hosts that has the session, until the other is quiet', () => {
  const twins = new Twins();
  const ask = (address: string, nowMs: number) => twins.refusal('n', address, nowMs);
  expect([ask('a', 0), ask('b', 1000), ask('a', 2000), ask('b', 3000)]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(ask('a', 4000)).toBe('b');
  expect(ask('b', 5000)).toBeUndefined();
  for (let ms = 6000; ms < 200_000; ms += 30_000) {
    expect(ask('a', ms)).toBe('b');
    expect(twins.refusal('other', 'a', ms)).toBeUndefined();
  }
  expect(ask('a', 300_000)).toBeUndefined();
  twins.forget('n');
  expect(ask('c', 300_001)).toBeUndefined();
});
