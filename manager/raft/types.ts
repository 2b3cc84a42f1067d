// The data that goes into and comes out of the Raft core: entries, messages, hard state, snapshots,
// configurations. Plain data only. Vocabulary after the Raft paper (Ongaro, Ousterhout 2014) and
// etcd-io/raft (message catalogue in its doc.go, async storage messages since 3.6).
// Terms, indexes and Raft ids are integers from 0 to 2^53-3; 0 means "none".

/** Identity of a member; never reused after removal (raft.md §1.6). */
export type RaftId = number;

/** No member: no leader, no vote. */
export const NO_NODE: RaftId = 0;
/** Target name of the local thread that makes entries and hard state durable. */
export const APPEND_THREAD: RaftId = Number.MAX_SAFE_INTEGER;
/** Target name of the local thread that applies committed entries. */
export const APPLY_THREAD: RaftId = Number.MAX_SAFE_INTEGER - 1;

/** Whether `id` names one of this process's storage threads instead of a member. */
export function isLocalThread(id: RaftId): boolean {
  return id === APPEND_THREAD || id === APPLY_THREAD;
}

/** What an entry's data means. Values are part of the WAL and wire format. */
export const EntryType = { normal: 0, confChange: 1 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** One slot of the log. Immutable once created; `data` is never written to. */
export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/**
 * Names one entry: two logs that hold the same id at an index are equal up to it (log matching).
 */
export interface EntryId {
  readonly term: number;
  readonly index: number;
}

/** What must be durable before a vote or a term change is acted upon; commit may lag behind. */
export interface HardState {
  readonly term: number;
  readonly vote: RaftId;
  readonly commit: number;
}

export const EMPTY_HARD_STATE: HardState = { term: 0, vote: NO_NODE, commit: 0 };

/** The serialisable form of a configuration; lists are sorted and free of duplicates. */
export interface ConfState {
  readonly voters: readonly RaftId[];
  /** Voters of the configuration being left; not empty exactly while joint. */
  readonly votersOutgoing: readonly RaftId[];
  readonly learners: readonly RaftId[];
  /** Voters of the outgoing half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly RaftId[];
  readonly autoLeave: boolean;
  /**
   * How often the group was forced to begin anew with one member (Transition.forced). Members of
   * different epochs must not hear each other: both may have committed at the same index.
   */
  readonly epoch: number;
}

export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  epoch: 0,
};

/** Describes a state machine image that replaces the log up to and including `index`. */
export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

/** A snapshot as the core passes it around. `data` is opaque to the core; hosts that stream
 * snapshots separately leave it empty. */
export interface Snapshot extends SnapshotMeta {
  readonly data: Uint8Array;
}

/** Message types. Values are part of the wire format; local ones never leave the process. */
export const MessageType = {
  hup: 1,
  beat: 2,
  propose: 3,
  append: 4,
  appendResponse: 5,
  vote: 6,
  voteResponse: 7,
  snapshot: 8,
  heartbeat: 9,
  heartbeatResponse: 10,
  unreachable: 11,
  snapshotStatus: 12,
  checkQuorum: 13,
  transferLeader: 14,
  timeoutNow: 15,
  readIndex: 16,
  readIndexResponse: 17,
  preVote: 18,
  preVoteResponse: 19,
  storageAppend: 20,
  storageAppendResponse: 21,
  storageApply: 22,
  storageApplyResponse: 23,
  forgetLeader: 24,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/**
 * One message between members, or between a member and its storage threads. All fields are always
 * present, so that every message has one shape.
 */
export interface Message {
  readonly type: MessageType;
  readonly to: RaftId;
  readonly from: RaftId;
  readonly term: number;
  /** Term of the entry at `index`: the one before `entries`, the candidate's last, the hint's. */
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  /** Only in storageAppend: the vote to make durable. */
  readonly vote: RaftId;
  readonly snapshot: Snapshot | null;
  readonly reject: boolean;
  /** In a rejected appendResponse: the follower's best guess where the logs match. */
  readonly rejectHint: number;
  /** Read round of a heartbeat, or request id of a read; 0 for none. */
  readonly context: number;
  /** In votes: a leadership transfer, which overrides stickiness (thesis §4.2.3).
   * In rejected append responses: the sender has lost log that it once acknowledged. */
  readonly force: boolean;
  /** Only in storage messages: to be delivered once the work is done, in order. */
  readonly responses: readonly Message[];
}

const NO_ENTRIES: readonly Entry[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** A message of `type` to `to`, all other fields empty unless given. */
export function makeMessage(
  type: MessageType,
  to: RaftId,
  fields: Partial<Omit<Message, 'type' | 'to'>> = {},
): Message {
  return {
    type,
    to,
    from: fields.from ?? NO_NODE,
    term: fields.term ?? 0,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    entries: fields.entries ?? NO_ENTRIES,
    commit: fields.commit ?? 0,
    vote: fields.vote ?? NO_NODE,
    snapshot: fields.snapshot ?? null,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    context: fields.context ?? 0,
    force: fields.force ?? false,
    responses: fields.responses ?? NO_MESSAGES,
  };
}

/** Answers to something this member sent; from unknown members they are refused. */
export function isResponse(type: MessageType): boolean {
  return (
    type === MessageType.appendResponse ||
    type === MessageType.voteResponse ||
    type === MessageType.heartbeatResponse ||
    type === MessageType.unreachable ||
    type === MessageType.readIndexResponse ||
    type === MessageType.preVoteResponse ||
    type === MessageType.storageAppendResponse ||
    type === MessageType.storageApplyResponse
  );
}

/** Messages that only this process may create; over the network they are refused. */
export function isLocalMessage(type: MessageType): boolean {
  return (
    type === MessageType.hup ||
    type === MessageType.beat ||
    type === MessageType.unreachable ||
    type === MessageType.snapshotStatus ||
    type === MessageType.checkQuorum ||
    type === MessageType.storageAppend ||
    type === MessageType.storageAppendResponse ||
    type === MessageType.storageApply ||
    type === MessageType.storageApplyResponse
  );
}

/** Role of a member. `preCandidate` asks for votes without having raised its term (thesis §9.6). */
export const Role = { follower: 0, candidate: 1, leader: 2, preCandidate: 3 } as const;
export type Role = (typeof Role)[keyof typeof Role];

/** Volatile state that hosts and clients care about. */
export interface SoftState {
  readonly leader: RaftId;
  readonly role: Role;
}

/** An answered read: safe to serve once the state machine has applied `index`. */
export interface ReadState {
  readonly index: number;
  /** Request id that the host gave. */
  readonly context: number;
}

/** Why a step did not do what it was asked to do; null when it did. */
export type StepError =
  | 'proposal_dropped'
  | 'no_leader'
  | 'uncommitted_limit'
  | 'too_large'
  | 'conf_change_refused'
  | 'local_message'
  | 'peer_not_found';
