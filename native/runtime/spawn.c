/*
 * Making the container's first process: one clone3 with all namespaces, in the creating process or,
 * where that would have to change itself for it (see ns_need_helper), in a helper. The helper
 * joins what the first process is to be in, makes it as a child of the creating process
 * (CLONE_PARENT), tells its pid and ends; both die with the creating process.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "init.h"
#include "sys.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

struct report {
	pid_t pid; /* 0: err says what failed */
	struct ts_err err;
};

/* Returns the pid; in the child it does not return. `extra`: more flags, `pidfd`: for CLONE_PIDFD. */
static long clone_init(struct init_plan *plan, uint64_t extra, int *pidfd, struct ts_err *err)
{
	const unsigned long apart = CLONE_NEWCGROUP | 0x80 /* CLONE_NEWTIME: made by unshare */;
	struct clone_args args = {.flags = extra | (ns_new_flags(plan->config) & ~apart),
				  .pidfd = (uint64_t)(uintptr_t)pidfd,
				  /* With CLONE_PARENT it is the helper's. */
				  .exit_signal = extra & CLONE_PARENT ? 0 : SIGCHLD};
	int v2 = cgroup_v2_fd(plan->cgroup);
	long pid;

	if (v2 >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)v2;
		plan->joined_v2 = true;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		ts_fail_errno(err, "clone3", NULL, "cannot create the container's namespaces");
	if (pid == 0)
		init_run(plan);
	return pid;
}

static _Noreturn void help(struct init_plan *plan, int report_fd)
{
	struct report r;
	long pid = -1;

	memset(&r, 0, sizeof(r));
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (ns_join_as_helper(plan->config, plan->ns_fds, &r.err) == 0)
		pid = clone_init(plan, CLONE_PARENT, NULL, &r.err);
	r.pid = pid > 0 ? (pid_t)pid : 0;
	if (send(report_fd, &r, sizeof(r), MSG_NOSIGNAL) != (ssize_t)sizeof(r) && pid > 0)
		kill((pid_t)pid, SIGKILL);
	_exit(0);
}

static pid_t spawn_by_helper(struct init_plan *plan, struct ts_err *err)
{
	cleanup_fd int near = -1, far = -1;
	struct report r = {0};
	pid_t helper;
	ssize_t n;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ts_fail_errno(err, "socketpair", NULL, "cannot create a socket pair");
	near = pair[0];
	far = pair[1];
	helper = fork();
	if (helper < 0)
		return ts_fail_errno(err, "fork", NULL, "cannot fork");
	if (helper == 0)
		help(plan, far);
	ts_cleanup_fd(&far);
	far = -1;
	do
		n = recv(near, &r, sizeof(r), 0);
	while (n < 0 && errno == EINTR);
	waitpid(helper, NULL, 0);
	if (n != (ssize_t)sizeof(r))
		return ts_fail(err, TS_E_KERNEL, 0, "clone3", NULL,
			       "the process that joins the namespaces has ended too early");
	if (r.pid <= 0)
		*err = r.err;
	return r.pid > 0 ? r.pid : -1;
}

int init_spawn(struct init_plan *plan, pid_t *pid, int *pidfd, struct ts_err *err)
{
	long made;

	if (ns_need_helper(plan->config)) {
		made = spawn_by_helper(plan, err);
		/* Our own child, which nobody else reaps: the number is still its own. */
		if (made > 0)
			*pidfd = ts_pidfd_open((pid_t)made);
	} else {
		made = clone_init(plan, CLONE_PIDFD, pidfd, err);
	}
	if (made <= 0)
		return -1;
	*pid = (pid_t)made;
	return 0;
}
