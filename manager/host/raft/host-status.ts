// The picture of a member that its host shows.
import type { Raft } from '#manager/raft/raft';
import type { MemoryStorage } from '#manager/raft/storage';
import { NO_NODE, type RaftId, Role } from '#manager/raft/types';
import type { Wal } from '#manager/wal/wal';
import type { PeerView } from './peer-view.ts';
import type { RaftMember, RaftRole, RaftStatus } from './raft-node.ts';

const ROLE_NAMES: Readonly<Record<Role, RaftRole>> = {
  [Role.follower]: 'follower',
  [Role.candidate]: 'candidate',
  [Role.leader]: 'leader',
  [Role.preCandidate]: 'pre-candidate',
};

export interface StatusParts {
  readonly raft: Raft;
  readonly storage: MemoryStorage;
  readonly wal: Wal;
  readonly view: PeerView;
  readonly peerPort: number | null;
  /** Names of the processes that this one knows of. */
  readonly instanceOf: (id: RaftId) => string | null;
}

export function statusOf(parts: StatusParts): RaftStatus {
  const { raft, storage, wal, view, peerPort, instanceOf } = parts;
  return {
    raftId: raft.id,
    role: ROLE_NAMES[raft.role],
    term: raft.term,
    leaderId: raft.leader === NO_NODE ? null : raft.leader,
    commitIndex: raft.log.committed,
    appliedIndex: raft.log.applied,
    firstIndex: raft.log.firstIndex(),
    lastIndex: raft.log.lastIndex(),
    snapshotIndex: storage.snapshot()?.index ?? 0,
    members: membersOf(raft, view, instanceOf),
    walSyncs: wal.syncs,
    walBytes: wal.bytesWritten,
    peerPort,
    isRecovering: raft.isRecovering(),
  };
}

/** Only a leader knows more of the others than that they are members. */
function membersOf(
  raft: Raft,
  view: PeerView,
  instanceOf: (id: RaftId) => string | null,
): RaftMember[] {
  const isLeader = raft.role === Role.leader;
  return [...raft.tracker.entries()].map(([raftId, { isLearner, match }]) => {
    const voter = !isLearner;
    const instance = instanceOf(raftId);
    if (!isLeader) {
      const unknown = { matchIndex: null, active: null, rttMs: null, silentMs: null };
      return { raftId, voter, instance, ...unknown };
    }
    const isSelf = raftId === raft.id;
    return {
      raftId,
      voter,
      instance,
      matchIndex: match,
      active: isSelf || view.isActive(raftId),
      rttMs: view.rttMs(raftId),
      silentMs: isSelf ? 0 : view.silentMs(raftId),
    };
  });
}
