// Runs one seed from beginning to end, and says what came of it.

import { ClusterRun } from './cluster-run.ts';
import { SimFailure } from './failure.ts';
import { RegisterRun, type RunCounts } from './register-run.ts';
import { withVirtualGlobals } from './virtual-globals.ts';
import { requireDrain, World } from './world.ts';

/** Every so many seeds run the whole manager, the others Raft alone: those are ten times as fast. */
const CLUSTER_EVERY = 10;

const NO_COUNTS: RunCounts = {
  operations: 0,
  changes: 0,
  committed: 0,
  elections: 0,
  crashes: 0,
  confChanges: 0,
  faults: {},
};

export interface SeedResult {
  readonly seed: number;
  readonly steps: number;
  /** Same seed, same code: same hash. */
  readonly hash: string;
  readonly virtualSeconds: number;
  readonly counts: RunCounts;
  /** Null when all checks held. */
  readonly failure: { readonly rule: string; readonly text: string } | null;
}

/** Which simulation a seed is for. */
export function kindOf(seed: number): 'cluster' | 'registers' {
  return seed % CLUSTER_EVERY === 0 ? 'cluster' : 'registers';
}

/** Must be called from a task of its own, not from inside of a promise job. */
export function runSeed(seed: number, steps: number): SeedResult {
  requireDrain();
  const world = new World();
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
