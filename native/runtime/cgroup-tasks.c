/*
 * The processes of a control group: listing, signalling and freezing them.
 *
 * Freezing v1 is a request, not a command: a task that is being moved or forked can leave the group
 * FREEZING, so the request is repeated until it says FROZEN. Signals to all are sent to a frozen
 * group, so that no process can fork away between the reading of the list and the signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "cleanup.h"
#include "fs.h"

#define FREEZE_TIMEOUT_MS 2000
#define TREE_DEPTH_MAX 64

static int add_pids(int fd, int depth, pid_t **pids, size_t *count)
{
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	struct ts_err ignored = {0};
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int list;

	/* A group can vanish while we look: then it has no processes. */
	if (ts_read_file_at(fd, "cgroup.procs", &text, 64 * 1024 * 1024, &ignored) < 0)
		return 0;
	for (char *p = text.data; p && *p;) {
		char *end;
		long pid = strtol(p, &end, 10);

		if (end == p)
			break;
		if (pid > 0) {
			if ((*count & (*count - 1)) == 0) {
				size_t cap = *count ? *count * 2 : 1;
				pid_t *grown = realloc(*pids, cap * sizeof(pid_t));

				if (!grown)
					abort();
				*pids = grown;
			}
			(*pids)[(*count)++] = (pid_t)pid;
		}
		p = *end ? end + 1 : end;
	}
	list = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (list < 0)
		return 0;
	dir = fdopendir(list);
	if (!dir) {
		close(list);
		return 0;
	}
	while (depth < TREE_DEPTH_MAX && (entry = readdir(dir)) != NULL) {
		cleanup_fd int child = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		child = openat(fd, entry->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0 && add_pids(child, depth + 1, pids, count) < 0)
			return -1;
	}
	return 0;
}

/* Any hierarchy has the list; the first that exists is as good as another. */
static int any_fd(const struct cgroup *cg)
{
	static const char *const first[] = {"", "pids", "memory", "freezer", "cpu"};

	for (size_t i = 0; i < TS_ARRAY_LEN(first); i++) {
		const struct cgroup_hierarchy *h = cgroup_find(cg, first[i]);

		if (h)
			return h->fd;
	}
	for (size_t i = 0; i < cg->count; i++)
		if (cg->items[i].fd >= 0)
			return cg->items[i].fd;
	return -1;
}

int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *count, struct ts_err *err)
{
	int fd = any_fd(cg);

	*pids = NULL;
	*count = 0;
	if (fd < 0)
		return 0;
	if (add_pids(fd, 0, pids, count) < 0)
		return ts_fail_errno(err, "cgroup", cg->path, "cannot list the processes of %s",
				     cg->path);
	return 0;
}

static bool file_says(int fd, const char *file, const char *text)
{
	char have[256];
	cleanup_fd int f = openat(fd, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = f < 0 ? -1 : read(f, have, sizeof(have) - 1);

	if (n < 0)
		return false;
	have[n] = '\0';
	return strstr(have, text) != NULL;
}

int cgroup_is_frozen(const struct cgroup *cg)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "freezer");

	if (h)
		return file_says(h->fd, "freezer.state", "FROZEN") ||
		       file_says(h->fd, "freezer.state", "FREEZING");
	h = cgroup_find(cg, "");
	return h && file_says(h->fd, "cgroup.freeze", "1");
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int freeze_v1(int fd, bool freeze, struct ts_err *err)
{
	const char *want = freeze ? "FROZEN" : "THAWED";
	long end = now_ms() + FREEZE_TIMEOUT_MS;

	do {
		if (ts_write_file_at(fd, "freezer.state", want, 6) < 0)
			return ts_fail_errno(err, "cgroup", "freezer.state",
					     "cannot %s the container", freeze ? "freeze" : "thaw");
		for (int i = 0; i < 20; i++) {
			if (file_says(fd, "freezer.state", want))
				return 0;
			poll(NULL, 0, 1);
		}
		/* Stuck in FREEZING: let the tasks run on for a moment, then ask again. */
		if (freeze) {
			ts_write_file_at(fd, "freezer.state", "THAWED", 6);
			poll(NULL, 0, 5);
		}
	} while (now_ms() < end);
	return ts_fail(err, TS_E_KERNEL, ETIMEDOUT, "cgroup", "freezer.state",
		       "the container could not be %s", freeze ? "frozen" : "thawed");
}

static int freeze_v2(int fd, bool freeze, struct ts_err *err)
{
	const char *want = freeze ? "frozen 1" : "frozen 0";
	cleanup_fd int events = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd p = {.fd = events, .events = POLLPRI};
	long end = now_ms() + FREEZE_TIMEOUT_MS;

	if (ts_write_file_at(fd, "cgroup.freeze", freeze ? "1" : "0", 1) < 0)
		return ts_fail_errno(err, "cgroup", "cgroup.freeze", "cannot %s the container",
				     freeze ? "freeze" : "thaw");
	while (!file_says(fd, "cgroup.events", want)) {
		long left = end - now_ms();

		if (left <= 0)
			return ts_fail(err, TS_E_KERNEL, ETIMEDOUT, "cgroup", "cgroup.freeze",
				       "the container could not be %s",
				       freeze ? "frozen" : "thawed");
		poll(&p, 1, left < 50 ? (int)left : 50);
	}
	return 0;
}

int cgroup_freeze(struct cgroup *cg, bool freeze, struct ts_err *err)
{
	struct cgroup_hierarchy *h = cgroup_find(cg, "freezer");

	if (h)
		return freeze_v1(h->fd, freeze, err);
	h = cgroup_find(cg, "");
	if (h)
		return freeze_v2(h->fd, freeze, err);
	return ts_fail(err, TS_E_UNSUPPORTED, 0, "cgroup", cg->path,
		       "this host has no control group that can pause a container");
}

int cgroup_signal_all(struct cgroup *cg, int sig, struct ts_err *err)
{
	struct cgroup_hierarchy *v2 = cgroup_find(cg, "");
	cleanup_free pid_t *pids = NULL;
	struct ts_err ignored = {0};
	size_t count = 0;
	bool frozen_before = cgroup_is_frozen(cg), frozen;
	int rc = 0;

	if (sig == SIGKILL && cg->unified && v2 &&
	    ts_write_file_at(v2->fd, "cgroup.kill", "1", 1) == 0)
		return 0;
	frozen = cgroup_freeze(cg, true, &ignored) == 0;
	if (cgroup_pids(cg, &pids, &count, err) < 0)
		rc = -1;
	for (size_t i = 0; i < count; i++)
		if (kill(pids[i], sig) < 0 && errno != ESRCH)
			rc = ts_fail_errno(err, "kill", NULL, "cannot signal process %d",
					   (int)pids[i]);
	/* A killed process dies only when it is thawed. */
	if (frozen && (!frozen_before || sig == SIGKILL)) {
		memset(&ignored, 0, sizeof(ignored));
		cgroup_freeze(cg, false, &ignored);
	}
	return rc;
}
