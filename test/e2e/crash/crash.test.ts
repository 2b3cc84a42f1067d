// Goal: kill -9 of the worker or the manager inside each operation, and reboots, lose nothing and leave nothing. Method: rounds.ts and reboots.ts, a few of
// each; `npm run crash -- --kills 100` for many.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prng } from '../../support/prng.ts';
import { OPERATIONS } from './operations.ts';
import { RebootBench } from './reboots.ts';
import { CrashBench } from './rounds.ts';

const isRoot = process.getuid?.() === 0;
const KILLS = Number(process.env.TSWARM_CRASH_KILLS ?? 2);
const REBOOTS = Number(process.env.TSWARM_CRASH_REBOOTS ?? 1);
const SEED = Number(process.env.TSWARM_CRASH_SEED ?? 1);
const TIMEOUT_MS = 600_000;

describe.skipIf(!isRoot)('a node that is killed', () => {
  const prng = new Prng(SEED);
  let bench: CrashBench;

  beforeAll(async () => {
    bench = await CrashBench.start(prng);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  it.for(OPERATIONS.map((operation) => [operation.name, operation] as const))(
    `is as it was after ${KILLS} kills: %s`,
    { timeout: TIMEOUT_MS },
    async ([, operation]) => {
      for (let i = 0; i < KILLS; i += 1) {
        const round = await bench.round([operation]);
        expect(round).toEqual({ ...round, wrong: [] });
      }
    },
  );

  it('goes on restarting what a policy restarts', { timeout: TIMEOUT_MS }, async () => {
    expect(await bench.finish(false)).toEqual([]);
  });
});

describe.skipIf(!isRoot)('a node that is rebooted', () => {
  it.for([
    ['is as it was', false],
    ['has lost nothing that it had promised to keep when the power is cut', true],
  ] as const)(`%s after ${REBOOTS} reboots`, { timeout: TIMEOUT_MS }, async ([, ownDisk]) => {
    await using bench = await RebootBench.start(new Prng(SEED), ownDisk);
    for (let i = 0; i < REBOOTS; i += 1) {
      const reboot = await bench.round();
      expect(reboot).toEqual({ ...reboot, wrong: [] });
    }
  });
});
