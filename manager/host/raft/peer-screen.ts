// Looks at what another member says before the core hears it. The core believes its peers: a message
// that no correct member can send would break an invariant and end the process, or put something
// into the log that cannot be read back. Members are authenticated, so only a broken or a hostile
// manager sends such; it must not take the others with it. Refuses by a sentence, changes nothing.
// What a hostile manager can still do with messages in good form (ask for votes, claim to lead), no
// member of a group that tolerates crashes only can tell from the truth: remove it.
import { MAX_PROPOSAL_BYTES } from '#manager/raft/limits';
import type { Raft } from '#manager/raft/raft';
import { type Entry, EntryType, type Message, MessageType, Role } from '#manager/raft/types';
import { PROPOSAL_HEADER_BYTES } from './limits.ts';

/** No group gets here by elections or writes; half of what numbers can hold leaves room above. */
const NUMBER_MAX = 2 ** 52;

/** Why `message`, from another member, is not to be stepped; null when it may. */
export function problemOf(raft: Raft, message: Message): string | null {
  const { term, index, logTerm, commit, rejectHint } = message;
  for (const value of [term, index, logTerm, commit, rejectHint]) {
    if (value > NUMBER_MAX) return 'a number in it is out of all proportion';
  }
  const isTermless = message.type === MessageType.readIndex;
  if (isTermless !== (term === 0)) return isTermless ? 'a read with a term' : 'no term';
  switch (message.type) {
    case MessageType.append:
      return entriesProblem(message);
    case MessageType.heartbeat:
      return heartbeatProblem(raft, message);
    case MessageType.snapshot:
      return snapshotProblem(message);
    case MessageType.appendResponse:
      return responseProblem(raft, message);
    case MessageType.readIndex:
      // Passed on in the asker's name it would be refused there; the asker asks again by itself.
      return raft.role === Role.leader ? null : 'a read, but this member does not lead';
    case MessageType.readIndexResponse:
      return message.from === raft.leader ? null : 'an answer to a read, not from the leader';
    default:
      return null;
  }
}

/** The codec has made the indexes consecutive and the terms rising. */
function entriesProblem({ entries, term, logTerm }: Message): string | null {
  if (logTerm > term) return 'an entry before its own of a later term';
  const [first] = entries;
  if (first !== undefined && first.term < logTerm) return 'terms that fall';
  for (const entry of entries) {
    if (entry.term > term) return 'an entry of a later term';
    const problem = dataProblem(entry);
    if (problem !== null) return problem;
  }
  return null;
}

function dataProblem({ type, data }: Entry): string | null {
  if (data.length > MAX_PROPOSAL_BYTES) return `an entry of ${data.length} bytes`;
  const isCut = type === EntryType.normal && data.length > 0 && data.length < PROPOSAL_HEADER_BYTES;
  return isCut ? 'an entry without a header' : null;
}

/** A leader names only what it knows to be here; one that recovers takes less by itself. */
function heartbeatProblem(raft: Raft, { term, commit }: Message): string | null {
  if (term < raft.term || raft.isRecovering()) return null;
  const last = raft.log.lastIndex();
  return commit > last ? `a commit mark at ${commit}, the log ends at ${last}` : null;
}

function snapshotProblem({ term, snapshot }: Message): string | null {
  if (snapshot === null) return 'a snapshot message without one';
  if (snapshot.index < 1 || snapshot.term < 1) return 'a snapshot of nothing';
  if (snapshot.index > NUMBER_MAX) return 'a number in it is out of all proportion';
  return snapshot.term > term ? 'a snapshot of a later term' : null;
}

/** In the leader's own term nobody can have more than the leader. */
function responseProblem(raft: Raft, { term, index, reject }: Message): string | null {
  if (raft.role !== Role.leader || term !== raft.term || reject) return null;
  const last = raft.log.lastIndex();
  return index > last ? `an acknowledgement of ${index}, the log ends at ${last}` : null;
}
