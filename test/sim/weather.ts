// What a seed makes a run suffer from. Every kind of fault has its own switch, drawn first, then its
// strength: runs with few kinds reach deeper states of those than runs with all at once (swarm
// testing, Groce et al. 2012). Times follow the election timeout, so that faults fall into elections
// as well as between them.
import type { CoreTuning } from '#manager/host/raft/host-deps';
import type { Prng } from '#test/support/prng';
import type { LinkWeather } from './sim-network.ts';

/** One run's settings. */
export interface Weather {
  readonly voters: number;
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly tuning: CoreTuning;
  readonly snapshotEveryEntries: number;
  readonly trailingEntries: number;
  readonly link: LinkWeather;
  /** Clocks run by up to this share too fast or too slow. */
  readonly drift: number;
  /** Wall clocks are wrong by up to this. Restart delays stretch by it when leadership moves from a
   * clock that is ahead to one that is behind. */
  readonly skewMs: number;
  readonly diskUs: number;
  readonly diskSlowChance: number;
  readonly diskSlowUs: number;
  /** Time between faults, on average. */
  readonly faultEveryUs: number;
  /** How often each fault is chosen, relative to the others. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly clients: number;
  readonly keys: number;
  /** A client waits this long between operations, on average. */
  readonly thinkUs: number;
  readonly reads: number;
  /** How long the state machine takes for a snapshot. */
  readonly snapshotMs: number;
}

export const FAULT_KINDS = [
  'crash',
  'powerCut',
  'pause',
  'pauseThread',
  'isolate',
  'cutOneWay',
  'split',
  'healLinks',
  'slowDisk',
  'syncError',
  'fullDisk',
  'rot',
  'transfer',
  'changeMembers',
  'burst',
  'minority',
  'lag',
  'staleLeader',
  'jointSplit',
  'crashInWrite',
  'eagerChange',
  'rotateDataKey',
  'setUnlockKey',
  'loseQuorum',
  'successors',
  'restartedReader',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  crash: 2,
  powerCut: 0.4,
  pause: 1,
  pauseThread: 0.7,
  isolate: 1,
  cutOneWay: 1,
  split: 0.7,
  healLinks: 1.5,
  slowDisk: 0.5,
  syncError: 0.4,
  fullDisk: 0.4,
  rot: 0.8,
  transfer: 1,
  changeMembers: 3,
  burst: 0.5,
  minority: 1.5,
  lag: 1,
  staleLeader: 1.5,
  jointSplit: 1,
  crashInWrite: 1.5,
  eagerChange: 1,
  rotateDataKey: 1,
  setUnlockKey: 1,
  loseQuorum: 0.3,
  successors: 1,
  restartedReader: 1,
};
/** Several faults timed against each other (storms.ts): each by itself in a few runs. */
const STORMS = [
  'minority',
  'lag',
  'staleLeader',
  'jointSplit',
  'crashInWrite',
  'eagerChange',
  'successors',
] as const satisfies readonly FaultKind[];
export type StormKind = (typeof STORMS)[number];
/** Drawn last, in fewer runs. */
const RARE: readonly FaultKind[] = [
  'rotateDataKey',
  'setUnlockKey',
  'loseQuorum',
  'restartedReader',
];
/** Faults that change the membership. */
const MEMBERSHIP: readonly FaultKind[] = ['changeMembers', 'jointSplit', 'eagerChange'];

/**
 * Draws the weather of a seed. Some have no fault but one kind of
 * storm, which comes again and again.
 */
export function drawWeather(prng: Prng): Weather {
  const some = (chance: number, most: number): number =>
    prng.chance(chance) ? prng.next() * most : 0;
  const pick = <T>(list: readonly T[]): T => list[prng.below(list.length)] as T;
  const tickMs = pick([10, 20, 50]);
  const electionTicks = pick([5, 10, 10]);
  const timeoutUs = tickMs * electionTicks * 1000;
  const isCalm = prng.chance(0.05);
  const faults = {} as Record<FaultKind, number>;
  for (const kind of FAULT_KINDS) {
    if (RARE.includes(kind)) continue;
    const isOn = prng.chance(isStormKind(kind) ? 0.15 : 0.5) && !isCalm;
    faults[kind] = isOn ? WEIGHTS[kind] * (0.2 + prng.next()) : 0;
  }
  // A configuration must not change while a member cannot vote: it would wait for ever.
  if (faults.rot > 0) for (const kind of MEMBERSHIP) faults[kind] = 0;
  const alone = pick(STORMS);
  const isStorm = prng.chance(0.15);
  if (isStorm) for (const kind of FAULT_KINDS) faults[kind] = kind === alone ? 1 : 0;
  const weather = {
    voters: isStorm ? pick([3, 3, 5]) : pick([1, 2, 3, 3, 3, 3, 4, 5, 5]),
    tickMs,
    electionTicks,
    tuning: {
      maxMessageBytes: pick([1_000_000, 1_000_000, 200, 50]),
      maxCommittedBytesPerReady: pick([1_000_000, 1_000_000, 200, 1]),
      maxUncommittedBytes: pick([1_000_000, 1_000_000, 500]),
      maxInflightMessages: pick([256, 256, 8, 1]),
      maxInflightBytes: pick([1_000_000, 1_000_000, 300]),
    },
    snapshotEveryEntries: pick([10, 30, 100, 1_000_000]),
    trailingEntries: pick([0, 5, 20, 100]),
    link: {
      loss: isCalm ? 0 : some(0.5, 0.2),
      duplicate: isCalm ? 0 : some(0.4, 0.2),
      delayUs: pick([100, 300, 1000, timeoutUs / 20]),
      lateChance: isCalm ? 0 : some(0.4, 0.1),
      lateUs: timeoutUs * 2 * prng.next(),
      reorders: prng.chance(0.3),
    },
    drift: some(0.5, 0.1),
    skewMs: pick([0, 200, 5_000]),
    // A disk that takes as long as an election keeps writes of several terms on their way.
    diskUs: pick([50, 100, 500, timeoutUs / 20, timeoutUs / 3]),
    diskSlowChance: some(0.4, 0.05),
    diskSlowUs: timeoutUs * 2 * prng.next(),
    // Storms last some timeouts each: the next one when the group has a leader again.
    faultEveryUs: timeoutUs * (isStorm ? 5 + 5 * prng.next() : 0.3 + 2.5 * prng.next()),
    faults,
    clients: 1 + prng.below(5),
    keys: 1 + prng.below(3),
    thinkUs: timeoutUs * pick([0.05, 0.2, 0.5]),
    reads: prng.next() * 0.7,
    snapshotMs: pick([3, 3, tickMs * 3]),
  };
  for (const kind of RARE) {
    const isOn = prng.chance(0.25) && !isCalm && !isStorm;
    faults[kind] = isOn ? WEIGHTS[kind] * (0.2 + prng.next()) : 0;
  }
  if (faults.rot > 0) faults.loseQuorum = 0;
  return weather;
}

function isStormKind(kind: FaultKind): kind is StormKind {
  return (STORMS as readonly FaultKind[]).includes(kind);
}
