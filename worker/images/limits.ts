// Every number that bounds something about images, with its reason.

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Layers fetched at one time for one image (Docker's number; registries throttle more). */
export const DOWNLOADS_PARALLEL_MAX = 3;
/** Layers unpacked at one time for one image: one decompresses while another writes. */
export const UNPACKS_PARALLEL_MAX = 2;
/** Manifests and indexes: registries refuse more than 4 MiB. */
export const MANIFEST_BYTES_MAX: number = 4 * MIB;
/** An image configuration grows with its history; real ones are below 100 KiB. */
export const CONFIG_BYTES_MAX: number = 8 * MIB;
/** Answers of token servers and error bodies. */
export const TOKEN_BYTES_MAX: number = 256 * KIB;
export const ERROR_BODY_BYTES_MAX: number = 64 * KIB;

/** One layer as it comes (compressed). */
export const BLOB_BYTES_MAX: number = 100 * GIB;
/** One layer unpacked; a 10 MiB blob must not become a full disk. */
export const LAYER_BYTES_MAX: number = 200 * GIB;
export const LAYER_ENTRIES_MAX = 4_000_000;
/**
 * Unpacked over compressed: real layers stay below 100, deflate cannot pass 1032; zstd can. Checked
 * beyond the floor only.
 */
export const COMPRESSION_RATIO_MAX = 1100;
export const COMPRESSION_RATIO_FLOOR_BYTES: number = 256 * MIB;
/** Overlayfs takes 500; the container's own layer and init layer need two. */
export const LAYERS_MAX = 498;

/** Smaller blobs come from the registry without asking other nodes: asking takes as long. */
export const BLOB_SHARED_BYTES_MIN: number = 64 * KIB;
/** Attempts for one blob that bring no byte; each goes on where the one before stopped. */
export const DOWNLOAD_ATTEMPTS = 5;
export const RETRY_DELAY_MS = 500;
export const RETRY_DELAY_MS_MAX = 15_000;
/** Other requests are tried again only on 429 and 5xx. */
export const REQUEST_ATTEMPTS = 4;
export const REDIRECTS_MAX = 5;
/** Time to connect, TLS included (a lost first packet is sent again after 1 and 3 s), and longest silence on a connection. */
export const CONNECT_TIMEOUT_MS = 8_000;
export const IDLE_TIMEOUT_MS = 60_000;
/**
 * Tokens without `expires_in` are valid for 60 s (token specification); renewed this long before
 * their end.
 */
export const TOKEN_SECONDS_DEFAULT = 60;
export const TOKEN_MARGIN_MS = 10_000;

/** Reads from disk and writes into ingest files. */
export const CHUNK_BYTES: number = MIB;
/** How often one layer's progress is reported. */
export const PROGRESS_PERIOD_MS = 100;
/**
 * Progress lines that a slow reader may lag behind before lines of the same layer replace each
 * other.
 */
export const PROGRESS_BACKLOG_MAX = 256;

/** A partial download is kept this long for a later pull. */
export const PARTIAL_KEEP_MS: number = 24 * 3600 * 1000;

/** Names: Docker's limit. */
export const NAME_LENGTH_MAX = 255;

/** Members of an archive that is loaded: a few per layer. */
export const ARCHIVE_ENTRIES_MAX = 20_000;
/** One header extension (PAX or GNU long name) of a tar entry. */
export const TAR_EXTENSION_BYTES_MAX: number = MIB;

/** stderr of a native program kept for the message. */
export const TOOL_STDERR_BYTES_MAX: number = 16 * KIB;
/** Attempts for one blob of a push. */
export const UPLOAD_ATTEMPTS = 4;
/** Larger blobs are sent so that a broken upload goes on; smaller ones save a request. */
export const UPLOAD_WHOLE_BYTES_MAX: number = 4 * MIB;
/** Repositories that are asked for one blob before its bytes are sent: Docker's number. */
export const MOUNT_SOURCES_MAX = 4;
