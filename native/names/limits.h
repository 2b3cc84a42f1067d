/*
 * The numbers of the DNS responder, each with its reason.
 */
#ifndef TSWARM_NAMES_LIMITS_H
#define TSWARM_NAMES_LIMITS_H

enum {
	DNS_HEADER_BYTES = 12,
	/* A name on the wire, with its final zero byte. */
	DNS_NAME_MAX_BYTES = 255,
	DNS_LABEL_MAX_BYTES = 63,
	/* What a client without EDNS takes over UDP. */
	DNS_UDP_PLAIN_BYTES = 512,
	/* What we offer and send with EDNS: never fragmented on any network (DNS flag day 2020). */
	DNS_UDP_EDNS_BYTES = 1232,
	DNS_MESSAGE_MAX_BYTES = 65535,
	/* A question with every option that is in use; larger ones are not read. */
	QUESTION_MAX_BYTES = 4096,

	/* Questions read with one system call. */
	UDP_BATCH = 32,
	/* Bursts of questions that wait while the configuration is read. */
	UDP_RECEIVE_BUFFER_BYTES = 4 << 20,

	/* Questions that wait for an upstream: all, and of one client. */
	FORWARDS_MAX = 1024,
	FORWARDS_PER_CLIENT_MAX = 100,
	/* What an upstream gets before the next one is asked. */
	UPSTREAM_TIMEOUT_MS = 2000,
	UPSTREAMS_MAX = 8,

	TCP_CONNS_MAX = 128,
	TCP_CONNS_PER_CLIENT_MAX = 16,
	TCP_IDLE_MS = 10000,
	/* How often idle ones are looked for. */
	TCP_CHECK_MS = 1000,
	/* Answers that one TCP client has not taken; it is cut off beyond. */
	TCP_BACKLOG_MAX_BYTES = 256 << 10,

	LISTEN_MAX = 256,
	CONFIG_MAX_BYTES = 64 << 20,
	TTL_DEFAULT_S = 5,
};

#endif
