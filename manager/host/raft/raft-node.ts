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
  /** Create a one-member cluster when `dataDir` holds no log yet. */
  readonly bootstrap: boolean;
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  /** Ask for a snapshot after this many applied entries. */
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
export interface RaftNode {
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
