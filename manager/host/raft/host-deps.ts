// What the world gives to a member's host: log, clock, randomness, ways to the others and to the main
// thread. The Raft thread gives real ones, the simulator its own.
import type { RaftConfig } from '#manager/raft/config';
import type { Raft } from '#manager/raft/raft';
import type { MemoryStorage } from '#manager/raft/storage';
import type { Message, RaftId } from '#manager/raft/types';
import type { Wal } from '#manager/wal/wal';
import type { SnapshotFiles } from './snapshot-store.ts';
import type { ThreadError, Turn } from './thread-messages.ts';

/** Sizes that change how often the core takes its rarer ways, never what is right. */
export type CoreTuning = Pick<
  RaftConfig,
  | 'maxMessageBytes'
  | 'maxCommittedBytesPerReady'
  | 'maxUncommittedBytes'
  | 'maxInflightMessages'
  | 'maxInflightBytes'
>;

export interface HostDeps {
  readonly wal: Wal;
  readonly storage: MemoryStorage;
  readonly snapshots: SnapshotFiles;
  /** Index that the main thread has got by the restored snapshot; 0 for none. */
  readonly appliedIndex: number;
  readonly recoverUpTo: number;
  readonly recoverTerm: number;
  /** Other sizes of pages and windows than the program's; for tests that must reach their edges. */
  readonly tuning?: Partial<CoreTuning>;
  readonly random: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Why a message from a member must not reach the core (peer-screen.ts). Not in the simulator: there
   * a member that sends nonsense is what is looked for. */
  readonly screen?: (raft: Raft, message: Message) => string | null;
  /** Sends to a member; may drop, and should say so by `unreachable`. */
  readonly send: (to: RaftId, messages: readonly Message[]) => void;
  /** Sends the newest snapshot file with this message, whose own data is empty; `snapshotSent` tells
   * how it ended. */
  readonly sendSnapshot: (to: RaftId, message: Message) => void;
  /** Port of the peer listener, null without one. */
  readonly peerPort: () => number | null;
  /** Name of the process that speaks for another member; null when none does, or it does not say. */
  readonly instanceOf?: (id: RaftId) => string | null;
  readonly postTurn: (turn: Turn) => void;
  readonly fatal: (error: ThreadError) => void;
  /** Runs once, after the events that are due now. */
  readonly schedule: (action: () => void) => void;
}
