// One generator for each part of a run, all made from its seed: a draw more in one part does not
// shift the others, so that a change of code disturbs old seeds as little as possible.
import { Prng } from '#test/support/prng';

export const STREAMS = {
  weather: 1,
  network: 2,
  disk: 3,
  clock: 4,
  raft: 5,
  clients: 6,
  faults: 7,
  crypto: 8,
  manager: 9,
  agents: 10,
} as const;

/** The generator of one part; `index` tells members of the same kind apart. */
export function stream(seed: number, part: keyof typeof STREAMS, index = 0): Prng {
  return new Prng(
    Math.imul(seed, 0x9e3779b1) ^ (STREAMS[part] * 0x85ebca6b) ^ (index * 0xc2b2ae35),
  );
}
