/*
 * Implementation of executable.h. Runs after pivot_root in the working folder, so every path is the
 * container's own; what execve says later (a missing interpreter, a format) is not foreseen here.
 */
#include "executable.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const char *executable_env(const struct process_spec *p, const char *name)
{
	size_t n = strlen(name);
	const char *found = NULL;

	for (size_t i = 0; i < p->env_count; i++)
		if (strncmp(p->env[i], name, n) == 0 && p->env[i][n] == '=')
			found = p->env[i] + n + 1;
	return found;
}

/*
 * Looks at files with the identity of the process to be, so that a folder of PATH that its user may
 * not enter is passed over as execvp would. Only the file-system identity changes, and back.
 */
struct viewer {
	gid_t groups[64];
	int group_count;
	bool changed;
};

static void view_as(const struct process_spec *p, struct viewer *v)
{
	const uint64_t sees_all = (uint64_t)1 << CAP_DAC_OVERRIDE | (uint64_t)1
									<< CAP_DAC_READ_SEARCH;

	v->changed = false;
	if (p->uid == 0 || (p->caps[CAP_SET_AMBIENT] & sees_all))
		return;
	v->group_count = getgroups((int)TS_ARRAY_LEN(v->groups), v->groups);
	if (v->group_count < 0 || setgroups(p->group_count, p->groups) < 0)
		return;
	v->changed = true;
	setfsgid(p->gid);
	setfsuid(p->uid);
}

static void view_as_root(const struct viewer *v)
{
	if (!v->changed)
		return;
	setfsuid(0);
	setfsgid(0);
	if (setgroups((size_t)v->group_count, v->groups) < 0)
		log_warn("cannot restore the groups");
}

/* 0 = can be executed, else the errno that says why not. */
static int executable_error(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

static int find_in_path(const struct process_spec *p, char *out, size_t size, struct ts_err *err)
{
	const char *name = p->args[0], *path = executable_env(p, "PATH");
	int worst = ENOENT;

	if (strchr(name, '/')) {
		worst = executable_error(name);
		if (worst == 0) {
			if (snprintf(out, size, "%s", name) < (int)size)
				return 0;
			worst = ENAMETOOLONG;
		}
	} else {
		path = path && *path ? path : PATH_DEFAULT;
		while (*path) {
			const char *end = strchrnul(path, ':');
			int e, n = snprintf(out, size, "%.*s/%s", (int)(end - path), path, name);

			if (end == path)
				n = snprintf(out, size, "./%s", name);
			e = n < (int)size ? executable_error(out) : ENAMETOOLONG;
			if (e == 0)
				return 0;
			if (e == EACCES || e == EISDIR)
				worst = e;
			path = *end ? end + 1 : end;
		}
	}
	/* In the words of runc, by which docker and podman tell their exit codes 127 and 126. */
	if (worst == ENOENT || worst == ENOTDIR)
		return ts_fail(err, TS_E_NOT_FOUND, ENOENT, "exec", name,
			       strchr(name, '/') ? "exec: \"%.256s\": no such file or directory"
						 : "exec: \"%.256s\": executable file not found in $PATH",
			       name);
	return ts_fail(err, TS_E_NOT_EXECUTABLE, worst, "exec", name,
		       "exec: \"%.256s\": permission denied", name);
}

int executable_find(const struct process_spec *p, char *out, size_t size, struct ts_err *err)
{
	struct viewer viewer;
	int rc;

	view_as(p, &viewer);
	rc = find_in_path(p, out, size, err);
	view_as_root(&viewer);
	return rc;
}
