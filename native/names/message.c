/*
 * See message.h. Invariant: no function reads beyond `length` or writes beyond `limit`.
 */
#include "message.h"

#include <string.h>

enum { OPT_RECORD_BYTES = 11, RECORD_HEADER_BYTES = 10, POINTER_TO_QUESTION = 0xc00c };

uint16_t dns_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

void dns_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Reads an uncompressed name at `at`; returns where it ends, 0 when it is malformed. */
static size_t read_name(const uint8_t *bytes, size_t length, size_t at, struct question *question)
{
	size_t used = 0;

	for (;;) {
		if (at >= length)
			return 0;
		uint8_t label = bytes[at];
		if (label > DNS_LABEL_MAX_BYTES || used + label + 1 > DNS_NAME_MAX_BYTES ||
		    label >= length - at)
			return 0;
		question->name[used] = question->key[used] = label;
		for (size_t i = 1; i <= label; i++) {
			question->name[used + i] = bytes[at + i];
			question->key[used + i] = lower(bytes[at + i]);
		}
		used += label + 1u;
		at += label + 1u;
		if (label == 0)
			break;
	}
	question->name_length = used;
	return at;
}

/* Skips a name that may end in a pointer; returns where it ends, 0 when it is malformed. */
static size_t skip_name(const uint8_t *bytes, size_t length, size_t at)
{
	while (at < length) {
		uint8_t label = bytes[at];
		if (label == 0)
			return at + 1;
		if ((label & 0xc0) == 0xc0)
			return at + 2 <= length ? at + 2 : 0;
		if (label > DNS_LABEL_MAX_BYTES)
			return 0;
		at += label + 1u;
	}
	return 0;
}

/* Walks over the records behind the question, and takes EDNS from them. False: malformed. */
static bool read_records(const uint8_t *bytes, size_t length, size_t at, unsigned count,
			 struct question *question)
{
	for (; count > 0; count--) {
		size_t start = at;
		at = skip_name(bytes, length, at);
		if (at == 0 || length - at < RECORD_HEADER_BYTES)
			return false;
		uint16_t type = dns_get16(bytes + at);
		size_t data_length = dns_get16(bytes + at + 8);
		if (data_length > length - at - RECORD_HEADER_BYTES)
			return false;
		if (type == DNS_OPT) {
			if (question->edns || bytes[start] != 0)
				return false;
			uint16_t size = dns_get16(bytes + at + 2);
			question->edns = true;
			question->edns_version = bytes[at + 5];
			question->dnssec_ok = bytes[at + 6] & 0x80;
			if (size > DNS_UDP_EDNS_BYTES)
				size = DNS_UDP_EDNS_BYTES;
			if (size > question->udp_bytes)
				question->udp_bytes = size;
		}
		at += RECORD_HEADER_BYTES + data_length;
	}
	return true;
}

int question_parse(const uint8_t *bytes, size_t length, struct question *question)
{
	*question = (struct question){.udp_bytes = DNS_UDP_PLAIN_BYTES};
	if (length < DNS_HEADER_BYTES)
		return -1;
	question->id = dns_get16(bytes);
	question->flags = dns_get16(bytes + 2);
	if (question->flags & DNS_FLAG_QR)
		return -1;
	if (question->flags & DNS_OPCODE_MASK)
		return DNS_NOTIMP;
	unsigned records = dns_get16(bytes + 6) + dns_get16(bytes + 8) + dns_get16(bytes + 10);
	if (dns_get16(bytes + 4) != 1)
		return DNS_FORMERR;
	size_t at = read_name(bytes, length, DNS_HEADER_BYTES, question);
	if (at == 0 || length - at < 4) {
		question->name_length = 0;
		return DNS_FORMERR;
	}
	question->type = dns_get16(bytes + at);
	question->class = dns_get16(bytes + at + 2);
	if (!read_records(bytes, length, at + 4, records, question))
		return DNS_FORMERR;
	return question->edns && question->edns_version != 0 ? DNS_BADVERS : 0;
}

void answer_begin(struct answer *answer, uint8_t *bytes, size_t limit,
		  const struct question *question, bool with_question)
{
	*answer = (struct answer){
	    .bytes = bytes,
	    .used = DNS_HEADER_BYTES,
	    .limit = limit - (question->edns ? OPT_RECORD_BYTES : 0),
	    .edns = question->edns,
	};
	memset(bytes, 0, DNS_HEADER_BYTES);
	if (!with_question || question->name_length == 0)
		return;
	memcpy(bytes + answer->used, question->name, question->name_length);
	answer->used += question->name_length;
	dns_put16(bytes + answer->used, question->type);
	dns_put16(bytes + answer->used + 2, question->class);
	answer->used += 4;
	dns_put16(bytes + 4, 1);
}

bool answer_add(struct answer *answer, const uint8_t *owner, size_t owner_length, uint16_t type,
		uint32_t ttl_s, const uint8_t *data, size_t length, bool additional)
{
	uint8_t *at = answer->bytes + answer->used;
	size_t name_bytes = owner ? owner_length : 2;

	if (answer->limit < answer->used + name_bytes + RECORD_HEADER_BYTES + length) {
		/* Missing extras are no reason to ask again. */
		answer->truncated |= !additional;
		return false;
	}
	if (owner)
		memcpy(at, owner, owner_length);
	else
		dns_put16(at, POINTER_TO_QUESTION);
	at += name_bytes;
	dns_put16(at, type);
	dns_put16(at + 2, DNS_CLASS_IN);
	dns_put16(at + 4, (uint16_t)(ttl_s >> 16));
	dns_put16(at + 6, (uint16_t)ttl_s);
	dns_put16(at + 8, (uint16_t)length);
	memcpy(at + RECORD_HEADER_BYTES, data, length);
	answer->used += name_bytes + RECORD_HEADER_BYTES + length;
	if (additional)
		answer->additional++;
	else
		answer->answers++;
	return true;
}

