// What a host fixes when it creates a member, and the check that it makes sense.
// Source of fields and defaults: etcd-io/raft Config, SwarmKit's raft options (raft.md §1.1, §1.2).
import { invariant } from './invariant.ts';
import {
  MAX_COMMITTED_BYTES_PER_READY,
  MAX_INFLIGHT_BYTES,
  MAX_INFLIGHT_MESSAGES,
  MAX_MESSAGE_BYTES,
  MAX_PROPOSAL_BYTES,
  MAX_RAFT_NUMBER,
  MAX_UNCOMMITTED_BYTES,
} from './limits.ts';
import type { LogStorage } from './storage.ts';
import type { RaftId } from './types.ts';

/** Something worth a line in the log of the host. */
export interface RaftNote {
  readonly level: 'debug' | 'info' | 'warn';
  /** Lower case, constant. */
  readonly message: string;
  readonly values: Readonly<Record<string, string | number | boolean>>;
}

export interface RaftConfig {
  readonly id: RaftId;
  /** Ticks without a leader until an election; drawn anew from [n, 2n) at each state change. */
  readonly electionTicks: number;
  /** Ticks between the leader's heartbeats; below electionTicks. */
  readonly heartbeatTicks: number;
  readonly storage: LogStorage;
  /** Index that the state machine already holds; entries up to it are not delivered again. */
  readonly applied: number;
  /** Deliver storage work as messages (raft.md §1.3) instead of by ready()/advance(). */
  readonly asyncStorageWrites: boolean;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** A follower refuses proposals instead of passing them to its leader. */
  readonly disableProposalForwarding: boolean;
  readonly maxMessageBytes: number;
  readonly maxCommittedBytesPerReady: number;
  readonly maxUncommittedBytes: number;
  readonly maxProposalBytes: number;
  readonly maxInflightMessages: number;
  /** 0 for no limit. */
  readonly maxInflightBytes: number;
  /** Log was lost up to this index (damaged disk): neither vote nor campaign until it is committed
   * here again, or a later term is (Raft.isRecovering). 0 when the log is whole (raft.md §2.2). */
  readonly recoverUpTo: number;
  /** Newest term that this member knew when it lost that log; 0 when the log is whole. */
  readonly recoverTerm: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly note: (note: RaftNote) => void;
}

/** Production values for everything that has one; a host overrides what it must. */
export const RAFT_DEFAULTS: Omit<RaftConfig, 'id' | 'storage' | 'random' | 'note'> = {
  electionTicks: 10,
  heartbeatTicks: 1,
  applied: 0,
  asyncStorageWrites: true,
  preVote: true,
  checkQuorum: true,
  disableProposalForwarding: true,
  maxMessageBytes: MAX_MESSAGE_BYTES,
  maxCommittedBytesPerReady: MAX_COMMITTED_BYTES_PER_READY,
  maxUncommittedBytes: MAX_UNCOMMITTED_BYTES,
  maxProposalBytes: MAX_PROPOSAL_BYTES,
  maxInflightMessages: MAX_INFLIGHT_MESSAGES,
  maxInflightBytes: MAX_INFLIGHT_BYTES,
  recoverUpTo: 0,
  recoverTerm: 0,
};

/** Throws RaftInvariantError for a configuration that cannot work. */
export function checkConfig(config: RaftConfig): void {
  const { id, electionTicks, heartbeatTicks } = config;
  invariant(Number.isSafeInteger(id) && id > 0 && id < MAX_RAFT_NUMBER, 'bad raft id', { id });
  invariant(heartbeatTicks >= 1, 'heartbeatTicks must be at least 1', { heartbeatTicks });
  invariant(electionTicks > heartbeatTicks, 'electionTicks must exceed heartbeatTicks', {
    electionTicks,
    heartbeatTicks,
  });
  invariant(config.maxInflightMessages >= 1, 'maxInflightMessages must be at least 1');
  invariant(config.maxCommittedBytesPerReady >= 1, 'maxCommittedBytesPerReady must be positive');
}
