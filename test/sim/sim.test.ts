// Goal: as many seeds as fit into TSWARM_SIM_SECONDS (300) hold all rules, and the same seed gives the
// same run. Method: consecutive seeds from a start that is the same every time, so that a failure
// here is found again by the command that it prints; a run that does not end is a failure, too. Long
// runs: npm run sim:long.
import { afterAll, describe, expect, it } from 'vitest';
import { repeatCommand } from './seed-result.ts';
import { SeedRunner } from './seed-runner.ts';

const SECONDS = Number(process.env.TSWARM_SIM_SECONDS ?? 300);
const STEPS = 4_000;
const FIRST_SEED = 1;
/** However slow the machine is. */
const SEEDS_MIN = 20;

describe('the simulator', () => {
  const runner = new SeedRunner();
  afterAll(() => runner[Symbol.asyncDispose]());

  it('gives the same run for the same seed', { timeout: 300_000 }, async () => {
    for (const seed of [3, 17, 40_000]) {
      const first = await runner.run(seed, STEPS);
      const second = await runner.run(seed, STEPS);
      expect(second).toEqual(first);
    }
    const hashes = new Set([
      (await runner.run(1, STEPS)).hash,
      (await runner.run(2, STEPS)).hash,
      (await runner.run(3, STEPS)).hash,
    ]);
    expect(hashes.size).toBe(3);
  });

  it('finds no broken rule', { timeout: SECONDS * 5000 + 300_000 }, async () => {
    const endMs = performance.now() + SECONDS * 1000;
    let elections = 0;
    let seed = FIRST_SEED;
    for (; seed < FIRST_SEED + SEEDS_MIN || performance.now() < endMs; seed++) {
      const { failure, counts } = await runner.run(seed, STEPS);
      elections += counts.elections;
      const command = repeatCommand(seed, STEPS);
      expect(failure, `${failure?.text.slice(0, 2000)}\nrepeat it with: ${command}`).toBeNull();
    }
    // Without these, quiet seeds would prove nothing.
    expect(elections).toBeGreaterThan(seed - FIRST_SEED);
  });
});
