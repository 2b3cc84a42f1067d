// Faults that come over a lab one after the other while clients work: each lasts a moment, then everything is made whole again for a moment. Chosen by a seed.
import type { Lab } from '../support/cluster-lab/lab.ts';
import { Prng } from '../support/prng.ts';
import { leaderOf } from './cluster.ts';

export type FaultName =
  | 'kill'
  | 'kill-leader'
  | 'pause'
  | 'pause-leader'
  | 'cut'
  | 'one-way'
  | 'isolate-leader'
  | 'lossy'
  | 'slow-leader';

const ALL: readonly FaultName[] = [
  'kill-leader',
  'pause-leader',
  'isolate-leader',
  'one-way',
  'kill',
  'cut',
  'pause',
  'lossy',
  'slow-leader',
];

/** What one write takes on a slow disk. */
const SLOW_MS = 2_000;

export interface FaultOptions {
  readonly managers: readonly string[];
  readonly seed: number;
  readonly rounds: number;
  /** How long each fault lasts, and the quiet after it. */
  readonly lastsMs: number;
}

/** @returns what was done, for the report */
export async function faultsOver(lab: Lab, options: FaultOptions): Promise<readonly string[]> {
  const { managers, rounds, lastsMs } = options;
  const random = new Prng(options.seed);
  const done: string[] = [];
  const pick = (): string => managers[random.below(managers.length)] ?? '';
  for (let round = 0; round < rounds; round++) {
    const fault = ALL[round % ALL.length] ?? 'kill';
    const leader = (await findLeader(lab, managers)) ?? pick();
    const target = fault.endsWith('leader') ? leader : pick();
    const other = managers.find((name) => name !== target) ?? '';
    done.push(`${fault} ${target}`);
    if (fault.startsWith('kill')) await lab.kill(target);
    else if (fault.startsWith('pause')) lab.pause(target);
    else if (fault === 'isolate-leader') lab.isolate(target);
    else if (fault === 'lossy') lab.lose(target, 20);
    else if (fault === 'slow-leader') lab.slow(target, SLOW_MS);
    else lab.partition(target, other, fault === 'one-way');
    await sleep(lastsMs);
    lab.heal();
    if (lab.state(target) !== 'running') await lab.start(target);
    await sleep(lastsMs);
  }
  return done;
}

async function findLeader(lab: Lab, managers: readonly string[]): Promise<string | undefined> {
  for (const name of managers) {
    if (lab.state(name) !== 'running') continue;
    const leader = await leaderOf(lab, name);
    if (leader !== undefined) return leader;
  }
  return undefined;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
