// Numbers that bound what a client can make the gateway do, each with its reason. All of them apply to root on a unix socket too:
// a broken client must not take the node's daemon down.

/** Engine API that we speak: the newest we announce and the oldest we accept (skopeo 1.9 still sends 1.22). */
export const API_VERSION_MAX = '1.44';
export const API_VERSION_MIN = '1.22';

/** JSON bodies of the Engine API: the largest real one is a config of 1000 KiB in base64. */
export const JSON_BODY_BYTES_MAX: number = 4 * 1024 * 1024;
/** A stack holds several configs and the resolved project; must stay below the gRPC message limit of 16 MiB. */
export const STACK_BODY_BYTES_MAX: number = 15 * 1024 * 1024;
/** Nesting of JSON input: the deepest legal object (a service's mounts) is below 12. */
export const JSON_DEPTH_MAX = 64;
/** Request target with query: `filters` with many labels fit. */
export const HEADER_BYTES_MAX: number = 64 * 1024;

/** A client must send its headers within this. */
export const HEADERS_TIMEOUT_MS = 30_000;
/** A TLS handshake is a few round trips. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Longest pause inside a request body. */
export const BODY_IDLE_TIMEOUT_MS = 60_000;
/** After an answer that came before the request's body was whole: how long the rest is read and dropped, so that the client gets to the answer. */
export const UNWANTED_BODY_TIMEOUT_MS = 10_000;
/** A client that takes nothing from a stream for this long is disconnected. */
export const WRITE_STALL_TIMEOUT_MS = 300_000;
/** An idle kept-alive connection is closed after this. */
export const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Connections per socket. A stack of 500 services that is being logged needs about as many. */
export const CONNECTIONS_MAX = 2048;

/** How long a write waits for the cache to show it before it answers anyway. */
export const CACHE_CATCH_UP_TIMEOUT_MS = 5_000;
/** How long a read waits for the leader's word that nothing newer was acknowledged: an election, mostly; then it shows what is known and says so. */
export const READ_CONFIRM_TIMEOUT_MS = 3_000;
/** One unary call to the manager; above the manager's own proposal time-out. */
export const CONTROL_CALL_TIMEOUT_MS = 30_000;
/** Reconnecting to the manager's watch: first and longest pause. */
export const WATCH_RETRY_MIN_MS = 50;
export const WATCH_RETRY_MAX_MS = 2_000;
/** Changes that a slow watcher of the cache may be behind before it is given a new snapshot. */
export const WATCH_BACKLOG_MAX = 10_000;

/** Past cluster events kept for `events?since=`. */
export const CLUSTER_EVENTS_KEPT = 1_000;
/** Events that a slow reader of /events may be behind; then it is disconnected. */
export const EVENTS_BACKLOG_MAX = 4_096;

/** Merging logs: lines held back per source, and how long a line waits for older ones of other sources. */
export const LOG_MERGE_BACKLOG_MAX = 256;
export const LOG_MERGE_WAIT_MS = 100;
/** One log line; longer ones are passed on in pieces. */
export const LOG_LINE_BYTES_MAX: number = 64 * 1024;
/** Containers whose logs are merged in one request. */
export const LOG_SOURCES_MAX = 1_000;

/** `GET /tswarm/v1/cluster?wait=true`: a manager that reads a large log takes this long at worst. */
export const PENDING_WAIT_MS = 60_000;

/** Removing a network waits this long for tasks that are being stopped: the usual stop grace of 10 s and some more. */
export const NETWORK_FREE_WAIT_MS = 30_000;
export const NETWORK_FREE_POLL_MS = 100;

/** A list or an inspect from another node, whole. */
export const REACH_BODY_BYTES_MAX: number = 64 * 1024 * 1024;
/** What is asked of all nodes at once (lists, where a name is) is answered without those that take longer. */
export const REACH_LIST_MS = 5_000;
/** A stream of another node's events that has ended is opened again after this. */
export const REACH_RETRY_MS = 1_000;
/** One event of another node: names, labels, a few words. */
export const EVENT_LINE_BYTES_MAX: number = 1024 * 1024;
/** Programs started by exec on other nodes that are remembered, the newest. */
export const REACH_EXECS_MAX = 10_000;
/** Body of an exec start: a few flags. */
export const REACH_UPGRADE_BODY_BYTES_MAX: number = 64 * 1024;

/** Changes that GET /tswarm/v1/events can go on behind; a client that was away for longer gets everything again. */
export const FEED_NOTICES_KEPT = 2_000;
/** A stream without news says that it is alive this often: whoever hears nothing for twice as long and more knows that the node is away. */
export const FEED_KEEP_ALIVE_MS = 5_000;

/** A sign-in link is good once and for this long. */
export const SIGN_IN_LINK_MS: number = 10 * 60_000;
/** A session ends when it was not used for this long, and in any case after a week. */
export const SESSION_IDLE_MS: number = 12 * 3_600_000;
export const SESSION_MAX_MS: number = 7 * 24 * 3_600_000;
/** Sessions whose time is over are looked for: what they have open goes with them. */
export const SESSIONS_LOOK_MS: number = 60_000;
/** Links that nobody has used yet, and sessions; the oldest goes. */
export const SIGN_IN_LINKS_MAX = 64;
export const SESSIONS_MAX = 256;
/** Attempts to sign in with a wrong link within a minute; a link has 256 random bits, so this only keeps the log quiet. */
export const SIGN_IN_FAILURES_MAX = 30;
export const SIGN_IN_FAILURES_MS = 60_000;

/** Wrong tokens and certificates per source address: for people who mistype, not for programs that guess. */
export const WRONG_CREDENTIALS_PER_SECOND = 0.2;
export const WRONG_CREDENTIALS_BURST = 20;
/** Source addresses that are remembered; the one not seen for longest is forgotten. */
export const WRONG_CREDENTIAL_ADDRESSES_MAX = 4096;
/** How often the TLS listener looks whether its certificate must be renewed, and whether there is a cluster yet. */
export const API_CERTIFICATE_LOOK_MS = 1_000;
/** Pause after the manager did not sign. */
export const API_CERTIFICATE_RETRY_MS = 10_000;
/** Part of its life after which the listener's certificate is renewed. */
export const API_CERTIFICATE_RENEW_AT = 0.5;
/** How long a client certificate is good if nothing else is said. */
export const CLIENT_CERTIFICATE_DAYS_DEFAULT = 365;

/** The audit log: one file up to this size, and so many older ones. A line has about 250 bytes. */
export const AUDIT_FILE_BYTES_MAX: number = 16 * 1024 * 1024;
export const AUDIT_FILES_KEPT = 4;
/** Lines that `GET /tswarm/v1/audit` gives at most; lines that wait for the disk at most. */
export const AUDIT_LINES_MAX = 1_000;
export const AUDIT_BACKLOG_MAX = 10_000;

/** One message of a WebSocket: what is pasted into a terminal comes as one. */
export const SOCKET_MESSAGE_BYTES_MAX: number = 1024 * 1024;
/** Columns and rows of a terminal: a 16-bit number of the kernel's, and nobody's screen. */
export const TERMINAL_CELLS_MAX = 2_000;
/** Words of a command that is run in a container by WebSocket. */
export const EXEC_WORDS_MAX = 100;

/** Containers whose figures are read at the same time for one answer: each reads a dozen small files. */
export const STATS_AT_ONCE_MAX = 32;

/** Configs that are fetched from the manager at the same time for one list: each may have 1000 KiB. */
export const CONFIGS_AT_ONCE_MAX = 16;
