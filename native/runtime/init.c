/*
 * The steps of the container's first process, in order. See init.h for the protocol with the parent
 * and DESIGN.md for why each step stands where it does.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "console.h"
#include "fs.h"
#include "hooks.h"
#include "log.h"
#include "process.h"
#include "rootfs.h"
#include "start-socket.h"

#define KEYCTL_JOIN_SESSION_KEYRING 1

static int tell(const struct init_plan *plan, enum init_message_kind kind, const struct ts_err *err)
{
	struct init_message m;

	memset(&m, 0, sizeof(m));
	m.kind = kind;
	if (err)
		m.err = *err;
	return send(plan->sync_fd, &m, sizeof(m), MSG_NOSIGNAL) == (ssize_t)sizeof(m) ? 0 : -1;
}

/* Sends the request and waits for the parent's answer, which is our pid on the host. */
static int ask(const struct init_plan *plan, enum init_message_kind kind, struct ts_err *err)
{
	if (tell(plan, kind, NULL) < 0 ||
	    recv(plan->sync_fd, &plan->state->pid, sizeof(pid_t), 0) != (ssize_t)sizeof(pid_t))
		return ts_fail(err, TS_E_KERNEL, EPIPE, "sync", NULL,
			       "the creating process is gone");
	return 0;
}

void init_join_keyring(const char *id)
{
	char name[300];

	snprintf(name, sizeof(name), "_ses.%s", id);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0) < 0 && errno != ENOSYS)
		log_warn("cannot make a session keyring: %s", strerror(errno));
}

static int enter_user_namespace(const struct init_plan *plan, struct ts_err *err)
{
	if (!plan->config->namespaces[NS_USER].present)
		return 0;
	if (!plan->config->namespaces[NS_USER].path && ask(plan, INIT_NEEDS_MAPS, err) < 0)
		return -1;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return ts_fail_errno(err, "setresuid", "linux.uidMappings",
				     "linux.uidMappings, gidMappings: need an entry for root (0)");
	/* The change of user has reset both. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return 0;
}

static int enter_namespaces(struct init_plan *plan, struct ts_err *err)
{
	const struct ns_spec *ns = plan->config->namespaces;

	if (cgroup_join_self(plan->cgroup, plan->joined_v2, err) < 0)
		return -1;
	if (enter_user_namespace(plan, err) < 0 || ns_join_self(plan->ns_fds, err) < 0)
		return -1;
	/* Its root is the group that we are in now. */
	if (ns[NS_CGROUP].present && !ns[NS_CGROUP].path && unshare(CLONE_NEWCGROUP) < 0)
		return ts_fail_errno(err, "unshare", NULL,
				     "linux.namespaces: cannot make a cgroup namespace");
	if (setsid() < 0)
		return ts_fail_errno(err, "setsid", NULL, "cannot start a session");
	if (!plan->no_keyring)
		init_join_keyring(plan->state->id);
	if (ns_set_names(plan->config, err) < 0)
		return -1;
	if (ns[NS_NET].present && !ns[NS_NET].path)
		return ns_loopback_up(err);
	return 0;
}

static int open_console(const struct init_plan *plan, struct rootfs *r, struct ts_err *err)
{
	cleanup_fd int master = -1, slave = -1;

	if (!plan->config->process.terminal)
		return process_own_stdio(&plan->config->process, err);
	slave = console_open(r->fd, &plan->config->process, &master, err);
	if (slave < 0 || console_mount(r->fd, slave, err) < 0 ||
	    console_send(plan->console_fd, master, err) < 0)
		return -1;
	return console_use(slave, err);
}

static int run_early_hooks(const struct init_plan *plan, struct ts_err *err)
{
	const struct hook_list *hooks = plan->config->hooks;

	if ((hooks[HOOK_PRESTART].count || hooks[HOOK_CREATE_RUNTIME].count ||
	     hooks[HOOK_CREATE_CONTAINER].count || hooks[HOOK_START_CONTAINER].count) &&
	    ask(plan, INIT_NEEDS_HOOKS, err) < 0)
		return -1;
	return hooks_run(plan->config, HOOK_CREATE_CONTAINER, plan->state, STATUS_CREATED, err);
}

static int build_tree(const struct init_plan *plan, struct rootfs *r, struct ts_err *err)
{
	if (rootfs_prepare(r, plan->rootfs_path, err) < 0 || rootfs_mount_all(r, err) < 0 ||
	    rootfs_make_devices(r, err) < 0 || run_early_hooks(plan, err) < 0 ||
	    rootfs_write_sysctls(r, err) < 0 || open_console(plan, r, err) < 0 ||
	    rootfs_mask(r, err) < 0 || rootfs_finish(r, plan->no_pivot, err) < 0)
		return -1;
	if (!ns_has_own_mounts(plan->config))
		return rootfs_leave(r, plan->ns_fds[NS_MOUNT], err);
	return 0;
}

/*
 * From here on no descriptor leads to the host: only the two sockets and what the caller passes on.
 * Before the working folder is entered, which could be /proc/self/fd/N (CVE-2024-21626).
 */
static void close_host_fds(const struct init_plan *plan)
{
	int keep[64];
	size_t n = 0;

	keep[n++] = plan->sync_fd;
	keep[n++] = plan->listen_fd;
	keep[n++] = log_fd();
	for (int i = 0; i < plan->preserve_fds && n < TS_ARRAY_LEN(keep); i++)
		keep[n++] = 3 + i;
	process_close_fds_except(keep, n);
}

static int prepare(struct init_plan *plan, struct process_ready *ready, struct ts_err *err)
{
	const struct process_spec *p = &plan->config->process;
	struct rootfs r = {.config = plan->config,
			   .cgroup = plan->cgroup,
			   .source_fd = plan->rootfs_source_fd,
			   .fd = -1,
			   .proc_fd = -1,
			   .null_fd = -1};

	if (enter_namespaces(plan, err) < 0 || build_tree(plan, &r, err) < 0)
		return -1;
	if (p->has_oom_score_adj || p->apparmor_profile || p->selinux_label)
		if (rootfs_proc_fd(&r, err) < 0)
			return -1;
	if (process_set_limits(p, r.proc_fd, err) < 0)
		return -1;
	close_host_fds(plan);
	if (process_resolve(p, plan->filter, true, ready, err) < 0)
		return -1;
	return process_set_personality(plan->config, err);
}

_Noreturn void init_run(struct init_plan *plan)
{
	struct ts_err err = {0};
	struct process_ready ready;
	int conn;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (prepare(plan, &ready, &err) < 0) {
		tell(plan, INIT_FAILED, &err);
		_exit(1);
	}
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (tell(plan, INIT_READY, NULL) < 0)
		_exit(1);
	close(plan->sync_fd);
	conn = start_socket_wait(plan->listen_fd, &err);
	if (conn < 0)
		_exit(1);
	close(plan->listen_fd);
	if (hooks_run(plan->config, HOOK_START_CONTAINER, plan->state, STATUS_CREATED, &err) == 0)
		process_exec(&ready, &err);
	ts_write_all(conn, &err, sizeof(err));
	_exit(process_exit_code(&err));
}
