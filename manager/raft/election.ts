// Elections: standing for one, asking, granting, counting.
// Raft paper §5.2, §5.4.1 (election restriction); thesis §9.6 (pre-vote), §3.10 (transfer).
import { voterIds } from './conf.ts';
import type { VoteResult } from './quorum.ts';
import type { Raft } from './raft.ts';
import { type Message, MessageType, makeMessage, NO_NODE, Role } from './types.ts';

/** preVote: ask first; election: for real; transfer: for real, on the leader's request. */
export type CampaignKind = 'preVote' | 'election' | 'transfer';

/** Stands for election, unless this member may not. */
export function campaign(raft: Raft, kind: CampaignKind): void {
  if (raft.role === Role.leader) return;
  if (!raft.canCampaign()) {
    raft.note('warn', 'cannot campaign: not a voter, recovering, or a snapshot is pending');
    return;
  }
  raft.note('info', 'starts an election', { term: raft.term, kind });
  startCampaign(raft, kind);
}

function startCampaign(raft: Raft, kind: CampaignKind): void {
  if (kind === 'preVote') raft.becomePreCandidate();
  else raft.becomeCandidate();
  const isPreVote = kind === 'preVote';
  // A pre-vote asks about the next term without entering it.
  const term = isPreVote ? raft.term + 1 : raft.term;
  const last = raft.log.lastId();
  // The own vote counts like any other: once it is durable. Who is no voter any more says it, too, for that.
  const own = isPreVote ? MessageType.preVoteResponse : MessageType.voteResponse;
  raft.send(makeMessage(own, raft.id, { term }));
  for (const id of voterIds(raft.tracker.conf)) {
    if (id === raft.id) continue;
    const type = isPreVote ? MessageType.preVote : MessageType.vote;
    const force = kind === 'transfer';
    raft.send(makeMessage(type, id, { term, index: last.index, logTerm: last.term, force }));
  }
}

/** Answers a (pre-)vote request of the own or, for a pre-vote, a later term. */
export function handleVoteRequest(raft: Raft, message: Message): void {
  const isPreVote = message.type === MessageType.preVote;
  const responseType = isPreVote ? MessageType.preVoteResponse : MessageType.voteResponse;
  if (raft.isRecovering()) {
    raft.note('warn', 'does not vote while its log is being recovered', { from: message.from });
    return;
  }
  const mayVote =
    raft.vote === message.from ||
    (raft.vote === NO_NODE && raft.leader === NO_NODE) ||
    (isPreVote && message.term > raft.term);
  const upToDate = raft.log.isUpToDate({ term: message.logTerm, index: message.index });
  if (!mayVote || !upToDate) {
    const refusal = { term: raft.term, reject: true };
    raft.note('info', 'refused a vote', { from: message.from, upToDate, vote: raft.vote });
    raft.send(makeMessage(responseType, message.from, refusal));
    return;
  }
  // The term of the request, because a pre-vote is granted for a term that is not ours. A learner
  // grants too: it may be a voter in a configuration that it has not seen (raft.md §1.6).
  raft.send(makeMessage(responseType, message.from, { term: message.term }));
  raft.note('info', 'granted a vote', { from: message.from, term: message.term, isPreVote });
  if (isPreVote) return;
  raft.electionElapsed = 0;
  raft.vote = message.from;
}

/**
 * Counts an answer to the running campaign. Nobody leads before its own vote is on its disk (paper
 * figure 2: persistent before anything else): elected by the others alone, and started anew with the
 * term before, it could be elected a second time in the same term, by those who have voted for it
 * already, and give another entry the index and term of one that it has sent.
 */
export function countVote(raft: Raft, message: Message): VoteResult {
  const { tracker } = raft;
  tracker.recordVote(message.from, !message.reject);
  const { granted, rejected, result } = tracker.tallyVotes();
  const isEarly = result === 'won' && raft.role === Role.candidate && !tracker.hasVoteOf(raft.id);
  const counted = isEarly ? 'pending' : result;
  raft.note('info', 'counted a vote', { from: message.from, granted, rejected, result: counted });
  return counted;
}

/** The pre-vote was won: now for real. */
export function campaignForReal(raft: Raft): void {
  startCampaign(raft, 'election');
}
