// Every number of the WAL, with its reason.

/** Unit of writing: one page, so that no write shares a sector with older data (raft.md §2.1). */
export const BLOCK_BYTES: number = 4096;

/** Two copies of the segment header, one block each. */
export const SEGMENT_HEADER_BYTES: number = 2 * BLOCK_BYTES;

/**
 * A frame is closed when its entries exceed this: one GCM call per frame costs 3 µs, and 64 KiB are
 * enough to hide that (raft.md §7.5); larger frames only make a torn tail more expensive.
 */
export const FRAME_SOFT_BYTES: number = 1024 * 1024;

/** No frame is larger: one proposal of MAX_PROPOSAL_BYTES plus what fits softly. */
export const FRAME_MAX_BYTES: number = 5 * 1024 * 1024;

/** A segment must hold its header and one frame of any size. */
export const SEGMENT_MIN_BYTES: number = SEGMENT_HEADER_BYTES + FRAME_MAX_BYTES + BLOCK_BYTES;

/** 16 MiB are filled with zeros in about 20 ms, and hold 4,000 unbatched writes. */
export const SEGMENT_DEFAULT_BYTES: number = 16 * 1024 * 1024;

/** Plaintext per chunk of a snapshot: 70 µs of GCM, so that slices stay short. */
export const SNAPSHOT_CHUNK_BYTES: number = 256 * 1024;

/** Sanity limit of a snapshot's plaintext: Node cannot hold more in one buffer comfortably. */
export const SNAPSHOT_MAX_BYTES: number = 2 * 1024 * 1024 * 1024;
