/*
 * Whiteouts of OCI layers: `.wh.NAME` takes NAME away, `.wh..wh..opq` all that lower layers have in
 * its folder.
 *
 * Two forms: deleting in a tree that holds the lower layers, or overlayfs's marks (a character
 * device 0:0, and the attribute trusted.overlay.opaque) in a folder that holds this layer only.
 * Either way only lower layers are affected, wherever in the archive the whiteout stands.
 * Refused: `.wh.`, `.wh..` and `.wh...`, which would mean the folder itself or the one above.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "apply.h"
#include "cleanup.h"
#include "fs.h"

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"
/* AUFS kept its own bookkeeping under such names; layers of that time still hold some. */
#define BOOKKEEPING ".wh..wh."

bool is_whiteout(const char *clean)
{
	return strncmp(path_base(clean), WHITEOUT, strlen(WHITEOUT)) == 0;
}

/*
 * Removes the marks for single names below an opaque folder. They would be of no use there, and
 * overlayfs shows them as devices in a folder that it does not merge with a lower one.
 */
static int remove_marks(int parent, const char *name, const char *clean, struct ts_err *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder cleanup_dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!folder) {
		ts_cleanup_fd(&fd);
		return fs_fail(err, "open", clean, "cannot read the folder");
	}
	while ((errno = 0, entry = readdir(folder))) {
		const char *child = entry->d_name;
		if (strcmp(child, ".") == 0 || strcmp(child, "..") == 0)
			continue;
		if (entry->d_type == DT_CHR && fstatat(fd, child, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_rdev == 0 && unlinkat(fd, child, 0) < 0)
			return fs_fail(err, "unlink", clean, "cannot remove a whiteout");
		if (entry->d_type == DT_DIR && remove_marks(fd, child, clean, err) < 0)
			return -1;
	}
	return errno ? fs_fail(err, "read", clean, "cannot read the folder") : 0;
}

int mark_opaque(struct apply *apply, int fd, const char *clean, struct ts_err *err)
{
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return fs_fail(err, "setxattr", clean, "cannot mark the folder as opaque");
	path_set_add_one(&apply->opaque, clean);
	return remove_marks(fd, ".", clean, err);
}

/* Removes what this archive has not brought from the folder `clean`, whose parent is open. */
static int empty_folder(struct apply *apply, int parent, const char *name, const char *clean,
			struct ts_err *err)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, "open", clean, "cannot open the folder to empty it");
	DIR *folder cleanup_dir = fdopendir(fd);
	if (!folder) {
		close(fd);
		return fs_fail(err, "open", clean, "cannot read the folder to empty it");
	}
	struct ts_buf path cleanup_buf = TS_BUF_INIT;
	struct dirent *entry;
	while ((errno = 0, entry = readdir(folder))) {
		const char *child = entry->d_name;
		if (strcmp(child, ".") == 0 || strcmp(child, "..") == 0)
			continue;
		path.len = 0;
		ts_buf_printf(&path, "%s%s%s", clean, clean[0] ? "/" : "", child);
		if (!path_set_has(&apply->brought, path.data)) {
			if (ts_remove_tree_at(fd, child) < 0)
				return fs_fail(err, "remove", path.data, "cannot remove it");
			continue;
		}
		struct stat st;
		if (fstatat(fd, child, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
		    empty_folder(apply, fd, child, path.data, err) < 0)
			return -1;
	}
	return errno ? fs_fail(err, "read", clean, "cannot read the folder to empty it") : 0;
}

static int apply_opaque(struct apply *apply, const char *clean, struct ts_err *err)
{
	struct ts_buf folder cleanup_buf = TS_BUF_INIT;
	int parent = root_parent(&apply->root, clean, true, err);

	if (parent < 0)
		return -1;
	const char *base = path_base(clean);
	ts_buf_add(&folder, clean, base > clean ? (size_t)(base - clean - 1) : 0);
	path_set_add(&apply->brought, folder.data);
	if (!apply->options->overlay_whiteouts) {
		int result = empty_folder(apply, parent, ".", folder.data, err);
		root_forget(&apply->root);
		return result;
	}
	cleanup_fd int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, "open", clean, "cannot open its folder");
	return mark_opaque(apply, fd, folder.data, err);
}

/* NAME was brought by this very archive, so only what lower layers have there goes. */
static int hide_below(struct apply *apply, int parent, const char *name, const char *target,
		      struct ts_err *err)
{
	struct stat st;

	/* Anything but a folder hides the lower one anyway. */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (!apply->options->overlay_whiteouts) {
		int result = empty_folder(apply, parent, name, target, err);
		root_forget(&apply->root);
		return result;
	}
	cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, "open", target, "cannot open the folder");
	return mark_opaque(apply, fd, target, err);
}

int apply_whiteout(struct apply *apply, const char *clean, struct ts_err *err)
{
	const char *base = path_base(clean), *name = base + strlen(WHITEOUT);

	if (strcmp(base, OPAQUE) == 0)
		return apply_opaque(apply, clean, err);
	if (strncmp(base, BOOKKEEPING, strlen(BOOKKEEPING)) == 0)
		return 0;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return ts_fail(err, TS_E_REFUSED, 0, "whiteout", clean,
			       "%s: a whiteout must name something in its folder", clean);

	struct ts_buf target cleanup_buf = TS_BUF_INIT;
	ts_buf_add(&target, clean, (size_t)(base - clean));
	ts_buf_puts(&target, name);
	bool make = apply->options->overlay_whiteouts;
	struct ts_err missing = {0};
	int parent = root_parent(&apply->root, clean, make, &missing);
	if (parent < 0) {
		/* Nothing to take away from a folder that is not there. */
		if (!make && missing.errnum == ENOENT)
			return 0;
		*err = missing;
		return -1;
	}
	if (path_set_has(&apply->brought, target.data))
		return hide_below(apply, parent, name, target.data, err);
	if (ts_remove_tree_at(parent, name) < 0)
		return fs_fail(err, "remove", target.data, "cannot remove it");
	if (make && !path_set_has_above(&apply->opaque, target.data) &&
	    mknodat(parent, name, S_IFCHR, makedev(0, 0)) < 0)
		return fs_fail(err, "mknod", target.data, "cannot make the whiteout");
	root_forget(&apply->root);
	return 0;
}
