/*
 * From a tree to an archive: names sorted by their bytes, hard links to the first name, times in
 * nanoseconds. Nothing is followed: each folder is opened in the one above it, each file in its
 * folder, so that a running container cannot lead the walk elsewhere.
 */
#include "mem.h"
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cleanup.h"
#include "limits.h"

enum { FIRST_NAMES = 256, XATTR_LIST_MAX_BYTES = 64 << 10 };

static int walk_folder(struct walk *walk, int fd, const char *path, struct ts_err *err);

static int fail(struct ts_err *err, const char *op, const char *path)
{
	return ts_fail_errno(err, op, path, "%s: cannot read it", path);
}

/* Attributes that belong to the file and not to this machine. */
static bool is_portable(const char *name)
{
	return strcmp(name, "security.capability") == 0 ||
	       (strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads the file's attributes as PAX records, sorted by name. */
static void read_xattrs(int fd, struct ts_buf *records)
{
	static char list[XATTR_LIST_MAX_BYTES], value[XATTR_VALUE_MAX_BYTES];
	char key[XATTR_NAME_MAX_BYTES + 32];
	const char *names[XATTRS_MAX];
	size_t count = 0;

	ssize_t length = flistxattr(fd, list, sizeof list);
	for (ssize_t at = 0; at < length; at += (ssize_t)strlen(list + at) + 1)
		if (is_portable(list + at) && count < XATTRS_MAX)
			names[count++] = list + at;
	qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count; i++) {
		ssize_t size = fgetxattr(fd, names[i], value, sizeof value);
		if (size < 0)
			continue;
		snprintf(key, sizeof key, "SCHILY.xattr.%s", names[i]);
		tar_put_record(records, key, value, (size_t)size);
	}
}

static struct first_name *find_name(struct first_name *names, size_t capacity, dev_t device,
				    ino_t inode)
{
	size_t at = (size_t)((inode * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (capacity - 1);

	while (names[at].name && (names[at].device != device || names[at].inode != inode))
		at = (at + 1) & (capacity - 1);
	return &names[at];
}

static void grow_names(struct walk *walk)
{
	size_t capacity = walk->name_capacity ? walk->name_capacity * 2 : FIRST_NAMES;
	struct first_name *names = calloc(capacity, sizeof *names);

	if (!names)
		abort();
	for (size_t i = 0; i < walk->name_capacity; i++)
		if (walk->names[i].name)
			*find_name(names, capacity, walk->names[i].device, walk->names[i].inode) =
			    walk->names[i];
	free(walk->names);
	walk->names = names;
	walk->name_capacity = capacity;
}

/* The name that this file was written under before; NULL (and remembered) when this is the first.
 */
static const char *earlier_name(struct walk *walk, const struct stat *st, const char *path)
{
	if (st->st_nlink < 2)
		return NULL;
	if (walk->name_count * 2 >= walk->name_capacity)
		grow_names(walk);
	struct first_name *found =
	    find_name(walk->names, walk->name_capacity, st->st_dev, st->st_ino);
	if (found->name)
		return found->name;
	*found = (struct first_name){st->st_dev, st->st_ino, ts_strdup(path)};
	walk->name_count++;
	return NULL;
}

static struct tar_item item_of(const struct stat *st, enum tar_type type, const char *path)
{
	return (struct tar_item){
	    .type = type,
	    .name = path,
	    .link = "",
	    .mode = st->st_mode & 07777,
	    .uid = st->st_uid,
	    .gid = st->st_gid,
	    .mtime = st->st_mtim,
	};
}

/* Copies exactly `size` bytes; a file that has become shorter is filled up with zeros. */
static int copy_data(struct walk *walk, int fd, uint64_t size, const char *path, struct ts_err *err)
{
	static char part[TAR_BUFFER_BYTES];
	bool ended = false;

	while (size > 0) {
		size_t want = size < sizeof part ? (size_t)size : sizeof part;
		ssize_t n = ended ? 0 : read(fd, part, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, "read", path);
		if (n == 0) {
			ended = true;
			memset(part, 0, want);
			n = (ssize_t)want;
		}
		if (tar_write_data(&walk->writer, part, (size_t)n, err) < 0)
			return -1;
		size -= (uint64_t)n;
	}
	return 0;
}

static int write_file(struct walk *walk, int parent, const char *name, const char *path,
		      struct ts_err *err)
{
	struct ts_buf xattrs cleanup_buf = TS_BUF_INIT;
	struct stat st;

	cleanup_fd int fd =
	    openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return 0; /* gone or replaced since it was listed */
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(err, "open", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	const char *earlier = earlier_name(walk, &st, path);
	struct tar_item item = item_of(&st, earlier ? TAR_HARD_LINK : TAR_FILE, path);
	if (earlier) {
		item.link = earlier;
		return tar_write_item(&walk->writer, &item, err);
	}
	read_xattrs(fd, &xattrs);
	item.xattrs = &xattrs;
	item.size = (uint64_t)st.st_size;
	if (tar_write_item(&walk->writer, &item, err) < 0)
		return -1;
	return copy_data(walk, fd, item.size, path, err);
}

static int write_symlink(struct walk *walk, int parent, const char *name, const struct stat *st,
			 const char *path, struct ts_err *err)
{
	char target[PATH_MAX_BYTES + 1];
	ssize_t length = readlinkat(parent, name, target, sizeof target - 1);

	if (length < 0)
		return errno == ENOENT || errno == EINVAL ? 0 : fail(err, "readlink", path);
	target[length] = '\0';
	struct tar_item item = item_of(st, TAR_SYMLINK, path);
	item.mode = 0777;
	item.link = target;
	return tar_write_item(&walk->writer, &item, err);
}

static int write_node(struct walk *walk, const struct stat *st, const char *path,
		      struct ts_err *err)
{
	enum tar_type type = S_ISCHR(st->st_mode)    ? TAR_CHAR
			     : S_ISFIFO(st->st_mode) ? TAR_FIFO
						     : TAR_BLOCK_DEVICE;
	struct tar_item item = item_of(st, type, path);

	if (type != TAR_FIFO) {
		item.device_major = major(st->st_rdev);
		item.device_minor = minor(st->st_rdev);
	}
	return tar_write_item(&walk->writer, &item, err);
}

/* Writes FOLDER/.wh.NAME as an empty file that belongs to root at the epoch. */
static int write_whiteout(struct walk *walk, const char *path, const char *name, struct ts_err *err)
{
	struct ts_buf full cleanup_buf = TS_BUF_INIT;

	size_t folder = strlen(path) - strlen(name);
	if (walk->lower_count > 0 && !lowers_have(walk->lowers, walk->lower_count, path))
		return 0;
	ts_buf_add(&full, path, folder);
	ts_buf_printf(&full, ".wh.%s", name);
	struct tar_item item = {.type = TAR_FILE, .name = full.data, .link = ""};
	return tar_write_item(&walk->writer, &item, err);
}

static bool is_opaque(int fd)
{
	char value;

	return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static int write_opaque(struct walk *walk, int fd, const char *path, struct ts_err *err)
{
	struct ts_buf full cleanup_buf = TS_BUF_INIT;

	if (!is_opaque(fd) ||
	    (walk->lower_count > 0 && !lowers_have(walk->lowers, walk->lower_count, path)))
		return 0;
	ts_buf_printf(&full, "%s%s.wh..wh..opq", path, path[0] ? "/" : "");
	struct tar_item item = {.type = TAR_FILE, .name = full.data, .link = ""};
	return tar_write_item(&walk->writer, &item, err);
}

/* Made by the kernel: not a container's files, some of them end never or answer with errors. */
static bool is_kernel_view(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch (fs.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case DEVPTS_SUPER_MAGIC:
	case DEBUGFS_MAGIC:
	case SECURITYFS_MAGIC:
	case TRACEFS_MAGIC:
	case BPF_FS_MAGIC:
		return true;
	default:
		return false;
	}
}

static int write_folder(struct walk *walk, int parent, const char *name, const char *path,
			struct ts_err *err)
{
	struct ts_buf xattrs cleanup_buf = TS_BUF_INIT;
	struct ts_buf slashed cleanup_buf = TS_BUF_INIT;
	struct stat st;
	char redirect;

	cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(err, "open", path);
	if (walk->overlay && (fgetxattr(fd, "trusted.overlay.redirect", &redirect, 0) >= 0))
		return ts_fail(err, TS_E_UNSUPPORTED, 0, "diff", path,
			       "%s: was renamed by overlayfs (mount with redirect_dir=off)", path);
	if (path[0]) {
		read_xattrs(fd, &xattrs);
		ts_buf_printf(&slashed, "%s/", path);
		struct tar_item item = item_of(&st, TAR_FOLDER, slashed.data);
		item.xattrs = &xattrs;
		if (tar_write_item(&walk->writer, &item, err) < 0)
			return -1;
	}
	if (walk->overlay && write_opaque(walk, fd, path, err) < 0)
		return -1;
	if (is_kernel_view(fd))
		return 0;
	if (walk->depth == PATH_DEPTH_MAX)
		return ts_fail(err, TS_E_REFUSED, 0, "walk", NULL,
			       "%.64s...: more than %d folders deep", path, PATH_DEPTH_MAX);
	walk->depth++;
	int result = walk_folder(walk, fd, path, err);
	walk->depth--;
	return result;
}

int walk_write(struct walk *walk, int parent, const char *name, const char *path,
	       struct ts_err *err)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(err, "stat", path);
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		return write_folder(walk, parent, name, path, err);
	case S_IFREG:
		return write_file(walk, parent, name, path, err);
	case S_IFLNK:
		return write_symlink(walk, parent, name, &st, path, err);
	case S_IFSOCK:
		return 0;
	default:
		if (walk->overlay && S_ISCHR(st.st_mode) && st.st_rdev == 0)
			return write_whiteout(walk, path, name, err);
		return write_node(walk, &st, path, err);
	}
}

/* Reads all names of a folder, sorted. */
static int read_names(int fd, char ***names, size_t *count, const char *path, struct ts_err *err)
{
	size_t capacity = 0;
	struct dirent *entry;

	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder cleanup_dir = own < 0 ? NULL : fdopendir(own);
	if (!folder) {
		ts_cleanup_fd(&own);
		return fail(err, "open", path);
	}
	while ((errno = 0, entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (*count == capacity) {
			capacity = capacity ? capacity * 2 : 32;
			*names = ts_grow(*names, capacity, sizeof **names);
		}
		(*names)[(*count)++] = ts_strdup(entry->d_name);
	}
	if (errno)
		return fail(err, "readdir", path);
	if (*count > 0)
		qsort(*names, *count, sizeof **names, compare_names);
	return 0;
}

static int walk_folder(struct walk *walk, int fd, const char *path, struct ts_err *err)
{
	struct ts_buf child cleanup_buf = TS_BUF_INIT;
	char **names = NULL;
	size_t count = 0;

	int result = read_names(fd, &names, &count, path, err);
	for (size_t i = 0; result == 0 && i < count; i++) {
		child.len = 0;
		ts_buf_printf(&child, "%s%s%s", path, path[0] ? "/" : "", names[i]);
		result = walk_write(walk, fd, names[i], child.data, err);
	}
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return result;
}

void walk_close(struct walk *walk)
{
	tar_write_close(&walk->writer);
	for (size_t i = 0; i < walk->name_capacity; i++)
		free(walk->names[i].name);
	free(walk->names);
}
