// Every number of the Raft host, with its reason.
import { MAX_PROPOSAL_BYTES } from '#manager/raft/limits';

/** Written before each proposal's data: session and number, by which its promise is found again. */
export const PROPOSAL_HEADER_BYTES = 16;

/** What callers may propose at once. */
export const MAX_DATA_BYTES: number = MAX_PROPOSAL_BYTES - PROPOSAL_HEADER_BYTES;

/** Proposals waiting on the main thread; beyond it callers are refused rather than queued. */
export const MAX_PENDING_PROPOSALS = 65_536;

/** Below this free space nothing is accepted and leadership is given away: the log itself has its
 * next segment prepared, so what was accepted can still be finished. */
export const DISK_LOW_WATER_BYTES: number = 64 * 1024 * 1024;

/** Space is accepted again only from here on, so that the state does not flap. */
export const DISK_HIGH_WATER_BYTES: number = 96 * 1024 * 1024;

/** How often free space is looked at. */
export const DISK_CHECK_MS = 1_000;

/** How often overdue proposals are looked for. */
export const TIMEOUT_SWEEP_MS = 250;

/** Snapshot chunks written between two turns of the event loop: about 1 ms of sealing. */
export const SNAPSHOT_CHUNKS_PER_TURN = 8;

/** A stopping thread gets this long to finish its last write. */
export const STOP_TIMEOUT_MS = 10_000;
