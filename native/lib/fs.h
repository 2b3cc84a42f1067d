/*
 * Files and paths: whole-file reads with a limit, atomic replacement, and resolution of paths that
 * somebody else controls. Paths below a container's root are only ever resolved by openat2 with
 * RESOLVE_IN_ROOT; nothing here hands such a path to the kernel as a plain string.
 */
#ifndef TS_FS_H
#define TS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* Writes everything, going on after EINTR and short writes. -1 with errno on failure. */
int ts_write_all(int fd, const void *bytes, size_t len);

/* Reads until the end of the file, appending to *out. -1 with errno; EFBIG beyond `max` bytes. */
int ts_read_all(int fd, struct ts_buf *out, size_t max);

/* Opens and reads a file, at most `max` bytes. `dirfd` may be AT_FDCWD. */
int ts_read_file_at(int dirfd, const char *path, struct ts_buf *out, size_t max,
		    struct ts_err *err);

/* Writes bytes into an existing file with one write(2) (cgroup, procfs). -1 with errno. */
int ts_write_file_at(int dirfd, const char *path, const void *bytes, size_t len);

/*
 * Replaces dirfd/name by a new file: temporary file in the same folder, rename; with `durable` also
 * fsync of the file and of the folder. A reader sees the old or the new content, never a part.
 */
int ts_write_file_atomic(int dirfd, const char *name, const void *bytes, size_t len, mode_t mode,
			 bool durable, struct ts_err *err);

/* mkdir -p with the mode for every folder that is made; existing folders are left as they are. */
int ts_mkdir_p(const char *path, mode_t mode, struct ts_err *err);

/* openat2(2); flags always get O_CLOEXEC. -1 with errno. */
int ts_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/*
 * Opens `path` as a process whose root folder is `rootfd` would see it: symbolic links and ".."
 * stay inside, links of /proc are not followed. Retries the EAGAIN that concurrent renames cause.
 */
int ts_open_in_root(int rootfd, const char *path, uint64_t flags, uint64_t mode);

/* The same, but a path or link that leads out of `rootfd`, or is absolute, is EXDEV. */
int ts_open_beneath(int rootfd, const char *path, uint64_t flags, uint64_t mode);

/* Removes a folder and all below it, by descriptors; never follows links or enters other mounts. */
int ts_remove_tree_at(int dirfd, const char *name);

#endif
