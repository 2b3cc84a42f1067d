/*
 * `tmpcopyup`: a new tmpfs begins with what the image has at its place. It is filled before it is
 * attached, so that nobody sees half of it. The source is the container's own root: it is read
 * entry by entry without following links, and its depth is bounded. Devices and sockets are left
 * out, as a tmpfs for a container has none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "rootfs.h"

#define DEPTH_MAX 64
#define PIECE_BYTES (1 << 20)

static int copy_folder(int from, int to, int depth);

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	cleanup_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_fd int out = -1;
	ssize_t n;

	if (in < 0)
		return -1;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -1;
	while ((n = sendfile(out, in, NULL, PIECE_BYTES)) > 0)
		;
	if (n < 0 || fchown(out, st->st_uid, st->st_gid) < 0)
		return -1;
	return fchmod(out, st->st_mode & 07777);
}

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -1;
	target[n] = 0;
	if (symlinkat(target, to, name) < 0)
		return -1;
	return fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_subfolder(int from, int to, const char *name, const struct stat *st, int depth)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	cleanup_fd int in = openat(from, name, flags), out = -1;

	if (in < 0 || mkdirat(to, name, 0700) < 0)
		return -1;
	out = openat(to, name, flags);
	if (out < 0 || copy_folder(in, out, depth + 1) < 0)
		return -1;
	if (fchown(out, st->st_uid, st->st_gid) < 0)
		return -1;
	return fchmod(out, st->st_mode & 07777);
}

static int copy_folder(int from, int to, int depth)
{
	int list = depth > DEPTH_MAX ? -1 : fcntl(from, F_DUPFD_CLOEXEC, 0);
	cleanup_dir DIR *dir = list < 0 ? NULL : fdopendir(list);
	struct dirent *entry;

	if (depth > DEPTH_MAX)
		errno = ELOOP;
	if (!dir) {
		if (list >= 0)
			close(list);
		return -1;
	}
	while ((errno = 0, entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		struct stat st;
		int rc = 0;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -1;
		if (S_ISREG(st.st_mode))
			rc = copy_file(from, to, name, &st);
		else if (S_ISLNK(st.st_mode))
			rc = copy_link(from, to, name, &st);
		else if (S_ISDIR(st.st_mode))
			rc = copy_subfolder(from, to, name, &st, depth);
		if (rc < 0)
			return -1;
	}
	return errno == 0 ? 0 : -1;
}

int rootfs_copy_up(struct rootfs *r, const char *destination, int mount, const char *where,
		   struct ts_err *err)
{
	const uint64_t flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	cleanup_fd int from = ts_open_in_root(r->fd, destination, flags, 0);
	cleanup_fd int to = -1;

	if (from < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (from >= 0)
		to = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0 || copy_folder(from, to, 0) < 0)
		return ts_fail_errno(err, "copy", destination,
				     "%s: tmpcopyup: cannot copy what the image has at %s", where,
				     destination);
	return 0;
}
