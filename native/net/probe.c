/*
 * tswarm-net probe MTU ADDRESS...: are nodes reached through the tunnel? Sends each address small
 * and full ICMPv6 echoes and prints what came back, one JSON array:
 * [{"address","sent","received","rttMs","full"}]. With MTU 0 no full ones, and no long wait. A
 * program run of its own, so that nobody waits for it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "net.h"

enum {
	SMALL_BYTES = 64,
	SMALL_COUNT = 3,
	SPACING_MS = 20,
	WAIT_MS = 1000,
	SHORT_WAIT_MS = 250,
	FULL = 100, /* sequence number of the full packet */
	IP6_HEADER = 40,
	PACKET_MAX = 65535,
};

struct target {
	const char *text;
	struct sockaddr_in6 address;
	int sent, received;
	int64_t sent_us[SMALL_COUNT];
	int64_t best_us;
	bool full;
};

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void send_echo(int sock, struct target *target, size_t number, uint16_t sequence, size_t len)
{
	static unsigned char packet[PACKET_MAX];
	struct icmp6hdr head = {.icmp6_type = ICMPV6_ECHO_REQUEST};
	head.icmp6_identifier = htons((uint16_t)((unsigned)getpid() + number));
	head.icmp6_sequence = htons(sequence);
	memset(packet, 0x5a, len);
	memcpy(packet, &head, sizeof(head));
	if (sendto(sock, packet, len, 0, (struct sockaddr *)&target->address,
		   sizeof(target->address)) == (ssize_t)len)
		target->sent++;
}

static void receive_echo(int sock, struct target *targets, size_t count)
{
	static unsigned char packet[PACKET_MAX];
	struct icmp6hdr head;
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	ssize_t n =
	    recvfrom(sock, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	if (n < (ssize_t)sizeof(head))
		return;
	memcpy(&head, packet, sizeof(head));
	size_t number = (uint16_t)(ntohs(head.icmp6_identifier) - (uint16_t)getpid());
	uint16_t sequence = ntohs(head.icmp6_sequence);
	if (head.icmp6_type != ICMPV6_ECHO_REPLY || number >= count)
		return;
	struct target *target = &targets[number];
	if (memcmp(&from.sin6_addr, &target->address.sin6_addr, sizeof(from.sin6_addr)) != 0)
		return;
	target->received++;
	if (sequence == FULL)
		target->full = true;
	if (sequence >= SMALL_COUNT)
		return;
	int64_t took = now_us() - target->sent_us[sequence];
	if (target->best_us == 0 || took < target->best_us)
		target->best_us = took;
}

static void receive_for(int sock, struct target *targets, size_t count, int ms, size_t wanted)
{
	int64_t end = now_us() + (int64_t)ms * 1000;
	for (int64_t left = end - now_us(); left > 0; left = end - now_us()) {
		struct pollfd fd = {.fd = sock, .events = POLLIN};
		size_t received = 0;
		for (size_t i = 0; i < count; i++)
			received += (size_t)targets[i].received;
		if (received >= wanted)
			return;
		if (poll(&fd, 1, (int)(left / 1000) + 1) > 0)
			receive_echo(sock, targets, count);
	}
}

static void print_targets(const struct target *targets, size_t count)
{
	printf("[");
	for (size_t i = 0; i < count; i++) {
		const struct target *t = &targets[i];
		printf(
		    "%s{\"address\":\"%s\",\"sent\":%d,\"received\":%d,\"rttMs\":%.3f,\"full\":%s}",
		    i > 0 ? "," : "", t->text, t->sent, t->received, (double)t->best_us / 1000,
		    t->full ? "true" : "false");
	}
	printf("]\n");
}

int net_probe(int argc, char **argv)
{
	size_t count = argc > 3 ? (size_t)(argc - 3) : 0;
	long mtu = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	if (count == 0 || (mtu != 0 && mtu < 1280) || mtu > PACKET_MAX) {
		fprintf(stderr, "usage: tswarm-net probe MTU ADDRESS...\n");
		return 2;
	}
	cleanup_free struct target *targets = calloc(count, sizeof(*targets));
	cleanup_fd int sock = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	int on = 1;
	if (!targets || sock < 0) {
		fprintf(stderr, "tswarm-net probe: %s\n", strerror(errno));
		return 1;
	}
	setsockopt(sock, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof(on));
	for (size_t i = 0; i < count; i++) {
		targets[i].text = argv[i + 3];
		targets[i].address.sin6_family = AF_INET6;
		if (inet_pton(AF_INET6, argv[i + 3], &targets[i].address.sin6_addr) != 1) {
			fprintf(stderr, "tswarm-net probe: not an IPv6 address: %s\n", argv[i + 3]);
			return 2;
		}
	}
	for (uint16_t n = 0; n < SMALL_COUNT; n++) {
		for (size_t i = 0; i < count; i++) {
			targets[i].sent_us[n] = now_us();
			send_echo(sock, &targets[i], i, n, SMALL_BYTES);
		}
		receive_for(sock, targets, count, SPACING_MS, count * (n + 1u));
	}
	size_t wanted = count * (size_t)(SMALL_COUNT + (mtu > 0));
	for (size_t i = 0; mtu > 0 && i < count; i++)
		send_echo(sock, &targets[i], i, FULL, (size_t)mtu - IP6_HEADER);
	receive_for(sock, targets, count, mtu > 0 ? WAIT_MS : SHORT_WAIT_MS, wanted);
	print_targets(targets, count);
	return 0;
}
