// Numbers of the daemon, each with its reason.

/** Default port of control, dispatcher and CA (as Swarm's). */
export const CONTROL_PORT = 2377;

/** The manager answers `ready` after it has read its log: seconds for the largest store, more on a slow disk. */
export const MANAGER_READY_TIMEOUT_MS = 120_000;
/** SIGTERM to SIGKILL: it only has to close its log. */
export const MANAGER_STOP_TIMEOUT_MS = 10_000;
/** Pause before a manager that died is started again: doubles, and starts over after a minute of running. */
export const MANAGER_RESTART_MIN_MS = 100;
export const MANAGER_RESTART_MAX_MS = 30_000;
export const MANAGER_STABLE_AFTER_MS = 60_000;

/** After `ready`, the first snapshot of the watch and the node's own session must come within this. */
export const CLUSTER_READY_TIMEOUT_MS = 30_000;
/** How often the age of the administrator's certificate is looked at. */
export const CERTIFICATE_CHECK_MS: number = 6 * 3600 * 1000;
/** Part of its life after which it is renewed. */
export const CERTIFICATE_RENEW_AT = 0.6;
