// Goal: a run that does not end is a failure of its seed, and later seeds run. Method: a thread whose
// runs hang in loops of calls and of promise jobs; those that call into the simulated world are
// stopped from within, and say what they called.
import { afterAll, describe, expect, it } from 'vitest';
import { SeedRunner } from './seed-runner.ts';

describe('a run that does not end', { timeout: 180_000 }, () => {
  const entry = new URL('./endless-thread.ts', import.meta.url);
  const runner = new SeedRunner({ entry, eventSecondsMax: 0.5 });
  afterAll(() => runner[Symbol.asyncDispose]());

  it.each([
    ['calls', 1],
    ['promise jobs', 2],
  ])('is ended from outside when it is a loop of %s', async (_, seed) => {
    const { failure, steps } = await runner.run(seed, 0);
    expect(failure?.rule).toBe('an event comes to an end');
    expect(failure?.text).toContain('"event":2');
    expect(steps).toBe(2);
    expect((await runner.run(5, 0)).failure).toBeNull();
  });

  it.each([
    ['Date.now', 3],
    ['calls', 4],
  ])('fails from within when it calls %s', async (what, seed) => {
    const { failure } = await runner.run(seed, 0);
    expect(failure?.text).toContain(`"callsWithoutEnd":"${what}"`);
    expect(failure?.text).toContain('"actor":"looping"');
    expect((await runner.run(5, 0)).failure).toBeNull();
  });
});
