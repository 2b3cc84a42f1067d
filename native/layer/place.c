/*
 * Bringing one entry of an archive into being: file, folder, link, device, with its attributes.
 *
 * Works in the entry's folder by descriptor and with single names that are never followed. Order:
 * owner, mode (chown clears setuid), extended attributes (chown clears capabilities), time.
 * Attributes by which overlayfs steers itself are dropped: an image must not steer it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "apply.h"
#include "cleanup.h"
#include "fs.h"
#include "mem.h"

static bool is_dropped(const struct tar_xattr *xattr)
{
	static const char *const prefixes[] = {"trusted.overlay.", "user.overlay.",
					       "security.selinux"};

	for (size_t i = 0; i < TS_ARRAY_LEN(prefixes); i++) {
		size_t length = strlen(prefixes[i]);
		if (xattr->name_length >= length && memcmp(xattr->name, prefixes[i], length) == 0)
			return true;
	}
	return false;
}

/* Sets the entry's attributes on the open file, or on `name` in `parent` when fd < 0. */
static int set_xattrs(const struct tar_entry *entry, int fd, int parent, const char *name,
		      const char *clean, struct ts_err *err)
{
	char key[XATTR_NAME_MAX_BYTES + 1], path[NAME_MAX + 64];

	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct tar_xattr *xattr = &entry->xattrs[i];
		if (is_dropped(xattr))
			continue;
		memcpy(key, xattr->name, xattr->name_length);
		key[xattr->name_length] = '\0';
		int result;
		if (fd >= 0) {
			result = fsetxattr(fd, key, xattr->value, xattr->value_length, 0);
		} else {
			snprintf(path, sizeof path, "/proc/self/fd/%d/%s", parent, name);
			result = lsetxattr(path, key, xattr->value, xattr->value_length, 0);
		}
		/* A file system without such attributes, or a kind of file that cannot have them.
		 */
		if (result < 0 && errno != ENOTSUP &&
		    !(errno == EPERM && strncmp(key, "user.", 5) == 0)) {
			int error = errno;
			ts_fail(err, error == ENOSPC || error == EDQUOT ? "no_space" : TS_E_KERNEL,
				error, "setxattr", clean, "%s: cannot set the attribute %s", clean,
				key);
			return -1;
		}
	}
	return 0;
}

static void owner_of(const struct apply *apply, uid_t *uid, gid_t *gid)
{
	bool fixed = apply->options->set_owner;

	*uid = fixed ? apply->options->uid : apply->reader.entry.uid;
	*gid = fixed ? apply->options->gid : apply->reader.entry.gid;
}

/* Owner, mode, attributes and (unless it is a folder) time of an open file. */
static int set_attributes(struct apply *apply, int fd, const char *clean, struct ts_err *err)
{
	const struct tar_entry *entry = &apply->reader.entry;
	uid_t uid;
	gid_t gid;

	owner_of(apply, &uid, &gid);
	if (fchown(fd, uid, gid) < 0)
		return fs_fail(err, "chown", clean, "cannot set the owner");
	if (fchmod(fd, entry->mode) < 0)
		return fs_fail(err, "chmod", clean, "cannot set the mode");
	if (set_xattrs(entry, fd, -1, NULL, clean, err) < 0)
		return -1;
	struct timespec times[2] = {entry->mtime, entry->mtime};
	if (entry->type != TAR_FOLDER && futimens(fd, times) < 0)
		return fs_fail(err, "utimens", clean, "cannot set the time");
	return 0;
}

/* The same for what is not opened: links, devices, fifos. */
static int set_attributes_at(struct apply *apply, int parent, const char *name, const char *clean,
			     struct ts_err *err)
{
	const struct tar_entry *entry = &apply->reader.entry;
	uid_t uid;
	gid_t gid;

