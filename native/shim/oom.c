/*
 * Whether the kernel killed something in the container for lack of memory.
 *
 * Reads the counter oom_kill of the container's memory cgroup: memory.oom_control (v1) or
 * memory.events (v2). The file is opened right after create, so that it can be read although the
 * folder may be gone by the time the container has ended. No cgroup: never reported as killed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "shim.h"

static int open_counter(const char *folder)
{
	char path[4096];
	static const char *const names[] = {"memory.oom_control", "memory.events"};

	for (size_t i = 0; i < TS_ARRAY_LEN(names); i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* Looks for the memory controller's line of /proc/PID/cgroup: "4:memory:/x" (v1) or "0::/x" (v2).
 */
static int open_of_process(pid_t pid)
{
	char path[4096], text[8192], *rest = text, *line;

	snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';

	int found = -1;
	while (found < 0 && (line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':');
		char *folder = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!folder)
			continue;
		*folder++ = '\0';
		controllers++;
		bool unified = controllers[0] == '\0';
		if (!unified && strcmp(controllers, "memory") != 0)
			continue;
		static const char *const v1[] = {"/sys/fs/cgroup/memory"};
		static const char *const v2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
		const char *const *mounts = unified ? v2 : v1;
		for (size_t i = 0; found < 0 && i < (unified ? 2 : 1); i++) {
			snprintf(path, sizeof path, "%s%s", mounts[i], folder);
			found = open_counter(path);
		}
	}
	return found;
}

void oom_open(pid_t pid)
{
	shim.oom_fd =
	    shim.options.cgroup_oom ? open_counter(shim.options.cgroup_oom) : open_of_process(pid);
	shim.oom_kills_before = oom_kills();
}

uint64_t oom_kills(void)
{
	char text[512], *field;

	if (shim.oom_fd < 0)
		return 0;
	ssize_t n = pread(shim.oom_fd, text, sizeof text - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	field = strstr(text, "oom_kill ");
	return field ? strtoull(field + strlen("oom_kill "), NULL, 10) : 0;
}
