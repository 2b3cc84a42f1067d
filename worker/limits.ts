// Every number that bounds something in the worker, with its reason.

/**
 * Small files that are ready for a full disk, smallest first: the ends of so many containers at once whose states were never replaced so before, and what is longer
 * (records with long lists, the list of 300 images).
 */
export const SPARE_FILES_BYTES: readonly number[] = [
  ...Array<number>(16).fill(4 * 1024),
  ...Array<number>(8).fill(64 * 1024),
];
/** How soon a container's state that could not be written is tried again. */
export const STATE_RETRY_MS = 2_000;

/** Containers that are being started at one time: more only fight for the two or four cores that create namespaces. */
export const STARTS_PARALLEL_MAX = 4;
/** Image pulls for tasks at one time; each one already fetches layers in parallel. */
export const PREPARES_PARALLEL_MAX = 8;

/** Grace between stop signal and KILL when nobody says otherwise (Docker's). */
export const STOP_GRACE_MS_DEFAULT = 10_000;
/** After KILL a process in uninterruptible sleep may stay; then the stop fails and says so. */
export const KILL_WAIT_MS = 10_000;

/** One frame of the shim's socket (native/PROTOCOL.md). */
export const SHIM_FRAME_BYTES_MAX: number = 1024 * 1024;
/** The shim answers from memory; a runtime call behind it takes some ten milliseconds, on a loaded disk seconds. */
export const SHIM_CALL_TIMEOUT_MS = 30_000;
/** Creating includes the runtime's create: namespaces, mounts, cgroups. */
export const SHIM_SPAWN_TIMEOUT_MS = 60_000;
/** stderr of a native program that is kept for the error message. */
export const NATIVE_STDERR_BYTES_MAX: number = 16 * 1024;

/** Output that a client has not read yet; beyond it the shim's connection is not read (back-pressure, the shim then drops us). */
export const ATTACH_BUFFER_BYTES: number = 256 * 1024;
/** Execs per container that are remembered after they ended, for GET /exec/{id}/json. */
export const EXECS_REMEMBERED_MAX = 64;

/** Docker keeps the last 5 probes and 4 KiB of each one's output. */
export const HEALTH_LOG_ENTRIES = 5;
/** Output of a health check or a hook. */
export const INSIDE_OUTPUT_BYTES_MAX = 4096;
/** Of a hook's output in the reason of a failed start. */
export const HOOK_REASON_CHARACTERS_MAX = 300;
export const HOOK_REASON_LINES_MAX = 10;
export const HEALTH_INTERVAL_MS_DEFAULT = 30_000;
export const HEALTH_TIMEOUT_MS_DEFAULT = 30_000;
export const HEALTH_RETRIES_DEFAULT = 3;
export const HEALTH_START_INTERVAL_MS_DEFAULT = 5_000;

/** Docker's floor for a memory limit. */
export const MEMORY_LIMIT_BYTES_MIN: number = 6 * 1024 * 1024;
export const SHM_BYTES_DEFAULT: number = 64 * 1024 * 1024;

/** Events kept for `GET /events?since=`. */
export const EVENTS_KEPT_MAX = 1024;
/** Events that one slow listener may lag behind before it is cut off. */
export const EVENTS_LISTENER_BACKLOG_MAX = 1024;

/** One json-file line: a 16 KiB piece, escaped at worst sixfold, plus its frame. */
export const LOG_LINE_BYTES_MAX: number = 256 * 1024;
export const LOG_READ_BYTES: number = 64 * 1024;
/** What is kept of a log that a driver also sends elsewhere (Docker's dual logging); it is the buffer while its receiver is away. */
export const LOG_CACHE_BYTES_DEFAULT: number = 20 * 1024 * 1024;
export const LOG_CACHE_FILES_DEFAULT = 5;
/** The shim cuts lines into pieces of 16 KiB, up to 3 bytes less where a character would be cut. */
export const LOG_PIECE_BYTES_MIN: number = 16 * 1024 - 3;
/** Connecting to a log server; a start of a container waits for it. */
export const FORWARD_CONNECT_MS = 10_000;
/** A server that takes nothing for so long is given up and called again. */
export const FORWARD_WRITE_MS = 30_000;
/** Between two tries to send. */
export const FORWARD_RETRY_MS_MIN = 500;
export const FORWARD_RETRY_MS_MAX = 15_000;
/** Removing a container waits for the rest of its log to be sent, if the server takes it (Docker's). */
export const FORWARD_CLOSE_MS = 10_000;
/** What is under way when the worker stops. */
export const FORWARD_STOP_MS = 1_000;
/** Messages handed to a server in one step. */
export const FORWARD_BATCH_MAX = 256;
/** Answer of the helper that writes to sockets of the file system; its own limit for one datagram is 5 s. */
export const DATAGRAM_CALL_MS = 60_000;

