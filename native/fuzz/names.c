/*
 * Fuzz target: everything that tswarm-names does with bytes from the network, before sockets.
 */
#include <stdlib.h>
#include <string.h>

#include "../names/answer.h"
#include "fuzz.h"

static const char config_text[] =
    "{\"clients\":{\"10.0.0.1\":[\"n\",\"m\"],\"10.0.0.2\":[\"m\"]},\"networks\":{"
    "\"n\":{\"names\":{\"web\":{\"a\":[\"10.0.0.5\",\"10.0.0.6\"],\"aaaa\":[\"fd00::5\"]},"
    "\"tasks.web\":{\"a\":[\"10.0.0.7\"]}},\"ptr\":{\"10.0.0.5\":\"web.1\",\"fd00::5\":\"web.1\"},"
    "\"srv\":{\"_http._tcp.web\":[{\"port\":80,\"target\":\"web\"}]}},"
    "\"m\":{\"internal\":true,\"names\":{\"db\":{\"a\":[\"10.0.0.8\"]}}}}}";

static void must(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct config *config;
	static uint8_t out[DNS_MESSAGE_MAX_BYTES];
	uint8_t client[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1}, upstream[300];
	struct shuffle shuffle = {.state = 1};
	struct ts_err err = {0};
	struct question question;
	size_t answered = 0;

	if (!config)
		config = config_parse(config_text, sizeof config_text - 1, &err);
	must(config != NULL);
	for (int round = 0; round < 4; round++) {
		bool udp = round & 1;
		client[15] = round & 2 ? 2 : 1;
		/* Sanitizers watch the exact end of a copy of its own. */
		uint8_t *copy = malloc(length ? length : 1);
		memcpy(copy, bytes, length);
		size_t limit = udp ? DNS_UDP_EDNS_BYTES : sizeof out;
		enum decision decision = answer_question(
		    config, client, copy, length, udp, &shuffle, &question, out, limit, &answered);
		if (decision == DECIDE_ANSWER) {
			must(answered >= DNS_HEADER_BYTES && answered <= limit);
			must(!udp || answered <= question.udp_bytes);
			must(dns_get16(out) == question.id && (dns_get16(out + 2) & DNS_FLAG_QR));
		}
		if (decision == DECIDE_FORWARD) {
			size_t n = question_write(&question, 7, !udp, upstream);
			must(n <= sizeof upstream);
			struct question again;
			must(question_parse(upstream, n, &again) == 0);
			must(again.name_length == question.name_length);
			dns_put16(upstream + 2, DNS_FLAG_QR);
			must(answer_fits(upstream, n, &question, 7));
			answer_fits(copy, length, &question, question.id);
		}
		free(copy);
	}
	return 0;
}

size_t fuzz_seed(size_t number, uint8_t *bytes, size_t capacity)
{
	static const char *const names[] = {
	    "web", "db.", "example.com", "5.0.0.10.in-addr.arpa", "_http._tcp.web", "tasks.web"};
	static const uint16_t types[] = {DNS_A, DNS_AAAA, DNS_PTR, DNS_SRV, DNS_ANY, 16};
	struct question question = {
	    .id = 7, .flags = DNS_FLAG_RD, .class = DNS_CLASS_IN, .udp_bytes = 1232};

	question.name_length = name_from_text(names[number % 6], question.name);
	question.type = types[number / 2 % 6];
	question.edns = number & 1;
	return capacity >= 300 ? question_write(&question, 7, false, bytes) : 0;
}
