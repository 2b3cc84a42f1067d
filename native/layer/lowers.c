/*
 * Looking a path up in a stack of layers, as overlayfs would: the first layer that says something
 * about it decides.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "walk.h"

enum verdict { SAYS_NOTHING, HAS_IT, HIDES_IT };

static int open_beneath(int layer, const char *path, uint64_t flags)
{
	return ts_openat2(layer, path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

static bool is_mark(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* What one layer says: of the path itself, then of each folder on the way. */
static enum verdict ask(int layer, const char *path)
{
	struct ts_buf part cleanup_buf = TS_BUF_INIT;
	struct stat st;

	for (const char *p = path; *p;) {
		size_t length = strcspn(p, "/");
		bool last = p[length] == '\0';
		part.len = 0;
		ts_buf_add(&part, path, (size_t)(p - path) + length);
		cleanup_fd int fd = open_beneath(layer, part.data, O_PATH | O_NOFOLLOW);
		if (fd < 0 || fstat(fd, &st) < 0)
			return SAYS_NOTHING;
		if (is_mark(&st))
			return HIDES_IT;
		if (last)
			return HAS_IT;
		if (!S_ISDIR(st.st_mode))
			return HIDES_IT;
		p += length + 1;
	}
	return HAS_IT;
}

/* Whether the layer has an opaque folder above the path, so that lower ones do not count. */
static bool ends_here(int layer, const char *path)
{
	struct ts_buf part cleanup_buf = TS_BUF_INIT;

	for (const char *p = path; (p = strchr(p, '/')); p++) {
		char value;
		part.len = 0;
		ts_buf_add(&part, path, (size_t)(p - path));
		cleanup_fd int fd =
		    open_beneath(layer, part.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		if (fd < 0)
			return false;
		if (fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y')
			return true;
	}
	return false;
}

bool lowers_have(const int *lowers, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		enum verdict verdict = ask(lowers[i], path);
		if (verdict != SAYS_NOTHING)
			return verdict == HAS_IT;
		if (ends_here(lowers[i], path))
			return false;
	}
	return false;
}
