// Numbers of the orchestrator, each with its reason. Times are microseconds where the name says so, nanoseconds where they are defaults of specs.

/** Swarm's delay before a failed task is replaced, when the spec has none. */
export const RESTART_DELAY_NANOS = 5_000_000_000;
/** With a delay of 0 the second restart in a row waits this long, so that a task that cannot run does not fill the log. */
export const RESTART_BACKOFF_MICROS_MIN = 100_000;
/** Longest delay that back-off leads to, unless the spec's own is longer. */
export const RESTART_BACKOFF_MICROS_MAX = 60_000_000;
/** A task that ran this long was not a failure to start: the back-off begins again (Docker's engine: 10 s). */
export const RESTART_RESET_MICROS = 10_000_000;

/** Swarm's: a task that fails this soon after it runs counts as a failed update. */
export const MONITOR_NANOS = 5_000_000_000;
/** An update without any progress for this long ends as failed. */
export const PROGRESS_DEADLINE_NANOS = 600_000_000_000;

/** Time for the open connections of a task that is to stop. */
export const DRAIN_NANOS = 10_000_000_000;
/** Longest wait for nodes to say that they send no more connections; a node that is dead is known as such after 6 s. */
export const DRAIN_ACKNOWLEDGE_MICROS = 10_000_000;

/** Tasks of a node that has been down for this long are given up; should it come back, it removes their containers (Swarm: 24 h). */
export const FORGET_AFTER_MICROS = 86_400_000_000;

/** Replaced specifications kept per service, to roll back to. */
export const REVISIONS_MAX = 10;
/** Tasks that a slot keeps when the cluster's settings say nothing (Swarm: 5). */
export const TASK_HISTORY = 5;

/** Tries to place waiting tasks again at the latest after this time, should a wake-up have been missed. */
export const RETRY_UNPLACED_MICROS = 30_000_000;
/** Slots of a service that are filled or given up in one pass, so that the manager is not busy with one service for seconds. */
export const SLOTS_PER_PASS = 5000;
/** Tasks placed in one transaction; the rest follows at once in the next. An entry stays far below its size limit, and a pass takes some ten milliseconds. */
export const TASKS_PER_PASS = 1000;
