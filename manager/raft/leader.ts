// What a leader does with a message. Raft paper §5.3, §6; thesis §3.10, §6.2, §6.4; flow control
// and fast rejection after etcd-io/raft.
import { decodeConfChange } from './conf-change.ts';
import { invariant } from './invariant.ts';
import { changeRefusal } from './membership.ts';
import { type Progress, ProgressState } from './progress.ts';
import type { Raft } from './raft.ts';
import { acknowledgeRead, leaderRead, releaseEarlyReads } from './reads.ts';
import {
  appendEntries,
  broadcastAppend,
  broadcastHeartbeat,
  maybeCommit,
  maybeSendAppend,
  sendAppend,
} from './replication.ts';
import {
  EntryType,
  type Message,
  MessageType,
  makeMessage,
  NO_NODE,
  type RaftId,
  type StepError,
} from './types.ts';

export function stepLeader(raft: Raft, message: Message): StepError | null {
  switch (message.type) {
    case MessageType.beat:
      // A pending read round rides along, in case its own heartbeats were lost.
      broadcastHeartbeat(raft, raft.readOnly.lastPendingRound);
      return null;
    case MessageType.checkQuorum:
      checkQuorum(raft);
      return null;
    case MessageType.propose:
      return propose(raft, message);
    case MessageType.readIndex:
      leaderRead(raft, { from: message.from, context: message.context });
      return null;
    case MessageType.forgetLeader:
      return null;
  }
  const progress = raft.tracker.get(message.from);
  if (progress === undefined) {
    raft.note('debug', 'no such member', { from: message.from });
    return null;
  }
  switch (message.type) {
    case MessageType.appendResponse:
      if (message.reject) onRejected(raft, message, progress);
      else onAccepted(raft, message, progress);
      return null;
    case MessageType.heartbeatResponse:
      onHeartbeatResponse(raft, message, progress);
      return null;
    case MessageType.snapshotStatus:
      onSnapshotStatus(raft, message, progress);
      return null;
    case MessageType.unreachable:
      // What was sent optimistically is probably lost.
      if (progress.state === ProgressState.replicate) progress.becomeProbe();
      raft.note('debug', 'member is not reachable', { to: message.from });
      return null;
    case MessageType.transferLeader:
      transferLeader(raft, message.from, progress);
      return null;
    default:
      return null;
  }
}

/** Thesis §6.2: a leader that hears no quorum steps down, so that clients look elsewhere. */
function checkQuorum(raft: Raft): void {
  const own = raft.tracker.get(raft.id);
  if (own !== undefined) own.recentActive = true;
  if (!raft.tracker.quorumActive()) {
    raft.note('warn', 'steps down: no quorum in reach', { term: raft.term });
    raft.becomeFollower(raft.term, NO_NODE);
    return;
  }
  for (const [id, progress] of raft.tracker.entries()) {
    if (id !== raft.id) progress.recentActive = false;
  }
}

function propose(raft: Raft, message: Message): StepError | null {
  invariant(message.entries.length > 0, 'proposal without entries');
  // A leader that was removed, or is handing over, takes nothing new (hashicorp/raft #581).
  if (!raft.tracker.has(raft.id) || raft.transferee !== NO_NODE) return 'proposal_dropped';
  let refused: StepError | null = null;
  const accepted = message.entries.map((entry) => {
    if (entry.type !== EntryType.confChange) return entry;
    const change = decodeConfChange(entry.data);
    const refusal = change === null ? 'not a membership change' : changeRefusal(raft, change);
    if (refusal === null) return entry;
    // An empty entry takes its place: whoever passed it on sees that its slot is spent.
    raft.note('info', 'refused a membership change', { refusal });
    refused = 'conf_change_refused';
    return { ...entry, type: EntryType.normal, data: new Uint8Array(0) };
  });
  const confChanges = accepted.filter((entry) => entry.type === EntryType.confChange).length;
  if (confChanges > 1) return 'conf_change_refused';
  const { maxProposalBytes } = raft.config;
  if (accepted.some((entry) => entry.data.length > maxProposalBytes)) return 'too_large';
  if (!appendEntries(raft, accepted)) return 'uncommitted_limit';
  broadcastAppend(raft);
  return refused;
}

