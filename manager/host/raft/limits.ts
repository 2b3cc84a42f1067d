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

/**
 * A learner gets a vote when its log is so close behind: at 20,000 writes a second 50 ms, which is
 * less than a heartbeat (etcd asks for 90 % of the leader's log, whatever that is).
 */
export const PROMOTE_LAG_ENTRIES_MAX = 1_000;

/** A membership change is given up after so many election timeouts. */
export const CHANGE_TIMEOUT_ELECTIONS = 10;

/** Commands of the main thread that wait for an answer. */
export const MAX_PENDING_COMMANDS = 64;

/** Proposals that wait while leadership is handed over; beyond it they are refused. */
export const MAX_HELD_BYTES: number = 16 * 1024 * 1024;

/** A proposal whose leader has lost its office waits so long for what the next one makes of it. */
export const LOST_LEADERSHIP_WAIT_MS = 5_000;

/** A read that no leader confirms ends so late: it can simply be asked again. */
export const READ_TIMEOUT_MS = 5_000;

/** A leader reports its view of the others so often, in election timeouts. */
export const STATUS_EVERY_ELECTIONS = 1;

/** A peer that does not answer a ping so long is reconnected to: two thirds of what it takes to be
 * thought dead after an election timeout would be too eager, minutes as by TCP too slow. */
export const KEEPALIVE_MS = 2_000;
export const KEEPALIVE_TIMEOUT_MS = 2_000;

/** A connection that is not accepted by then is begun anew: after a partition heals, TCP alone may
 * wait for its next retransmission for half a minute. */
export const CONNECT_TIMEOUT_MS = 2_000;
export const CONNECT_TIMEOUT_MAX_MS = 6_000;

/** Waiting time before a connection is tried again: doubled from the first to the last. */
export const RECONNECT_MIN_MS = 50;
export const RECONNECT_MAX_MS = 1_000;

/** HTTP/2 window of a connection between managers: 80 MB/s over 50 ms. */
export const PEER_WINDOW_BYTES: number = 4 * 1024 * 1024;

/** One frame to a peer holds what a turn brought, up to about this much. */
export const PEER_FRAME_BYTES: number = 1024 * 1024;

/** An append that only tells how far is committed waits so long for something to go with: in a row of
 * writes the next one carries it, which halves the messages per write. */
export const COMMIT_NOTICE_DELAY_MS = 2;

/** Messages that wait for a peer's connection; beyond it the oldest appends and heartbeats go. */
export const PEER_QUEUE_BYTES: number = 16 * 1024 * 1024;
export const PEER_QUEUE_MESSAGES = 4_096;

/** What waited longer for a connection is stale: Raft has said it again. */
export const PEER_QUEUE_AGE_MS = 1_000;

/** Snapshots on their way to others at a time; more would only slow each other down. */
export const SNAPSHOTS_SENT_MAX = 2;

/** Snapshots being received at a time: one leader, and one that is on its way out. */
export const SNAPSHOTS_RECEIVED_MAX = 2;

/** A cut transfer is taken up again for so long, then the core is told. */
export const SNAPSHOT_RETRY_MS = 30_000;

/** A transfer without progress for so long is cut. */
export const SNAPSHOT_STALL_MS = 10_000;

/** How long a half received snapshot is kept for its sender to come back. */
export const SNAPSHOT_PARTIAL_KEEP_MS = 60_000;

/** A change of the data key waits so often, so long, until nothing needs the old one. */
export const KEY_CHANGE_ATTEMPTS = 30;
export const KEY_CHANGE_PAUSE_MS = 500;
/** One that has failed, for a full disk or a snapshot that could not be taken, is gone on with after this long: space comes back by hand, and each attempt may write a snapshot. */
export const KEY_CHANGE_RETRY_MS = 30_000;

/** A write that takes longer than this many election timeouts: the disk is stalled, somebody else
 * should lead. */
export const STALLED_WRITE_ELECTIONS = 1;

/** A leader whose writes' p99 is above a quarter of the election timeout for this long hands over
 * (raft.md §2.1, slow disk). */
export const SLOW_DISK_WINDOW_MS = 10_000;
export const SLOW_DISK_WRITES_MIN = 20;

/** A write that blocks the Raft thread for longer makes the next ones leave it free for
 * SLOW_DISK_WINDOW_MS: half a heartbeat, so that a hanging disk does not silence a follower. */
export const BLOCKING_WRITE_MAX_MS = 50;

/** A main thread that does not answer for so long is stalled: what is committed is not acted upon. */
export const MAIN_SILENT_MS = 5_000;

/** After leadership was given away for such a reason, not again for so long: with the others no
 * better, the group would only change leaders. */
export const HAND_OVER_PAUSE_MS = 30_000;

/** After the leader's connection has ended, ticks until a pre-vote: time for it to come back when
 * only the connection was lost, and a spread, so that not all ask at once. */
export const SUSPECT_TICKS_MIN = 3;
export const SUSPECT_TICKS_SPREAD = 4;

/** A member that sends nonsense gets a line in the log so often, however much it sends. */
export const NONSENSE_LINE_MS = 10_000;

/** That entries are applied here is told to the Raft thread with the next proposal, or this late. */
export const ACKNOWLEDGE_DELAY_MS = 2;
/** A batch of that size is acknowledged at once: the next one may wait for it (flow control). */
export const ACKNOWLEDGE_AT_ONCE_BYTES: number = 64 * 1024;

/** How often overdue proposals are looked for. */
export const TIMEOUT_SWEEP_MS = 250;

/** Snapshot chunks written between two turns of the event loop: about 1 ms of sealing. */
export const SNAPSHOT_CHUNKS_PER_TURN = 8;

/** A stopping thread gets this long to finish its last write. */
export const STOP_TIMEOUT_MS = 10_000;

/** And this long for the others to take its last messages: none of them is needed for safety. */
export const FAREWELL_MS = 500;

/** Up to this size a state is written after every interval of entries: that takes some 10 ms. */
export const SNAPSHOT_SMALL_BYTES: number = 4 * 1024 * 1024;
/**
 * A larger one waits until the log is as large as it, but no longer than this many intervals: 50,000
 * entries by default, which are applied in half a second at the next start.
 */
export const SNAPSHOT_INTERVALS_MAX = 5;
