// Every number that bounds something in the node's network, with its reason.

/** Kernel work for one container takes a few ms; far more means that the helper hangs. */
export const HELPER_TIMEOUT_MS = 30_000;
/** Before a helper that died is started again to watch. */
export const HELPER_RESTART_MS = 500;
/** As many as tswarm-net takes. */
export const LINKS_PER_REQUEST = 1000;
/** The kernel removes the interfaces of a namespace within a second; those that something still holds are then deleted. */
export const SWEEP_DELAY_MS = 5_000;

/** Changes in the kernel come in bursts (a table has many parts). */
export const CHANGE_SETTLE_MS = 20;
/** Least time between two looks at everything of ours. */
export const LOOK_PERIOD_MS = 1_000;

/** Linux limits interface names to 15 characters. */
export const LINK_NAME_LENGTH = 15;
export const MTU_BYTES_DEFAULT = 1500;
/** Least that IPv6 allows; most that Linux allows. */
export const MTU_BYTES_MIN = 1280;
export const MTU_BYTES_MAX = 65_535;

/** Ports given to `-p 80` without a host port: Linux's ephemeral range. */
export const EPHEMERAL_FIRST = 32_768;
export const EPHEMERAL_LAST = 60_999;

/** DNS answers may be this old: short, because a container's address changes with every replacement. */
export const DNS_TTL_SECONDS = 5;
/** As many as tswarm-names takes. */
export const UPSTREAMS_MAX = 8;
/** Programs write the host's resolv.conf in several steps. */
export const RESOLV_CONF_SETTLE_MS = 100;

/** The responder answers some ms after its start; on a host that is out of breath, later. */
export const RESPONDER_START_TIMEOUT_MS = 5_000;
export const RESPONDER_START_POLL_MS = 2;
/** It keeps nothing that would have to be finished. */
export const RESPONDER_END_TIMEOUT_MS = 1_000;
/** Between a crash and the next start; doubled each time up to the second, so that one that cannot run does not keep a processor busy. */
export const RESPONDER_RESTART_PAUSE_MS = 100;
export const RESPONDER_RESTART_PAUSE_MS_MAX = 10_000;

/** How often the open connections of a container that is leaving service are counted. */
export const DRAIN_POLL_MS = 20;
/** It has none when this many counts in a row say so. */
export const DRAIN_QUIET_READINGS = 2;