	owner_of(apply, &uid, &gid);
	if (fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fs_fail(err, "chown", clean, "cannot set the owner");
	if (entry->type != TAR_SYMLINK &&
	    fchmodat(parent, name, entry->mode, AT_SYMLINK_NOFOLLOW) < 0)
		return fs_fail(err, "chmod", clean, "cannot set the mode");
	if (set_xattrs(entry, -1, parent, name, clean, err) < 0)
		return -1;
	struct timespec times[2] = {entry->mtime, entry->mtime};
	if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fs_fail(err, "utimens", clean, "cannot set the time");
	return 0;
}

static int write_at(int fd, const char *data, size_t length, uint64_t offset)
{
	while (length > 0) {
		ssize_t n = pwrite(fd, data, length, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

/* Writes the entry's data into the new file; holes of sparse files stay holes. */
static int write_data(struct apply *apply, int fd, const char *clean, struct ts_err *err)
{
	const struct tar_entry *entry = &apply->reader.entry;
	struct tar_piece whole = {0, entry->data_bytes};
	const struct tar_piece *piece = entry->sparse ? entry->pieces : &whole;
	uint64_t piece_done = 0;
	const char *data;
	int64_t available;

	while ((available = tar_data(&apply->reader, &data, err)) > 0) {
		while (available > 0) {
			while (piece_done == piece->length) {
				piece++;
				piece_done = 0;
			}
			uint64_t room = piece->length - piece_done;
			size_t take = (uint64_t)available < room ? (size_t)available : (size_t)room;
			if (write_at(fd, data, take, piece->offset + piece_done) < 0)
				return fs_fail(err, "write", clean, "cannot write it");
			piece_done += take;
			data += take;
			available -= (int64_t)take;
		}
	}
	if (available < 0)
		return -1;
	if (entry->sparse && ftruncate(fd, (off_t)entry->size) < 0)
		return fs_fail(err, "truncate", clean, "cannot set its size");
	return 0;
}

static int place_file(struct apply *apply, int parent, const char *name, const char *clean,
		      struct ts_err *err)
{
	cleanup_fd int fd =
	    openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fs_fail(err, "open", clean, "cannot make the file");
	if (write_data(apply, fd, clean, err) < 0)
		return -1;
	return set_attributes(apply, fd, clean, err);
}

static void remember_time(struct apply *apply, const char *clean)
{
	if (apply->late_count == apply->late_capacity) {
		size_t capacity = apply->late_capacity ? apply->late_capacity * 2 : 256;
		apply->late = ts_grow(apply->late, capacity, sizeof *apply->late);
		apply->late_capacity = capacity;
	}
	apply->late[apply->late_count++] =
	    (struct late_time){ts_strdup(clean), apply->reader.entry.mtime};
}

static int place_folder(struct apply *apply, int parent, const char *name, bool exists,
			bool over_whiteout, const char *clean, struct ts_err *err)
{
	if (!exists && mkdirat(parent, name, 0700) < 0)
		return fs_fail(err, "mkdir", clean, "cannot make the folder");
	cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, "open", clean, "cannot open the folder");
	if (over_whiteout && mark_opaque(apply, fd, clean, err) < 0)
		return -1;
	remember_time(apply, clean);
	return set_attributes(apply, fd, clean, err);
}

static int place_hard_link(struct apply *apply, int parent, const char *name, const char *clean,
			   struct ts_err *err)
{
	struct ts_buf target cleanup_buf = TS_BUF_INIT;

	if (path_clean(apply->reader.entry.link.data, &target, err) < 0)
		return -1;
	if (target.len == 0)
		return ts_fail(err, TS_E_REFUSED, 0, "link", clean, "%s: links to the root folder",
			       clean);
	/* Looking for the target may replace the borrowed parent. */
	cleanup_fd int to = fcntl(parent, F_DUPFD_CLOEXEC, 3);
	int from = root_parent(&apply->root, target.data, false, err);
	if (to < 0 || from < 0)
		return ts_err_is_set(err) ? -1 : fs_fail(err, "dup", clean, "cannot link");
	if (linkat(from, path_base(target.data), to, name, 0) < 0) {
		int error = errno;
		return ts_fail(err, error == ENOSPC || error == EDQUOT ? "no_space" : TS_E_KERNEL,
			       error, "link", clean,
			       "%s: cannot link to %s, which must come before it", clean,
			       target.data);
	}
	return 0;
}

static int place_symlink(struct apply *apply, int parent, const char *name, const char *clean,
			 struct ts_err *err)
{
	if (symlinkat(apply->reader.entry.link.data, parent, name) < 0)
		return fs_fail(err, "symlink", clean, "cannot make the symbolic link");
	return set_attributes_at(apply, parent, name, clean, err);
}

static int place_node(struct apply *apply, int parent, const char *name, const char *clean,
		      struct ts_err *err)
{
	const struct tar_entry *entry = &apply->reader.entry;
	mode_t kind = entry->type == TAR_CHAR	? S_IFCHR
		      : entry->type == TAR_FIFO ? S_IFIFO
						: S_IFBLK;
	dev_t device =
	    entry->type == TAR_FIFO ? 0 : makedev(entry->device_major, entry->device_minor);

	if (mknodat(parent, name, kind | 0600, device) < 0)
		return fs_fail(err, "mknod", clean, "cannot make the special file");
	return set_attributes_at(apply, parent, name, clean, err);
}

/* What is at the entry's place already, and whether it may go. */
static int make_room(struct apply *apply, int parent, const char *name, const char *clean,
		     bool *folder_stays, bool *over_whiteout, struct ts_err *err)
{
	bool folder = apply->reader.entry.type == TAR_FOLDER;
	struct stat st;

	*folder_stays = *over_whiteout = false;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : fs_fail(err, "stat", clean, "cannot look at its place");
	if (folder && S_ISDIR(st.st_mode)) {
		*folder_stays = true;
		return 0;
	}
	if (apply->options->keep_kind && folder != S_ISDIR(st.st_mode))
		return ts_fail(err, TS_E_REFUSED, 0, "replace", clean,
			       folder ? "%s: cannot put a folder over something else"
				      : "%s: cannot put something else over a folder",
			       clean);
	*over_whiteout =
	    apply->options->overlay_whiteouts && S_ISCHR(st.st_mode) && st.st_rdev == 0;
	if (ts_remove_tree_at(parent, name) < 0)
		return fs_fail(err, "remove", clean, "cannot replace what is there");
	if (!S_ISREG(st.st_mode))
		root_forget(&apply->root);
	return 0;
}

int place_entry(struct apply *apply, const char *clean, struct ts_err *err)
{
	const char *name = path_base(clean);
	bool folder_stays, over_whiteout;

	if (strlen(name) > NAME_MAX) {
		errno = ENAMETOOLONG;
		return fs_fail(err, "open", clean, "cannot make it");
	}
	int borrowed = root_parent(&apply->root, clean, true, err);
	if (borrowed < 0)
		return -1;
	/* Making room may drop the borrowed one. */
	cleanup_fd int parent = fcntl(borrowed, F_DUPFD_CLOEXEC, 3);
	if (parent < 0)
		return fs_fail(err, "dup", clean, "cannot open its folder");
	if (make_room(apply, parent, name, clean, &folder_stays, &over_whiteout, err) < 0)
		return -1;
	switch (apply->reader.entry.type) {
	case TAR_FILE:
		return place_file(apply, parent, name, clean, err);
	case TAR_FOLDER:
		return place_folder(apply, parent, name, folder_stays, over_whiteout, clean, err);
	case TAR_HARD_LINK:
		return place_hard_link(apply, parent, name, clean, err);
	case TAR_SYMLINK:
		return place_symlink(apply, parent, name, clean, err);
	default:
		return place_node(apply, parent, name, clean, err);
	}
}

int place_root(struct apply *apply, struct ts_err *err)
{
	if (apply->reader.entry.type != TAR_FOLDER)
		return ts_fail(err, TS_E_REFUSED, 0, "path", "/",
			       "the archive would replace the root folder");
	int parent = root_parent(&apply->root, "x", true, err);
	if (parent < 0)
		return -1;
	cleanup_fd int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, "open", "/", "cannot open the root folder");
	remember_time(apply, "");
	return set_attributes(apply, fd, "/", err);
}
