// Numbers of the dispatcher, each with its reason. Times are milliseconds.

/** Heartbeats are due this often unless the cluster's settings say otherwise; Swarm: 5 s. */
export const HEARTBEAT_PERIOD_MS = 2000;
/** A node is down after this many periods without a heartbeat: 6 s. */
export const HEARTBEAT_GRACE_PERIODS = 3;
/**
 * Right after a change of leader nodes get this many times longer, since all of them have to find
 * the new leader.
 */
export const LEADER_CHANGE_GRACE_FACTOR = 2;

/** Assignments go out at once when it is quiet, else together within this time; Swarm: 100 ms. */
export const ASSIGNMENTS_COALESCE_MS = 20;

/**
 * About what a message to a node costs this process, with its acknowledgement and the reports that follow. When many nodes were
 * told something, the next messages wait that long, so that they say more and the rest of the work gets its share;
 */
export const MESSAGE_COST_MS = 0.5;
/** but a drained task waits for every node to hear of it. */
export const ASSIGNMENTS_REST_MS_MAX = 500;

/**
 * How often in a row "at once" may be: creating, assigning and starting a task are a few changes
 * within milliseconds.
 */
export const PACE_BURST = 4;

/** Status updates are committed at once when it is quiet, else together within this time, */
export const STATUS_COALESCE_MS = 20;
/** or when this many are waiting. */
export const STATUS_BATCH_MAX = 1000;
/** Updates in one call; a worker has at most a few hundred tasks. */
export const STATUS_UPDATES_PER_CALL_MAX = 4096;

/** From an attachment's task to its addresses: one pass of the controllers, more when it waits for a new leader. */
export const ATTACH_WAIT_MS = 10_000;
