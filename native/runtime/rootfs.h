/*
 * The container's file-system tree, built in its own mount namespace before pivot_root.
 *
 * Everything below the root is reached through rootfs->fd with openat2(RESOLVE_IN_ROOT), and mounts
 * are attached to the descriptor that was opened: no path under the root is ever given to the
 * kernel as a string, so a symbolic link that is swapped in between leads nowhere. Runs in the
 * container's first process, with the host's tree still visible at "/".
 */
#ifndef RUNTIME_ROOTFS_H
#define RUNTIME_ROOTFS_H

#include "cgroup.h"
#include "config.h"

struct rootfs {
	const struct config *config;
	const struct cgroup *cgroup;
	int source_fd; /* user namespace: detached tree of the root, opened by the parent; else -1
			*/
	int fd;	       /* root of the container's tree */
	int proc_fd;   /* root of a procfs that only we hold, -1 = not yet */
	int null_fd;   /* the host's verified /dev/null */
	bool dev_is_bind; /* /dev is the user's business */
	int late_ro[64];  /* mounts that become read-only once all is in place */
	size_t late_ro_count;
	char text[1024]; /* scratch for messages */
};

/* The order of use; each step needs the ones before. */
int rootfs_prepare(struct rootfs *r, const char *path, struct ts_err *err);
int rootfs_mount_all(struct rootfs *r, struct ts_err *err);
int rootfs_make_devices(struct rootfs *r, struct ts_err *err);
int rootfs_write_sysctls(struct rootfs *r, struct ts_err *err);
int rootfs_mask(struct rootfs *r, struct ts_err *err);
int rootfs_finish(struct rootfs *r, bool no_pivot, struct ts_err *err);

/*
 * After rootfs_finish, for a container whose mount namespace is the host's or another's: goes there,
 * with a copy of the tree that is attached nowhere as root. The copy dissolves with the last process
 * in it, so nothing is ever mounted where others would see it or where it could be left behind.
 */
int rootfs_leave(struct rootfs *r, int mount_ns, struct ts_err *err);

/* A procfs for our own writes, made on first use. */
int rootfs_proc_fd(struct rootfs *r, struct ts_err *err);

/*
 * Opens (O_PATH) the mount target, making missing folders and, for a file, an empty file. With
 * `no_links` any symbolic link on the way is refused.
 */
int rootfs_open_target(struct rootfs *r, const char *path, bool folder, bool no_links,
		       struct ts_err *err);

/* The source of a bind mount as a detached tree. */
int rootfs_open_source(const struct mount_spec *m, const char *where, struct ts_err *err);

/* Attaches a detached mount to an opened target. */
int rootfs_attach(int mount_fd, int target_fd, const char *path, struct ts_err *err);

/* Fills a tmpfs that is not attached yet with what the root has at `destination`; nothing there is
 * no error. `where` begins messages. */
int rootfs_copy_up(struct rootfs *r, const char *destination, int mount, const char *where,
		   struct ts_err *err);

/* Makes one file system (fsopen ... fsmount); returns the detached mount. */
int rootfs_new_fs(const char *type, const char *source, const char *const *options, uint64_t attrs,
		  const char *where, struct ts_err *err);

/* Mounts the view of the control groups (mounts of type "cgroup"). */
int rootfs_mount_cgroup(struct rootfs *r, const struct mount_spec *m, const char *where,
			struct ts_err *err);

/* Changes flags and propagation of a detached or attached mount. */
int rootfs_set_attrs(int mount_fd, const struct mount_options *o, const char *where,
		     struct ts_err *err);

/* Is it null's real device? Returns an O_PATH descriptor. */
int rootfs_open_null(struct ts_err *err);

#endif
