// Every number that bounds something about builds, with its reason.

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** A Dockerfile; real ones are a few KiB. */
export const DOCKERFILE_BYTES_MAX: number = 4 * MIB;
/** The context that a client sends. */
export const CONTEXT_BYTES_MAX: number = 100 * GIB;
export const CONTEXT_ENTRIES_MAX = 4_000_000;
/** Instructions of one stage become layers: as many as an image may have. */
export const STEPS_MAX = 1000;
/** Stages that run at the same time; each may be a compiler that takes all processors. */
export const STAGES_PARALLEL_MAX = 4;
/** A file that ADD fetches. */
export const REMOTE_BYTES_MAX: number = 20 * GIB;
/** Nesting of ${a:-${b:-…}}. */
export const EXPANSION_DEPTH_MAX = 32;
/** One expanded word; doubling variables must not eat the memory. */
export const WORD_BYTES_MAX: number = 4 * MIB;
/** Cache entries kept, and how long one stays that nobody uses. */
export const CACHE_ENTRIES_MAX = 5000;
export const CACHE_KEEP_MS: number = 7 * 24 * 3600 * 1000;
/** Output of one step that is passed on; a client that does not read must not fill our memory. */
export const STEP_OUTPUT_BYTES_MAX: number = 16 * MIB;
