/*
 * The responder's effects: sockets, upstreams, and the loop that drives them.
 */
#ifndef TSWARM_NAMES_SERVER_H
#define TSWARM_NAMES_SERVER_H

#include "answer.h"
#include "config.h"

/* Something that epoll watches. fd < 0: not open. */
struct source {
	int fd;
	uint32_t events;
	void (*ready)(struct source *source, uint32_t events);
};

/* One address, with its UDP and its TCP socket. */
struct listener {
	struct source udp, tcp; /* udp is first: its events lead back to the listener */
	union endpoint endpoint;
	uint32_t generation; /* changes when the slot is used again */
};

/* Where an answer goes. */
struct asker {
	union endpoint from; /* UDP: the client */
	uint8_t address[16];
	bool tcp;
	size_t slot; /* of the listener (UDP) or the connection (TCP) */
	uint32_t generation;
};

extern struct server {
	int epoll_fd;
	struct config *config;
	struct shuffle shuffle;
	struct listener listeners[LISTEN_MAX];
	uint32_t generations;
} server;

/* loop.c */
int64_t now_ms(void);
void watch(struct source *source, uint32_t events);
void close_source(struct source *source);
void random_bytes(void *to, size_t length);

/* listen.c: sockets that take questions. */
/* Opens and closes listeners so that they are what the configuration asks for. */
int listeners_update(const struct config *config, struct ts_err *err);
void answer_send(const struct asker *asker, const uint8_t *bytes, size_t length);

/* tcp.c */
void tcp_accept(struct source *source, uint32_t events);
void tcp_send(const struct asker *asker, const uint8_t *bytes, size_t length);
int64_t tcp_deadline(void);
void tcp_check(int64_t now);

/* forward.c: questions that upstreams answer. */
void forward_question(const struct asker *asker, const struct question *question);
int64_t forward_deadline(void);
void forward_check(int64_t now);

#endif
