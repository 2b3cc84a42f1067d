/*
 * Questions over TCP (RFC 7766): each message has its length in front, several may be under way.
 *
 * Connections are few, short-lived and bounded per client; one that is idle, sends something that
 * is no question, or does not take its answers is closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "server.h"

/* Messages of one connection per event. */
enum { MESSAGES_AT_ONCE = 16 };

struct conn {
	struct source source;
	union endpoint from;
	uint8_t address[16];
	uint32_t generation;
	int64_t idle_since_ms;
	uint8_t in[2 + QUESTION_MAX_BYTES];
	size_t in_used;
	struct ts_buf out;
	size_t out_sent;
	bool read_closed;
	unsigned pending; /* questions that upstreams have not answered */
};

static struct conn conns[TCP_CONNS_MAX];
static size_t conn_count;
static int64_t next_check_ms = -1;
static uint8_t scratch[DNS_MESSAGE_MAX_BYTES];

static void conn_close(struct conn *conn)
{
	if (conn->source.fd < 0 || conn->generation == 0)
		return;
	close_source(&conn->source);
	ts_buf_free(&conn->out);
	conn->generation = 0;
	conn_count--;
}

static void conn_update(struct conn *conn)
{
	uint32_t events = 0;

	if (conn->generation == 0)
		return;
	if (conn->read_closed && conn->pending == 0 && conn->out.len == conn->out_sent) {
		conn_close(conn);
		return;
	}
	if (!conn->read_closed)
		events |= EPOLLIN;
	if (conn->out.len > conn->out_sent)
		events |= EPOLLOUT;
	watch(&conn->source, events ? events : EPOLLERR);
}

static void conn_write(struct conn *conn)
{
	while (conn->out_sent < conn->out.len) {
		ssize_t n = send(conn->source.fd, conn->out.data + conn->out_sent,
				 conn->out.len - conn->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			conn_close(conn);
			return;
		}
		conn->out_sent += (size_t)n;
		conn->idle_since_ms = now_ms();
	}
	if (conn->out_sent == conn->out.len)
		conn->out.len = conn->out_sent = 0;
	conn_update(conn);
}

/* Queues a message; the connection may be closed by it. */
static void conn_send(struct conn *conn, const uint8_t *bytes, size_t length)
{
	uint8_t prefix[2];

	if (conn->out.len - conn->out_sent > TCP_BACKLOG_MAX_BYTES) {
		conn_close(conn);
		return;
	}
	dns_put16(prefix, (uint16_t)length);
	ts_buf_add(&conn->out, prefix, sizeof prefix);
	ts_buf_add(&conn->out, bytes, length);
	conn_write(conn);
}

void tcp_send(const struct asker *asker, const uint8_t *bytes, size_t length)
{
	struct conn *conn = &conns[asker->slot];

	if (conn->generation != asker->generation)
		return;
	conn->pending--;
	conn_send(conn, bytes, length);
}

static void handle_message(struct conn *conn, const uint8_t *bytes, size_t length)
{
	struct question question;
	struct asker asker = {.from = conn->from,
			      .tcp = true,
			      .slot = (size_t)(conn - conns),
			      .generation = conn->generation};
	size_t answer_length = 0;

	memcpy(asker.address, conn->address, sizeof asker.address);
	switch (answer_question(server.config, conn->address, bytes, length, false, &server.shuffle,
				&question, scratch, sizeof scratch, &answer_length)) {
	case DECIDE_ANSWER:
		conn_send(conn, scratch, answer_length);
		break;
	case DECIDE_FORWARD:
		conn->pending++;
		forward_question(&asker, &question);
		break;
	default:
		conn_close(conn);
	}
}

/* Handles the complete messages in the buffer and keeps the rest. */
static void handle_buffer(struct conn *conn)
{
	uint32_t generation = conn->generation;
	size_t at = 0;

	while (conn->in_used - at >= 2) {
		size_t length = dns_get16(conn->in + at);
		if (length < DNS_HEADER_BYTES || length > QUESTION_MAX_BYTES) {
			conn_close(conn);
			return;
		}
		if (conn->in_used - at - 2 < length)
			break;
		handle_message(conn, conn->in + at + 2, length);
		if (conn->generation != generation)
			return;
		at += 2 + length;
	}
	memmove(conn->in, conn->in + at, conn->in_used - at);
	conn->in_used -= at;
}

static void conn_read(struct conn *conn)
{
	uint32_t generation = conn->generation;

	for (int i = 0; i < MESSAGES_AT_ONCE && conn->generation == generation; i++) {
		ssize_t n = recv(conn->source.fd, conn->in + conn->in_used,
				 sizeof conn->in - conn->in_used, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			conn_close(conn);
			return;
		}
		/* A client may stop sending and still wait for its answers. */
		if (n == 0) {
			conn->read_closed = true;
			break;
		}
		conn->in_used += (size_t)n;
		conn->idle_since_ms = now_ms();
		handle_buffer(conn);
	}
	if (conn->generation == generation)
		conn_update(conn);
}

static void conn_ready(struct source *source, uint32_t events)
{
	struct conn *conn = (struct conn *)source;

	if (events & (EPOLLHUP | EPOLLERR)) {
		conn_close(conn);
		return;
	}
	if (events & EPOLLOUT)
		conn_write(conn);
	if (conn->generation && events & EPOLLIN)
		conn_read(conn);
}

static size_t conns_of(const uint8_t address[16])
{
	size_t count = 0;

	for (size_t i = 0; i < TCP_CONNS_MAX; i++)
		count += conns[i].generation != 0 && memcmp(conns[i].address, address, 16) == 0;
	return count;
}

void tcp_accept(struct source *source, uint32_t events)
{
	union endpoint from;
	uint8_t address[16];
	socklen_t size = sizeof from;
	cleanup_fd int fd = accept4(source->fd, &from.generic, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	address_of(&from, address);
	if (conns_of(address) >= TCP_CONNS_PER_CLIENT_MAX)
		return;
	for (size_t i = 0; i < TCP_CONNS_MAX; i++) {
		struct conn *conn = &conns[i];
		if (conn->generation)
			continue;
		conn->source = (struct source){.fd = steal_fd(&fd), .ready = conn_ready};
		conn->from = from;
		memcpy(conn->address, address, sizeof address);
		conn->generation = ++server.generations;
		conn->idle_since_ms = now_ms();
		conn->in_used = conn->out_sent = 0;
		conn->pending = 0;
		conn->read_closed = false;
		conn_count++;
		if (next_check_ms < 0)
			next_check_ms = conn->idle_since_ms + TCP_CHECK_MS;
		conn_update(conn);
		return;
	}
}

/* When to look for idle connections again; -1 = there is none. */
int64_t tcp_deadline(void)
{
	return next_check_ms;
}

void tcp_check(int64_t now)
{
	if (next_check_ms < 0 || now < next_check_ms)
		return;
	for (size_t i = 0; i < TCP_CONNS_MAX; i++)
		if (conns[i].generation && now - conns[i].idle_since_ms >= TCP_IDLE_MS)
			conn_close(&conns[i]);
	next_check_ms = conn_count > 0 ? now + TCP_CHECK_MS : -1;
}
