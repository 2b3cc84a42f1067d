// Entry of the thread that runs the real seeds.
import { serveSeeds } from './seed-thread.ts';

await serveSeeds(async () => (await import('./run-seed.ts')).runSeed);
