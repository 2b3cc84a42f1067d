/*
 * What to do with a question: see answer.c.
 */
#ifndef TSWARM_NAMES_ANSWER_H
#define TSWARM_NAMES_ANSWER_H

#include "config.h"
#include "message.h"

enum decision {
	DECIDE_DROP,	/* no answer at all */
	DECIDE_ANSWER,	/* *length bytes are written */
	DECIDE_FORWARD, /* an upstream must be asked */
};

/* Random bits for the order of addresses; seeded by the caller. */
struct shuffle {
	uint64_t state;
};

/*
 * Decides about a message from `client` (IPv6, IPv4 mapped). `parsed` gets the question. `out` has
 * room for `limit` bytes over TCP; over UDP (`udp`) the client's own bound counts too.
 */
enum decision answer_question(const struct config *config, const uint8_t client[16],
			      const uint8_t *bytes, size_t length, bool udp,
			      struct shuffle *shuffle, struct question *parsed, uint8_t *out,
			      size_t limit, size_t *out_length);

/* Writes an answer without records. */
size_t answer_empty(const struct question *question, enum dns_rcode rcode, uint16_t flags,
		    uint8_t *out, size_t limit);

#endif
