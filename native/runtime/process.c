/*
 * Implementation of process.h.
 *
 * Order at the end, and why: bounding set (needs SETPCAP) - groups, gid, uid (with KEEPCAPS) - the
 * other capability sets, keeping SYS_ADMIN when the filter needs it - check of the working folder -
 * no_new_privs - filter - execve. After the filter nothing but execve happens, so a profile may
 * deny anything else. The kept SYS_ADMIN cannot survive execve: it is not in the bounding set
 * unless the container has it anyway.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "executable.h"
#include "fs.h"
#include "log.h"
#include "scheduler.h"
#include "sys.h"

#define PASSWD_BYTES_MAX (1024 * 1024)

/* Writes a file of our own process below a procfs that only we hold; never through a link. */
static int write_proc(int proc_fd, const char *file, const char *text)
{
	char path[64];
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "%d/%s", (int)getpid(), file);
	fd = ts_openat2(proc_fd, path, O_WRONLY, 0,
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			    RESOLVE_NO_XDEV);
	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

static int set_oom_score(const struct process_spec *p, int proc_fd, struct ts_err *err)
{
	char text[16];

	if (!p->has_oom_score_adj)
		return 0;
	snprintf(text, sizeof(text), "%d", p->oom_score_adj);
	if (write_proc(proc_fd, "oom_score_adj", text) == 0)
		return 0;
	if (errno == EACCES || errno == EPERM) {
		log_warn("process.oomScoreAdj: this process may not lower it to %d, it stays",
			 p->oom_score_adj);
		return 0;
	}
	return ts_fail_errno(err, "write", "process.oomScoreAdj",
			     "process.oomScoreAdj: cannot set %d", p->oom_score_adj);
}

static int set_label(const char *label, const char *key, const char *prefix, const char *file,
		     int proc_fd, struct ts_err *err)
{
	char text[1024];

	if (!label || !*label || strcmp(label, "unconfined") == 0)
		return 0;
	if (snprintf(text, sizeof(text), "%s%s", prefix, label) >= (int)sizeof(text))
		return config_invalid(err, key, "%s: too long", key);
	if (write_proc(proc_fd, file, text) < 0)
		return ts_fail(
		    err, TS_E_UNSUPPORTED, errno, "write", key,
		    "%s: \"%s\" cannot be set; does this kernel have that security module?", key,
		    label);
	return 0;
}

int process_set_personality(const struct config *config, struct ts_err *err)
{
	if (config->has_personality && personality(config->personality) < 0)
		return ts_fail_errno(err, "personality", "linux.personality",
				     "linux.personality: cannot be set");
	return 0;
}

int process_set_limits(const struct process_spec *p, int proc_fd, struct ts_err *err)
{
	for (size_t i = 0; i < p->rlimit_count; i++)
		if (setrlimit((__rlimit_resource_t)p->rlimits[i].resource, &p->rlimits[i].limit) <
		    0)
			return ts_fail_errno(err, "setrlimit", p->rlimits[i].name,
					     "process.rlimits: cannot set %s to %llu:%llu",
					     p->rlimits[i].name,
					     (unsigned long long)p->rlimits[i].limit.rlim_cur,
					     (unsigned long long)p->rlimits[i].limit.rlim_max);
	if (set_oom_score(p, proc_fd, err) < 0 ||
	    set_label(p->apparmor_profile, "process.apparmorProfile", "exec ", "attr/apparmor/exec",
		      proc_fd, err) < 0 ||
	    set_label(p->selinux_label, "process.selinuxLabel", "", "attr/exec", proc_fd, err) < 0)
		return -1;
	if (p->has_io_priority && syscall(SYS_ioprio_set, 1, 0, p->io_priority) < 0)
		return ts_fail_errno(err, "ioprio_set", "process.ioPriority",
				     "process.ioPriority: cannot set it");
	return p->has_scheduler ? scheduler_apply(p->scheduler, err) : 0;
}

int process_own_stdio(const struct process_spec *p, struct ts_err *err)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;

		if (fstat(fd, &st) < 0 || st.st_uid == p->uid)
			continue;
		/* Nobody should own the host's null device but root. */
		if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
			continue;
		if (fchown(fd, p->uid, (gid_t)-1) < 0 && errno != EINVAL && errno != EPERM &&
		    errno != EROFS)
			return ts_fail_errno(err, "fchown", NULL,
					     "cannot give stream %d to the user", fd);
	}
	return 0;
}

/* The home folder of a uid in the container's /etc/passwd, or "/". The caller frees it. */
static char *find_home(uid_t uid)
{
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	cleanup_fd int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char *save = NULL, *home = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    ts_read_all(fd, &text, PASSWD_BYTES_MAX) == 0)
		for (char *line = strtok_r(text.data, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			char *field[7], *rest = line, *end;
			int n = 0;

			while (n < 7 && (field[n] = strsep(&rest, ":")) != NULL)
				n++;
			if (n < 6 || !*field[2] || field[5][0] != '/')
				continue;
			if (strtoul(field[2], &end, 10) == uid && !*end) {
				home = field[5];
				break;
			}
		}
	home = strdup(home ? home : "/");
	if (!home)
		abort();
	return home;
}

