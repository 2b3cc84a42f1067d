/*
 * The `mounts` of the configuration, in order, with the new mount interface: file systems by
 * fsopen/fsmount, bind mounts by open_tree(CLONE) with their flags set before they are attached, so
 * there is no moment in which a read-only bind mount can be written.
 *
 * Refuses mounts over /proc other than procfs itself and the few files that LXCFS provides: a fake
 * /proc would redirect our own writes and every masked path (CVE-2019-16884 and its family).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "log.h"
#include "rootfs.h"
#include "sys.h"

/* Turns the kernel's last message on an fscontext into text. */
static void read_fs_log(int fd, char *text, size_t size)
{
	ssize_t n = read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
}

static int fs_failed(int fd, const char *type, const char *where, const char *what,
		     struct ts_err *err)
{
	const int saved = errno;
	char text[256];

	read_fs_log(fd, text, sizeof(text));
	return ts_fail(err, TS_E_KERNEL, saved, "fsconfig", where, "%s: cannot mount %s%s%s%s%s%s",
		       where, type, what ? ", option " : "", what ? what : "", *text ? " (" : "",
		       text, *text ? ")" : "");
}

static int set_option(int fd, const char *option)
{
	const char *eq = strchr(option, '=');
	cleanup_free char *key = NULL;

	if (!eq)
		return ts_fsconfig(fd, FSCONFIG_SET_FLAG, option, NULL, 0);
	key = strndup(option, (size_t)(eq - option));
	if (!key)
		abort();
	return ts_fsconfig(fd, FSCONFIG_SET_STRING, key, eq + 1, 0);
}

