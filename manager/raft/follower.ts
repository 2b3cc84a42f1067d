// What followers, candidates and pre-candidates do with a message. Raft paper §5.2, §5.3, §7.
import { confProblem } from './conf.ts';
import { campaign, campaignForReal, countVote } from './election.ts';
import { invariant } from './invariant.ts';
import { configurationRestored, configurationsAppended } from './membership.ts';
import type { Raft } from './raft.ts';
import { broadcastAppend } from './replication.ts';
import {
  type Message,
  MessageType,
  makeMessage,
  NO_NODE,
  Role,
  type Snapshot,
  type StepError,
} from './types.ts';

export function stepFollower(raft: Raft, message: Message): StepError | null {
  switch (message.type) {
    case MessageType.propose:
      if (raft.leader === NO_NODE) return 'no_leader';
      if (raft.config.disableProposalForwarding) return 'proposal_dropped';
      raft.send({ ...message, to: raft.leader });
      return null;
    case MessageType.append:
    case MessageType.heartbeat:
    case MessageType.snapshot:
      raft.electionElapsed = 0;
      raft.leader = message.from;
      handleFromLeader(raft, message);
      return null;
    case MessageType.transferLeader:
    case MessageType.readIndex:
      if (raft.leader === NO_NODE) return 'no_leader';
      raft.send({ ...message, to: raft.leader, term: 0 });
      return null;
    case MessageType.forgetLeader:
      if (raft.leader !== NO_NODE) {
        raft.note('info', 'forgets its leader', { leader: raft.leader });
        raft.leader = NO_NODE;
      }
      return null;
    case MessageType.timeoutNow:
      // No pre-vote: the leader itself asks, so there is nobody to protect from a disturbance.
      campaign(raft, 'transfer');
      return null;
    case MessageType.readIndexResponse:
      raft.readStates.push({ index: message.index, context: message.context });
      return null;
    default:
      return null;
  }
}

/** Candidates and pre-candidates. */
export function stepCandidate(raft: Raft, message: Message): StepError | null {
  switch (message.type) {
    case MessageType.propose:
    case MessageType.readIndex:
    case MessageType.transferLeader:
      return 'no_leader';
    case MessageType.append:
    case MessageType.heartbeat:
    case MessageType.snapshot:
      // Somebody has won this term.
      raft.becomeFollower(message.term, message.from);
      handleFromLeader(raft, message);
      return null;
    case MessageType.preVoteResponse:
    case MessageType.voteResponse:
      onVoteResponse(raft, message);
      return null;
    default:
      return null;
  }
}

function onVoteResponse(raft: Raft, message: Message): void {
  const isPreVote = raft.role === Role.preCandidate;
  const expected = isPreVote ? MessageType.preVoteResponse : MessageType.voteResponse;
  if (message.type !== expected) return; // An answer to the other phase, late.
  const result = countVote(raft, message);
  if (result === 'lost') {
    // A pre-vote's answers may carry a future term; the own one stays.
    raft.becomeFollower(raft.term, NO_NODE);
  } else if (result === 'won') {
    if (isPreVote) {
      campaignForReal(raft);
    } else {
      raft.becomeLeader();
      broadcastAppend(raft);
    }
  }
}

function handleFromLeader(raft: Raft, message: Message): void {
  if (message.type === MessageType.append) handleAppend(raft, message);
  else if (message.type === MessageType.heartbeat) handleHeartbeat(raft, message);
  else handleSnapshot(raft, message);
}

function handleAppend(raft: Raft, message: Message): void {
  const { log } = raft;
  const { from, index, logTerm, entries } = message;
  if (index < log.committed) {
    // Everything committed matches by definition.
    raft.send(makeMessage(MessageType.appendResponse, from, { index: log.committed }));
    return;
  }
  if (log.matches({ term: logTerm, index })) {
    const conflict = log.findConflict(entries);
    if (conflict !== 0) {
      const missing = entries.slice(conflict - index - 1);
      log.append(missing);
      configurationsAppended(raft, missing);
    }
    // Never beyond what this message has proved to match (raft.md §1.2).
    const lastNew = index + entries.length;
    log.commitTo(Math.min(message.commit, lastNew));
    raft.send(makeMessage(MessageType.appendResponse, from, { index: lastNew }));
    return;
  }
  // The hint is the last place where the logs may match: our terms only grow along the log, so
  // nothing of a later term than the leader's can be it.
  const hint = log.findConflictByTerm(Math.min(index, log.lastIndex()), logTerm);
  raft.note('debug', 'rejected an append', { from, index, logTerm });
  raft.send(
    makeMessage(MessageType.appendResponse, from, {
      index,
      reject: true,
      rejectHint: hint.index,
      logTerm: hint.term,
      force: raft.isRecovering(),
    }),
  );
}

function handleHeartbeat(raft: Raft, message: Message): void {
  // While recovering, the leader may still believe in log that is lost here.
  const commit = raft.isRecovering()
    ? Math.min(message.commit, raft.log.committed)
    : message.commit;
  raft.log.commitTo(commit);
  const { context } = message;
  raft.send(makeMessage(MessageType.heartbeatResponse, message.from, { context }));
}

function handleSnapshot(raft: Raft, message: Message): void {
  const { snapshot } = message;
  const restored = snapshot !== null && restore(raft, snapshot);
  const index = restored ? raft.log.lastIndex() : raft.log.committed;
  raft.send(makeMessage(MessageType.appendResponse, message.from, { index }));
}

/** Returns whether log and configuration were replaced. */
function restore(raft: Raft, snapshot: Snapshot): boolean {
  if (snapshot.index <= raft.log.committed) return false;
  const problem = confProblem(snapshot.confState);
  invariant(problem === null, 'snapshot with a bad configuration', { problem });
  // The snapshot need not name this member: the leader's active configuration does, by an entry
  // that follows (it may even wait for this member's acknowledgement to be committed).
  if (raft.log.matches(snapshot)) {
    raft.note('info', 'snapshot matches the log: fast-forwarded', { index: snapshot.index });
    raft.log.commitTo(snapshot.index);
    return false;
  }
  // Nothing of the own log is kept: its configurations may be wrong (ScyllaDB #9551).
  raft.log.restore(snapshot);
  configurationRestored(raft, snapshot.index, snapshot.confState);
  raft.note('info', 'restored a snapshot', { index: snapshot.index, term: snapshot.term });
  return true;
}
