/*
 * See locate.h. A path that ends in "/" or "/." means what a link there leads to, as for cp; any
 * other path means the name itself, link or not.
 */
#include "locate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fs.h"

void place_free(struct place *place)
{
	ts_cleanup_fd(&place->parent);
	ts_buf_free(&place->name);
	ts_buf_free(&place->base);
}

static int not_found(const char *path, struct ts_err *err)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return ts_fail(err, TS_E_NOT_FOUND, errno, "open", path, "%s does not exist", path);
	return ts_fail_errno(err, "open", path, "cannot open %s", path);
}

/* Cuts slashes and "." at the end off; true when there was something to cut. */
static bool trim_end(struct ts_buf *path)
{
	bool cut = false;

	for (;;) {
		size_t n = path->len;
		if (n > 0 && path->data[n - 1] == '/')
			path->len--;
		else if (n > 0 && path->data[n - 1] == '.' && (n == 1 || path->data[n - 2] == '/'))
			path->len--;
		else
			break;
		cut = true;
	}
	path->data[path->len] = '\0';
	return cut;
}

int locate(int root, const char *path, struct place *place, struct ts_err *err)
{
	struct ts_buf trimmed cleanup_buf = TS_BUF_INIT;
	struct ts_buf folder cleanup_buf = TS_BUF_INIT;
	struct stat st;

	*place = (struct place){.parent = -1};
	ts_buf_puts(&trimmed, path);
	bool follow = trim_end(&trimmed);
	const char *slash = strrchr(trimmed.data, '/');
	const char *last = slash ? slash + 1 : trimmed.data;
	/* ".." is no name that could be looked at in its folder. */
	bool is_folder = trimmed.len == 0 || follow || strcmp(last, "..") == 0;

	ts_buf_puts(&place->base, trimmed.len ? last : "/");
	if (is_folder) {
		place->parent = ts_open_in_root(root, trimmed.len ? trimmed.data : ".",
						O_PATH | O_DIRECTORY, 0);
		ts_buf_puts(&place->name, ".");
		if (place->parent < 0 && errno == ENOTDIR) {
			cleanup_fd int fd = ts_open_in_root(root, trimmed.data, O_PATH, 0);
			if (fd >= 0)
				return ts_fail(err, "not_a_folder", ENOTDIR, "open", path,
					       "%s is not a folder", path);
			errno = ENOTDIR;
		}
		return place->parent < 0 ? not_found(path, err) : 0;
	}
	ts_buf_puts(&folder, ".");
	if (slash) {
		folder.len = 0;
		ts_buf_add(&folder, trimmed.data, (size_t)(last - trimmed.data));
	}
	place->parent = ts_open_in_root(root, folder.data, O_PATH | O_DIRECTORY, 0);
	if (place->parent < 0)
		return not_found(path, err);
	ts_buf_puts(&place->name, last);
	if (fstatat(place->parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return not_found(path, err);
	return 0;
}
