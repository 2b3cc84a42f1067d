/*
 * Path cleaning and parents by descriptor; see paths.h.
 * Invariant: no path of an archive reaches the kernel except through openat2 with RESOLVE_IN_ROOT,
 * or as a single name in a folder that was opened that way.
 */
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "limits.h"

int fs_fail(struct ts_err *err, const char *op, const char *path, const char *what)
{
	int error = errno;
	const char *code = TS_E_KERNEL;

	if (error == ENOSPC || error == EDQUOT)
		code = "no_space";
	return ts_fail(err, code, error, op, path, "%s: %s", path, what);
}

int path_clean(const char *raw, struct ts_buf *clean, struct ts_err *err)
{
	int depth = 0;

	clean->len = 0;
	ts_buf_puts(clean, "");
	for (const char *p = raw; *p;) {
		size_t length = strcspn(p, "/");
		if (length == 2 && p[0] == '.' && p[1] == '.') {
			if (depth-- == 0)
				return ts_fail(err, TS_E_REFUSED, 0, "path", raw,
					       "%s: leads out of the root folder", raw);
			const char *slash = memrchr(clean->data, '/', clean->len);
			clean->len = slash ? (size_t)(slash - clean->data) : 0;
			clean->data[clean->len] = '\0';
		} else if (length > 0 && !(length == 1 && p[0] == '.')) {
			if (++depth > PATH_DEPTH_MAX)
				return ts_fail(err, TS_E_REFUSED, 0, "path", raw,
					       "%.64s...: more than %d folders deep", raw,
					       PATH_DEPTH_MAX);
			if (clean->len > 0)
				ts_buf_puts(clean, "/");
			ts_buf_add(clean, p, length);
		}
		p += length;
		while (*p == '/')
			p++;
	}
	return 0;
}

const char *path_base(const char *clean)
{
	const char *slash = strrchr(clean, '/');

	return slash ? slash + 1 : clean;
}

int root_open(struct root *root, const char *folder, const char *path, struct ts_err *err)
{
	*root = (struct root){.fd = -1, .cached_fd = -1};
	root->fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0)
		return ts_fail_errno(err, "open", folder, "cannot open the root folder %s", folder);
	ts_buf_puts(&root->prefix, "");
	if (path) {
		cleanup_fd int fd = ts_open_in_root(root->fd, path, O_PATH | O_DIRECTORY, 0);
		if (fd < 0)
			return ts_fail(err, errno == ENOENT ? TS_E_NOT_FOUND : TS_E_KERNEL, errno,
				       "open", path, "cannot open the folder %s in the root", path);
		ts_buf_puts(&root->prefix, path);
		ts_buf_puts(&root->prefix, "/");
	}
	return 0;
}

void root_close(struct root *root)
{
	root_forget(root);
	ts_cleanup_fd(&root->fd);
	root->fd = -1;
	ts_buf_free(&root->prefix);
	ts_buf_free(&root->cached);
}

void root_forget(struct root *root)
{
	ts_cleanup_fd(&root->cached_fd);
	root->cached_fd = -1;
}

static int open_folder(struct root *root, const char *path)
{
	struct ts_buf full cleanup_buf = TS_BUF_INIT;

	ts_buf_puts(&full, root->prefix.data);
	ts_buf_puts(&full, path);
	return ts_open_in_root(root->fd, full.len ? full.data : ".", O_PATH | O_DIRECTORY, 0);
}

/* Opens folder `path`, making what is missing of it from the top down. */
static int make_folders(struct root *root, const char *path, struct ts_err *err)
{
	struct ts_buf part cleanup_buf = TS_BUF_INIT;
	cleanup_fd int parent = open_folder(root, "");

	if (parent < 0)
		return fs_fail(err, "open", path, "cannot open the root folder");
	for (const char *p = path; *p;) {
		size_t length = strcspn(p, "/");
		char name[NAME_MAX + 1];
		if (length > NAME_MAX) {
			errno = ENAMETOOLONG;
			return fs_fail(err, "mkdir", path, "cannot make a folder");
		}
		memcpy(name, p, length);
		name[length] = '\0';
		if (part.len)
			ts_buf_puts(&part, "/");
		ts_buf_add(&part, p, length);
		int next = open_folder(root, part.data);
		if (next < 0 && errno == ENOENT) {
			if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
				return fs_fail(err, "mkdir", path, "cannot make a parent folder");
			/* The process's umask must not show in an image. */
			if (fchmodat(parent, name, 0755, AT_SYMLINK_NOFOLLOW) < 0 &&
			    errno != EOPNOTSUPP)
				return fs_fail(err, "chmod", path, "cannot make a parent folder");
			if (root->set_owner &&
			    fchownat(parent, name, root->uid, root->gid, AT_SYMLINK_NOFOLLOW) < 0)
				return fs_fail(err, "chown", path, "cannot own a parent folder");
			next = open_folder(root, part.data);
		}
		if (next < 0)
			return fs_fail(err, "open", path, "cannot open a parent folder");
		close(parent);
		parent = next;
		p += length;
		while (*p == '/')
			p++;
	}
	return steal_fd(&parent);
}

int root_parent(struct root *root, const char *clean, bool make, struct ts_err *err)
{
	struct ts_buf parent cleanup_buf = TS_BUF_INIT;
	const char *base = path_base(clean);

	ts_buf_add(&parent, clean, base > clean ? (size_t)(base - clean - 1) : 0);
	if (root->cached_fd >= 0 && root->cached.len == parent.len &&
	    memcmp(root->cached.data, parent.data, parent.len) == 0)
		return root->cached_fd;
	int fd = open_folder(root, parent.data);
	if (fd < 0 && errno == ENOENT && make)
		fd = make_folders(root, parent.data, err);
	if (fd < 0)
		return ts_err_is_set(err) ? -1
					  : fs_fail(err, "open", clean, "cannot open its folder");
	root_forget(root);
	root->cached_fd = fd;
	root->cached.len = 0;
	ts_buf_add(&root->cached, parent.data, parent.len);
	return fd;
}
