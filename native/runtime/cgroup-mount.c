/*
 * What a container sees at /sys/fs/cgroup.
 * v2: a cgroup2 mount of its own when it has a cgroup namespace, else its own folder bound there.
 * v1 and hybrid: a tmpfs with one folder per hierarchy, each a bind mount of the container's own
 * folder, and links for the single names of joined controllers ("cpu" -> "cpu,cpuacct").
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "rootfs.h"
#include "sys.h"

/* A detached mount of the container's folder in one hierarchy, with the flags of the whole mount.
 */
static int clone_folder(struct rootfs *r, const struct cgroup_hierarchy *h,
			const struct mount_options *o, const char *where, struct ts_err *err)
{
	cleanup_fd int tree = -1;
	struct mount_options own = {.attr_set = o->attr_set, .attr_clear = o->attr_clear};
	int n = snprintf(r->text, sizeof(r->text), "%s%s", h->mount, r->cgroup->path);

	if (n >= (int)sizeof(r->text))
		return ts_fail(err, TS_E_INVALID, ENAMETOOLONG, "cgroup", where,
			       "%s: path too long", where);
	tree = ts_open_tree(AT_FDCWD, r->text, OPEN_TREE_CLONE);
	if (tree < 0)
		return ts_fail_errno(err, "open_tree", r->text, "%s: cannot open control group %s",
				     where, r->text);
	return rootfs_set_attrs(tree, &own, where, err) < 0 ? -1 : steal_fd(&tree);
}

static int mount_v2(struct rootfs *r, const struct mount_spec *m, const char *where,
		    struct ts_err *err)
{
	cleanup_fd int fd = -1, target = rootfs_open_target(r, m->destination, true, false, err);

	if (target < 0)
		return ts_err_prefix(err, "%s", where);
	if (r->config->namespaces[NS_CGROUP].present)
		fd = rootfs_new_fs("cgroup2", "cgroup", NULL, m->options.attr_set, where, err);
	else
		fd = clone_folder(r, &r->cgroup->items[0], &m->options, where, err);
	return fd < 0 ? -1 : rootfs_attach(fd, target, m->destination, err);
}

static int link_names(int dir, const char *list, const char *where, struct ts_err *err)
{
	char names[64], *save = NULL;

	if (!strchr(list, ','))
		return 0;
	snprintf(names, sizeof(names), "%s", list);
	for (char *n = strtok_r(names, ",", &save); n; n = strtok_r(NULL, ",", &save))
		if (symlinkat(list, dir, n) < 0)
			return ts_fail_errno(err, "symlink", n, "%s: cannot link %s", where, n);
	return 0;
}

static int mount_v1(struct rootfs *r, const struct mount_spec *m, const char *where,
		    struct ts_err *err)
{
	static const char *const options[] = {"mode=755", "size=64k", NULL};
	cleanup_fd int top = -1, target = rootfs_open_target(r, m->destination, true, false, err);
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};

	if (target < 0)
		return ts_err_prefix(err, "%s", where);
	top = rootfs_new_fs("tmpfs", "tmpfs", options,
			    m->options.attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY, where, err);
	if (top < 0 || rootfs_attach(top, target, m->destination, err) < 0)
		return -1;
	for (size_t i = 0; i < r->cgroup->count; i++) {
		const struct cgroup_hierarchy *h = &r->cgroup->items[i];
		cleanup_fd int tree = -1, at = -1;

		if (h->fd < 0)
			continue;
		if (mkdirat(top, h->name, 0755) < 0)
			return ts_fail_errno(err, "mkdir", h->name, "%s: cannot make %s", where,
					     h->name);
		at = openat(top, h->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		tree = clone_folder(r, h, &m->options, where, err);
		if (at < 0 || tree < 0 || rootfs_attach(tree, at, h->name, err) < 0 ||
		    link_names(top, h->name, where, err) < 0)
			return ts_fail_errno(err, "mount", h->name, "%s: cannot mount %s", where,
					     h->name);
	}
	if ((m->options.attr_set & MOUNT_ATTR_RDONLY) &&
	    ts_mount_setattr(top, "", AT_EMPTY_PATH, &ro) < 0)
		return ts_fail_errno(err, "mount_setattr", m->destination,
				     "%s: cannot make it read-only", where);
	return 0;
}

int rootfs_mount_cgroup(struct rootfs *r, const struct mount_spec *m, const char *where,
			struct ts_err *err)
{
	if (r->cgroup->count == 0)
		return ts_fail(err, TS_E_UNSUPPORTED, 0, "mount", m->destination,
			       "%s: this host has no control groups at %s", where, CGROUP_ROOT);
	return r->cgroup->unified ? mount_v2(r, m, where, err) : mount_v1(r, m, where, err);
}