static bool is_pseudo_fs(const char *type)
{
	static const char *const types[] = {"proc",   "sysfs",	"tmpfs",  "devpts",
					    "mqueue", "cgroup", "cgroup2"};

	for (size_t i = 0; i < TS_ARRAY_LEN(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

int rootfs_new_fs(const char *type, const char *source, const char *const *options, uint64_t attrs,
		  const char *where, struct ts_err *err)
{
	cleanup_fd int fs = ts_fsopen(type);
	int mount_fd;

	if (fs < 0) {
		if (errno == ENODEV)
			return ts_fail(err, TS_E_UNSUPPORTED, ENODEV, "fsopen", where,
				       "%s.type: this kernel has no file system \"%s\"", where,
				       type);
		return ts_fail_errno(err, "fsopen", where, "%s: cannot mount %s", where, type);
	}
	if (source && *source && ts_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fs_failed(fs, type, where, "source", err);
	/* A device that is read-only itself can only be mounted so; pseudo file systems share
	 * theirs. */
	if ((attrs & MOUNT_ATTR_RDONLY) && !is_pseudo_fs(type) &&
	    ts_fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return fs_failed(fs, type, where, "ro", err);
	for (size_t i = 0; options && options[i]; i++) {
		/* Every devpts is a new instance since Linux 4.7. */
		if (strcmp(options[i], "newinstance") == 0 && strcmp(type, "devpts") == 0)
			continue;
		if (set_option(fs, options[i]) < 0)
			return fs_failed(fs, type, where, options[i], err);
	}
	if (ts_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_failed(fs, type, where, NULL, err);
	mount_fd = ts_fsmount(fs, (unsigned)attrs);
	if (mount_fd < 0)
		return fs_failed(fs, type, where, NULL, err);
	return mount_fd;
}

/* LXCFS replaces these files of /proc with bind mounts; they redirect nothing that we write. */
static bool allowed_in_proc(const char *path)
{
	static const char *const files[] = {
	    "/proc/cpuinfo",
	    "/proc/diskstats",
	    "/proc/meminfo",
	    "/proc/stat",
	    "/proc/swaps",
	    "/proc/uptime",
	    "/proc/loadavg",
	    "/proc/slabinfo",
	    "/proc/net/dev",
	    "/proc/sys/kernel/ns_last_pid",
	    "/proc/sys/crypto/fips_enabled",
	};

	for (size_t i = 0; i < TS_ARRAY_LEN(files); i++)
		if (strcmp(path, files[i]) == 0)
			return true;
	return false;
}

static int refuse_in_proc(const struct mount_spec *m, const char *where, struct ts_err *err)
{
	return ts_fail(err, TS_E_REFUSED, 0, "mount", m->destination,
		       "%s.destination: %s is inside /proc, where nothing may be mounted", where,
		       m->destination);
}

static bool named_in_proc(const char *path)
{
	return strncmp(path, "/proc", 5) == 0 && (!path[5] || path[5] == '/');
}

/* Is the path, as text, in /proc and none of what may be there? Asked before anything is made. */
static bool forbidden_name(const struct mount_spec *m)
{
	const char *d = m->destination;

	if (!named_in_proc(d))
		return false;
	if (m->type && strcmp(m->type, "proc") == 0)
		return false;
	/* Without a pid namespace of its own a container is shown the host's. */
	if (m->options.bind && !d[5] && strcmp(m->source, "/proc") == 0)
		return false;
	return !allowed_in_proc(d);
}

/* The text does not say it all: a link could lead into /proc. */
static bool forbidden_target(int target, const struct mount_spec *m)
{
	struct statfs st;

	if (named_in_proc(m->destination))
		return false;
	return fstatfs(target, &st) < 0 || st.f_type == PROC_SUPER_MAGIC;
}

/* Whoever can write below the source may put links there, also while we look. */
static int open_subpath(const struct mount_spec *m, unsigned flags, const char *where,
			struct ts_err *err)
{
	const char *sub = m->options.subpath;
	cleanup_fd int root = open(m->source, O_PATH | O_DIRECTORY | O_CLOEXEC), at = -1;
	int fd;

	if (root >= 0)
		at = ts_open_beneath(root, sub, O_PATH, 0);
	fd = at < 0 ? -1 : ts_open_tree(at, "", flags | AT_EMPTY_PATH);
	if (fd >= 0)
		return fd;
	if (errno == EXDEV || errno == ELOOP)
		return ts_fail(err, TS_E_REFUSED, errno, "openat2", sub,
			       "%s: subpath %s leads out of what is mounted", where, sub);
	if (errno == ENOENT || errno == ENOTDIR)
		return ts_fail(err, TS_E_INVALID, errno, "openat2", sub,
			       "%s: subpath %s does not exist", where, sub);
	return ts_fail_errno(err, "openat2", sub, "%s: cannot open subpath %s", where, sub);
}

int rootfs_open_source(const struct mount_spec *m, const char *where, struct ts_err *err)
{
	const unsigned flags = OPEN_TREE_CLONE | (m->options.rbind ? AT_RECURSIVE : 0);
	int fd;

	if (m->options.subpath)
		return open_subpath(m, flags, where, err);
	fd = ts_open_tree(AT_FDCWD, m->source, flags);
	if (fd < 0 && errno == ENOENT)
		return ts_fail(err, TS_E_INVALID, ENOENT, "open_tree", m->source,
			       "%s.source: %s does not exist", where, m->source);
	if (fd < 0)
		return ts_fail_errno(err, "open_tree", m->source, "%s.source: cannot open %s",
				     where, m->source);
	return fd;
}

static int mount_bind(struct rootfs *r, const struct mount_spec *m, const char *where,
		      struct ts_err *err)
{
	cleanup_fd int tree = m->source_fd >= 0 ? fcntl(m->source_fd, F_DUPFD_CLOEXEC, 0)
						: rootfs_open_source(m, where, err);
	cleanup_fd int target = -1;
	struct stat st;

	if (tree < 0)
		return -1;
	if (fstat(tree, &st) < 0)
		return ts_fail_errno(err, "fstat", m->source, "%s.source: cannot look at %s", where,
				     m->source);
	if (rootfs_set_attrs(tree, &m->options, where, err) < 0)
		return -1;
	target = rootfs_open_target(r, m->destination, S_ISDIR(st.st_mode), false, err);
	if (target < 0)
		return ts_err_prefix(err, "%s", where);
	if (forbidden_target(target, m))
		return refuse_in_proc(m, where, err);
	if (strcmp(m->destination, "/dev") == 0)
		r->dev_is_bind = true;
	return rootfs_attach(tree, target, m->destination, err);
}

/* Without a network namespace of its own, a user namespace may not mount sysfs: show the host's. */
static int sysfs_of_host(struct rootfs *r, const struct mount_spec *m, const char *where, int fd,
			 struct ts_err *err)
{
	if (fd >= 0 || err->errnum != EPERM || strcmp(m->type, "sysfs") != 0 ||
	    !r->config->namespaces[NS_USER].present)
		return fd;
	memset(err, 0, sizeof(*err));
	fd = ts_open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | AT_RECURSIVE);
	if (fd < 0)
		return ts_fail_errno(err, "open_tree", "/sys", "%s: cannot show the host's /sys",
				     where);
	return rootfs_set_attrs(fd, &m->options, where, err) < 0 ? -1 : fd;
}

/*
 * The options with linux.mountLabel, for file systems that take a label at all. Without SELinux
 * there is nothing that a label could keep out, so it is left out, as other runtimes do.
 */
static const char *const *with_label(struct rootfs *r, const struct mount_spec *m)
{
	static const char *const labelled[] = {"tmpfs", "devpts", "mqueue"};
	const char *label = r->config->mount_label;
	const char **options;
	struct statfs st;
	char *text;

	if (!label || !*label)
		return m->options.super;
	if (statfs("/sys/fs/selinux", &st) < 0 || (unsigned)st.f_type != SELINUX_MAGIC) {
		log_warn("linux.mountLabel: this kernel runs without SELinux, left out");
		return m->options.super;
	}
	for (size_t i = 0; i < TS_ARRAY_LEN(labelled); i++) {
		if (strcmp(m->type, labelled[i]) != 0)
			continue;
		options =
		    ts_json_alloc(r->config->doc, (m->options.super_count + 2) * sizeof(*options));
		if (m->options.super_count)
			memcpy(options, m->options.super,
			       m->options.super_count * sizeof(*options));
		text = ts_json_alloc(r->config->doc, strlen(label) + sizeof("context="));
		sprintf(text, "context=%s", label);
		options[m->options.super_count] = text;
		return options;
	}
	return m->options.super;
}

static int mount_fs(struct rootfs *r, const struct mount_spec *m, const char *where,
		    struct ts_err *err)
{
	bool strict = strcmp(m->type, "proc") == 0 || strcmp(m->type, "sysfs") == 0;
	bool late_ro = strcmp(m->type, "tmpfs") == 0 && (m->options.attr_set & MOUNT_ATTR_RDONLY) &&
		       r->late_ro_count < TS_ARRAY_LEN(r->late_ro);
	cleanup_fd int fd = -1, target = -1;
	struct mount_options later = {.rec_set = m->options.rec_set,
				      .rec_clear = m->options.rec_clear,
				      .propagation = m->options.propagation,
				      .propagation_recursive = m->options.propagation_recursive};

	fd = rootfs_new_fs(m->type, m->source, with_label(r, m),
			   m->options.attr_set & ~(late_ro ? (uint64_t)MOUNT_ATTR_RDONLY : 0),
			   where, err);
	fd = sysfs_of_host(r, m, where, fd, err);
	if (fd < 0)
		return -1;
	target = rootfs_open_target(r, m->destination, true, strict, err);
	if (target < 0)
		return ts_err_prefix(err, "%s", where);
	if (forbidden_target(target, m))
		return refuse_in_proc(m, where, err);
	if (m->options.copy_up && rootfs_copy_up(r, m->destination, fd, where, err) < 0)
		return -1;
	if (rootfs_attach(fd, target, m->destination, err) < 0 ||
	    rootfs_set_attrs(fd, &later, where, err) < 0)
		return -1;
	if (late_ro)
		r->late_ro[r->late_ro_count++] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (strcmp(m->type, "proc") == 0 && strcmp(m->destination, "/proc") == 0)
		r->proc_fd = steal_fd(&fd);
	return 0;
}

static int remount(struct rootfs *r, const struct mount_spec *m, const char *where,
		   struct ts_err *err)
{
	cleanup_fd int target = ts_open_in_root(r->fd, m->destination, O_PATH, 0);

	if (target < 0)
		return ts_fail_errno(err, "openat2", m->destination, "%s: cannot open %s", where,
				     m->destination);
	return rootfs_set_attrs(target, &m->options, where, err);
}

int rootfs_mount_all(struct rootfs *r, struct ts_err *err)
{
	for (size_t i = 0; i < r->config->mount_count; i++) {
		const struct mount_spec *m = &r->config->mounts[i];
		char where[32];
		int rc;

		snprintf(where, sizeof(where), "mounts[%zu]", i);
		if (m->options.idmap || m->uid_maps.count)
			return ts_fail(err, TS_E_UNSUPPORTED, 0, "mount", m->destination,
				       "%s: id-mapped mounts are not supported", where);
		if (m->options.copy_up && strcmp(m->type, "tmpfs") != 0)
			return ts_fail(err, TS_E_UNSUPPORTED, 0, "mount", m->destination,
				       "%s: tmpcopyup is for tmpfs only", where);
		if (!m->options.remount && forbidden_name(m))
			return refuse_in_proc(m, where, err);
		if (m->options.remount)
			rc = remount(r, m, where, err);
		else if (m->options.bind)
			rc = mount_bind(r, m, where, err);
		else if (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0)
			rc = rootfs_mount_cgroup(r, m, where, err);
		else
			rc = mount_fs(r, m, where, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}
