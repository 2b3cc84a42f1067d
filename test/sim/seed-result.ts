// What is known of a seed that was run: the same in the thread that runs it and outside.

/** What has happened in one run. */
export interface RunCounts {
  operations: number;
  /** Of objects, seen by watchers; 0 without a store. */
  changes: number;
  committed: number;
  elections: number;
  crashes: number;
  confChanges: number;
  faults: Record<string, number>;
}

/** Of a run that never began. */
export const NO_COUNTS: RunCounts = {
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

/** Every so many seeds run the whole manager, the others Raft alone: those are ten times as fast. */
const CLUSTER_EVERY = 10;

/** Which simulation a seed is for. */
export function kindOf(seed: number): 'cluster' | 'registers' {
  return seed % CLUSTER_EVERY === 0 ? 'cluster' : 'registers';
}

/** The command that runs the seed again. */
export function repeatCommand(seed: number, steps: number): string {
  return `npm run sim -- --seed ${seed} --steps ${steps}`;
}
