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
/** Part of the life of the worker's certificate after which a manager that starts signs a new one: after a long time off it may have run out. */
export const CERTIFICATE_RENEW_AT = 0.6;

/** A TCP connection to a manager; a firewall that drops would make it wait for minutes. */
export const REACH_TIMEOUT_MS = 5_000;
/** How long `join` waits for the session, and for the manager of a node that joins as one; it goes on in the background after that (Swarm: 20 s). */
export const JOIN_WAIT_MS = 20_000;
/** How long `leave --force` of a manager waits for the others to let it go before it just goes. */
export const LEAVE_DEMOTE_TIMEOUT_MS = 10_000;
