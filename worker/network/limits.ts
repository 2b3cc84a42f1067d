// Every number that bounds something in the node's network, with its reason.

/** Kernel work for one container takes a few ms; far more means that the helper hangs. */
export const HELPER_TIMEOUT_MS = 30_000;
/** Before a helper that died is started again to watch. */
export const HELPER_RESTART_MS = 500;
/** As many as tswarm-net takes. */
export const LINKS_PER_REQUEST = 1000;
/** Fewer than tswarm-net takes (4,095). */
export const FLOWS_PER_REQUEST = 4000;
/**
 * After a backend has left, until connections to it that nobody has answered are forgotten: longer than an answer takes from anywhere, shorter than the second
 * that clients wait before they ask again.
 */
export const UNANSWERED_MS = 400;
/** The kernel removes the interfaces of a namespace within a second; those that something still holds are then deleted. */
export const SWEEP_DELAY_MS = 5_000;

/** Changes in the kernel come in bursts (a table has many parts). */
export const CHANGE_SETTLE_MS = 20;
/** Least time between two looks at everything of ours. */
export const LOOK_PERIOD_MS = 1_000;

/** Linux limits interface names to 15 characters. */
export const LINK_NAME_LENGTH = 15;
export const MTU_BYTES_DEFAULT = 1500;
/** Least that IPv6 allows; most that Linux allows. */
export const MTU_BYTES_MIN = 1280;
export const MTU_BYTES_MAX = 65_535;

/** Ports given to `-p 80` without a host port: Linux's ephemeral range. */
export const EPHEMERAL_FIRST = 32_768;
export const EPHEMERAL_LAST = 60_999;

/** DNS answers may be this old: short, because a container's address changes with every replacement. */
export const DNS_TTL_SECONDS = 5;
/** As many as tswarm-names takes. */
export const UPSTREAMS_MAX = 8;
/** Programs write the host's resolv.conf in several steps. */
export const RESOLV_CONF_SETTLE_MS = 100;

/** The responder answers some ms after its start; on a host that is out of breath, later. */
export const RESPONDER_START_TIMEOUT_MS = 5_000;
export const RESPONDER_START_POLL_MS = 2;
/** It keeps nothing that would have to be finished. */
export const RESPONDER_END_TIMEOUT_MS = 1_000;
/** Between a crash and the next start; doubled each time up to the second, so that one that cannot run does not keep a processor busy. */
export const RESPONDER_RESTART_PAUSE_MS = 100;
export const RESPONDER_RESTART_PAUSE_MS_MAX = 10_000;

/** How often the open connections of a container that is leaving service are counted. */
export const DRAIN_POLL_MS = 20;
/** Connections on which no packet has moved for this long are idle: it does not wait for them. */
export const DRAIN_IDLE_MS = 1_000;
/** It has none when this many counts in a row say so. */
export const DRAIN_QUIET_READINGS = 2;

/** Longest wait for a container without a health check to listen on what it publishes; programs that take longer to start need a health check. */
export const LISTEN_WAIT_MS = 10_000;
/** A program opens its ports one right after the other: what is not open this long after the first one is not used. */
export const LISTEN_SOME_MS = 1_000;
/** Pauses between two looks, growing with the time waited. */
export const LISTEN_POLL_MS_MIN = 5;
export const LISTEN_POLL_MS_MAX = 100;

/** Where distributions and `go install` as root put it. */
export const WIREGUARD_GO: readonly string[] = [
  '/usr/bin/wireguard-go',
  '/usr/local/bin/wireguard-go',
  '/usr/sbin/wireguard-go',
];
/** wireguard-go is ready some ten milliseconds after its start. */
export const TUNNEL_START_TIMEOUT_MS = 5_000;
export const TUNNEL_START_POLL_MS = 5;
/** It has nothing to save. */
export const TUNNEL_END_TIMEOUT_MS = 2_000;
/** It answers at once; a thousand peers take some milliseconds. */
export const UAPI_TIMEOUT_MS = 5_000;
/** IPv6 (40), UDP (8), WireGuard's header and tag (32); also where the outer packet is IPv4 and 20 less would do. */
export const TUNNEL_OVERHEAD_BYTES = 80;
/** VXLAN over IPv6: outer IPv6 (40), UDP (8), VXLAN (8), inner Ethernet (14). */
export const DOOR_OVERHEAD_BYTES = 70;
/** After a mesh that could not be made; doubled each time up to the second. */
export const MESH_RETRY_MS = 1_000;
export const MESH_RETRY_MS_MAX = 60_000;
/**
 * After a peer was first told, when it is looked at, and called (again) while it is silent: soon, because what waits for it is somebody's first connection, then
 * less often; after the last WireGuard goes on by itself every 5 s. The end with the lesser key has called at once; the other waits as long as two nodes may
 * hear of each other apart. More than 50 ms apart from any other, or they are taken for a flood.
 */
export const CALL_AGAIN_MS: readonly number[] = [250, 1_000, 2_200, 4_000];
export const CALL_AGAIN_OTHER_MS: readonly number[] = [100, 700, 1_600, 3_000];
/** How often handshakes are looked at, for what the node tells about its mesh. */
export const MESH_LOOK_PERIOD_MS = 10_000;
/** An address that is taken and the one given in its place come one after the other; somebody waits for the node at the new one. */
export const HOST_SETTLE_MS = 200;
/** Beside the kernel's events: only for one that was lost. */
export const HOST_LOOK_PERIOD_MS = 60_000;
/** Packets to other nodes are answered within a second or not at all. */
export const PROBE_TIMEOUT_MS = 5_000;
/** Before a difference between state and truth is looked at once more: longer than a change takes to be in the kernel. */
export const CHECK_AGAIN_MS = 300;
/** A sample is enough to show a fault, and the question must end. */
export const CHECKED_ADDRESSES_MAX = 4_096;
/** As many as tswarm-net resolves at once. */
export const CHECKED_NAMES_MAX = 256;
/** WireGuard makes a new session after two minutes and forgets the old one after three: without a handshake for longer nothing passes. */
export const HANDSHAKE_STALE_MS = 190_000;
/** A new peer that can be reached answers within a round trip; the second try is after 5 s. */
export const HANDSHAKE_FIRST_MS = 15_000;
/** A new peer that has not answered for so long is looked for through other nodes: two calls of WireGuard's own. */
export const RELAY_FIRST_MS = 8_000;
/** WireGuard shakes hands anew after two minutes, with the next keepalive (25 s): one that is older is of no use soon. */
export const RELAY_STALE_MS = 150_000;
/** The end with the greater key waits to be called; then it looks for a way itself. */
export const RELAY_OTHER_MS = 15_000;
/** After a look in vain; doubled each time up to the second: a host that is down is not to be asked for all the time. */
export const RELAY_AGAIN_MS = 10_000;
export const RELAY_AGAIN_MS_MAX = 120_000;
/** Asked at a time for one peer. */
export const RELAY_CANDIDATES_MAX = 16;
/** A relayed peer that does not answer at so many looks in a row is looked for anew. */
export const RELAY_LOST_LOOKS = 2;
/** How often the direct way to a relayed peer is tried again, while nothing is said: at most some packets are late. */
export const RELAY_DIRECT_MS = 120_000;
/** The same while something is said: what is said then is late by a third of a second when the way is still closed. */
export const RELAY_DIRECT_BUSY_MS = 600_000;
/** While the direct way is tried, and a moment after, the peer is not heard by the relay. */
export const RELAY_HUSH_MS = 2_000;
/** Bytes between two looks that are only keepalives and our own questions. */
export const RELAY_IDLE_BYTES = 4_096;
