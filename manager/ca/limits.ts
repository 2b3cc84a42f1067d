// Numbers of the CA, each with its reason. Times are microseconds.

const HOUR_MICROS: number = 3600 * 1e6;
const DAY_MICROS: number = 24 * HOUR_MICROS;

/**
 * A certificate is valid from an hour ago: hosts whose clock is behind must be able to use it at
 * once.
 */
export const LEAF_BACKDATE_MICROS: number = HOUR_MICROS;
/**
 * Clocks of a node that joins, or becomes a manager, and of the leader may differ by so much: a leader
 * that is ahead by more than the time above makes certificates that nobody can use yet.
 */
export const CLOCK_DIFFERENCE_MICROS_MAX: number = LEAF_BACKDATE_MICROS / 2;
/** Swarm's default, 90 days; nodes renew at 50 to 80 % of it. */
export const LEAF_VALIDITY_MICROS: number = 90 * DAY_MICROS;
/** Swarm's minimum: shorter ones would expire between two renewals. */
export const LEAF_VALIDITY_MICROS_MIN: number = HOUR_MICROS;
/** Swarm's root lives as long. */
export const ROOT_VALIDITY_MICROS: number = 20 * 365 * DAY_MICROS;

/** A CSR of P-256 has about 400 bytes. */
export const CSR_CHARS_MAX = 8192;

/** Removed nodes that are remembered until their certificates expire: 350 kB of the cluster object. A
 * cluster of the largest size can be replaced as a whole within the life of a certificate. */
export const REMOVED_NODES_MAX = 10_000;

/** Tokens that were rotated out are remembered this many times, for a clear error. */
export const ROTATED_TOKENS_MAX = 20;
/** A root that is given must be good for at least a year, as in Swarm. */
export const GIVEN_ROOT_VALIDITY_MICROS_MIN: number = 365 * DAY_MICROS;
/** Longest name of a host (Linux: 64; DNS: 253). */
export const HOSTNAME_CHARS_MAX = 253;

/**
 * Calls without a certificate of ours, per source address: a host that joins makes two or three,
 * and a fleet behind one address translation still gets in within seconds.
 */
export const STRANGER_CALLS_PER_SECOND = 20;
export const STRANGER_CALLS_BURST = 100;
/** Wrong tokens per source address: for people who mistype, not for programs that guess. */
export const WRONG_TOKENS_PER_SECOND = 0.2;
export const WRONG_TOKENS_BURST = 10;
/** Source addresses that are remembered; the one not seen for longest is forgotten. */
export const RATE_ADDRESSES_MAX = 4096;
