// The version of tswarm: one text for all programs.

export const TSWARM_VERSION = '0.1.0';
