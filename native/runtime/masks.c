/*
 * Masked and read-only paths. A file is masked by a bind mount of the host's null device, which was
 * opened and verified before the container's tree existed (CVE-2025-31133: never the container's
 * /dev/null); a folder by an empty read-only tmpfs, one file system for all of them. Only a path
 * that does not exist is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "rootfs.h"
#include "sys.h"

static int make_readonly(struct rootfs *r, const char *path, struct ts_err *err)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
	cleanup_fd int target = ts_open_in_root(r->fd, path, O_PATH, 0), tree = -1;

	if (target < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (target < 0)
		return ts_fail_errno(err, "openat2", path, "linux.readonlyPaths: cannot open %s",
				     path);
	tree = ts_open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
	if (tree < 0 || ts_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &ro) < 0)
		return ts_fail_errno(err, "mount_setattr", path,
				     "linux.readonlyPaths: cannot make %s read-only", path);
	return rootfs_attach(tree, target, path, err);
}

/* The first masked folder gets the empty tmpfs itself, the others clones of that mount. */
static int empty_folder(int *empty, struct ts_err *err)
{
	static const char *const options[] = {"size=4k", "nr_inodes=2", "mode=755", NULL};
	const uint64_t attrs =
	    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

	if (*empty >= 0)
		return ts_open_tree(*empty, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	*empty = rootfs_new_fs("tmpfs", "tmpfs", options, attrs, "linux.maskedPaths", err);
	return *empty < 0 ? -1 : fcntl(*empty, F_DUPFD_CLOEXEC, 0);
}

static int mask(struct rootfs *r, const char *path, int *empty, struct ts_err *err)
{
	cleanup_fd int target = ts_open_in_root(r->fd, path, O_PATH, 0), tree = -1;
	struct stat st;

	if (target < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (target < 0 || fstat(target, &st) < 0)
		return ts_fail_errno(err, "openat2", path, "linux.maskedPaths: cannot open %s",
				     path);
	if (S_ISDIR(st.st_mode))
		tree = empty_folder(empty, err);
	else
		tree = ts_open_tree(r->null_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	if (tree < 0)
		return ts_fail_errno(err, "open_tree", path, "linux.maskedPaths: cannot mask %s",
				     path);
	return rootfs_attach(tree, target, path, err);
}

int rootfs_mask(struct rootfs *r, struct ts_err *err)
{
	cleanup_fd int empty = -1;

	for (size_t i = 0; i < r->config->readonly_count; i++)
		if (make_readonly(r, r->config->readonly_paths[i], err) < 0)
			return -1;
	for (size_t i = 0; i < r->config->masked_count; i++)
		if (mask(r, r->config->masked_paths[i], &empty, err) < 0)
			return -1;
	return 0;
}
