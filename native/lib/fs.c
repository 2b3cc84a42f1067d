/*
 * Implementation of fs.h. Every descriptor is O_CLOEXEC at birth. Nothing here trusts a path below
 * a container's root: see ts_open_in_root().
 */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

#define OPENAT2_RETRIES 128

int ts_write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int ts_read_all(int fd, struct ts_buf *out, size_t max)
{
	size_t start = out->len;

	for (;;) {
		ssize_t n;

		ts_buf_reserve(out, 16384);
		n = read(fd, out->data + out->len, out->cap - out->len - 1);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (out->len - start > max) {
			errno = EFBIG;
			return -1;
		}
		if (n == 0)
			return 0;
	}
}

int ts_read_file_at(int dirfd, const char *path, struct ts_buf *out, size_t max, struct ts_err *err)
{
	cleanup_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ts_fail_errno(err, "open", path, "cannot open %s", path);
	if (ts_read_all(fd, out, max) < 0)
		return ts_fail_errno(err, "read", path, "cannot read %s", path);
	return 0;
}

int ts_write_file_at(int dirfd, const char *path, const void *bytes, size_t len)
{
	cleanup_fd int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	do
		n = write(fd, bytes, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n != len) {
		errno = EIO;
		return -1;
	}
	return n < 0 ? -1 : 0;
}

int ts_write_file_atomic(int dirfd, const char *name, const void *bytes, size_t len, mode_t mode,
			 bool durable, struct ts_err *err)
{
	char temp[256];
	cleanup_fd int fd = -1;

	if (snprintf(temp, sizeof(temp), ".%s.%d.tmp", name, (int)getpid()) >= (int)sizeof(temp))
		return ts_fail(err, TS_E_INVALID, ENAMETOOLONG, "write", name,
			       "file name too long");
	unlinkat(dirfd, temp, 0); /* left over from a killed process that had our pid */
	fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return ts_fail_errno(err, "open", temp, "cannot create a temporary file for %s",
				     name);
	if (ts_write_all(fd, bytes, len) < 0 || (durable && fsync(fd) < 0) ||
	    renameat(dirfd, temp, dirfd, name) < 0) {
		ts_fail_errno(err, "write", name, "cannot write %s", name);
		unlinkat(dirfd, temp, 0);
		return -1;
	}
	if (durable) {
		cleanup_fd int dir = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0 || fsync(dir) < 0)
			return ts_fail_errno(err, "fsync", name, "cannot sync the folder of %s",
					     name);
	}
	return 0;
}

int ts_mkdir_p(const char *path, mode_t mode, struct ts_err *err)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		abort();
	for (char *p = copy + 1; *copy; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return ts_fail_errno(err, "mkdir", copy, "cannot create folder %s", copy);
		*p = c;
		if (c == '\0')
			break;
	}
	return 0;
}

int ts_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};

	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* A rename elsewhere makes the kernel give up on a path with "..": it is asked again. */
static int open_resolved(int rootfd, const char *path, uint64_t flags, uint64_t mode,
			 uint64_t resolve)
{
	int fd = -1;

	for (int i = 0; i < OPENAT2_RETRIES; i++) {
		fd = ts_openat2(rootfd, path, flags, mode, resolve | RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

int ts_open_in_root(int rootfd, const char *path, uint64_t flags, uint64_t mode)
{
	return open_resolved(rootfd, path, flags, mode, RESOLVE_IN_ROOT);
}

int ts_open_beneath(int rootfd, const char *path, uint64_t flags, uint64_t mode)
{
	return open_resolved(rootfd, path, flags, mode, RESOLVE_BENEATH);
}

int ts_remove_tree_at(int dirfd, const char *name)
{
	int fd;
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	fd = ts_openat2(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (ts_remove_tree_at(fd, entry->d_name) < 0)
			return -1;
	}
	if (errno != 0)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -1 : 0;
}
