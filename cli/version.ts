// The version of this build, as all programs print it.
export const VERSION = '0.1.0';
