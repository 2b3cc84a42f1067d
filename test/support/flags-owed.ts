// Flags of tcompose and tswarm that are accepted but have no `flagTest` yet; see test/unit/cli/flags.test.ts.
export const OWED_FLAGS: readonly string[] = [];
