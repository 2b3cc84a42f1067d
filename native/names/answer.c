/*
 * The responder's decisions, as a function of the data and the question.
 *
 * The client's address selects its networks; names are looked up in them in that order, and the
 * first that knows the name answers (authoritatively, addresses shuffled; a known name without
 * records of the asked type gets an empty answer). What no network knows goes to the upstreams,
 * unless all of the client's networks are internal and it has no upstreams of its own: then it does
 * not exist. Strangers are refused.
 */
#include "answer.h"

#include <string.h>

enum { SHUFFLE_MAX = 4096 };

static uint64_t next_random(struct shuffle *shuffle)
{
	/* xorshift64*: fair enough for spreading load, not for secrets. */
	uint64_t x = shuffle->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	shuffle->state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

size_t answer_empty(const struct question *question, enum dns_rcode rcode, uint16_t flags,
		    uint8_t *out, size_t limit)
{
	struct answer answer;

	answer_begin(&answer, out, limit, question, true);
	return answer_end(&answer, question, flags, rcode);
}

/* Adds addresses in a random order, as many as fit. */
static void add_addresses(struct answer *answer, const uint8_t *owner, size_t owner_length,
			  uint16_t type, uint32_t ttl_s, const uint8_t *list, size_t size,
			  size_t count, struct shuffle *shuffle, bool additional)
{
	uint16_t order[SHUFFLE_MAX];

	if (count > SHUFFLE_MAX)
		count = SHUFFLE_MAX;
	for (size_t i = 0; i < count; i++)
		order[i] = (uint16_t)i;
	for (size_t i = 0; i < count; i++) {
		size_t other = i + (size_t)(next_random(shuffle) % (count - i));
		uint16_t chosen = order[other];
		order[other] = order[i];
		if (!answer_add(answer, owner, owner_length, type, ttl_s, list + chosen * size,
				size, additional))
			return;
	}
}

static void add_name(struct answer *answer, const uint8_t *owner, size_t owner_length,
		     const struct name_entry *entry, uint16_t type, uint32_t ttl_s,
		     struct shuffle *shuffle, bool additional)
{
	if (type == DNS_A || type == DNS_ANY)
		add_addresses(answer, owner, owner_length, DNS_A, ttl_s, (const uint8_t *)entry->a,
			      4, entry->a_count, shuffle, additional);
	if (type == DNS_AAAA || type == DNS_ANY)
		add_addresses(answer, owner, owner_length, DNS_AAAA, ttl_s,
			      (const uint8_t *)entry->aaaa, 16, entry->aaaa_count, shuffle,
			      additional);
}

static void add_srv(struct answer *answer, const struct srv_entry *entry, uint32_t ttl_s)
{
	uint8_t data[6 + DNS_NAME_MAX_BYTES];

	for (size_t i = 0; i < entry->count; i++) {
		const struct srv_record *record = &entry->records[i];
		dns_put16(data, record->priority);
		dns_put16(data + 2, record->weight);
		dns_put16(data + 4, record->port);
		memcpy(data + 6, record->target.bytes, record->target.length);
		if (!answer_add(answer, NULL, 0, DNS_SRV, ttl_s, data, 6 + record->target.length,
				false))
			return;
	}
}

/* The addresses of the targets, so that the client need not ask again. */
static void add_targets(struct answer *answer, const struct srv_entry *entry,
			const struct network *network, uint32_t ttl_s, struct shuffle *shuffle)
{
	for (size_t i = 0; i < entry->count && !answer->truncated; i++) {
		const struct key *target = &entry->records[i].target;
		const struct name_entry *found =
		    table_get(&network->names, target->bytes, target->length);
		if (found)
			add_name(answer, target->bytes, target->length, found, DNS_ANY, ttl_s,
				 shuffle, true);
	}
}

/* Answers from the client's networks; false when none of them knows the name. */
static bool answer_from_networks(const struct config *config, const struct client *client,
				 const struct question *question, struct shuffle *shuffle,
				 struct answer *answer)
{
	uint8_t address[16];
	bool reverse = address_from_reverse(question->key, question->name_length, address);
	struct key asked = {question->key, question->name_length};
	const struct alias_entry *alias = table_get(&client->aliases, asked.bytes, asked.length);

	if (alias)
		asked = alias->target;
	for (size_t i = 0; i < client->network_count; i++) {
		const struct network *network = client->networks[i];
		const struct name_entry *name =
		    table_get(&network->names, asked.bytes, asked.length);
		const struct srv_entry *srv =
		    table_get(&network->srvs, asked.bytes, asked.length);
		const struct ptr_entry *ptr =
		    reverse ? table_get(&network->ptrs, address, 16) : NULL;
		if (!name && !srv && !ptr)
			continue;
		if (name)
			add_name(answer, NULL, 0, name, question->type, config->ttl_s, shuffle,
				 false);
		if (ptr && (question->type == DNS_PTR || question->type == DNS_ANY))
			answer_add(answer, NULL, 0, DNS_PTR, config->ttl_s, ptr->target.bytes,
				   ptr->target.length, false);
		if (srv && (question->type == DNS_SRV || question->type == DNS_ANY)) {
			add_srv(answer, srv, config->ttl_s);
			add_targets(answer, srv, network, config->ttl_s, shuffle);
		}
		return true;
	}
	return false;
}

/* A client on no network at all is one of the host's plain bridges: it may ask the world. */
static bool only_internal(const struct client *client)
{
	if (!client->has_networks || client->upstreams)
		return false;
	for (size_t i = 0; i < client->network_count; i++)
		if (!client->networks[i]->internal)
			return false;
	return true;
}

enum decision answer_question(const struct config *config, const uint8_t client_address[16],
			      const uint8_t *bytes, size_t length, bool udp,
			      struct shuffle *shuffle, struct question *question, uint8_t *out,
			      size_t limit, size_t *out_length)
{
	struct answer answer;
	int problem = question_parse(bytes, length, question);

	if (problem < 0)
		return DECIDE_DROP;
	if (udp && question->udp_bytes < limit)
		limit = question->udp_bytes;
	const struct client *client = table_get(&config->clients, client_address, 16);
	if (!client)
		problem = DNS_REFUSED;
	else if (problem == 0 && (question->class != DNS_CLASS_IN || question->type == DNS_AXFR ||
				  question->type == DNS_IXFR || question->type == DNS_OPT))
		problem = DNS_REFUSED;
	if (problem) {
		*out_length = answer_empty(question, (enum dns_rcode)problem, 0, out, limit);
		return DECIDE_ANSWER;
	}
	answer_begin(&answer, out, limit, question, true);
	if (answer_from_networks(config, client, question, shuffle, &answer)) {
		*out_length = answer_end(&answer, question, DNS_FLAG_AA, DNS_NOERROR);
		return DECIDE_ANSWER;
	}
	if (!only_internal(client))
		return DECIDE_FORWARD;
	*out_length = answer_empty(question, DNS_NXDOMAIN, DNS_FLAG_AA, out, limit);
	return DECIDE_ANSWER;
}
