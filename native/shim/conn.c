/*
 * Client connections: frames in, frames out, and clients that are too slow.
 *
 * Frame: u8 type, u8 0, u16 0, u32le length, payload. The first is a request (Q), one per
 * connection. What a client does not take at once waits in a ring of its own; an attached client
 * that is BACKLOG_MAX_BYTES or CLIENT_STALL_MS behind is cut off, an exec waits for its client.
 * Invariant: whole frames enter the ring or the connection is closed.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim.h"

/* Steps of one connection per event, so that a busy client does not shut out the others. */
enum { STEPS_AT_ONCE = 16 };

static bool is_paused(const struct conn *conn)
{
	return conn->input_blocked || conn->role == ROLE_ASKED;
}

/* Makes epoll watch for exactly what this connection can use now. */
void conn_update(struct conn *conn)
{
	uint32_t events = 0;

	if (conn->source.fd < 0)
		return;
	if (conn->role == ROLE_CLOSING || (!conn->read_closed && !is_paused(conn)))
		events |= EPOLLIN;
	if (conn->ring_used > 0)
		events |= EPOLLOUT;
	/* With nothing else to wait for, a hang-up is still news, unless it has been seen. */
	if (events == 0 && !conn->peer_gone)
		events = EPOLLERR;
	watch(&conn->source, events);
}

/* Bytes that nobody has read make the kernel report a reset instead of an end to the client. */
static void discard_input(int fd)
{
	char part[4096];

	for (int reads = 0; reads < STEPS_AT_ONCE; reads++)
		if (recv(fd, part, sizeof part, MSG_DONTWAIT) <= 0)
			return;
}

void conn_close(struct conn *conn)
{
	struct process *process = conn->process;

	if (conn->source.fd < 0)
		return;
	discard_input(conn->source.fd);
	close_source(&conn->source);
	ts_buf_free(&conn->body);
	if (conn->ring)
		munmap(conn->ring, RING_BYTES);
	for (size_t i = 0; i < MAX_COMMANDS; i++)
		if (shim.commands[i].pid && shim.commands[i].conn == conn)
			shim.commands[i].conn = NULL;
	if (shim.delete_conn == conn)
		shim.delete_conn = NULL;
	enum role role = conn->role;
	*conn = (struct conn){.source = {.fd = -1}};
	if (role == ROLE_EXEC && process) {
		input_close(process);
		output_hold(process, false);
	}
}

/*
 * Everything has been sent. The client closes first: were the connection closed here, a frame that the
 * client is just writing would fail, and a client whose write fails never reads what is left for it.
 */
static void stop_sending(struct conn *conn)
{
	shutdown(conn->source.fd, SHUT_WR);
	conn_update(conn);
}

/* The answer is complete: closes the connection as soon as the client has taken it. */
void conn_close_when_sent(struct conn *conn)
{
	if (conn->source.fd < 0)
		return;
	conn->role = ROLE_CLOSING;
	conn->input_blocked = false;
	conn->read_closed = true;
	if (conn->ring_used == 0)
		stop_sending(conn);
	else
		conn_update(conn);
}

static bool ring_add(struct conn *conn, const char *data, size_t length)
{
	if (!conn->ring) {
		void *memory = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (memory == MAP_FAILED)
			return false;
		conn->ring = memory;
	}
	if (conn->ring_used == 0) {
		conn->ring_head = 0;
		conn->progress_ms = now_ms();
	}
	size_t tail = (conn->ring_head + conn->ring_used) & (RING_BYTES - 1);
	size_t first = RING_BYTES - tail < length ? RING_BYTES - tail : length;
	memcpy(conn->ring + tail, data, first);
	memcpy(conn->ring, data + first, length - first);
	conn->ring_used += length;
	return true;
}

