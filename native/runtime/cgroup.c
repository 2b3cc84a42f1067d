/*
 * Finding, making, joining and removing control groups; limits are in cgroup-v1.c and cgroup-v2.c,
 * signals and freezing in cgroup-tasks.c.
 *
 * Joining: a process moves itself by writing "0" into v1 `tasks`. For a single thread that moves
 * itself the kernel skips the global thread-group lock (cgroup_procs_write_start()), and with it a
 * wait for an RCU grace period per hierarchy. On v2 the child is born in its group (clone3).
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

static bool has_magic(int fd, long magic)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && (long)st.f_type == magic;
}

static void add_hierarchy(struct cgroup *cg, const char *name, bool v2)
{
	struct cgroup_hierarchy *h = &cg->items[cg->count];
	cleanup_fd int fd = -1;

	if (cg->count == CGROUP_HIERARCHIES_MAX)
		return;
	memset(h, 0, sizeof(*h));
	h->fd = -1;
	h->v2 = v2;
	if (snprintf(h->name, sizeof(h->name), "%s", name) >= (int)sizeof(h->name))
		return;
	if (cg->unified)
		snprintf(h->mount, sizeof(h->mount), CGROUP_ROOT);
	else
		snprintf(h->mount, sizeof(h->mount), CGROUP_ROOT "/%s", name);
	fd = open(h->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !has_magic(fd, v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC))
		return;
	h->mount_fd = steal_fd(&fd);
	cg->count++;
}

int cgroup_detect(struct cgroup *cg, struct ts_err *err)
{
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	cleanup_fd int fd = open(CGROUP_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *line, *save = NULL;

	memset(cg, 0, sizeof(*cg));
	if (fd < 0)
		return 0;
	if (has_magic(fd, CGROUP2_SUPER_MAGIC)) {
		cg->unified = true;
		add_hierarchy(cg, "unified", true);
		return 0;
	}
	/* Lines "7:memory:/path", "1:name=systemd:/path", "0::/path". */
	if (ts_read_file_at(AT_FDCWD, "/proc/self/cgroup", &text, 65536, err) < 0)
		return -1;
	for (line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *name = strchr(line, ':'), *end = name ? strchr(name + 1, ':') : NULL;

		if (!end)
			continue;
		name++;
		*end = '\0';
		if (!*name)
			add_hierarchy(cg, "unified", true);
		else
			add_hierarchy(cg, strncmp(name, "name=", 5) == 0 ? name + 5 : name, false);
	}
	return 0;
}

int cgroup_set_path(struct cgroup *cg, const char *cgroups_path, const char *id, bool systemd_form,
		    struct ts_err *err)
{
	const char *colon = cgroups_path ? strchr(cgroups_path, ':') : NULL;
	const char *second = colon ? strchr(colon + 1, ':') : NULL;
	int n;

	if (!cgroups_path || !*cgroups_path)
		n = snprintf(cg->path, sizeof(cg->path), "/tswarm-runtime/%s", id);
	else if (systemd_form && second)
		n = snprintf(cg->path, sizeof(cg->path), "/%.*s/%.*s-%s.scope",
			     (int)(colon - cgroups_path), cgroups_path, (int)(second - colon - 1),
			     colon + 1, second + 1);
	else
		n = snprintf(cg->path, sizeof(cg->path), "%s%s", cgroups_path[0] == '/' ? "" : "/",
			     cgroups_path);
	if (n >= (int)sizeof(cg->path))
		return config_invalid(err, "linux.cgroupsPath", "linux.cgroupsPath: too long");
	while (n > 1 && cg->path[n - 1] == '/')
		cg->path[--n] = '\0';
	if (n <= 1 || strstr(cg->path, "/../") || strstr(cg->path, "/./") ||
	    strstr(cg->path, "//") || (n >= 3 && strcmp(cg->path + n - 3, "/..") == 0))
		return config_invalid(
		    err, "linux.cgroupsPath",
		    "linux.cgroupsPath: \"%s\" must name a folder below the root, without "
		    "\"..\"",
		    cg->path);
	return 0;
}

