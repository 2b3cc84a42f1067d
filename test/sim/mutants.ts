// Planted bugs: each takes away one rule of Raft, of the log or of the host, most of them after bugs
// that other implementations once had (raft.md §1.9). The simulator's checks must catch every one
// (npm run sim:mutants); one that goes through shows a gap in the simulator.
// `find` must occur exactly once in the file.
import { CLUSTER_MUTANTS } from './mutants-cluster.ts';
import { HOST_MUTANTS } from './mutants-host.ts';
import { RAFT_MUTANTS } from './mutants-raft.ts';

export interface Mutant {
  readonly name: string;
  /** Where the bug was met, or what it breaks. */
  readonly source: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Not known to be caught within 2,000 seeds (MUTANTS.md): a gap to work on. Tried with --all only. */
  readonly isGap?: true;
}

export const MUTANTS: readonly Mutant[] = [...RAFT_MUTANTS, ...HOST_MUTANTS, ...CLUSTER_MUTANTS];
