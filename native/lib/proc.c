/*
 * Implementation of proc.h. The pidfd is opened before the start time is compared, so the answer
 * stays true even when the pid is used again in between.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "sys.h"

int ts_proc_stat(pid_t pid, uint64_t *start_ticks, char *state)
{
	char path[32], text[1024], *p, letter;
	unsigned long long start;
	cleanup_fd int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			errno = ESRCH;
		return -1;
	}
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0) {
		if (n == 0)
			errno = ESRCH;
		return -1;
	}
	text[n] = '\0';
	/* The command name may hold spaces and parentheses; the last ')' ends it. */
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			 "%*d %llu",
			 &letter, &start) != 2) {
		errno = EPROTO;
		return -1;
	}
	*start_ticks = start;
	if (state)
		*state = letter;
	return 0;
}

int ts_proc_pidfd(pid_t pid, uint64_t start_ticks)
{
	cleanup_fd int fd = ts_pidfd_open(pid);
	uint64_t now;
	char state;

	if (fd < 0)
		return -1;
	if (ts_proc_stat(pid, &now, &state) < 0)
		return -1;
	if (now != start_ticks || state == 'Z' || state == 'X') {
		errno = ESRCH;
		return -1;
	}
	return steal_fd(&fd);
}

int ts_proc_wait(int pidfd, int timeout_ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	struct timespec start, now;
	int left = timeout_ms, n;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while ((n = poll(&p, 1, left)) < 0 && errno == EINTR) {
		if (timeout_ms < 0)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = timeout_ms - (int)((now.tv_sec - start.tv_sec) * 1000 +
					  (now.tv_nsec - start.tv_nsec) / 1000000);
		if (left < 0)
			left = 0;
	}
	return n;
}
