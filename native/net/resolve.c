/*
 * tswarm-net resolve NETNS NAME...: what does a container get for these names? Asks 127.0.0.11 in
 * the network namespace NETNS, as its programs do, for A and AAAA, and prints what came back, one
 * JSON array: [{"name","rcode":n|null,"truncated","addresses":[…]}], null = no answer. A program
 * run of its own, so that nobody waits for it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "net.h"

enum {
	NAMES_MAX = 256,
	HEAD_BYTES = 12,
	QUESTION_BYTES = 512,
	/* What tswarm-names sends at most with EDNS. */
	ANSWER_BYTES = 4096,
	EDNS_BYTES = 1232,
	TRIES = 3,
	WAIT_MS = 300,
	TYPE_A = 1,
	TYPE_AAAA = 28,
	TYPE_OPT = 41,
	ADDRESSES_MAX = 128,
};

/* One question: a name and a type; its number is its id. */
struct asked {
	const char *name;
	uint16_t type;
	bool answered;
	int rcode;
	bool truncated;
	size_t count;
	char addresses[ADDRESSES_MAX][INET6_ADDRSTRLEN];
};

static size_t put16(unsigned char *at, unsigned value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
	return 2;
}

static unsigned get16(const unsigned char *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* The question's bytes; 0 when the name cannot be asked for. */
static size_t question(unsigned char *out, uint16_t id, const struct asked *asked)
{
	static const unsigned char head[HEAD_BYTES] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
	size_t len = HEAD_BYTES;
	memcpy(out, head, sizeof(head));
	put16(out, id);
	for (const char *label = asked->name; *label;) {
		size_t size = strcspn(label, ".");
		if (size == 0 || size > 63 || len + size + 2 > HEAD_BYTES + 255)
			return 0;
		out[len++] = (unsigned char)size;
		memcpy(out + len, label, size);
		len += size;
		label += size + (label[size] == '.');
	}
	out[len++] = 0;
	len += put16(out + len, asked->type);
	len += put16(out + len, 1);
	out[len++] = 0;
	len += put16(out + len, TYPE_OPT);
	len += put16(out + len, EDNS_BYTES);
	memset(out + len, 0, 6);
	return len + 6;
}

/* Past a name that may be compressed; 0 = malformed. */
static size_t past_name(const unsigned char *message, size_t len, size_t at)
{
	while (at < len) {
		if (message[at] >= 0xc0)
			return at + 2;
		if (message[at] == 0)
			return at + 1;
		at += message[at] + 1u;
	}
	return 0;
}

static void read_records(struct asked *asked, const unsigned char *message, size_t len)
{
	size_t at = past_name(message, len, HEAD_BYTES);
	unsigned count = get16(message + 6);
	if (at == 0)
		return;
	at += 4;
	for (unsigned i = 0; i < count; i++) {
		at = past_name(message, len, at);
		if (at == 0 || at + 10 > len)
			return;
		unsigned type = get16(message + at), size = get16(message + at + 8);
		at += 10;
		if (at + size > len)
			return;
		bool is_address =
		    (type == TYPE_A && size == 4) || (type == TYPE_AAAA && size == 16);
		if (is_address && type == asked->type && asked->count < ADDRESSES_MAX)
			inet_ntop(size == 4 ? AF_INET : AF_INET6, message + at,
				  asked->addresses[asked->count++], INET6_ADDRSTRLEN);
		at += size;
	}
}

static void receive(int sock, struct asked *all, size_t count)
{
	unsigned char message[ANSWER_BYTES];
	ssize_t n = recv(sock, message, sizeof(message), MSG_DONTWAIT);
	if (n < HEAD_BYTES || !(message[2] & 0x80))
		return;
	unsigned id = get16(message);
	if (id >= count || all[id].answered)
		return;
	all[id].answered = true;
	all[id].rcode = message[3] & 15;
	all[id].truncated = message[2] & 2;
	read_records(&all[id], message, (size_t)n);
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sends what has no answer yet and takes in answers; the number that are still missing. */
static size_t ask(int sock, struct asked *all, size_t count)
{
	unsigned char out[QUESTION_BYTES];
	size_t missing = 0;
	int64_t end = now_ms() + WAIT_MS;
	for (size_t i = 0; i < count; i++) {
		size_t len = all[i].answered ? 0 : question(out, (uint16_t)i, &all[i]);
		if (len > 0 && send(sock, out, len, 0) == (ssize_t)len)
			missing++;
		receive(sock, all, count);
	}
	do {
		missing = 0;
		for (size_t i = 0; i < count; i++)
			missing += all[i].answered ? 0 : 1;
		struct pollfd fd = {.fd = sock, .events = POLLIN};
		if (missing > 0 && poll(&fd, 1, 10) > 0)
			receive(sock, all, count);
	} while (missing > 0 && now_ms() < end);
	return missing;
}

static void print_asked(const struct asked *a)
{
	printf("{\"name\":\"%s\",\"type\":\"%s\",\"rcode\":", a->name,
	       a->type == TYPE_A ? "A" : "AAAA");
	if (a->answered)
		printf("%d", a->rcode);
	else
		printf("null");
	printf(",\"truncated\":%s,\"addresses\":[", a->truncated ? "true" : "false");
	for (size_t i = 0; i < a->count; i++)
		printf("%s\"%s\"", i > 0 ? "," : "", a->addresses[i]);
	printf("]}");
}

/* Names are printed as they came: nothing that JSON would have to quote. */
static bool is_plain(const char *name)
{
	for (const char *p = name; *p; p++)
		if (*p < 0x21 || *p > 0x7e || *p == '"' || *p == '\\')
			return false;
	return *name != '\0';
}

static int socket_in(const char *netns)
{
	cleanup_fd int ns = open(netns, O_RDONLY | O_CLOEXEC);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	inet_pton(AF_INET, "127.0.0.11", &to.sin_addr);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		return -1;
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock >= 0 && connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(sock);
		return -1;
	}
	return sock;
}

int net_resolve(int argc, char **argv)
{
	size_t names = argc > 3 ? (size_t)(argc - 3) : 0, count = names * 2;
	if (names == 0 || names > NAMES_MAX) {
		fprintf(stderr, "usage: tswarm-net resolve NETNS NAME... (%d names at most)\n",
			NAMES_MAX);
		return 2;
	}
	struct asked *all = calloc(count, sizeof(*all));
	cleanup_fd int sock = all ? socket_in(argv[2]) : -1;
	if (sock < 0) {
		fprintf(stderr, "tswarm-net resolve: %s: %s\n", argv[2], strerror(errno));
		free(all);
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		all[i].name = argv[3 + i / 2];
		all[i].type = i % 2 == 0 ? TYPE_A : TYPE_AAAA;
		if (!is_plain(all[i].name)) {
			fprintf(stderr, "tswarm-net resolve: a name cannot be asked for\n");
			free(all);
			return 2;
		}
	}
	for (int i = 0; i < TRIES && ask(sock, all, count) > 0; i++)
		continue;
	for (size_t i = 0; i < count; i++) {
		printf("%s", i == 0 ? "[" : ",");
		print_asked(&all[i]);
	}
	printf("]\n");
	free(all);
	return 0;
}
