// Every number that bounds the Raft core, with its reason. The core never grows a queue without one
// of these; hosts may pass smaller values in RaftConfig.

/** Largest payload of one proposal. SwarmKit allows 1.5 MiB per transaction; twice that leaves room
 * for our history fields, and still fits four times into one append message. */
export const MAX_PROPOSAL_BYTES: number = 3 * 1024 * 1024;

/**
 * Soft limit of one append message: etcd uses 1 MiB; larger ones block heartbeats on the stream.
 */
export const MAX_MESSAGE_BYTES: number = 1024 * 1024;

/** Entries handed to the state machine and not yet acknowledged. */
export const MAX_COMMITTED_BYTES_PER_READY: number = 8 * 1024 * 1024;

/** Proposals the leader holds before they are applied; beyond it new ones are refused. */
export const MAX_UNCOMMITTED_BYTES: number = 64 * 1024 * 1024;

/** Append messages in flight to one peer (etcd 512, SwarmKit 256). */
export const MAX_INFLIGHT_MESSAGES: number = 256;

/** Bytes in flight to one peer: 8 MiB fill a 1 Gbit/s link at 60 ms round trip. */
export const MAX_INFLIGHT_BYTES: number = 8 * 1024 * 1024;

/** What one entry costs beside its data, in size limits: term, index, type, length. */
export const ENTRY_OVERHEAD_BYTES: number = 16;

/** Read requests that wait for the leader's first commit or for a heartbeat round. */
export const MAX_PENDING_READS: number = 4096;

/** Members of one configuration; a larger one is a bug or an attack. */
export const MAX_MEMBERS: number = 255;

/** Largest value of an index, a term or a Raft id; the two above are names of local threads. */
export const MAX_RAFT_NUMBER: number = Number.MAX_SAFE_INTEGER - 2;
