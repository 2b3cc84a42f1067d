/*
 * Implementation of namespaces.h. Refuses a path whose namespace is of another type than the
 * configuration says. The kernel refuses what the container's user namespace does not own.
 */
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define NS_GET_TYPE 0xb703 /* NS_GET_NSTYPE of <linux/nsfs.h> */

static const struct {
	const char *word;
	int flag;
} kinds[NS_COUNT] = {
    [NS_USER] = {"user", CLONE_NEWUSER},  [NS_PID] = {"pid", CLONE_NEWPID},
    [NS_NET] = {"network", CLONE_NEWNET}, [NS_IPC] = {"ipc", CLONE_NEWIPC},
    [NS_UTS] = {"uts", CLONE_NEWUTS},	  [NS_CGROUP] = {"cgroup", CLONE_NEWCGROUP},
    [NS_TIME] = {"time", CLONE_NEWTIME},  [NS_MOUNT] = {"mount", CLONE_NEWNS},
};

unsigned long ns_new_flags(const struct config *config)
{
	unsigned long flags = 0;

	for (int i = 0; i < NS_COUNT; i++)
		if (config->namespaces[i].present && !config->namespaces[i].path)
			flags |= (unsigned long)kinds[i].flag;
	/* The tree is always built where nobody else sees it; see rootfs_leave. */
	return flags | CLONE_NEWNS;
}

bool ns_has_own_mounts(const struct config *config)
{
	const struct ns_spec *mount = &config->namespaces[NS_MOUNT];

	return mount->present && !mount->path;
}

bool ns_need_helper(const struct config *config)
{
	const struct ns_spec *ns = config->namespaces;

	if (ns[NS_PID].path || ns[NS_TIME].present || ns[NS_USER].path)
		return true;
	for (int i = 0; ns[NS_USER].present && i < NS_COUNT; i++)
		if (i != NS_MOUNT && ns[i].path)
			return true;
	return false;
}

unsigned long ns_all_flags(const struct config *config)
{
	unsigned long flags = 0;

	for (int i = 0; i < NS_COUNT; i++)
		if (config->namespaces[i].present)
			flags |= (unsigned long)kinds[i].flag;
	return flags;
}

int ns_open_paths(const struct config *config, int fds[NS_COUNT], struct ts_err *err)
{
	for (int i = 0; i < NS_COUNT; i++)
		fds[i] = -1;
	for (int i = 0; i < NS_COUNT; i++) {
		const char *path = config->namespaces[i].path;
		int type;

		if (i == NS_MOUNT && !config->namespaces[i].present)
			path = "/proc/self/ns/mnt";
		if (!path)
			continue;
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			return ts_fail_errno(err, "open", path, "linux.namespaces: cannot open %s",
					     path);
		type = ioctl(fds[i], NS_GET_TYPE);
		if (type != kinds[i].flag)
			return config_invalid(err, path, "linux.namespaces: %s is no %s namespace",
					      path, kinds[i].word);
	}
	return 0;
}

/* What is joined is closed: it is no business of the processes that follow. */
static int join(int fds[NS_COUNT], int i, struct ts_err *err)
{
	if (fds[i] < 0)
		return 0;
	if (setns(fds[i], kinds[i].flag) < 0)
		return ts_fail_errno(err, "setns", NULL,
				     "linux.namespaces: cannot join the %s namespace",
				     kinds[i].word);
	ts_cleanup_fd(&fds[i]);
	fds[i] = -1;
	return 0;
}

int ns_join_self(int fds[NS_COUNT], struct ts_err *err)
{
	static const int order[] = {NS_NET, NS_IPC, NS_UTS, NS_CGROUP};

	for (size_t i = 0; i < TS_ARRAY_LEN(order); i++)
		if (join(fds, order[i], err) < 0)
			return -1;
	return 0;
}

static int make_time(const struct config *config, struct ts_err *err)
{
	const struct ns_spec *time = &config->namespaces[NS_TIME];

	if (!time->present || time->path)
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return ts_fail_errno(err, "unshare", NULL,
				     "linux.namespaces: cannot make a time namespace");
	for (size_t i = 0; i < config->time_offset_count; i++) {
		char text[80];
		int n = snprintf(text, sizeof(text), "%s %s", config->time_offsets[i].name,
				 config->time_offsets[i].value);

		if (ts_write_file_at(AT_FDCWD, "/proc/self/timens_offsets", text, (size_t)n) < 0)
			return ts_fail_errno(err, "write", "linux.timeOffsets",
					     "linux.timeOffsets: cannot set \"%s\"", text);
	}
	return 0;
}

int ns_join_as_helper(const struct config *config, int fds[NS_COUNT], struct ts_err *err)
{
	if (make_time(config, err) < 0 || join(fds, NS_TIME, err) < 0 ||
	    join(fds, NS_PID, err) < 0)
		return -1;
	/* The host's root may join what the mapped one may not; it is the last time that we are. */
	if (config->namespaces[NS_USER].present && ns_join_self(fds, err) < 0)
		return -1;
	return join(fds, NS_USER, err);
}

static int write_map(pid_t pid, const char *file, const struct id_maps *maps, struct ts_err *err)
{
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	char path[64];

	for (size_t i = 0; i < maps->count; i++)
		ts_buf_printf(&text, "%u %u %u\n", maps->items[i].container_id,
			      maps->items[i].host_id, maps->items[i].size);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if (ts_write_file_at(AT_FDCWD, path, text.data, text.len) < 0)
		return ts_fail_errno(err, "write", path,
				     "linux.uidMappings, gidMappings: cannot write %s", file);
	return 0;
}

int ns_write_id_maps(pid_t pid, const struct config *config, struct ts_err *err)
{
	return write_map(pid, "uid_map", &config->uid_maps, err) < 0 ||
		       write_map(pid, "gid_map", &config->gid_maps, err) < 0
		   ? -1
		   : 0;
}

int ns_set_names(const struct config *config, struct ts_err *err)
{
	const char *host = config->hostname, *domain = config->domainname;

	if (host && *host && sethostname(host, strlen(host)) < 0)
		return ts_fail_errno(err, "sethostname", "hostname",
				     "hostname: cannot set \"%.64s\"", host);
	if (domain && *domain && setdomainname(domain, strlen(domain)) < 0)
		return ts_fail_errno(err, "setdomainname", "domainname",
				     "domainname: cannot set \"%.64s\"", domain);
	return 0;
}

int ns_loopback_up(struct ts_err *err)
{
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return ts_fail_errno(err, "ioctl", "lo", "cannot bring the loopback device up");
	return 0;
}
