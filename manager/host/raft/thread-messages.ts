// What main thread and Raft thread say to each other. Entries cross as one transferred buffer per
// message, so that their number does not matter. Both sides are always of the same build.
import type { ErrorCode } from '#protocol/error-codes';
import type {
  RaftIdentity,
  RaftNodeOptions,
  RaftPeer,
  RaftStatus,
  SnapshotSettings,
} from './raft-node.ts';

/** Start data of the thread. */
export interface ThreadData {
  readonly options: RaftNodeOptions;
  /** Unlock key of a locked manager; null without autolock. */
  readonly kek: Uint8Array | null;
}

export type ToThread =
  /** What one turn of the main thread brought. */
  | {
      readonly type: 'input';
      /** Callbacks have returned for everything up to here. */
      readonly appliedIndex: number;
      /** Packed proposals, `firstSeq` numbers the first; null for none. */
      readonly packed: ArrayBuffer | null;
      readonly firstSeq: number;
    }
  | { readonly type: 'read'; readonly context: number }
  /** State as of `index`, in answer to `snapshotWanted`. */
  | { readonly type: 'snapshot'; readonly index: number; readonly bytes: Uint8Array }
  /** Something to be answered, under the number `id`. */
  | { readonly type: 'command'; readonly id: number; readonly command: HostCommand }
  | { readonly type: 'service'; readonly id: number; readonly service: ThreadService }
  | { readonly type: 'peers'; readonly peers: readonly RaftPeer[] }
  | { readonly type: 'settings'; readonly settings: SnapshotSettings }
  /** The answer to `ping`: the main thread is alive. */
  | { readonly type: 'pong' }
  | { readonly type: 'stop' };

/** What the host does for the main thread; meanings in raft-node.ts. */
export type HostCommand =
  | { readonly kind: 'addLearner' | 'promote' | 'remove'; readonly raftId: number }
  | { readonly kind: 'replace'; readonly oldId: number; readonly newId: number }
  /** `to` null: whoever has the longest log. */
  | { readonly kind: 'transfer'; readonly to: number | null };

/** What the thread around the host does: TLS and keys. */
export type ThreadService =
  | { readonly kind: 'identity'; readonly identity: RaftIdentity }
  | { readonly kind: 'rotateDataKey' }
  | { readonly kind: 'setUnlockKey'; readonly kek: Uint8Array | null };

/** An error that crosses threads. */
export interface ThreadError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}

/** A line for the log. */
export interface ThreadNote {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly values: Readonly<Record<string, string | number | boolean>>;
}

/** A proposal or several that were refused. */
export interface RefusedProposals {
  readonly seqs: readonly number[];
  readonly error: ThreadError;
}

/** The answer to a read. */
export interface AnsweredRead {
  readonly context: number;
  /** Null when refused. */
  readonly index: number | null;
  readonly error: ThreadError | null;
}

/** The answer to a command or service. */
export interface Answer {
  readonly id: number;
  /** Null when it is done. */
  readonly error: ThreadError | null;
}

/** Proposals up to `upToSeq` that this turn has not applied will never be applied here. */
export interface LostProposals {
  readonly upToSeq: number;
  /** False: a snapshot has replaced the log, they may be in it. */
  readonly isCertain: boolean;
}

/**
 * Everything that one turn of the Raft thread brought; parts are handled in this order. Empty parts
 * are null, because every list costs time on the way.
 */
export interface Turn {
  readonly type: 'turn';
  readonly notes: readonly ThreadNote[] | null;
  /** Replace the state machine before anything below. */
  readonly restore: { readonly index: number; readonly bytes: Uint8Array } | null;
  /** Packed applied entries; null for none. `appliedIndex` may be higher than the last of them. */
  readonly applied: { readonly packed: ArrayBuffer; readonly appliedIndex: number } | null;
  readonly lost: LostProposals | null;
  readonly refused: readonly RefusedProposals[] | null;
  readonly reads: readonly AnsweredRead[] | null;
  readonly snapshotWanted: boolean;
  readonly status: RaftStatus;
  /** Index of the leader's first own entry; only set while role is leader. */
  readonly termStartIndex: number;
  /** Everything that was known to be committed at start has been handed over. */
  readonly isReplayed: boolean;
  readonly answers: readonly Answer[] | null;
  /** This member is out of the configuration. Comes once. */
  readonly isRemoved: boolean;
}

export type FromThread =
  | Turn
  /** Answers to services. */
  | { readonly type: 'answered'; readonly answers: readonly Answer[] }
  /** To be answered at once: a main thread that does not is stalled. */
  | { readonly type: 'ping' }
  | { readonly type: 'failed'; readonly error: ThreadError }
  /** A write failed or an invariant broke: the process must end. */
  | { readonly type: 'fatal'; readonly error: ThreadError }
  | { readonly type: 'stopped' };

/** The client's end of a Raft thread. */
export interface ThreadLink {
  /** In order, never lost while the thread runs. */
  post(message: ToThread, transfer: readonly ArrayBuffer[]): void;
  terminate(): void;
}

/** What a Raft thread tells its client; `exit` comes last. */
export interface ThreadEvents {
  readonly message: (message: FromThread) => void;
  readonly error: (error: Error) => void;
  readonly exit: () => void;
}

/** Starts a Raft thread; nothing is told before this has returned. */
export type LaunchThread = (data: ThreadData, events: ThreadEvents) => ThreadLink;
