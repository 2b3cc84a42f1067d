/*
 * Device nodes and links in the container's /dev. The folder is opened once, without following
 * links: an image whose /dev is a symbolic link is refused, since everything here would land on the
 * host's files (CVE-2026-41579). In a user namespace nodes cannot be made; the host's are bound.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "rootfs.h"
#include "sys.h"

static const struct {
	const char *name;
	unsigned major, minor;
} defaults[] = {
    {"null", 1, 3},   {"zero", 1, 5},	 {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct {
	const char *target, *name;
} links[] = {
    {"/proc/self/fd", "fd"},	   {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
    {"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"},	 {"pts/ptmx", "ptmx"},
};

static int open_dev(struct rootfs *r, struct ts_err *err)
{
	const uint64_t strict = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	int fd = ts_openat2(r->fd, "dev", O_PATH | O_DIRECTORY, 0, strict);

	if (fd < 0 && errno == ENOENT && mkdirat(r->fd, "dev", 0755) == 0)
		fd = ts_openat2(r->fd, "dev", O_PATH | O_DIRECTORY, 0, strict);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return ts_fail(
		    err, TS_E_REFUSED, errno, "openat2", "/dev",
		    "/dev in the container's root is a link or a file; it must be a folder");
	if (fd < 0)
		return ts_fail_errno(err, "openat2", "/dev",
				     "cannot open /dev in the container's root");
	return fd;
}

static mode_t type_bits(char type)
{
	return type == 'b' ? S_IFBLK : type == 'p' ? S_IFIFO : S_IFCHR;
}

static int bind_host_device(int parent, const char *name, const char *host_path, struct ts_err *err)
{
	cleanup_fd int tree = ts_open_tree(AT_FDCWD, host_path, OPEN_TREE_CLONE), at = -1,
		       made = -1;

	if (tree < 0)
		return ts_fail_errno(err, "open_tree", host_path, "cannot open the device %s",
				     host_path);
	made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (made < 0 && errno != EEXIST)
		return ts_fail_errno(err, "open", host_path, "cannot create %s in the container",
				     host_path);
	at = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0)
		return ts_fail_errno(err, "open", host_path, "cannot open %s in the container",
				     host_path);
	return rootfs_attach(tree, at, host_path, err);
}

/* Makes one node; one that is there already must be the same. `path` is for messages and binds. */
static int make_node(struct rootfs *r, int parent, const char *name, const char *path,
		     const struct device_spec *d, struct ts_err *err)
{
	const mode_t type = type_bits(d->type);
	const dev_t dev = type == S_IFIFO ? 0 : makedev((unsigned)d->major, (unsigned)d->minor);
	struct stat st;

	if (r->config->namespaces[NS_USER].present && type != S_IFIFO)
		return bind_host_device(parent, name, path, err);
	if (mknodat(parent, name, type | d->mode, dev) == 0) {
		if ((d->uid || d->gid) &&
		    fchownat(parent, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
			return ts_fail_errno(err, "chown", path, "cannot change the owner of %s",
					     path);
		return 0;
	}
	if (errno != EEXIST)
		return ts_fail_errno(err, "mknod", path, "linux.devices: cannot create %s", path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ts_fail_errno(err, "stat", path, "linux.devices: cannot look at %s", path);
	if ((st.st_mode & S_IFMT) != type || (type != S_IFIFO && st.st_rdev != dev))
		return ts_fail(
		    err, TS_E_REFUSED, EEXIST, "mknod", path,
		    "linux.devices: %s exists in the container's root and is something else", path);
	return 0;
}

static int make_defaults(struct rootfs *r, int dev, struct ts_err *err)
{
	for (size_t i = 0; i < TS_ARRAY_LEN(defaults); i++) {
		struct device_spec d = {.type = 'c',
					.major = defaults[i].major,
					.minor = defaults[i].minor,
					.mode = 0666};
		char path[32];
		bool own = false;

		snprintf(path, sizeof(path), "/dev/%s", defaults[i].name);
		for (size_t j = 0; j < r->config->device_count; j++)
			own |= strcmp(r->config->devices[j].path, path) == 0;
		if (!own && make_node(r, dev, defaults[i].name, path, &d, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < TS_ARRAY_LEN(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
			return ts_fail_errno(err, "symlink", links[i].name, "cannot create /dev/%s",
					     links[i].name);
	return 0;
}

static int make_configured(struct rootfs *r, struct ts_err *err)
{
	for (size_t i = 0; i < r->config->device_count; i++) {
		const struct device_spec *d = &r->config->devices[i];
		const char *slash = strrchr(d->path, '/');
		cleanup_fd int parent = -1;

		/* The container's own, of its devpts; callers that pass all of the host's name it. */
		if (strcmp(d->path, "/dev/ptmx") == 0 && !r->dev_is_bind)
			continue;
		if (!slash[1])
			return config_invalid(err, d->path, "linux.devices[%zu].path: is a folder",
					      i);
		if (slash == d->path) {
			parent = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
		} else {
			snprintf(r->text, sizeof(r->text), "%.*s", (int)(slash - d->path), d->path);
			parent = rootfs_open_target(r, r->text, true, false, err);
		}
		if (parent < 0 || make_node(r, parent, slash + 1, d->path, d, err) < 0)
			return ts_err_prefix(err, "linux.devices[%zu]", i);
	}
	return 0;
}

int rootfs_make_devices(struct rootfs *r, struct ts_err *err)
{
	cleanup_fd int dev = -1;
	mode_t mask = umask(0);
	int rc = 0;

	if (!r->dev_is_bind) {
		dev = open_dev(r, err);
		rc = dev < 0 || make_defaults(r, dev, err) < 0 ? -1 : 0;
	}
	if (rc == 0)
		rc = make_configured(r, err);
	umask(mask);
	return rc;
}
