/*
 * The responder's data: who may ask, which names each network has, whom to ask for the rest.
 *
 * Read from a JSON file as a whole; never changed afterwards, only replaced.
 */
#ifndef TSWARM_NAMES_CONFIG_H
#define TSWARM_NAMES_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "limits.h"
#include "table.h"

/* An address to listen on or to ask. */
union endpoint {
	struct sockaddr generic;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct name_entry {
	struct key key; /* wire name in lower case */
	const uint8_t (*a)[4];
	const uint8_t (*aaaa)[16];
	size_t a_count, aaaa_count;
};

struct ptr_entry {
	struct key key;	   /* 16 bytes, IPv4 mapped */
	struct key target; /* wire name */
};

struct srv_record {
	uint16_t priority, weight, port;
	struct key target;
};

struct srv_entry {
	struct key key;
	const struct srv_record *records;
	size_t count;
};

struct network {
	struct key key; /* its id */
	bool internal;
	struct table names, ptrs, srvs;
	struct network *next;
};

/* Whom to ask, in this order. */
struct upstreams {
	union endpoint list[UPSTREAMS_MAX];
	size_t count;
};

struct client {
	struct key key;			   /* 16 bytes, IPv4 mapped */
	struct client *next;		   /* of those with aliases */
	const struct upstreams *upstreams; /* its own; NULL = everybody's */
	struct network *const *networks;
	size_t network_count; /* of those that are known */
	bool has_networks;    /* names at least one, known or not */
	struct table aliases; /* what it calls others */
};

struct alias_entry {
	struct key key;
	struct key target; /* wire name in lower case */
};

struct config {
	struct arena arena;
	union endpoint listen[LISTEN_MAX];
	size_t listen_count;
	struct upstreams upstreams;
	uint32_t ttl_s;
	struct table clients, networks;
	struct network *first_network;
	struct client *first_aliased;
};

/* Parses the text of the file; NULL with *err when it is wrong. */
struct config *config_parse(const char *text, size_t length, struct ts_err *err);
void config_free(struct config *config);

/* Whom to ask for the client at this address (IPv6, IPv4 mapped). */
const struct upstreams *upstreams_for(const struct config *config, const uint8_t address[16]);

/* The address of an endpoint as IPv6, IPv4 mapped. */
void address_of(const union endpoint *endpoint, uint8_t address[16]);
socklen_t endpoint_bytes(const union endpoint *endpoint);
bool endpoint_equal(const union endpoint *a, const union endpoint *b);

#endif