/* The environment with a HOME: an empty one is replaced, as runc does. */
static char **make_env(const struct process_spec *p)
{
	char **env = calloc(p->env_count + 2, sizeof(*env));
	const char *home = executable_env(p, "HOME");
	cleanup_free char *found = NULL;
	size_t n = 0;

	if (!env)
		abort();
	for (size_t i = 0; i < p->env_count; i++)
		if (strcmp(p->env[i], "HOME=") != 0)
			env[n++] = (char *)p->env[i];
	if (home && *home)
		return env;
	found = find_home(p->uid);
	if (asprintf(&env[n], "HOME=%s", found) < 0)
		abort();
	return env;
}

static int enter_cwd(const struct process_spec *p, bool may_make, struct ts_err *err)
{
	if (chdir(p->cwd) == 0)
		return 0;
	if (errno == ENOENT && may_make) {
		if (ts_mkdir_p(p->cwd, 0755, err) < 0)
			return ts_err_prefix(err, "process.cwd");
		if (chdir(p->cwd) == 0)
			return 0;
	}
	return ts_fail_errno(err, "chdir", p->cwd, "process.cwd: cannot change to %s", p->cwd);
}

int process_resolve(const struct process_spec *p, const struct seccomp_program *filter,
		    bool may_make_cwd, struct process_ready *ready, struct ts_err *err)
{
	memset(ready, 0, sizeof(*ready));
	ready->spec = p;
	ready->filter = filter;
	memcpy(ready->caps, p->caps, sizeof(ready->caps));
	if (enter_cwd(p, may_make_cwd, err) < 0)
		return -1;
	if (executable_find(p, ready->path, sizeof(ready->path), err) < 0)
		return -1;
	ready->env = make_env(p);
	return 0;
}

void process_reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void process_close_fds_except(const int *keep, size_t count)
{
	int from = 3;

	for (;;) {
		int next = INT_MAX;

		for (size_t i = 0; i < count; i++)
			if (keep[i] >= from && keep[i] < next)
				next = keep[i];
		if (next == INT_MAX) {
			ts_close_range((unsigned)from, ~0u, 0);
			return;
		}
		if (next > from)
			ts_close_range((unsigned)from, (unsigned)next - 1, 0);
		from = next + 1;
	}
}

static int set_identity(const struct process_spec *p, struct ts_err *err)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return ts_fail_errno(err, "prctl", NULL,
				     "cannot keep capabilities over the change of user");
	/* In a user namespace whose gid map was written without privilege setgroups is denied. */
	if (setgroups(p->group_count, p->groups) < 0 && (errno != EPERM || p->group_count))
		return ts_fail_errno(err, "setgroups", "process.user.additionalGids",
				     "process.user.additionalGids: cannot set the groups");
	if (setresgid(p->gid, p->gid, p->gid) < 0)
		return ts_fail_errno(err, "setresgid", "process.user.gid",
				     "process.user.gid: cannot be %u", p->gid);
	if (setresuid(p->uid, p->uid, p->uid) < 0)
		return ts_fail_errno(err, "setresuid", "process.user.uid",
				     "process.user.uid: cannot be %u", p->uid);
	return 0;
}

/* A working folder outside the container's root (a leaked descriptor) has no absolute name. */
static int check_cwd(struct ts_err *err)
{
	char cwd[PATH_MAX];

	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0)
		return ts_fail_errno(err, "getcwd", NULL, "process.cwd: cannot be checked");
	if (cwd[0] != '/')
		return ts_fail(err, TS_E_REFUSED, 0, "getcwd", cwd,
			       "process.cwd: lies outside the container's root");
	return 0;
}

int process_exec(struct process_ready *ready, struct ts_err *err)
{
	const struct process_spec *p = ready->spec;
	const bool filtered = ready->filter && ready->filter->insns;
	const uint64_t admin = (uint64_t)1 << CAP_SYS_ADMIN;

	process_reset_signals();
	umask(p->umask >= 0 ? (mode_t)p->umask : 022);
	if (caps_limit(ready->caps, err) < 0 || caps_apply_bounding(ready->caps, err) < 0 ||
	    set_identity(p, err) < 0 ||
	    caps_apply(ready->caps, filtered && !p->no_new_privileges ? admin : 0, err) < 0 ||
	    check_cwd(err) < 0)
		return -1;
	if (p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return ts_fail_errno(err, "prctl", NULL, "process.noNewPrivileges: cannot be set");
	if (filtered && seccomp_install(ready->filter, err) < 0)
		return -1;
	execve(ready->path, (char *const *)p->args, ready->env);
	return ts_fail(err, errno == ENOENT ? TS_E_NOT_FOUND : TS_E_NOT_EXECUTABLE, errno, "execve",
		       ready->path, "process.args: cannot execute \"%.256s\"%s", ready->path,
		       errno == ENOENT ? " (its interpreter is missing)" : "");
}

int process_exit_code(const struct ts_err *err)
{
	if (strcmp(err->code, TS_E_NOT_FOUND) == 0)
		return 127;
	if (strcmp(err->code, TS_E_NOT_EXECUTABLE) == 0)
		return 126;
	return 1;
}
