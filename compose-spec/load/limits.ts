// Bounds of the loader, so that no input makes it hang or eat the memory.

/** Characters of one compose or env file. Real ones stay below 1 MB; parsing this much takes seconds. */
export const FILE_LENGTH_MAX: number = 8 * 1024 * 1024;

/** Nodes of one document with its aliases expanded; compose-go has the same number. */
export const NODES_MAX: number = 100_000;

/** Levels of nesting of one document. The specification needs 9; `x-` keys may hold more. */
export const NESTING_DEPTH_MAX: number = 200;

/** Levels of `include` below the first file. */
export const INCLUDE_DEPTH_MAX: number = 50;

/** Levels of `${A:-${B:-…}}`; each costs stack. */
export const INTERPOLATION_DEPTH_MAX: number = 100;
