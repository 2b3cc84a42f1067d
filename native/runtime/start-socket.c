/*
 * Implementation of start-socket.h. The path goes through /proc/self/fd, because a socket address
 * holds only 107 bytes and a state root may be longer.
 */
#include "start-socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"

/*
 * One that is gone closes the socket at once, so only a frozen process lets this pass. On a busy
 * machine a process with a small share of it may need seconds for its first step.
 */
#define ACK_TIMEOUT_MS 30000

enum { BYTE_GO = 'G', BYTE_NO = 'N', BYTE_ACK = 'A' };

static void address(int dir_fd, struct sockaddr_un *a)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/start.sock", dir_fd);
}

int start_socket_listen(int dir_fd, struct ts_err *err)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;

	address(dir_fd, &a);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 128) < 0)
		return ts_fail_errno(err, "bind", "start.sock", "cannot create the start socket");
	return steal_fd(&fd);
}

int start_socket_wait(int listen_fd, struct ts_err *err)
{
	for (;;) {
		cleanup_fd int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		char byte;
		ssize_t n;

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			return ts_fail_errno(err, "accept", "start.sock", "cannot wait for start");
		}
		do
			n = read(fd, &byte, 1);
		while (n < 0 && errno == EINTR);
		if (n != 1 || byte != BYTE_GO)
			continue;
		byte = BYTE_ACK;
		if (write(fd, &byte, 1) != 1)
			continue; /* whoever asked is gone */
		return steal_fd(&fd);
	}
}

static int connect_to(int dir_fd, int flags)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	struct sockaddr_un a;

	address(dir_fd, &a);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -1;
	return steal_fd(&fd);
}

bool start_socket_waits(int dir_fd)
{
	cleanup_fd int fd = connect_to(dir_fd, SOCK_NONBLOCK);
	const char byte = BYTE_NO;

	if (fd < 0)
		return errno == EAGAIN; /* its queue is full, so it exists */
	return send(fd, &byte, 1, MSG_NOSIGNAL) == 1;
}

/* The first process answers at once unless it is frozen or gone. */
static bool handshake(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte = BYTE_GO;

	return send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && poll(&p, 1, ACK_TIMEOUT_MS) == 1 &&
	       recv(fd, &byte, 1, 0) == 1 && byte == BYTE_ACK;
}

int start_socket_go(int dir_fd, const char *id, struct ts_err *err)
{
	cleanup_fd int fd = connect_to(dir_fd, 0);
	struct ts_err report;
	size_t have = 0;

	if (fd < 0 || !handshake(fd))
		return ts_fail(err, TS_E_STATE, 0, "start", id,
			       "cannot start container %s: it does not wait to be started", id);
	while (have < sizeof(report)) {
		ssize_t n = recv(fd, (char *)&report + have, sizeof(report) - have, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0; /* closed by execve */
		have += (size_t)n;
	}
	*err = report;
	return -1;
}