/* Writes an OPT record: no options, our size, the DO bit as asked. */
static size_t put_opt(uint8_t *at, uint16_t udp_bytes, uint8_t rcode_high, bool dnssec_ok)
{
	memset(at, 0, OPT_RECORD_BYTES);
	dns_put16(at + 1, DNS_OPT);
	dns_put16(at + 3, udp_bytes);
	at[5] = rcode_high;
	at[7] = dnssec_ok ? 0x80 : 0;
	return OPT_RECORD_BYTES;
}

size_t answer_end(struct answer *answer, const struct question *question, uint16_t flags,
		  enum dns_rcode rcode)
{
	uint16_t all =
	    (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RA | (question->flags & DNS_FLAG_RD) |
		       (question->flags & DNS_OPCODE_MASK) | flags | (rcode & DNS_RCODE_MASK));

	if (answer->truncated)
		all |= DNS_FLAG_TC;
	if (answer->edns) {
		answer->used += put_opt(answer->bytes + answer->used, DNS_UDP_EDNS_BYTES,
					(uint8_t)(rcode >> 4), question->dnssec_ok);
		answer->additional++;
	}
	dns_put16(answer->bytes, question->id);
	dns_put16(answer->bytes + 2, all);
	dns_put16(answer->bytes + 6, answer->answers);
	dns_put16(answer->bytes + 10, answer->additional);
	return answer->used;
}

size_t question_write(const struct question *question, uint16_t id, bool tcp, uint8_t bytes[300])
{
	uint16_t flags = question->flags & (DNS_FLAG_RD | DNS_FLAG_AD | DNS_FLAG_CD);
	size_t used = DNS_HEADER_BYTES;

	memset(bytes, 0, DNS_HEADER_BYTES);
	dns_put16(bytes, id);
	dns_put16(bytes + 2, flags);
	dns_put16(bytes + 4, 1);
	memcpy(bytes + used, question->name, question->name_length);
	used += question->name_length;
	dns_put16(bytes + used, question->type);
	dns_put16(bytes + used + 2, question->class);
	used += 4;
	if (question->edns) {
		used += put_opt(bytes + used, tcp ? DNS_UDP_EDNS_BYTES : question->udp_bytes, 0,
				question->dnssec_ok);
		dns_put16(bytes + 10, 1);
	}
	return used;
}

bool answer_fits(const uint8_t *bytes, size_t length, const struct question *question, uint16_t id)
{
	struct question echoed;

	if (length < DNS_HEADER_BYTES || dns_get16(bytes) != id ||
	    !(dns_get16(bytes + 2) & DNS_FLAG_QR) || dns_get16(bytes + 4) != 1)
		return false;
	size_t at = read_name(bytes, length, DNS_HEADER_BYTES, &echoed);
	return at != 0 && length - at >= 4 && echoed.name_length == question->name_length &&
	       memcmp(echoed.key, question->key, question->name_length) == 0 &&
	       dns_get16(bytes + at) == question->type &&
	       dns_get16(bytes + at + 2) == question->class;
}

size_t name_from_text(const char *text, uint8_t wire[DNS_NAME_MAX_BYTES])
{
	size_t used = 0;

	if (text[0] == '\0')
		return 0;
	while (*text) {
		size_t label = strcspn(text, ".");
		if (label == 0 || label > DNS_LABEL_MAX_BYTES ||
		    used + label + 2 > DNS_NAME_MAX_BYTES)
			return 0;
		wire[used++] = (uint8_t)label;
		for (size_t i = 0; i < label; i++)
			wire[used++] = lower((uint8_t)text[i]);
		text += label;
		if (*text == '.')
			text++;
	}
	wire[used++] = 0;
	return used;
}

/* Reads a decimal label of an IPv4 address; -1 when it is none. */
static int decimal_label(const uint8_t *label)
{
	int value = 0;

	if (label[0] < 1 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
		return -1;
	for (int i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		value = value * 10 + (label[i] - '0');
	}
	return value <= 255 ? value : -1;
}

static int hex_label(const uint8_t *label)
{
	if (label[0] != 1)
		return -1;
	if (label[1] >= '0' && label[1] <= '9')
		return label[1] - '0';
	return label[1] >= 'a' && label[1] <= 'f' ? label[1] - 'a' + 10 : -1;
}

bool address_from_reverse(const uint8_t *key, size_t length, uint8_t address[16])
{
	static const uint8_t v4[] = "\7in-addr\4arpa", v6[] = "\3ip6\4arpa";
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_v4 = length > sizeof v4 && memcmp(key + length - sizeof v4, v4, sizeof v4) == 0;
	bool is_v6 = length > sizeof v6 && memcmp(key + length - sizeof v6, v6, sizeof v6) == 0;

	if (!is_v4 && !is_v6)
		return false;
	const uint8_t *label = key, *end = key + length - (is_v4 ? sizeof v4 : sizeof v6);
	int count = is_v4 ? 4 : 32;
	memcpy(address, mapped, sizeof mapped);
	for (int i = 0; i < count; i++) {
		if (label >= end)
			return false;
		int value = is_v4 ? decimal_label(label) : hex_label(label);
		if (value < 0)
			return false;
		if (is_v4)
			address[15 - i] = (uint8_t)value;
		else if (i % 2 == 0)
			address[15 - i / 2] = (uint8_t)value;
		else
			address[15 - i / 2] |= (uint8_t)(value << 4);
		label += label[0] + 1;
	}
	return label == end;
}
