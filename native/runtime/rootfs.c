/*
 * The frame of the container's tree: the root mount, targets, pivot_root. The mounts themselves are
 * in mounts.c and cgroup-mount.c, device nodes in devices.c, masks in masks.c.
 */
#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "sys.h"

#define STRICT (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

int rootfs_open_null(struct ts_err *err)
{
	cleanup_fd int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ts_fail_errno(err, "open", "/dev/null", "cannot open /dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return ts_fail(err, TS_E_REFUSED, 0, "open", "/dev/null",
			       "/dev/null of the host is not the null device");
	return steal_fd(&fd);
}

/* The mount that holds the root must not pass our mounts on. */
static int make_parent_private(const char *path, struct ts_err *err)
{
	char real[PATH_MAX];

	if (!realpath(path, real))
		return ts_fail_errno(err, "realpath", path, "root.path: cannot resolve %s", path);
	for (;;) {
		char *slash;

		if (ts_mount(NULL, real, NULL, MS_PRIVATE, NULL) == 0)
			return 0;
		if (errno != EINVAL)
			return ts_fail_errno(err, "mount", real, "cannot make %s private", real);
		/* EINVAL: not a mount point; its parent may be. */
		slash = strrchr(real, '/');
		if (!slash || !real[1])
			return ts_fail_errno(err, "mount", real,
					     "root.path: cannot find its mount");
		slash[slash == real ? 1 : 0] = '\0';
	}
}

int rootfs_prepare(struct rootfs *r, const char *path, struct ts_err *err)
{
	const unsigned long given = r->config->rootfs_propagation;
	unsigned long flags = given ? given : MS_SLAVE | MS_REC;
	cleanup_fd int tree = -1, at = -1;

	/* What is unbindable cannot be cloned either: the root becomes it at the end. */
	if (flags & MS_UNBINDABLE)
		flags = MS_PRIVATE | (flags & MS_REC);
	if (ts_mount(NULL, "/", NULL, flags, NULL) < 0)
		return ts_fail_errno(err, "mount", "/", "cannot set the propagation of the mounts");
	r->null_fd = rootfs_open_null(err);
	if (r->null_fd < 0)
		return -1;
	if (r->source_fd >= 0) {
		/* The path may be closed to the mapped root; the parent has opened the tree. */
		tree = steal_fd(&r->source_fd);
		path = "/";
	}
	/* A propagation that was asked for may have left it as it was: shared with the host,
	   where it is not the mount of "/". */
	if (given && make_parent_private(path, err) < 0)
		return -1;
	if (tree < 0)
		tree = ts_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE);
	at = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (tree < 0 || at < 0)
		return ts_fail_errno(err, "open_tree", path, "root.path: cannot open %s", path);
	if (rootfs_attach(tree, at, path, err) < 0)
		return -1;
	r->fd = steal_fd(&tree);
	return 0;
}

