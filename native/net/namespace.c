/* Network namespaces by path, and sysctls in them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"
#include "net.h"
#include "sys.h"

#include <linux/mount.h>

#ifndef MS_BIND
#define MS_BIND 4096
#endif

int net_enter(int nsfd, struct ts_err *err)
{
	if (setns(nsfd, CLONE_NEWNET) < 0)
		return ts_fail_errno(err, "setns", "", "cannot enter the network namespace");
	return 0;
}

void net_return(const struct net_host *host)
{
	struct ts_err err = {0};
	if (net_enter(host->netns, &err) == 0)
		return;
	ts_err_print(&err, STDERR_FILENO);
	_exit(1);
}

int net_namespace_open(const char *path, struct ts_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ts_fail_errno(err, "open", path, "cannot open network namespace %s", path);
	return fd;
}

int net_namespace_create(const struct net_host *host, const char *path, struct ts_err *err)
{
	cleanup_fd int target = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0400);
	if (target < 0)
		return ts_fail_errno(err, "open", path, "cannot create %s", path);
	if (unshare(CLONE_NEWNET) < 0)
		return ts_fail_errno(err, "unshare", "", "cannot make a network namespace");
	int result = 0;
	if (ts_mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0)
		result = ts_fail_errno(err, "mount", path, "cannot bind the namespace to %s", path);
	int nsfd = result < 0 ? -1 : open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (result == 0 && nsfd < 0)
		result = ts_fail_errno(err, "open", path, "cannot open network namespace %s", path);
	net_return(host);
	if (result < 0) {
		net_namespace_remove(path);
		return -1;
	}
	return nsfd;
}

void net_namespace_remove(const char *path)
{
	ts_umount2(path, MNT_DETACH);
	unlink(path);
}

int net_sysctl(const char *name, const char *value, struct ts_err *err)
{
	char path[256];
	if (strncmp(name, "net.", 4) != 0 || strstr(name, "..") || strchr(name, '/'))
		return ts_fail(err, TS_E_INVALID, 0, "sysctl", name,
			       "sysctl %s: only net.* belongs to a network namespace", name);
	int len = snprintf(path, sizeof(path), "/proc/sys/%s", name);
	if (len < 0 || (size_t)len >= sizeof(path))
		return ts_fail(err, TS_E_INVALID, 0, "sysctl", name, "sysctl name too long");
	for (char *p = path + strlen("/proc/sys/"); *p; p++)
		if (*p == '.')
			*p = '/';
	if (ts_write_file_at(AT_FDCWD, path, value, strlen(value)) < 0)
		return ts_fail_errno(err, "sysctl", name, "sysctl %s=%s", name, value);
	return 0;
}
