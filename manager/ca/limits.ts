// Numbers of the CA, each with its reason. Times are microseconds.

const HOUR_MICROS: number = 3600 * 1e6;
const DAY_MICROS: number = 24 * HOUR_MICROS;

/**
 * A certificate is valid from an hour ago: hosts whose clock is behind must be able to use it at
 * once.
 */
export const LEAF_BACKDATE_MICROS: number = HOUR_MICROS;
/** Swarm's default, 90 days; nodes renew at 50 to 80 % of it. */
export const LEAF_VALIDITY_MICROS: number = 90 * DAY_MICROS;
/** Swarm's minimum: shorter ones would expire between two renewals. */
export const LEAF_VALIDITY_MICROS_MIN: number = HOUR_MICROS;
/** Swarm's root lives as long. */
export const ROOT_VALIDITY_MICROS: number = 20 * 365 * DAY_MICROS;

/** A CSR of P-256 has about 400 bytes. */
export const CSR_CHARS_MAX = 8192;