function onRejected(raft: Raft, message: Message, progress: Progress): void {
  progress.recentActive = true;
  raft.note('debug', 'append was rejected', {
    from: message.from,
    index: message.index,
    hint: message.rejectHint,
    hintTerm: message.logTerm,
  });
  // Both sides skip whole terms: entries of a later term than the hint's cannot match there.
  let hint = message.rejectHint;
  if (message.logTerm > 0) hint = raft.log.findConflictByTerm(hint, message.logTerm).index;
  // A hint is only where the logs may match. What was left may be older than what was acknowledged: then it refuses that place, too, and the next one is before it.
  const mayMatch = Math.min(hint, message.index - 1);
  if (message.force && mayMatch < progress.match) {
    raft.note('warn', 'member lost part of its log', { from: message.from });
    progress.regressTo(mayMatch);
    sendAppend(raft, message.from);
    return;
  }
  if (!progress.maybeDecrease(message.index, hint)) return;
  if (progress.state === ProgressState.replicate) progress.becomeProbe();
  sendAppend(raft, message.from);
}

function onAccepted(raft: Raft, message: Message, progress: Progress): void {
  const { from } = message;
  progress.recentActive = true;
  const isProbing = progress.state === ProgressState.probe;
  const isNews = progress.maybeUpdate(message.index);
  if (!isNews && !(isProbing && progress.match === message.index)) return;
  if (isProbing) {
    progress.becomeReplicate();
  } else if (progress.state === ProgressState.snapshot) {
    // Whatever snapshot the member has got, replication can go on from it (etcd-io/raft PR 110).
    if (progress.match + 1 >= raft.log.firstIndex()) {
      progress.becomeProbe();
      progress.becomeReplicate();
    }
  } else {
    progress.inflights.freeUpTo(message.index);
  }
  if (maybeCommit(raft)) {
    releaseEarlyReads(raft);
    broadcastAppend(raft);
    raft.afterLeaderCommit();
    if (raft.leader !== raft.id) return; // It has just stepped down.
  } else if (from !== raft.id && progress.canBumpCommit(raft.log.committed)) {
    sendAppend(raft, from);
  }
  if (from === raft.id) return;
  // The window has room again: fill it.
  while (maybeSendAppend(raft, from, false)) {}
  if (from === raft.transferee && progress.match === raft.log.lastIndex()) {
    raft.note('info', 'sends timeout-now: the transferee has caught up', { to: from });
    raft.send(makeMessage(MessageType.timeoutNow, from));
  }
}

function onHeartbeatResponse(raft: Raft, message: Message, progress: Progress): void {
  progress.recentActive = true;
  progress.appendPaused = false;
  // A full window is answered by an empty append (see maybeSendAppend). A member that is caught up
  // but still probed needs one answer to be replicated to again.
  if (progress.match < raft.log.lastIndex() || progress.state === ProgressState.probe) {
    sendAppend(raft, message.from);
  }
  if (message.context !== 0) acknowledgeRead(raft, message);
}

function onSnapshotStatus(raft: Raft, message: Message, progress: Progress): void {
  if (progress.state !== ProgressState.snapshot) return;
  // After a failure, probe from where the log is known to match, not from the lost snapshot.
  if (message.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  // Wait for the member's own answer, or for the next heartbeat, before sending more.
  progress.appendPaused = true;
  raft.note('debug', 'snapshot was sent', { to: message.from, failed: message.reject });
}

/** Thesis §3.10. */
function transferLeader(raft: Raft, to: RaftId, progress: Progress): void {
  if (progress.isLearner || to === raft.id || to === raft.transferee) return;
  // One election timeout to finish, whatever was running before is given up.
  raft.electionElapsed = 0;
  raft.transferee = to;
  raft.note('info', 'starts to hand leadership over', { to });
  if (progress.match === raft.log.lastIndex()) {
    raft.send(makeMessage(MessageType.timeoutNow, to));
  } else {
    sendAppend(raft, to);
  }
}