int rootfs_attach(int mount_fd, int target_fd, const char *path, struct ts_err *err)
{
	if (ts_move_mount(mount_fd, "", target_fd, "",
			  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return ts_fail_errno(err, "move_mount", path, "cannot mount on %s", path);
	return 0;
}

int rootfs_set_attrs(int mount_fd, const struct mount_options *o, const char *where,
		     struct ts_err *err)
{
	struct mount_attr attr = {0};

	if (o->rec_set || o->rec_clear || (o->propagation && o->propagation_recursive)) {
		attr.attr_set = o->rec_set;
		attr.attr_clr = o->rec_clear;
		if (o->propagation_recursive)
			attr.propagation = o->propagation;
		if (ts_mount_setattr(mount_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
			return ts_fail_errno(err, "mount_setattr", where,
					     "%s.options: cannot set the recursive flags", where);
	}
	memset(&attr, 0, sizeof(attr));
	attr.attr_set = o->attr_set;
	attr.attr_clr = o->attr_clear;
	if (!o->propagation_recursive)
		attr.propagation = o->propagation;
	if ((attr.attr_set || attr.attr_clr || attr.propagation) &&
	    ts_mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr) < 0)
		return ts_fail_errno(err, "mount_setattr", where,
				     "%s.options: cannot set the flags", where);
	return 0;
}

/* Opens an existing target; -1 with errno. */
static int open_existing(struct rootfs *r, const char *path, bool no_links)
{
	if (no_links)
		return path[1] ? ts_openat2(r->fd, path + 1, O_PATH, 0, STRICT)
			       : ts_openat2(r->fd, ".", O_PATH, 0, STRICT);
	return ts_open_in_root(r->fd, path, O_PATH, 0);
}

static int make_leaf(int parent, const char *name, bool folder)
{
	if (folder) {
		if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
			return -1;
	} else {
		int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				0755);

		if (fd < 0 && errno != EEXIST)
			return -1;
		if (fd >= 0)
			close(fd);
	}
	return ts_openat2(parent, name, O_PATH | O_NOFOLLOW, 0, STRICT);
}

/*
 * The longest prefix that exists is opened as the container would see it; the rest is made one by
 * one below that descriptor, where a symbolic link (dangling, or put there meanwhile) is refused.
 */
static int make_target(struct rootfs *r, const char *path, bool folder, bool no_links)
{
	char prefix[PATH_MAX];
	cleanup_fd int dir = -1;
	size_t len = strlen(path);
	const char *rest;

	if (len >= sizeof(prefix)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(prefix, path, len + 1);
	do {
		char *slash = strrchr(prefix, '/');

		if (slash == prefix) {
			rest = path + 1;
			dir = open_existing(r, "/", no_links);
			break;
		}
		*slash = '\0';
		rest = path + (slash - prefix) + 1;
		dir = open_existing(r, prefix, no_links);
	} while (dir < 0 && errno == ENOENT);
	while (dir >= 0) {
		char name[NAME_MAX + 1];
		const char *end = strchrnul(rest, '/');
		int child;

		if ((size_t)(end - rest) >= sizeof(name)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, rest, (size_t)(end - rest));
		name[end - rest] = '\0';
		child = make_leaf(dir, name, *end ? true : folder);
		if (child < 0)
			return -1;
		if (!*end)
			return child;
		close(dir);
		dir = child;
		rest = end + 1;
	}
	return -1;
}

int rootfs_open_target(struct rootfs *r, const char *path, bool folder, bool no_links,
		       struct ts_err *err)
{
	cleanup_fd int fd = open_existing(r, path, no_links);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		fd = make_target(r, path, folder, no_links);
	if (fd < 0) {
		if (errno == ELOOP || errno == EXDEV)
			return ts_fail(err, TS_E_REFUSED, errno, "openat2", path,
				       "mount target %s: a symbolic link stands in the way", path);
		return ts_fail_errno(err, "openat2", path,
				     "cannot create or open the mount target %s", path);
	}
	if (fstat(fd, &st) < 0)
		return ts_fail_errno(err, "fstat", path, "cannot look at %s", path);
	if (S_ISDIR(st.st_mode) != folder)
		return ts_fail(err, TS_E_INVALID, folder ? ENOTDIR : EISDIR, "mount", path,
			       "mount target %s: a %s cannot be mounted on a %s", path,
			       folder ? "folder" : "file", folder ? "file" : "folder");
	return steal_fd(&fd);
}

int rootfs_proc_fd(struct rootfs *r, struct ts_err *err)
{
	if (r->proc_fd < 0)
		r->proc_fd = rootfs_new_fs("proc", "proc", NULL,
					   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
					   "procfs", err);
	return r->proc_fd;
}

int rootfs_write_sysctls(struct rootfs *r, struct ts_err *err)
{
	for (size_t i = 0; i < r->config->sysctl_count; i++) {
		const struct name_value *s = &r->config->sysctls[i];
		char path[160];
		cleanup_fd int fd = -1;
		int proc = rootfs_proc_fd(r, err);

		if (proc < 0)
			return -1;
		snprintf(path, sizeof(path), "sys/%s", s->name);
		if (!strchr(s->name, '/'))
			for (char *p = path; *p; p++)
				if (*p == '.')
					*p = '/';
		fd = ts_openat2(proc, path, O_WRONLY, 0, STRICT | RESOLVE_NO_XDEV);
		if (fd < 0 || write(fd, s->value, strlen(s->value)) < 0)
			return ts_fail_errno(err, "write", s->name,
					     "linux.sysctl.%s: cannot set \"%.64s\"", s->name,
					     s->value);
	}
	return 0;
}

static int pivot(struct rootfs *r, struct ts_err *err)
{
	cleanup_fd int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (old < 0 || fchdir(r->fd) < 0 || ts_pivot_root(".", ".") < 0)
		return ts_fail_errno(err, "pivot_root", NULL,
				     "cannot change to the container's root");
	/* Both roots are stacked at "/"; the old one is on top. Detaching it must not reach the
	 * host: a propagation that was asked for need not have reached the mounts below. */
	if (fchdir(old) < 0 ||
	    (r->config->rootfs_propagation &&
	     ts_mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0) ||
	    ts_umount2(".", MNT_DETACH) < 0)
		return ts_fail_errno(err, "umount", NULL, "cannot detach the host's root");
	return 0;
}

/* For roots that cannot be pivoted away from (an initial ramdisk). */
static int move_root(struct rootfs *r, struct ts_err *err)
{
	if (fchdir(r->fd) < 0 || ts_mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		return ts_fail_errno(err, "mount", NULL, "cannot move the container's root to /");
	return 0;
}

int rootfs_leave(struct rootfs *r, int mount_ns, struct ts_err *err)
{
	cleanup_fd int tree =
	    ts_open_tree(r->fd, "", OPEN_TREE_CLONE | AT_RECURSIVE | AT_EMPTY_PATH);

	if (tree < 0)
		return ts_fail_errno(err, "open_tree", "/",
				     "cannot copy the container's root%s",
				     r->config->rootfs_propagation & MS_UNBINDABLE
					 ? " (linux.rootfsPropagation: unbindable needs a mount "
					   "namespace)"
					 : "");
	if (setns(mount_ns, CLONE_NEWNS) < 0)
		return ts_fail_errno(err, "setns", NULL,
				     "linux.namespaces: cannot join the mount namespace");
	if (fchdir(tree) < 0 || chroot(".") < 0)
		return ts_fail_errno(err, "chroot", NULL,
				     "cannot change to the container's root");
	return 0;
}

int rootfs_finish(struct rootfs *r, bool no_pivot, struct ts_err *err)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};

	for (size_t i = 0; i < r->late_ro_count; i++) {
		if (ts_mount_setattr(r->late_ro[i], "", AT_EMPTY_PATH, &ro) < 0)
			return ts_fail_errno(err, "mount_setattr", NULL,
					     "cannot make a mount read-only");
		close(r->late_ro[i]);
	}
	r->late_ro_count = 0;
	if ((no_pivot ? move_root(r, err) : pivot(r, err)) < 0)
		return -1;
	if (chdir("/") < 0)
		return ts_fail_errno(err, "chdir", "/", "cannot change to /");
	if (r->config->rootfs_readonly && r->config->has_process) {
		/* A working directory that the image lacks can only be made now; entering it says
		   what is wrong when that fails. */
		struct ts_err ignored = {0};
		ts_mkdir_p(r->config->process.cwd, 0755, &ignored);
	}
	if (r->config->rootfs_readonly && ts_mount_setattr(r->fd, "", AT_EMPTY_PATH, &ro) < 0)
		return ts_fail_errno(err, "mount_setattr", "/",
				     "root.readonly: cannot make / read-only");
	if (r->config->rootfs_propagation &&
	    ts_mount(NULL, "/", NULL, r->config->rootfs_propagation, NULL) < 0)
		return ts_fail_errno(err, "mount", "/", "linux.rootfsPropagation: cannot set it");
	return 0;
}
