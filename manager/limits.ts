// Numbers of the manager's host and control parts, each with its reason. Times are milliseconds
// unless the name says otherwise.

/** Times that a change is computed again when another change came in between. */
export const UPDATE_ATTEMPTS_MAX = 5;

/** Controllers run at most once in this time, so that a burst of changes is looked at together. */
export const RECONCILE_DEBOUNCE_MS = 5;
/** First and longest wait after a pass of the controllers failed. */
export const RECONCILE_RETRY_MS_MIN = 100;
export const RECONCILE_RETRY_MS_MAX = 10_000;

/** The controllers' wake-ups are rounded up to this, so that timers do not run for microseconds. */
export const WAKE_GRANULARITY_MS = 1;

/** Unsent log entries per watcher before it gets a new snapshot instead. */
export const WATCH_QUEUE_MAX = 1024;
/** Changes in one message of a watch; a watcher that lags gets several entries at once. */
export const WATCH_EVENTS_PER_MESSAGE = 512;
/** Objects in one message of a watch's snapshot; at most about a megabyte of ordinary objects. */
export const WATCH_SNAPSHOT_OBJECTS = 256;

/** Secrets and configs, as in Swarm: the upper bound itself is allowed. */
export const SECRET_BYTES_MAX: number = 500 * 1024;
export const CONFIG_BYTES_MAX: number = 1000 * 1024;

/** Entries of the history in an answer when the caller names no number. */
export const HISTORY_ENTRIES_DEFAULT = 100;

/** Shortest life of a node certificate, as in Swarm. Nanoseconds, as in the cluster's settings. */
export const CERT_EXPIRY_NANOS_MIN = 3600e9;
/** Below that heartbeats are load; above nobody would notice a dead node. Nanoseconds. */
export const HEARTBEAT_NANOS_MIN = 100e6;
export const HEARTBEAT_NANOS_MAX = 3600e9;
/** Snapshots more often than that would be all that a manager does. Log entries. */
export const SNAPSHOT_INTERVAL_MIN = 10;

/** Time for open calls to end when the manager stops. */
export const SHUTDOWN_GRACE_MS = 500;
/** How often the manager looks whether its certificate is past half of its life (45 days). */
export const IDENTITY_CHECK_MS = 3_600_000;

/** Nodes without a session are looked for so often; a node that has just lost one is back by itself. */
export const NODE_CALLS_EVERY_MS = 5_000;
/** A node that does not answer is called half as often each time, down to this. */
export const NODE_CALL_PAUSE_MAX_MS = 300_000;
/** A thousand lost nodes are not all called at once. */
export const NODE_CALLS_AT_ONCE = 16;
export const NODE_CALL_MS = 4_000;

/** How long a call waits for a leader: an election takes below two seconds. */
export const LEADER_WAIT_MS = 5000;
/** Looks again for the leader at least this often while it waits. */
export const LEADER_LOOK_MS = 100;
/** Connecting to the leader; its host may be gone although Raft has not noticed yet. */
export const LEADER_CONNECT_MS = 1000;
/** Above Raft's own limit for a proposal (25 s), so that its answer is the one that is seen. */
export const LEADER_CALL_MS = 30_000;
/** So long a joining manager's seat may be held by its own lost member: a few election timeouts, and less than its call takes. */
export const SEAT_WAIT_MS = 4000;
/** A manager that waits for its vote asks this often whether it still may: most have it before the first time. */
export const SEAT_LOOK_MS = 3000;
/** The leader tries this long to reach a manager that joins, at each of its addresses. */
export const DIAL_BACK_MS = 3000;

/** The leader looks at the managers' reachability and at what is left to do this often, */
export const CHORES_MS = 1000;
/** and this often while a change of the Raft group is going on. */
export const CHORES_BUSY_MS = 100;

/** Pause before a manager tells the leader of itself again after that failed. */
export const ANNOUNCE_RETRY_MS = 1000;
/** A stopping leader gets this long to hand leadership over. */
export const HAND_OVER_MS = 2000;

/** A node that is up comes to a new leader within its session's pause, two seconds at most. */
export const REACH_ATTACH_MS = 5000;
/** A node that is asked for a connection answers within this time: a round trip and a connect. */
export const REACH_ANSWER_MS = 5000;
/** Connections that wait for their node; each is an open call of a gateway. */
export const REACH_OPERATIONS_MAX = 1000;

/** Images of one node; their ids are 71 bytes each. */
export const IMAGES_REPORTED_MAX = 20_000;
/** Blobs of one node: some ten of each image; 34 bytes each in a report. */
export const BLOBS_REPORTED_MAX = 100_000;
/** Nodes that take one blob from the same node at a time: with two, it is on all of them after as many rounds as the number of nodes has digits in base three. */
export const BLOB_TAKERS_MAX = 2;
/** Nodes that take anything from the same node at a time. */
export const NODE_TAKERS_MAX = 8;
/** A node that has not said for this long that bytes go on coming fetches nothing any more. */
export const BLOB_LEASE_MS = 20_000;
/** A question for a blob that is under way is answered after this at the latest; then the node asks again. */
export const BLOB_WAIT_MS = 5_000;
/** Nodes named that could not give a blob. */
export const BLOB_FAILED_MAX = 1_000;
/** Nodes named to one that looks for an image: it tries one after the other. */
export const IMAGE_HOLDERS_MAX = 16;

/** Passes of one rehearsed deployment: a rollout over a thousand slots, one after the other, takes about four for each. */
export const REHEARSAL_PASSES_MAX = 6000;

/** Time that a rehearsed rollout may take in the cluster's clock: what takes longer than this is not followed to its end. */
export const REHEARSAL_MICROS_MAX: number = 7 * 86_400_000_000;

/** Times that the controllers of a rehearsal may look and find nothing to do, before it counts as at rest. */
export const REHEARSAL_IDLE_WAKES_MAX = 2;

/** A rehearsal lets other work run after this long. */
export const REHEARSAL_SLICE_MS = 10;

/** Credentials of people and programs: all of them are in the memory of every gateway. */
export const CREDENTIALS_MAX = 10_000;
/** A client certificate ends by itself after five years at the latest. */
export const CERTIFICATE_LIFE_MICROS_MAX: number = 5 * 366 * 86_400 * 1e6;
