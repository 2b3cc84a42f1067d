/*
 * Listening sockets, and questions over UDP.
 *
 * Addresses may not exist yet (a mesh address, a gateway address): IP_FREEBIND binds them anyway.
 * Questions are read in batches and answered in batches from the socket that they came to, so that
 * the answer has the address that was asked.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "server.h"

/* Reads per event, so that one flood does not shut out TCP, upstreams and reloads. */
enum { BATCHES_AT_ONCE = 8 };

static struct {
	uint8_t questions[UDP_BATCH][QUESTION_MAX_BYTES];
	uint8_t answers[UDP_BATCH][DNS_UDP_EDNS_BYTES];
	union endpoint from[UDP_BATCH];
	struct iovec in[UDP_BATCH], out[UDP_BATCH];
	struct mmsghdr received[UDP_BATCH], sent[UDP_BATCH];
} batch;

/* Answers question `i` of the batch; true when there is something to send in place `count`. */
static bool answer_one(struct listener *listener, int i, int count)
{
	struct question question;
	struct asker asker = {.from = batch.from[i],
			      .slot = (size_t)(listener - server.listeners),
			      .generation = listener->generation};
	size_t length = 0;

	if (batch.received[i].msg_hdr.msg_flags & MSG_TRUNC)
		return false;
	address_of(&asker.from, asker.address);
	switch (answer_question(server.config, asker.address, batch.questions[i],
				batch.received[i].msg_len, true, &server.shuffle, &question,
				batch.answers[count], DNS_UDP_EDNS_BYTES, &length)) {
	case DECIDE_FORWARD:
		forward_question(&asker, &question);
		return false;
	case DECIDE_ANSWER:
		break;
	default:
		return false;
	}
	batch.out[count] = (struct iovec){batch.answers[count], length};
	batch.sent[count].msg_hdr = (struct msghdr){.msg_name = &batch.from[i],
						    .msg_namelen = endpoint_bytes(&batch.from[i]),
						    .msg_iov = &batch.out[count],
						    .msg_iovlen = 1};
	return true;
}

static void send_batch(int fd, int count)
{
	int done = 0;

	while (done < count) {
		int n = sendmmsg(fd, batch.sent + done, (unsigned)(count - done), MSG_DONTWAIT);
		if (n > 0)
			done += n;
		else if (errno == EAGAIN || errno == ENOBUFS)
			return; /* the client asks again */
		else if (errno != EINTR)
			done++;
	}
}

static void udp_ready(struct source *source, uint32_t events)
{
	struct listener *listener = (struct listener *)source;

	(void)events;
	for (int round = 0; round < BATCHES_AT_ONCE && source->fd >= 0; round++) {
		for (int i = 0; i < UDP_BATCH; i++) {
			batch.in[i] = (struct iovec){batch.questions[i], QUESTION_MAX_BYTES};
			batch.received[i].msg_hdr =
			    (struct msghdr){.msg_name = &batch.from[i],
					    .msg_namelen = sizeof batch.from[i],
					    .msg_iov = &batch.in[i],
					    .msg_iovlen = 1};
		}
		int received = recvmmsg(source->fd, batch.received, UDP_BATCH, MSG_DONTWAIT, NULL);
		if (received <= 0)
			return;
		int count = 0;
		for (int i = 0; i < received; i++)
			count += answer_one(listener, i, count);
		send_batch(source->fd, count);
		if (received < UDP_BATCH)
			return;
	}
}

void answer_send(const struct asker *asker, const uint8_t *bytes, size_t length)
{
	const struct listener *listener = &server.listeners[asker->slot];

	if (asker->tcp)
		tcp_send(asker, bytes, length);
	else if (listener->udp.fd >= 0 && listener->generation == asker->generation)
		sendto(listener->udp.fd, bytes, length, MSG_DONTWAIT, &asker->from.generic,
		       endpoint_bytes(&asker->from));
}

static int open_socket(const union endpoint *endpoint, int type, struct ts_err *err)
{
	int one = 1, size = UDP_RECEIVE_BUFFER_BYTES;
	int family = endpoint->generic.sa_family;
	cleanup_fd int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return ts_fail_errno(err, "socket", NULL, "cannot open a socket");
	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one);
	else if (setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof one) < 0 ||
		 setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0)
		return ts_fail_errno(err, "setsockopt", NULL, "cannot prepare a socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	else if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(fd, &endpoint->generic, endpoint_bytes(endpoint)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, TCP_CONNS_MAX) < 0))
		return ts_fail_errno(err, "bind", NULL, "cannot listen on port %d",
				     ntohs(endpoint->v4.sin_port));
	return steal_fd(&fd);
}

static int open_listener(struct listener *listener, const union endpoint *endpoint,
			 struct ts_err *err)
{
	cleanup_fd int udp = open_socket(endpoint, SOCK_DGRAM, err);
	cleanup_fd int tcp = udp < 0 ? -1 : open_socket(endpoint, SOCK_STREAM, err);

	if (tcp < 0)
		return -1;
	*listener = (struct listener){.udp = {.fd = steal_fd(&udp), .ready = udp_ready},
				      .tcp = {.fd = steal_fd(&tcp), .ready = tcp_accept},
				      .endpoint = *endpoint,
				      .generation = ++server.generations};
	watch(&listener->udp, EPOLLIN);
	watch(&listener->tcp, EPOLLIN);
	return 0;
}

static struct listener *find_listener(const union endpoint *endpoint)
{
	for (size_t i = 0; i < LISTEN_MAX; i++) {
		struct listener *listener = &server.listeners[i];
		if (listener->udp.fd >= 0 && endpoint_equal(&listener->endpoint, endpoint))
			return listener;
	}
	return NULL;
}

static bool is_wanted(const struct config *config, const union endpoint *endpoint)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (endpoint_equal(&config->listen[i], endpoint))
			return true;
	return false;
}

/* Opens what is missing, then closes what is not wanted. On failure the old ones stay. */
int listeners_update(const struct config *config, struct ts_err *err)
{
	for (size_t i = 0; i < config->listen_count; i++) {
		struct listener *free_slot = NULL;
		if (find_listener(&config->listen[i]))
			continue;
		for (size_t k = 0; k < LISTEN_MAX && !free_slot; k++)
			if (server.listeners[k].udp.fd < 0)
				free_slot = &server.listeners[k];
		if (!free_slot)
			return ts_fail(err, TS_E_INVALID, 0, "listen", NULL, "too many addresses");
		if (open_listener(free_slot, &config->listen[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < LISTEN_MAX; i++) {
		struct listener *listener = &server.listeners[i];
		if (listener->udp.fd < 0 || is_wanted(config, &listener->endpoint))
			continue;
		close_source(&listener->udp);
		close_source(&listener->tcp);
	}
	return 0;
}
