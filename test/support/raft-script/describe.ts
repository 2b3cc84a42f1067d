// The text form of the core's data in scripts. The form is that of the etcd project's interaction
// tests, so that their scripts can be replayed and compared.
import { decodeConfChange, formatChanges } from '#manager/raft/conf-change';
import { type Progress, ProgressState } from '#manager/raft/progress';
import type { Ready } from '#manager/raft/raw-node';
import {
  APPEND_THREAD,
  APPLY_THREAD,
  type ConfState,
  type Entry,
  EntryType,
  type HardState,
  type Message,
  MessageType,
  type RaftId,
  Role,
  type Snapshot,
} from '#manager/raft/types';

const MESSAGE_NAMES: Readonly<Record<MessageType, string>> = {
  [MessageType.hup]: 'MsgHup',
  [MessageType.beat]: 'MsgBeat',
  [MessageType.propose]: 'MsgProp',
  [MessageType.append]: 'MsgApp',
  [MessageType.appendResponse]: 'MsgAppResp',
  [MessageType.vote]: 'MsgVote',
  [MessageType.voteResponse]: 'MsgVoteResp',
  [MessageType.snapshot]: 'MsgSnap',
  [MessageType.heartbeat]: 'MsgHeartbeat',
  [MessageType.heartbeatResponse]: 'MsgHeartbeatResp',
  [MessageType.unreachable]: 'MsgUnreachable',
  [MessageType.snapshotStatus]: 'MsgSnapStatus',
  [MessageType.checkQuorum]: 'MsgCheckQuorum',
  [MessageType.transferLeader]: 'MsgTransferLeader',
  [MessageType.timeoutNow]: 'MsgTimeoutNow',
  [MessageType.readIndex]: 'MsgReadIndex',
  [MessageType.readIndexResponse]: 'MsgReadIndexResp',
  [MessageType.preVote]: 'MsgPreVote',
  [MessageType.preVoteResponse]: 'MsgPreVoteResp',
  [MessageType.storageAppend]: 'MsgStorageAppend',
  [MessageType.storageAppendResponse]: 'MsgStorageAppendResp',
  [MessageType.storageApply]: 'MsgStorageApply',
  [MessageType.storageApplyResponse]: 'MsgStorageApplyResp',
  [MessageType.forgetLeader]: 'MsgForgetLeader',
};

export const ROLE_NAMES: Readonly<Record<Role, string>> = {
  [Role.follower]: 'StateFollower',
  [Role.candidate]: 'StateCandidate',
  [Role.leader]: 'StateLeader',
  [Role.preCandidate]: 'StatePreCandidate',
};

const PROGRESS_NAMES: Readonly<Record<ProgressState, string>> = {
  [ProgressState.probe]: 'StateProbe',
  [ProgressState.replicate]: 'StateReplicate',
  [ProgressState.snapshot]: 'StateSnapshot',
};

/** The message type of a name such as `MsgApp`; null if there is none. */
export function messageTypeOf(name: string): MessageType | null {
  for (const [type, known] of Object.entries(MESSAGE_NAMES)) {
    if (known === name) return Number(type) as MessageType;
  }
  return null;
}

/** The parts of a Ready, or `<empty Ready>`. */
export function describeReady(ready: Ready): string {
  const lines: string[] = [];
  if (ready.softState !== null) {
    const { leader, role } = ready.softState;
    lines.push(`Lead:${leader} State:${ROLE_NAMES[role]}`);
  }
  if (ready.hardState !== null) lines.push(`HardState ${describeHardState(ready.hardState)}`);
  if (ready.readStates.length > 0) {
    const reads = ready.readStates.map(({ index, context }) => `${index}:${context}`);
    lines.push(`ReadStates [${reads.join(' ')}]`);
  }
  if (ready.entries.length > 0) lines.push('Entries:', ...ready.entries.map(describeEntry));
  if (ready.snapshot !== null) lines.push(`Snapshot ${describeSnapshot(ready.snapshot)}`);
  if (ready.committedEntries.length > 0) {
    lines.push('CommittedEntries:', ...ready.committedEntries.map(describeEntry));
  }
  if (ready.messages.length > 0) {
    lines.push('Messages:', ...ready.messages.map((message) => describeMessage(message)));
  }
  if (lines.length === 0) return '<empty Ready>';
  return `Ready MustSync=${ready.mustSync}:\n${lines.join('\n')}`;
}

function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === 0 ? '' : ` Vote:${vote}`} Commit:${commit}`;
}

/** `term/index type data`. */
export function describeEntry(entry: Entry): string {
  const name = entry.type === EntryType.normal ? 'EntryNormal' : 'EntryConfChangeV2';
  const id = `${entry.term}/${entry.index} ${name}`;
  if (entry.type === EntryType.normal) return `${id} ${quote(entry.data)}`;
  const change = decodeConfChange(entry.data);
  const text = change === null ? '' : formatChanges(change.changes);
  return text === '' ? id : `${id} ${text}`;
}

function quote(data: Uint8Array): string {
  return JSON.stringify(new TextDecoder().decode(data));
}

export function describeMessage(message: Message, indent = ''): string {
  const { from, to, type, term, logTerm, index } = message;
  const name = MESSAGE_NAMES[type];
  let text = `${indent}${target(from)}->${target(to)} ${name} Term:${term} Log:${logTerm}/${index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (message.commit !== 0) text += ` Commit:${message.commit}`;
  if (message.vote !== 0) text += ` Vote:${message.vote}`;
  const { entries, snapshot, responses } = message;
  if (entries.length === 1) text += ` Entries:[${describeEntry(entries[0] as Entry)}]`;
  else if (entries.length > 1) {
    const list = entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`);
    text += ` Entries:[${list.join('')}\n${indent}]`;
  }
  if (snapshot !== null) text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  if (responses.length > 0) {
    const list = responses.map((response) => `\n${describeMessage(response, `${indent}  `)}`);
    text += ` Responses:[${list.join('')}\n${indent}]`;
  }
  return text;
}

function target(id: RaftId): string {
  if (id === 0) return 'None';
  if (id === APPEND_THREAD) return 'AppendThread';
  return id === APPLY_THREAD ? 'ApplyThread' : String(id);
}

function describeSnapshot({ index, term, confState }: Snapshot): string {
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

function describeConfState(conf: ConfState): string {
  const list = (ids: readonly RaftId[]): string => `[${ids.join(' ')}]`;
  return (
    `Voters:${list(conf.voters)} VotersOutgoing:${list(conf.votersOutgoing)} ` +
    `Learners:${list(conf.learners)} LearnersNext:${list(conf.learnersNext)} ` +
    `AutoLeave:${conf.autoLeave}`
  );
}

export function describeProgress(progress: Progress): string {
  let text = `${PROGRESS_NAMES[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += ' learner';
  if (progress.isPaused()) text += ' paused';
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) text += ' inactive';
  const { inflights } = progress;
  if (inflights.count > 0) text += ` inflight=${inflights.count}`;
  return inflights.count > 0 && inflights.isFull() ? `${text}[full]` : text;
}
