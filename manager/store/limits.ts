// Numbers of the store, each with its reason.

/**
 * Entries of one tree node: a copied path costs about three arrays of this length; larger nodes
 * copy more, smaller ones are deeper.
 */
export const MAP_NODE_ENTRIES_MAX = 32;
/**
 * Below this a node is joined with its neighbour, so that a map that shrank does not keep its
 * depth.
 */
export const MAP_NODE_ENTRIES_MIN = 8;

/** Largest encoded transaction; Raft's own limit for one entry is higher. Swarm's limit too. */
export const TRANSACTION_BYTES_MAX: number = 1.5 * 1024 * 1024;
/**
 * Where a transaction that may be split is cut: room is left for the one object that comes last.
 */
export const TRANSACTION_BYTES_SPLIT: number = 1024 * 1024;

/** Largest buffer that is kept for encoding: holds nearly every transaction, and is a hundredth of a manager's memory. */
export const SCRATCH_BYTES_MAX: number = 1024 * 1024;

/**
 * Committed changes kept in memory for watchers that reconnect; a burst of a few thousand task
 * updates fits.
 */
export const RECENT_CHANGES_MAX = 4096;
/** Committed transactions with a summary that are kept for `tswarm history`. */
export const HISTORY_ENTRIES_MAX = 1000;
/** Longest summary kept, in characters. */
export const HISTORY_SUMMARY_CHARS_MAX = 200;

/**
 * Version of the log's and the snapshot's format; a higher one comes from a newer tswarm and is
 * refused.
 */
export const STORE_FORMAT_VERSION = 1;

/** Objects encoded at one go before a snapshot lets other work run: about a millisecond. */
export const SNAPSHOT_PIECE_OBJECTS = 256;
