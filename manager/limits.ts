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

/** Time for open calls to end when the manager stops. */
export const SHUTDOWN_GRACE_MS = 500;
/** How often the manager looks whether its certificate is past half of its life (45 days). */
export const IDENTITY_CHECK_MS = 3_600_000;