int cgroup_read_i64(int fd, const char *file, long long *out)
{
	char text[64];
	cleanup_fd int f = openat(fd, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = f < 0 ? -1 : read(f, text, sizeof(text) - 1);

	if (n < 0)
		return -1;
	text[n] = '\0';
	*out = strncmp(text, "max", 3) == 0 ? LLONG_MAX : strtoll(text, NULL, 10);
	return 0;
}

int cgroup_write(int fd, const char *file, const char *value, const char *field, bool *missing,
		 struct ts_err *err)
{
	if (ts_write_file_at(fd, file, value, strlen(value)) == 0)
		return 0;
	if (errno == ENOENT && missing) {
		*missing = true;
		return 0;
	}
	if (errno == ENOENT || errno == EACCES)
		return ts_fail(err, TS_E_UNSUPPORTED, errno, "cgroup", file,
			       "%s: this kernel's control groups have no %s", field, file);
	return ts_fail_errno(err, "cgroup", file, "%s: cannot write \"%.64s\" to %s", field, value,
			     file);
}

int cgroup_write_u64(int fd, const char *file, unsigned long long value, const char *field,
		     bool *missing, struct ts_err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", value);
	return cgroup_write(fd, file, text, field, missing, err);
}

int cgroup_write_i64(int fd, const char *file, long long value, const char *field, bool *missing,
		     struct ts_err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	return cgroup_write(fd, file, text, field, missing, err);
}

/* Reads a cpuset's list; true when there is something in it. */
static bool read_cpuset(int dir, const char *file, char *text, size_t size)
{
	cleanup_fd int f = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = f < 0 ? -1 : read(f, text, size - 1);

	if (n <= 0 || text[0] == '\n')
		return false;
	text[n] = '\0';
	return true;
}

/*
 * A new v1 cpuset is empty and would take no process: it gets what its parent has. Also one that was
 * there: whoever made it at this moment may not have come to it yet.
 */
static int init_cpuset(int parent, int fd, struct ts_err *err)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};

	for (size_t i = 0; i < 2; i++) {
		char text[4096];

		if (read_cpuset(fd, files[i], text, sizeof(text)) ||
		    !read_cpuset(parent, files[i], text, sizeof(text)))
			continue;
		if (cgroup_write(fd, files[i], text, "linux.cgroupsPath", NULL, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_controller(const char *list, const char *controller)
{
	size_t n = strlen(controller);

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, controller, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

/* v2: children only have the controllers that their parent hands down. */
static int enable_controllers(int fd, struct ts_err *err)
{
	static const char *const wanted[] = {"cpu", "cpuset", "memory", "pids", "io", "hugetlb"};
	char have[256], want[128] = "";
	cleanup_fd int f = openat(fd, "cgroup.controllers", O_RDONLY | O_CLOEXEC);
	ssize_t n = f < 0 ? -1 : read(f, have, sizeof(have) - 1);

	if (n < 0)
		return ts_fail_errno(err, "cgroup", "cgroup.controllers",
				     "cannot read cgroup.controllers");
	have[n] = '\0';
	for (char *save = NULL, *c = strtok_r(have, " \n", &save); c;
	     c = strtok_r(NULL, " \n", &save))
		for (size_t i = 0; i < TS_ARRAY_LEN(wanted); i++)
			if (strcmp(c, wanted[i]) == 0) {
				strcat(want, *want ? " +" : "+");
				strcat(want, c);
			}
	if (!*want || ts_write_file_at(fd, "cgroup.subtree_control", want, strlen(want)) == 0)
		return 0;
	/* Refused as a whole when one is refused; then each on its own, and a limit says what is
	 * missing. */
	for (char *save = NULL, *c = strtok_r(want, " ", &save); c; c = strtok_r(NULL, " ", &save))
		ts_write_file_at(fd, "cgroup.subtree_control", c, strlen(c));
	return 0;
}

int cgroup_enable_above(const struct cgroup *cg, const struct cgroup_hierarchy *h, struct ts_err *err)
{
	cleanup_fd int dir = fcntl(h->mount_fd, F_DUPFD_CLOEXEC, 0);
	char path[sizeof(cg->path)], *save = NULL;

	memcpy(path, cg->path, sizeof(path));
	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		int child;

		if (enable_controllers(dir, err) < 0)
			return -1;
		child = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			return ts_fail_errno(err, "open", cg->path,
					     "cannot open control group %s%s", h->mount, cg->path);
		close(dir);
		dir = child;
	}
	return 0;
}

static int check_unused(const struct cgroup_hierarchy *h, const char *path, struct ts_err *err)
{
	char byte;
	cleanup_fd int procs = openat(h->fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	if (procs >= 0 && read(procs, &byte, 1) > 0)
		return ts_fail(err, TS_E_EXISTS, EBUSY, "cgroup", path,
			       "linux.cgroupsPath: control group %s%s is in use by other processes",
			       h->mount, path);
	return 0;
}

/* Makes every folder of the path; sets h->fd. */
static int create_one(struct cgroup *cg, struct cgroup_hierarchy *h, struct ts_err *err)
{
	cleanup_fd int dir = fcntl(h->mount_fd, F_DUPFD_CLOEXEC, 0);
	bool cpuset = !h->v2 && is_controller(h->name, "cpuset");
	char path[sizeof(cg->path)], *save = NULL;

	memcpy(path, cg->path, sizeof(path));
	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		cleanup_fd int child = -1;
		bool made = false;

		if (cg->unified && enable_controllers(dir, err) < 0)
			return -1;
		if (mkdirat(dir, part, 0755) == 0)
			made = true;
		else if (errno != EEXIST)
			return ts_fail_errno(err, "mkdir", cg->path,
					     "cannot create control group %s%s", h->mount,
					     cg->path);
		child = openat(dir, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			return ts_fail_errno(err, "open", cg->path,
					     "cannot open control group %s%s", h->mount, cg->path);
		if (cpuset && init_cpuset(dir, child, err) < 0)
			return -1;
		close(dir);
		dir = steal_fd(&child);
		h->made = made;
	}
	h->fd = steal_fd(&dir);
	return h->made ? 0 : check_unused(h, cg->path, err);
}

static int create_all(struct cgroup *cg, struct ts_err *err)
{
	for (size_t i = 0; i < cg->count; i++)
		if (create_one(cg, &cg->items[i], err) < 0)
			return -1;
	/* A new group below a frozen one is frozen too; its first process would hang for ever. */
	if (cgroup_is_frozen(cg))
		return ts_fail(err, TS_E_STATE, 0, "cgroup", cg->path,
			       "linux.cgroupsPath: control group %s is frozen", cg->path);
	return 0;
}

int cgroup_create(struct cgroup *cg, struct ts_err *err)
{
	if (create_all(cg, err) == 0)
		return 0;
	for (size_t i = 0; i < cg->count; i++)
		if (cg->items[i].made)
			unlinkat(cg->items[i].mount_fd, cg->path + 1, AT_REMOVEDIR);
	return -1;
}

int cgroup_open(struct cgroup *cg, struct ts_err *err)
{
	for (size_t i = 0; i < cg->count; i++) {
		struct cgroup_hierarchy *h = &cg->items[i];

		h->fd = openat(h->mount_fd, cg->path + 1, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (h->fd < 0 && errno != ENOENT)
			return ts_fail_errno(err, "open", cg->path,
					     "cannot open control group %s%s", h->mount, cg->path);
	}
	return 0;
}

int cgroup_join_self(const struct cgroup *cg, bool skip_v2, struct ts_err *err)
{
	for (size_t i = 0; i < cg->count; i++) {
		const struct cgroup_hierarchy *h = &cg->items[i];

		if (h->fd < 0 || (h->v2 && skip_v2))
			continue;
		if (ts_write_file_at(h->fd, h->v2 ? "cgroup.procs" : "tasks", "0", 1) < 0)
			return ts_fail_errno(err, "cgroup", cg->path,
					     "cannot join control group %s%s", h->mount, cg->path);
	}
	return 0;
}

int cgroup_apply(struct cgroup *cg, const struct resources *res, bool fresh, struct ts_err *err)
{
	if (cg->count == 0)
		return 0;
	return cg->unified ? cgroup_v2_apply(cg, res, fresh, err)
			   : cgroup_v1_apply(cg, res, fresh, err);
}

/* rmdir -r of a group: a container with a cgroup namespace may have made groups below its own. */
static int remove_below(int dirfd, const char *name)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -1;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    remove_below(fd, entry->d_name) < 0)
			return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int cgroup_remove(struct cgroup *cg, struct ts_err *err)
{
	for (size_t i = 0; i < cg->count; i++) {
		struct cgroup_hierarchy *h = &cg->items[i];

		if (remove_below(h->mount_fd, cg->path + 1) < 0)
			return ts_fail_errno(err, "rmdir", cg->path,
					     "cannot remove control group %s%s", h->mount,
					     cg->path);
	}
	return 0;
}

struct cgroup_hierarchy *cgroup_find(const struct cgroup *cg, const char *controller)
{
	for (size_t i = 0; i < cg->count; i++) {
		const struct cgroup_hierarchy *h = &cg->items[i];

		if (h->fd >= 0 &&
		    (h->v2 ? !*controller : *controller && is_controller(h->name, controller)))
			return (struct cgroup_hierarchy *)h;
	}
	return NULL;
}

int cgroup_v2_fd(const struct cgroup *cg)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "");

	return h ? h->fd : -1;
}

void cgroup_close(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->count; i++) {
		ts_cleanup_fd(&cg->items[i].mount_fd);
		ts_cleanup_fd(&cg->items[i].fd);
	}
	cg->count = 0;
}
