// Thread for seed-runner.test.ts: runs that do not end, each in a way of its own, by seed.
import { NO_COUNTS, type SeedResult } from './seed-result.ts';
import { serveSeeds } from './seed-thread.ts';
import { withVirtualGlobals } from './virtual-globals.ts';
import { World } from './world.ts';

/** What the run of a seed does in its second event. */
const EVENTS: Readonly<Record<number, (world: World) => void>> = {
  1: () => {
    for (;;);
  },
  2: () => void endlessJobs(),
  3: () => {
    while (Date.now() > 0);
  },
  4: (world) => void endlessCalls(world),
  5: () => {},
};

async function endlessJobs(): Promise<never> {
  for (;;) await null;
}

async function endlessCalls(world: World): Promise<void> {
  for (;;) {
    if (!world.spend('calls')) await new Promise(() => {});
    await null;
  }
}

function runSeed(seed: number, _steps: number, progress: Int32Array): SeedResult {
  const world = new World(progress);
  let failure: SeedResult['failure'] = null;
  try {
    withVirtualGlobals(world, () => {
      world.at(1, null, () => {});
      world.at(2, world.newActor('looping'), () => EVENTS[seed]?.(world));
      while (world.step());
    });
  } catch (error) {
    failure = { rule: 'caught', text: String(error) };
  }
  const { steps, traceHash: hash } = world;
  return { seed, steps, hash, virtualSeconds: 0, counts: NO_COUNTS, failure };
}

await serveSeeds(async () => runSeed);
