// Numbers of the scheduler, each with its reason.

/** Failures of one service version on one node that make other nodes preferred (swarmkit scheduler/nodeinfo.go). */
export const FAILURES_MAX = 5;
/** How long a failure counts, in microseconds (swarmkit: 5 min). */
export const FAILURE_WINDOW_MICROS = 300_000_000;
/** A node that lacks the image counts as if it had this many more tasks: a pull costs seconds, a pile-up costs for ever. */
export const IMAGE_ABSENT_TASKS = 3;
/** Image names remembered per node; the one not seen for longest goes first. */
export const IMAGES_PER_NODE_MAX = 256;
/** Reserved shares are compared in steps of 1/20, so that small differences do not outweigh the number of tasks. */
export const RESERVED_STEPS = 20;