static void ring_send(struct conn *conn)
{
	while (conn->ring_used > 0) {
		size_t first = RING_BYTES - conn->ring_head;
		struct iovec parts[2] = {
		    {conn->ring + conn->ring_head,
		     first < conn->ring_used ? first : conn->ring_used},
		    {conn->ring, first < conn->ring_used ? conn->ring_used - first : 0},
		};
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		ssize_t n = sendmsg(conn->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			conn_close(conn);
			return;
		}
		conn->ring_head = (conn->ring_head + (size_t)n) & (RING_BYTES - 1);
		conn->ring_used -= (size_t)n;
		conn->progress_ms = now_ms();
	}
	if (conn->role == ROLE_EXEC && conn->ring_used < EXEC_HOLD_BYTES / 2)
		output_hold(conn->process, false);
	if (conn->role == ROLE_CLOSING && conn->ring_used == 0)
		stop_sending(conn);
	else
		conn_update(conn);
}

/* Sends a frame, or keeps what does not go at once. May close the connection. */
void conn_send(struct conn *conn, uint8_t type, const char *data, size_t length)
{
	uint8_t header[FRAME_HEADER] = {type,
					0,
					0,
					0,
					(uint8_t)length,
					(uint8_t)(length >> 8),
					(uint8_t)(length >> 16),
					(uint8_t)(length >> 24)};
	size_t total = sizeof header + length;
	ssize_t sent = 0;

	if (conn->source.fd < 0 || conn->role == ROLE_CLOSING)
		return;
	if (conn->ring_used == 0) {
		struct iovec parts[2] = {{header, sizeof header}, {(void *)data, length}};
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		sent = sendmsg(conn->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			conn_close(conn);
			return;
		}
		if (sent < 0)
			sent = 0;
	}
	if ((size_t)sent == total)
		return;
	shim.memory_touched = true;
	size_t rest = total - (size_t)sent;
	bool behind = conn->role == ROLE_ATTACH && conn->ring_used + rest > BACKLOG_MAX_BYTES;
	if (behind || conn->ring_used + rest > RING_BYTES) {
		conn_close(conn);
		return;
	}
	bool kept = true;
	if ((size_t)sent < sizeof header) {
		kept = ring_add(conn, (const char *)header + sent, sizeof header - (size_t)sent);
		sent = sizeof header;
	}
	size_t done = (size_t)sent - sizeof header;
	if (!kept || !ring_add(conn, data + done, length - done)) {
		conn_close(conn);
		return;
	}
	if (conn->role == ROLE_EXEC && conn->ring_used > EXEC_HOLD_BYTES)
		output_hold(conn->process, true);
	conn_update(conn);
}

/* The process takes input again. */
void conn_resume_input(struct conn *conn)
{
	conn->input_blocked = false;
	conn->peer_gone = false;
	conn_update(conn);
}

void conn_check_stall(struct conn *conn, int64_t now)
{
	if (conn->source.fd < 0 || conn->ring_used == 0 || conn->role == ROLE_EXEC)
		return;
	if (now - conn->progress_ms >= CLIENT_STALL_MS)
		conn_close(conn);
}

/* Gives back a ring that holds nothing. */
void conn_trim(struct conn *conn)
{
	if (conn->ring && conn->ring_used == 0) {
		munmap(conn->ring, RING_BYTES);
		conn->ring = NULL;
	}
}

/* The client has said all that it will say. */
static void handle_end_of_input(struct conn *conn)
{
	conn->read_closed = true;
	if (conn->role == ROLE_NEW) {
		conn_close(conn);
		return;
	}
	if (conn->role == ROLE_EXEC)
		input_close(conn->process);
	conn_update(conn);
}

/* Whether a frame of this type and length may come now. */
static bool frame_allowed(const struct conn *conn, uint8_t type, uint32_t length)
{
	bool streams = conn->role == ROLE_ATTACH || conn->role == ROLE_EXEC;

	switch (type) {
	case FRAME_REQUEST:
		return conn->role == ROLE_NEW && length <= FRAME_MAX_BYTES;
	case FRAME_STDIN:
		return streams && length <= FRAME_MAX_BYTES;
	case FRAME_RESIZE:
	case FRAME_STDIN_CLOSED:
		return streams && length <= SMALL_FRAME_MAX_BYTES;
	default:
		return false;
	}
}

