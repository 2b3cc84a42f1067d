// What the rest of the manager sees of Raft: a replicated, ordered, durable log of opaque bytes.
// Owns only types. The implementation (client.ts) lives on the main thread and talks to the Raft
// thread, where core, WAL and peer transport run (docs: DESIGN.md in this folder).
// Invariants that callers may rely on:
// - callbacks of onApply run in log order, exactly once per index after the last snapshot given to
//   onSnapshotRestore; a proposal's promise resolves after the callback for it has returned;
// - an entry is reported as applied only after it is on the disk of a majority of the voters.

/** What a member does at the moment. */
export type RaftRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** One member as the current configuration knows it. */
export interface RaftMember {
  readonly raftId: number;
  readonly voter: boolean;
  /** Highest log index known to be on the member's disk; null unless this node is the leader. */
  readonly matchIndex: number | null;
  /** Whether the leader heard from it within the last election timeout; null on a follower. */
  readonly active: boolean | null;
  /** Last measured time from a heartbeat to its answer; null when unknown, for the member itself and
   * on a follower. */
  readonly rttMs: number | null;
  /** Time since the leader last heard from it; 0 for the leader, null on a follower or if never. */
  readonly silentMs: number | null;
  /** Name of its process, while that is connected to this one and says it; this member's own. */
  readonly instance: string | null;
}

/** A consistent picture of the Raft thread, at most one Ready old. */
export interface RaftStatus {
  readonly raftId: number;
  readonly role: RaftRole;
  readonly term: number;
  /** Raft id of the leader, null while none is known. */
  readonly leaderId: number | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly members: readonly RaftMember[];
  /** Batches synced to the WAL since start; for the figures "syncs per write". */
  readonly walSyncs: number;
  readonly walBytes: number;
  /** Port on which peers are listened for; null before `setIdentity` has opened it. */
  readonly peerPort: number | null;
  /** The log was damaged and is being fetched from the others again; no vote until then. */
  readonly isRecovering: boolean;
}

/** bootstrap: create a one-member cluster in an empty folder; join: begin with an empty log and no
 * vote, and wait for the leader; restart: there must be a log. With a log in the folder, all three
 * go on with it. */
export type RaftStartMode = 'bootstrap' | 'join' | 'restart';

/** The TLS identity of this manager (PEM). OU must be swarm-manager, O the cluster id, CN the node
 * id. `roots`: whose certificates are accepted; more than one during a rotation. */
export interface RaftIdentity {
  readonly certificate: string;
  readonly key: string;
  readonly roots: readonly string[];
}

/** Where a member is reached. */
export interface RaftPeer {
  readonly raftId: number;
  /** CN that its certificate must carry. */
  readonly nodeId: string;
  /** `host:port` of its peer listener. */
  readonly addr: string;
}

/** How long the log may grow; cluster settings that change at run time. */
export interface SnapshotSettings {
  /** Take a snapshot after this many applied entries. */
  readonly everyEntries: number;
  /** Entries that stay behind a snapshot for slow followers. */
  readonly trailingEntries: number;
}

/** A committed entry in log order. Entries without data (the leader's first, and configuration
 * changes) are not delivered; indexes therefore have gaps but never repeat. */
export interface AppliedEntry {
  readonly index: number;
  readonly term: number;
  /** The proposer's bytes; the callback may keep them. */
  readonly data: Uint8Array;
}

/** Where a proposal ended up. */
export interface Proposed {
  readonly index: number;
  readonly term: number;
}

/** Options of the host; every field is required so that defaults live in one place
 * (`compileRaftOptions`). */
export interface RaftNodeOptions {
  /** Folder that this node owns alone: segments, snapshots and the key file, mode 0700. */
  readonly dataDir: string;
  readonly clusterId: string;
  /** Below 2^53, never used again for another member. */
  readonly raftId: number;
  readonly startMode: RaftStartMode;
  /** Recovery from lost quorum: keep the log, become its only voter, never hear the others again.
   * With a log whose only voter is this member it changes nothing. */
  readonly forceNewCluster: boolean;
  /** `host:port` of the peer listener, port 0 for any; null for none (a lone member in tests). */
  readonly listenAddress: string | null;
  /** `host:port` at which the others reach the listener, told to them with every call; port 0: the one
   * that is listened on. Null: they know it otherwise. */
  readonly advertiseAddress: string | null;
  /** Names this process: two of them with one identity are on two disks of which one is a copy. */
  readonly instance: string;
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  /** Ask for a snapshot after this many applied entries, or later when the state is large. */
  readonly snapshotEveryEntries: number;
  /** Ask for a snapshot after this many bytes of applied entries. */
  readonly snapshotEveryBytes: number;
  /** Entries that stay behind a snapshot for slow followers. */
  readonly trailingEntries: number;
  readonly segmentBytes: number;
  /** Rejects `propose` with `deadline_exceeded` after this time; the outcome is then unknown. */
  readonly proposeTimeoutMs: number;
}

