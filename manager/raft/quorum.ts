// Majorities and joint majorities: which index is committed, who has won a vote.
// Raft paper §5.3, §5.4.2 (majority) and §6 (joint consensus: agreement needs a majority of the old
// and of the new configuration). Pure functions of voter lists; an empty half agrees to everything,
// so that a joint configuration with an empty half equals a simple majority.
import type { RaftId } from './types.ts';

/** State of a vote: not decided, won, or impossible to win. */
export type VoteResult = 'pending' | 'won' | 'lost';

/** Highest index acknowledged by a member; undefined counts as 0. */
export type AckedIndex = (id: RaftId) => number | undefined;
/** A member's vote; undefined while it has not answered. */
export type VoteOf = (id: RaftId) => boolean | undefined;

/** Members needed out of `voterCount`. */
export function majorityOf(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}

/** The highest index that a majority of `voters` has acknowledged; Infinity for no voters. */
export function majorityCommitted(voters: readonly RaftId[], acked: AckedIndex): number {
  const count = voters.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  if (count === 1) return acked(voters[0] as RaftId) ?? 0;
  const indexes = new Array<number>(count);
  for (let i = 0; i < count; i++) indexes[i] = acked(voters[i] as RaftId) ?? 0;
  indexes.sort((a, b) => a - b);
  return indexes[count - majorityOf(count)] as number;
}

/** The highest index committed in both halves. */
export function jointCommitted(
  incoming: readonly RaftId[],
  outgoing: readonly RaftId[],
  acked: AckedIndex,
): number {
  return Math.min(majorityCommitted(incoming, acked), majorityCommitted(outgoing, acked));
}

/** The state of a vote among `voters`; no voters means won. */
export function majorityVote(voters: readonly RaftId[], voteOf: VoteOf): VoteResult {
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = voteOf(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  if (voters.length === 0) return 'won';
  const needed = majorityOf(voters.length);
  if (granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}

/** The state of a vote that both halves must win. */
export function jointVote(
  incoming: readonly RaftId[],
  outgoing: readonly RaftId[],
  voteOf: VoteOf,
): VoteResult {
  const first = majorityVote(incoming, voteOf);
  const second = majorityVote(outgoing, voteOf);
  if (first === second) return first;
  return first === 'lost' || second === 'lost' ? 'lost' : 'pending';
}