static void handle_frame(struct conn *conn)
{
	uint8_t type = conn->header[0];
	struct ts_buf body = conn->body;
	struct ts_err ignored = {0};
	const char *text = body.data ? body.data : "";

	conn->header_used = 0;
	conn->body = (struct ts_buf)TS_BUF_INIT;
	if (type == FRAME_REQUEST)
		handle_request(conn, text, body.len);
	else if (type == FRAME_RESIZE)
		process_resize(conn->process, text, body.len, &ignored);
	else if (type == FRAME_STDIN_CLOSED && conn->wants[FRAME_STDIN])
		input_close(conn->process);
	ts_buf_free(&body);
}

/* Reads from the socket; 0 = nothing now, -1 = the end. */
static ssize_t receive(struct conn *conn, void *to, size_t length)
{
	ssize_t n = recv(conn->source.fd, to, length, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n <= 0 ? -1 : n;
}

/* Takes one step through the stream of frames. False when no further step is possible now. */
static bool read_step(struct conn *conn)
{
	char part[4096];
	ssize_t n;

	if (conn->header_used < FRAME_HEADER) {
		n = receive(conn, conn->header + conn->header_used,
			    FRAME_HEADER - conn->header_used);
		if (n <= 0) {
			if (n < 0)
				handle_end_of_input(conn);
			return false;
		}
		conn->header_used += (size_t)n;
		if (conn->header_used < FRAME_HEADER)
			return true;
		const uint8_t *h = conn->header;
		conn->body_left =
		    h[4] | (uint32_t)h[5] << 8 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 24;
		if (!frame_allowed(conn, h[0], conn->body_left)) {
			conn_close(conn);
			return false;
		}
	}
	if (conn->body_left > 0 && conn->header[0] == FRAME_STDIN) {
		if (!input_write(conn)) {
			if (conn->read_closed)
				handle_end_of_input(conn);
			return false;
		}
	} else if (conn->body_left > 0) {
		n = receive(conn, part,
			    conn->body_left < sizeof part ? conn->body_left : sizeof part);
		if (n <= 0) {
			if (n < 0)
				handle_end_of_input(conn);
			return false;
		}
		ts_buf_add(&conn->body, part, (size_t)n);
		conn->body_left -= (uint32_t)n;
	}
	if (conn->body_left == 0)
		handle_frame(conn);
	return conn->source.fd >= 0;
}

/* Reads to the client's end and closes; what it still says no longer matters. */
static void closing_ready(struct conn *conn, uint32_t events)
{
	char part[4096];
	ssize_t n = 1;

	for (int reads = 0; reads < STEPS_AT_ONCE && n > 0; reads++)
		n = recv(conn->source.fd, part, sizeof part, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || (events & EPOLLERR))
		conn_close(conn);
}

static void conn_ready(struct source *source, uint32_t events)
{
	struct conn *conn = (struct conn *)source;

	if (events & EPOLLOUT)
		ring_send(conn);
	if (conn->source.fd >= 0 && conn->role == ROLE_CLOSING) {
		closing_ready(conn, events);
		return;
	}
	for (int steps = 0; steps < STEPS_AT_ONCE && conn->source.fd >= 0; steps++)
		if (conn->read_closed || is_paused(conn) || !read_step(conn))
			break;
	if (conn->source.fd < 0)
		return;
	if (events & (EPOLLHUP | EPOLLERR)) {
		if (conn->read_closed) {
			conn_close(conn);
			return;
		}
		/* It has left input behind that cannot be moved yet; look again when it can. */
		if (is_paused(conn))
			conn->peer_gone = true;
	}
	conn_update(conn);
}

static bool is_root(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

void listener_ready(struct source *source, uint32_t events)
{
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	for (size_t i = 0; i < MAX_CONNS && is_root(fd); i++) {
		struct conn *conn = &shim.conns[i];
		if (conn->source.fd >= 0)
			continue;
		*conn = (struct conn){.source = {.fd = fd, .ready = conn_ready}};
		conn_update(conn);
		return;
	}
	close(fd);
}
