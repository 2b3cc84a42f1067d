// Runs one seed from beginning to end, and says what came of it.

import { ClusterRun } from './cluster-run.ts';
import { SimFailure } from './failure.ts';
import { RegisterRun } from './register-run.ts';
import { kindOf, NO_COUNTS, type SeedResult } from './seed-result.ts';
import { withVirtualGlobals } from './virtual-globals.ts';
import { requireDrain, World } from './world.ts';

/**
 * Must be called from a task of its own, not from inside of a promise job. A run may never end:
 * SeedRunner watches `progress` for that.
 */
export function runSeed(
  seed: number,
  steps: number,
  progress: Int32Array | null = null,
): SeedResult {
  requireDrain();
  const world = new World(progress);
  const onRejection = (error: unknown): void => {
    world.failure ??= error;
  };
  process.on('unhandledRejection', onRejection);
  try {
    return withVirtualGlobals(world, () => runIn(world, seed, steps));
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

function runIn(world: World, seed: number, steps: number): SeedResult {
  let run: ClusterRun | RegisterRun | null = null;
  let failure: SeedResult['failure'] = null;
  try {
    run = kindOf(seed) === 'cluster' ? new ClusterRun(world, seed) : new RegisterRun(world, seed);
    run.run(steps);
    run.heal();
    run.checkHistory();
  } catch (error) {
    const rule = error instanceof SimFailure ? error.rule : 'no exception in the code under test';
    const text = error instanceof SimFailure ? error.message : String((error as Error).stack);
    failure = { rule, text };
  }
  return {
    seed,
    steps: world.steps,
    hash: world.traceHash,
    virtualSeconds: world.nowUs / 1e6,
    counts: run?.counts() ?? NO_COUNTS,
    failure,
  };
}
