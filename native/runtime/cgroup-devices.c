/*
 * Which devices a container may use. Rules are applied in order, the last match wins; first comes
 * "deny all", last the devices that every container needs.
 * v1: lines for devices.deny and devices.allow. v2: a BPF program per group (cgroup-bpf.c).
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "cleanup.h"

#define RW (DEVICE_READ | DEVICE_WRITE)
#define RWM (RW | DEVICE_MKNOD)

const struct device_rule cgroup_default_devices[] = {
    {true, 'c', -1, -1, DEVICE_MKNOD}, /* making a node is harmless: opening it is checked */
    {true, 'b', -1, -1, DEVICE_MKNOD},
    {true, 'c', 1, 3, RWM},    /* null */
    {true, 'c', 1, 5, RWM},    /* zero */
    {true, 'c', 1, 7, RWM},    /* full */
    {true, 'c', 1, 8, RWM},    /* random */
    {true, 'c', 1, 9, RWM},    /* urandom */
    {true, 'c', 5, 0, RWM},    /* tty */
    {true, 'c', 5, 2, RWM},    /* ptmx */
    {true, 'c', 136, -1, RWM}, /* pts */
};
const size_t cgroup_default_device_count = TS_ARRAY_LEN(cgroup_default_devices);

static int write_line(int fd, char type, const struct device_rule *r, struct ts_err *err)
{
	char text[64], major[24] = "*", minor[24] = "*";

	if (r->major >= 0)
		snprintf(major, sizeof(major), "%lld", (long long)r->major);
	if (r->minor >= 0)
		snprintf(minor, sizeof(minor), "%lld", (long long)r->minor);
	snprintf(text, sizeof(text), "%c %s:%s %s%s%s", type, major, minor,
		 r->access & DEVICE_READ ? "r" : "", r->access & DEVICE_WRITE ? "w" : "",
		 r->access & DEVICE_MKNOD ? "m" : "");
	if (write(fd, text, strlen(text)) < 0)
		return ts_fail_errno(err, "cgroup", "devices",
				     "linux.resources.devices: cannot set \"%s\"", text);
	return 0;
}

static int write_rule(int allow_fd, int deny_fd, const struct device_rule *r, struct ts_err *err)
{
	int fd = r->allow ? allow_fd : deny_fd;

	if (r->access == 0)
		return 0;
	if (r->type != 'a')
		return write_line(fd, r->type, r, err);
	if (r->major < 0 && r->minor < 0 && r->access == RWM) {
		if (write(fd, "a", 1) < 0)
			return ts_fail_errno(err, "cgroup", "devices",
					     "linux.resources.devices: cannot %s all devices",
					     r->allow ? "allow" : "deny");
		return 0;
	}
	/* The kernel's "a" ignores numbers and access, so part of it is said for both kinds. */
	return write_line(fd, 'c', r, err) < 0 || write_line(fd, 'b', r, err) < 0 ? -1 : 0;
}

int cgroup_v1_devices(int fd, const struct resources *res, struct ts_err *err)
{
	cleanup_fd int allow_fd = openat(fd, "devices.allow", O_WRONLY | O_CLOEXEC);
	cleanup_fd int deny_fd = openat(fd, "devices.deny", O_WRONLY | O_CLOEXEC);
	static const struct device_rule deny_all = {false, 'a', -1, -1, RWM};

	if (allow_fd < 0 || deny_fd < 0)
		return ts_fail_errno(err, "cgroup", "devices", "cannot open the device rules");
	if (write_rule(allow_fd, deny_fd, &deny_all, err) < 0)
		return -1;
	for (size_t i = 0; i < res->device_count; i++)
		if (write_rule(allow_fd, deny_fd, &res->devices[i], err) < 0)
			return -1;
	for (size_t i = 0; i < cgroup_default_device_count; i++)
		if (write_rule(allow_fd, deny_fd, &cgroup_default_devices[i], err) < 0)
			return -1;
	return 0;
}