/** Task status updates are sent together when they come within this time; alone they go at once. */
export const STATUS_COALESCE_MS = 20;
export const STATUS_UPDATES_PER_CALL_MAX = 1024;
/** Re-connecting to a manager. */
export const SESSION_BACKOFF_MS_MIN = 100;
export const SESSION_BACKOFF_MS_MAX = 8_000;
export const SESSION_CALL_TIMEOUT_MS = 5_000;
/** Connecting, TLS and registering; a manager that is cut off never refuses, it is only silent. */
export const SESSION_OPEN_TIMEOUT_MS = 5_000;
/** Managers that send a node from one to the other without a pause; two that each take the other for the leader must not make it spin. */
export const SESSION_REDIRECTS_MAX = 3;
/** A heartbeat is answered from memory. Long enough for a busy machine, short enough to find another leader before this one counts the node as down. */
export const HEARTBEAT_TIMEOUT_MS_MIN = 3_000;
/** Until the manager has said its own period. */
export const HEARTBEAT_PERIOD_MS_DEFAULT = 2_000;

/** Names and paths (kernel: NAME_MAX, PATH_MAX). */
export const CONTAINER_NAME_LENGTH_MAX = 255;

/** Identity: renew between these parts of the certificate's life, at a random moment. */
export const RENEW_LIFE_MIN = 0.5;
export const RENEW_LIFE_MAX = 0.8;
/** Between two renewals that nobody asked for. */
export const RENEW_PAUSE_MS_MIN = 60_000;
export const RENEW_RETRY_MS_MIN = 1_000;
export const RENEW_RETRY_MS_MAX = 3_600_000;

/** Pause before the node offers itself to other nodes' gateways again, when the leader ended that stream. */
export const REACH_RETRY_MS = 1000;

/** TCP port on which nodes give each other images; another one when it is taken (several nodes on one host). */
export const IMAGE_PORT = 7473;

/** Managers that one of them names to a node; no cluster has so many. */
export const MANAGERS_TOLD_MAX = 255;
/** Blobs that a node gives at the same time; whoever comes then tries another node. The leader sends it half of that. */
export const BLOB_SHARES_MAX = 16;
/** Blobs that the leader takes in one report. */
export const BLOBS_REPORTED_MAX = 100_000;
/** Longer than the leader lets a question wait (5 s). */
export const BLOB_FIND_TIMEOUT_MS = 15_000;
/** Times in a row that a node may bring nothing of a blob before it is not asked again for it. */
export const BLOB_NODE_ATTEMPTS = 2;
export const BLOB_RETRY_MS = 200;
/** A node that sends nothing for so long is given up; making the archive of a layer again begins within a second. */
export const BLOB_NODE_SILENCE_MS = 10_000;
/** How often the leader hears that a blob goes on coming: a quarter of its lease. */
export const BLOB_NOTE_PERIOD_MS = 5_000;
/** Changes of the images within this time are told to the leader together. */
export const IMAGE_REPORT_COALESCE_MS = 200;
export const IMAGE_REPORT_RETRY_MS = 2000;
/** Asking the leader, who answers from memory. */
export const IMAGE_FIND_TIMEOUT_MS = 5000;
/** An image that nobody has yet is looked for this often, as the node that made it may not have said so yet. */
export const IMAGE_FIND_TRIES = 8;
export const IMAGE_FIND_PAUSE_MS = 500;

/** A manager gives up on an attachment after 10 s. */
export const ATTACH_CALL_TIMEOUT_MS = 15_000;
/** How long the start of a container waits for a manager, and for its place to be assigned (Swarm: 30 s). */
export const PLACE_WAIT_MS = 30_000;
