/*
 * The half of `exec` that enters the container, in two processes.
 *
 * A process in the container's pid namespace can be looked at from inside, by a root with
 * CAP_SYS_PTRACE even into /proc/PID/root and /proc/PID/fd. So the first process, which that
 * namespace cannot see, joins the control groups and all namespaces and gives up everything of the
 * host; only then it makes the second one, a child of the runtime's process (CLONE_PARENT), that
 * becomes the program. Both report over one socket, which is close-on-exec: its end means success.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "console.h"
#include "exec.h"
#include "fs.h"
#include "init.h"
#include "log.h"
#include "rootfs.h"
#include "sys.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

struct report {
	pid_t pid; /* > 0: the program's process; 0: err says what failed */
	struct ts_err err;
};

static int tell(int sync_fd, pid_t pid, const struct ts_err *err)
{
	struct report r;

	memset(&r, 0, sizeof(r));
	r.pid = pid;
	if (err)
		r.err = *err;
	return send(sync_fd, &r, sizeof(r), MSG_NOSIGNAL) == (ssize_t)sizeof(r) ? 0 : -1;
}

static int join_namespaces(const struct execution *x, struct ts_err *err)
{
	const unsigned long flags = x->container.state.ns_flags;

	if (flags && setns(x->target, (int)flags) < 0)
		return ts_fail_errno(err, "setns", NULL, "cannot join the container's namespaces");
	if (x->root_fd >= 0 && (fchdir(x->root_fd) < 0 || chroot(".") < 0))
		return ts_fail_errno(err, "chroot", NULL, "cannot change to the container's root");
	if ((flags & CLONE_NEWUSER) && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return ts_fail_errno(err, "setresuid", NULL, "cannot become the container's root");
	/* The change of user has reset both. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return 0;
}

static void close_host_fds(const struct execution *x, int sync_fd)
{
	int keep[64];
	size_t n = 0;

	keep[n++] = sync_fd;
	keep[n++] = x->console_fd;
	keep[n++] = log_fd();
	for (int i = 0; i < x->options->preserve_fds && n < TS_ARRAY_LEN(keep); i++)
		keep[n++] = 3 + i;
	process_close_fds_except(keep, n);
}

static int use_console(const struct execution *x, struct ts_err *err)
{
	cleanup_fd int root = -1, master = -1, slave = -1;

	if (!x->process.terminal)
		return process_own_stdio(&x->process, err);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	slave = console_open(root, &x->process, &master, err);
	if (slave < 0 || console_send(x->console_fd, master, err) < 0)
		return -1;
	return console_use(slave, err);
}

static int become(const struct execution *x, struct ts_err *err)
{
	const struct process_spec *p = &x->process;
	struct rootfs proc_only = {.proc_fd = -1};
	struct process_ready ready;

	if (setsid() < 0)
		return ts_fail_errno(err, "setsid", NULL, "cannot start a session");
	init_join_keyring(x->container.state.id);
	if (use_console(x, err) < 0)
		return -1;
	if ((p->has_oom_score_adj || p->apparmor_profile || p->selinux_label) &&
	    rootfs_proc_fd(&proc_only, err) < 0)
		return -1;
	if (process_set_limits(p, proc_only.proc_fd, err) < 0)
		return -1;
	/* Neither may be a way to somewhere as /proc/self/fd/N in process.cwd. */
	ts_cleanup_fd(&proc_only.proc_fd);
	if (x->console_fd >= 0)
		close(x->console_fd);
	if (process_resolve(p, &x->filter, false, &ready, err) < 0 ||
	    process_set_personality(&x->config, err) < 0)
		return -1;
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	return process_exec(&ready, err);
}

static _Noreturn void second_process(const struct execution *x, int sync_fd)
{
	struct ts_err err = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	become(x, &err);
	tell(sync_fd, 0, &err);
	_exit(process_exit_code(&err));
}

static _Noreturn void first_process(const struct execution *x, int sync_fd)
{
	struct clone_args args = {.flags = CLONE_PARENT};
	struct ts_err err = {0};
	long pid = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (cgroup_join_self(&x->cgroup, x->joined_v2, &err) == 0 &&
	    join_namespaces(x, &err) == 0) {
		close_host_fds(x, sync_fd);
		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (pid == 0)
			second_process(x, sync_fd);
		if (pid < 0)
			ts_fail_errno(&err, "clone3", NULL,
				      "cannot start a process in the container");
	}
	tell(sync_fd, pid > 0 ? (pid_t)pid : 0, &err);
	_exit(pid > 0 ? 0 : 1);
}

static long clone_first(struct execution *x, int v2)
{
	struct clone_args args = {.flags = v2 >= 0 ? CLONE_INTO_CGROUP : 0,
				  .cgroup = v2 >= 0 ? (uint64_t)v2 : 0,
				  .exit_signal = SIGCHLD};

	x->joined_v2 = v2 >= 0;
	return syscall(SYS_clone3, &args, sizeof(args));
}

/* A container that made groups below its own lives in one of them, and its own takes no process. */
static int open_init_group(const struct execution *x)
{
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	struct ts_err ignored = {0};
	const struct cgroup_hierarchy *h = cgroup_find(&x->cgroup, "");
	char path[64], *line, *end;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)x->container.state.pid);
	if (!h || ts_read_file_at(AT_FDCWD, path, &text, 65536, &ignored) < 0)
		return -1;
	line = strstr(text.data, "0::/");
	if (!line || (line != text.data && line[-1] != '\n'))
		return -1;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	return openat(h->mount_fd, line[4] ? line + 4 : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Reads reports until the socket closes, which it does when the program runs. */
static int await_exec(struct execution *x, int near, pid_t first, struct ts_err *err)
{
	struct report r;
	ssize_t n;

	for (;;) {
		n = recv(near, &r, sizeof(r), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(r))
			break;
		if (r.pid > 0)
			x->pid = r.pid;
		else
			*err = r.err;
	}
	waitpid(first, NULL, 0);
	if (x->pid <= 0 && !ts_err_is_set(err))
		ts_fail(err, TS_E_KERNEL, 0, "exec", NULL,
			"the process ended before its program ran");
	if (!ts_err_is_set(err))
		return 0;
	if (x->pid > 0)
		waitpid(x->pid, NULL, 0);
	return -1;
}

int exec_spawn(struct execution *x, struct ts_err *err)
{
	cleanup_fd int near = -1, far = -1;
	int pair[2], v2 = cgroup_v2_fd(&x->cgroup);
	long pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ts_fail_errno(err, "socketpair", NULL, "cannot create a socket pair");
	near = pair[0];
	far = pair[1];
	pid = clone_first(x, v2);
	if (pid < 0 && errno == EBUSY && v2 >= 0) {
		cleanup_fd int group = open_init_group(x);

		pid = clone_first(x, group);
	}
	if (pid < 0)
		return ts_fail_errno(err, "clone3", NULL, "cannot start a process");
	if (pid == 0)
		first_process(x, far);
	ts_cleanup_fd(&far);
	far = -1;
	return await_exec(x, near, (pid_t)pid, err);
}