/**
 * A member of the Raft group. Errors are `TswarmError`: `no_leader` (this node does not lead; retry
 * at the leader named in the message), `too_large` (above MAX_DATA_BYTES), `resource_exhausted`
 * (too much uncommitted data), `no_space` (the disk is at its low-water mark),
 * `deadline_exceeded` and `unavailable` (outcome unknown: the entry may still be applied later),
 * `data_loss` (start: the log or a snapshot is damaged), `locked`, `failed_precondition`.
 */
export interface RaftLog {
  /**
   * Opens the WAL, calls onSnapshotRestore and onApply for what is known to be committed. The sole
   * voter of a cluster also becomes leader before this resolves. Register callbacks first.
   */
  start(): Promise<void>;
  /**
   * Replicates `data` (at most MAX_DATA_BYTES, not to be changed before the promise settles).
   * Resolves when it is committed and the onApply callback for it has returned on this node.
   * Proposals of one turn share one disk sync.
   */
  propose(data: Uint8Array): Promise<Proposed>;
  /** Registers the single consumer of committed entries. An exception in it stops the process. */
  onApply(callback: (entry: AppliedEntry) => void): void;
  /**
   * The consumer must replace its whole state by `snapshot`, which reflects all entries ≤ index.
   */
  onSnapshotRestore(callback: (snapshot: Uint8Array, index: number) => void): void;
  /** Called when the log has grown long. It must return exactly the state after the last onApply
   * call at the moment it is called (take an immutable view at once, serialise it later). The bytes
   * belong to Raft afterwards and must not be used again. */
  provideSnapshot(callback: () => Uint8Array | Promise<Uint8Array>): void;
  /** Resolves to an index such that a read after applying it is linearizable; by then this node
   * has applied it. */
  readIndex(): Promise<number>;
  /** The latest known state, without waiting for the Raft thread. */
  status(): RaftStatus;
  /** Called with the new role after every change, on the main thread. `leader` comes only once the
   * first entry of the own term is applied here, so that a leader starts from complete state. */
  onRoleChange(callback: (role: RaftRole, status: RaftStatus) => void): void;
  /**
   * Finishes running writes, closes files, ends the thread. Pending proposals reject `unavailable`.
   */
  stop(): Promise<void>;
}

/**
 * A log with the membership and the keys of its group. Membership calls are for the leader only
 * (`no_leader` elsewhere), one at a time (`failed_precondition` while another runs), and resolve
 * when the change is committed and in effect; `unavailable`: leadership was lost meanwhile, look at
 * `status().members` before trying again. All of them may be repeated: what holds already is no
 * error. Raft ids are never used again for another disk.
 */
export interface RaftNode extends RaftLog {
  /** TLS for listener and peers. The first call opens the listener; later ones (renewal, new roots)
   * count for new connections and cut none that is still trusted.
   * @throws TswarmError failed_precondition when the address cannot be had */
  setIdentity(identity: RaftIdentity): Promise<void>;
  /** Whom to reach where: everybody but this member; replaces what was said before. */
  setPeers(peers: readonly RaftPeer[]): void;
  /** Adds a member without a vote; `setPeers` must name it first. */
  addLearner(raftId: number): Promise<void>;
  /** Gives a learner a vote. @throws TswarmError failed_precondition until it has caught up */
  promote(raftId: number): Promise<void>;
  /** Removes a voter or learner. Refused (`failed_precondition`) for the last voter. This member
   * itself hands leadership over and is told by `onRemoved`. */
  removeMember(raftId: number): Promise<void>;
  /** Gives the caught-up learner `newId` the vote of `oldId`, which is removed in the same change. */
  replaceMember(oldId: number, newId: number): Promise<void>;
  /**
   * Hands leadership to `to`, or to the voter with the longest log; resolves when it leads. What is
   * proposed meanwhile waits, then is refused with `no_leader` (never applied), or goes on here when
   * the transfer fails. @throws TswarmError deadline_exceeded, failed_precondition
   */
  transferLeadership(to?: number): Promise<void>;
  /** This member is out of the configuration for good: nothing is applied any more. */
  onRemoved(callback: () => void): void;
  /** Called after every change of members, leader, role or the port, with a fresh status. */
  onStatusChange(callback: (status: RaftStatus) => void): void;
  /** Counts from the next snapshot on. */
  setSnapshotSettings(settings: SnapshotSettings): void;
  /** A new data key: written with from now on; resolves when nothing on the disk needs the old one
   * and it is gone from the key file. */
  rotateDataKey(): Promise<void>;
  /** Wraps the key file by `kek` (32 bytes), or unwraps it for null; durable when it resolves.
   * Turning autolock on also rotates the data key, because the old one was on the disk. */
  setUnlockKey(kek: Uint8Array | null): Promise<void>;
}
