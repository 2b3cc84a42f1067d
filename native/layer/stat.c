/*
 * stat: what "docker cp" and the archive API need to know about one path.
 *
 * `mode` is Go's os.FileMode, as the Engine API has it (the kind in the upper bits); `unixMode` is
 * st_mode. `linkTarget` is where a symbolic link leads, as an absolute path in the root, "" for
 * anything else; a target that does not exist is worked out from the text alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "json-write.h"
#include "layer.h"
#include "locate.h"
#include "paths.h"

/* Go's os.FileMode bits. */
enum go_bits {
	GO_FOLDER = 1u << 31,
	GO_SYMLINK = 1u << 27,
	GO_DEVICE = 1u << 26,
	GO_FIFO = 1u << 25,
	GO_SOCKET = 1u << 24,
	GO_SETUID = 1u << 23,
	GO_SETGID = 1u << 22,
	GO_CHAR_DEVICE = 1u << 21,
	GO_STICKY = 1u << 20,
};

static uint32_t go_mode(mode_t mode)
{
	uint32_t result = mode & 0777;

	switch (mode & S_IFMT) {
	case S_IFDIR:
		result |= GO_FOLDER;
		break;
	case S_IFLNK:
		result |= GO_SYMLINK;
		break;
	case S_IFBLK:
		result |= GO_DEVICE;
		break;
	case S_IFCHR:
		result |= GO_DEVICE | GO_CHAR_DEVICE;
		break;
	case S_IFIFO:
		result |= GO_FIFO;
		break;
	case S_IFSOCK:
		result |= GO_SOCKET;
		break;
	default:
		break;
	}
	if (mode & S_ISUID)
		result |= GO_SETUID;
	if (mode & S_ISGID)
		result |= GO_SETGID;
	if (mode & S_ISVTX)
		result |= GO_STICKY;
	return result;
}

/* The path of an open file below the root, from the kernel; false when it is not below it. */
static bool path_in_root(int root, int fd, struct ts_buf *path)
{
	char root_path[PATH_MAX], file_path[PATH_MAX], link[64];

	snprintf(link, sizeof link, "/proc/self/fd/%d", root);
	ssize_t root_length = readlink(link, root_path, sizeof root_path - 1);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, file_path, sizeof file_path - 1);
	if (root_length < 0 || length < 0)
		return false;
	root_path[root_length] = file_path[length] = '\0';
	if (strcmp(root_path, "/") == 0)
		root_length = 0;
	if (strncmp(root_path, file_path, (size_t)root_length) != 0)
		return false;
	path->len = 0;
	ts_buf_puts(path, file_path[root_length] ? file_path + root_length : "/");
	return path->data[0] == '/';
}

/* Where the link leads in the root's own view. */
static int link_target(int root, const char *path, const struct place *place, struct ts_buf *target,
		       struct ts_err *err)
{
	char text[PATH_MAX];
	struct ts_buf joined cleanup_buf = TS_BUF_INIT;
	struct ts_err outside = {0};

	cleanup_fd int fd = ts_open_in_root(root, path, O_PATH, 0);
	if (fd >= 0 && path_in_root(root, fd, target))
		return 0;
	ssize_t length = readlinkat(place->parent, place->name.data, text, sizeof text - 1);
	if (length < 0)
		return ts_fail_errno(err, "readlink", path, "cannot read the link %s", path);
	text[length] = '\0';
	if (text[0] != '/') {
		ts_buf_add(&joined, path, strlen(path) - strlen(place->name.data));
		ts_buf_puts(&joined, "/");
	}
	ts_buf_puts(&joined, text);
	struct ts_buf clean cleanup_buf = TS_BUF_INIT;
	target->len = 0;
	ts_buf_puts(target, "/");
	if (path_clean(joined.data, &clean, &outside) == 0)
		ts_buf_puts(target, clean.data);
	return 0;
}

static void print_stat(const char *name, const struct stat *st, const char *target,
		       struct ts_buf *out)
{
	char time[32];
	struct tm parts;

	gmtime_r(&st->st_mtim.tv_sec, &parts);
	strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
	ts_buf_puts(out, "{\"name\":");
	ts_json_put_str(out, name);
	ts_buf_printf(out, ",\"size\":%lld,\"mode\":%u,\"unixMode\":%u,\"uid\":%u,\"gid\":%u",
		      (long long)st->st_size, go_mode(st->st_mode), st->st_mode, st->st_uid,
		      st->st_gid);
	ts_buf_printf(out, ",\"mtime\":\"%s.%09ldZ\",\"linkTarget\":", time, st->st_mtim.tv_nsec);
	ts_json_put_str(out, target);
	ts_buf_puts(out, "}\n");
}

int verb_stat(char **arguments, struct ts_err *err)
{
	struct ts_buf target cleanup_buf = TS_BUF_INIT;
	struct ts_buf out cleanup_buf = TS_BUF_INIT;
	const char *root_path = NULL, *path = NULL;
	struct place place = {.parent = -1};
	struct stat st;

	for (; *arguments; arguments++) {
		const char *option = *arguments, **to;
		to = strcmp(option, "--root") == 0   ? &root_path
		     : strcmp(option, "--path") == 0 ? &path
						     : NULL;
		if (!to)
			return option_unknown(option, err);
		if (!(*to = option_value(&arguments, err)))
			return -1;
	}
	if (option_required("--root", root_path, err) < 0 ||
	    option_required("--path", path, err) < 0)
		return -1;
	cleanup_fd int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return ts_fail_errno(err, "open", root_path, "cannot open the root folder");
	int result = locate(root, path, &place, err);
	ts_buf_puts(&target, "");
	if (result == 0 && fstatat(place.parent, place.name.data, &st, AT_SYMLINK_NOFOLLOW) < 0)
		result = ts_fail_errno(err, "stat", path, "cannot look at %s", path);
	if (result == 0 && S_ISLNK(st.st_mode))
		result = link_target(root, path, &place, &target, err);
	if (result == 0) {
		print_stat(place.base.data, &st, target.data, &out);
		if (ts_write_all(STDOUT_FILENO, out.data, out.len) < 0)
			result = ts_fail_errno(err, "write", NULL, "cannot print the result");
	}
	place_free(&place);
	return result;
}
