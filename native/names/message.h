/*
 * DNS messages: reading a question, writing an answer (RFC 1035, EDNS0 of RFC 6891).
 *
 * Pure: bytes in, bytes out. Everything that comes from the network is bounds-checked here; names
 * in questions must not be compressed, and names elsewhere are only skipped, never followed.
 */
#ifndef TSWARM_NAMES_MESSAGE_H
#define TSWARM_NAMES_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_SRV = 33, DNS_OPT = 41, DNS_ANY = 255 };
enum { DNS_AXFR = 252, DNS_IXFR = 251 };
enum { DNS_CLASS_IN = 1 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

enum {
	DNS_FLAG_QR = 0x8000,
	DNS_FLAG_AA = 0x0400,
	DNS_FLAG_TC = 0x0200,
	DNS_FLAG_RD = 0x0100,
	DNS_FLAG_RA = 0x0080,
	DNS_FLAG_AD = 0x0020,
	DNS_FLAG_CD = 0x0010,
	DNS_OPCODE_MASK = 0x7800,
	DNS_RCODE_MASK = 0x000f,
};

struct question {
	uint16_t id, flags;
	uint16_t type, class;
	uint8_t name[DNS_NAME_MAX_BYTES]; /* on the wire, as asked */
	uint8_t key[DNS_NAME_MAX_BYTES];  /* the same in lower case */
	size_t name_length;		  /* with the final zero */
	bool edns, dnssec_ok;
	uint8_t edns_version;
	uint16_t udp_bytes; /* what the client takes over UDP, within our bounds */
};

/*
 * Reads a question. Returns 0; or the rcode to answer with (id, flags and as much as was read are
 * filled); or -1 when no answer must be given (too short for an id, or itself an answer).
 */
int question_parse(const uint8_t *bytes, size_t length, struct question *question);

/* An answer that is being written. */
struct answer {
	uint8_t *bytes;
	size_t used, limit; /* limit: without the room that OPT needs */
	bool truncated;
	uint16_t answers, additional;
	bool edns;
	uint8_t edns_rcode; /* upper bits of the rcode */
};

/* Begins an answer to the question in `bytes`, which has room for `limit`. */
void answer_begin(struct answer *answer, uint8_t *bytes, size_t limit,
		  const struct question *question, bool with_question);

/*
 * Adds a record whose name is the question's (owner NULL) or the given wire name. Returns false,
 * and marks the answer as truncated, when it does not fit.
 */
bool answer_add(struct answer *answer, const uint8_t *owner, size_t owner_length, uint16_t type,
		uint32_t ttl_s, const uint8_t *data, size_t length, bool additional);

/* Completes the answer; returns its length. `flags`: beyond QR, RD and RA. */
size_t answer_end(struct answer *answer, const struct question *question, uint16_t flags,
		  enum dns_rcode rcode);

/* Writes the question with a new id, for an upstream. Returns its length (at most 300). */
size_t question_write(const struct question *question, uint16_t id, bool tcp, uint8_t bytes[300]);

/* Whether a message is the answer to this question with this id. */
bool answer_fits(const uint8_t *bytes, size_t length, const struct question *question, uint16_t id);

/* Text to wire form in lower case; 0 when it is no name. A final dot is allowed. */
size_t name_from_text(const char *text, uint8_t wire[DNS_NAME_MAX_BYTES]);

/* The address that a name below in-addr.arpa or ip6.arpa stands for, as IPv6 or mapped IPv4. */
bool address_from_reverse(const uint8_t *key, size_t length, uint8_t address[16]);

uint16_t dns_get16(const uint8_t *at);
void dns_put16(uint8_t *at, uint16_t value);

#endif
