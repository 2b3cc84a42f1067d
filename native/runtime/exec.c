/*
 * `exec`: one more process in a running container.
 *
 * The parent prepares everything that needs the host (configuration, filter, control groups, a
 * pidfd of the container's first process), enters its pid namespace for its children and forks
 * once. The child joins the control groups and all other namespaces with one setns on the pidfd,
 * gives up every descriptor of the host, and becomes the process as init.c's does. The socket
 * between them is close-on-exec: the parent reads the error, or the end that means success.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "console.h"
#include "fs.h"
#include "init.h"
#include "log.h"
#include "proc.h"
#include "process.h"
#include "rootfs.h"
#include "runtime.h"
#include "selfexe.h"
#include "sys.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

struct exec_options {
	const char *id, *process_file, *pid_file, *console_socket, *user, *cwd, *preserve_text;
	const char *apparmor, *label;
	const char **env, **caps, **groups;
	char **args;
	size_t arg_count;
	bool detach, tty, ignore_paused, no_new_privs;
	int preserve_fds;
};

struct execution {
	const struct exec_options *options;
	struct container container;
	struct config config;
	struct ts_buf config_text, process_text;
	struct ts_json_doc *process_doc;
	struct process_spec process;
	struct seccomp_program filter;
	struct cgroup cgroup;
	int target, sync_fd, console_fd, console_near,
	    pidfd; /* target: pidfd of the first process */
	bool joined_v2;
	pid_t pid;
};

static int parse(int argc, char **argv, struct exec_options *o, struct ts_err *err)
{
	const struct option_spec specs[] = {
	    {"--process", 'p', &o->process_file, NULL, NULL},
	    {"--pid-file", 0, &o->pid_file, NULL, NULL},
	    {"--console-socket", 0, &o->console_socket, NULL, NULL},
	    {"--user", 'u', &o->user, NULL, NULL},
	    {"--cwd", 0, &o->cwd, NULL, NULL},
	    {"--preserve-fds", 0, &o->preserve_text, NULL, NULL},
	    {"--apparmor", 0, &o->apparmor, NULL, NULL},
	    {"--process-label", 0, &o->label, NULL, NULL},
	    {"--env", 'e', NULL, NULL, &o->env},
	    {"--cap", 'c', NULL, NULL, &o->caps},
	    {"--additional-gids", 'g', NULL, NULL, &o->groups},
	    {"--detach", 'd', NULL, &o->detach, NULL},
	    {"--tty", 't', NULL, &o->tty, NULL},
	    {"--ignore-paused", 0, NULL, &o->ignore_paused, NULL},
	    {"--no-new-privs", 0, NULL, &o->no_new_privs, NULL},
	    {0},
	};
	int i = parse_options(argc, argv, specs, err);

	if (i < 0)
		return -1;
	if (i >= argc || (!o->process_file && i + 1 >= argc) || (o->process_file && i + 1 != argc))
		return ts_fail(
		    err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
		    "usage: tswarm-runtime exec [options] ID PROGRAM [ARG...], or exec --process "
		    "FILE ID");
	if (o->preserve_text &&
	    parse_count(o->preserve_text, "--preserve-fds", 32, &o->preserve_fds, err) < 0)
		return -1;
	o->id = argv[i];
	o->args = argv + i + 1;
	o->arg_count = (size_t)(argc - i - 1);
	return state_check_id(o->id, err);
}

/* Digits only, no sign, no space; a user is never guessed (CVE-2026-30892). */
static int parse_id(const char **text, uid_t *out)
{
	uint64_t v = 0;
	const char *p = *text;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v >= UINT32_MAX)
			return -1;
	}
	*text = p;
	*out = (uid_t)v;
	return 0;
}

static int apply_user(struct execution *x, struct ts_err *err)
{
	const char *text = x->options->user;
	struct process_spec *p = &x->process;

	if (text) {
		p->gid = 0;
		if (parse_id(&text, &p->uid) < 0 ||
		    (*text == ':' && (text++, parse_id(&text, &p->gid) < 0)) || *text)
			return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
				       "--user: \"%.64s\" must be UID or UID:GID, in digits",
				       x->options->user);
	}
	for (size_t i = 0; x->options->groups && x->options->groups[i]; i++) {
		const char *group = x->options->groups[i];
		gid_t *grown = ts_json_alloc(x->config.doc, (p->group_count + 1) * sizeof(gid_t));

		memcpy(grown, p->groups, p->group_count * sizeof(gid_t));
		p->groups = grown;
		if (parse_id(&group, &p->groups[p->group_count++]) < 0 || *group)
			return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
				       "--additional-gids: must be a number");
	}
	return 0;
}

static int apply_caps(struct execution *x, struct ts_err *err)
{
	for (size_t i = 0; x->options->caps && x->options->caps[i]; i++) {
		int cap = caps_number(x->options->caps[i]);

		if (cap < 0)
			return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
				       "--cap: \"%.64s\" is no capability", x->options->caps[i]);
		x->process.caps[CAP_SET_BOUNDING] |= (uint64_t)1 << cap;
		x->process.caps[CAP_SET_EFFECTIVE] |= (uint64_t)1 << cap;
		x->process.caps[CAP_SET_PERMITTED] |= (uint64_t)1 << cap;
	}
	return 0;
}

static void apply_env(struct execution *x)
{
	size_t more = 0;
	const char **env;

	while (x->options->env && x->options->env[more])
		more++;
	if (!more)
		return;
	env = ts_json_alloc(x->config.doc, (x->process.env_count + more + 1) * sizeof(*env));
	if (x->process.env_count)
		memcpy(env, x->process.env, x->process.env_count * sizeof(*env));
	memcpy(env + x->process.env_count, x->options->env, more * sizeof(*env));
	x->process.env = env;
	x->process.env_count += more;
}

/* The process from --process, or the container's own with what the command line changes. */
static int read_process(struct execution *x, struct ts_err *err)
{
	const struct exec_options *o = x->options;
	const struct ts_json *node;
	struct process_spec *p = &x->process;

	if (o->process_file) {
		int fd = strcmp(o->process_file, "-") == 0 ? STDIN_FILENO : -1;

		if (fd >= 0 ? ts_read_all(fd, &x->process_text, CONFIG_BYTES_MAX) < 0
			    : ts_read_file_at(AT_FDCWD, o->process_file, &x->process_text,
					      CONFIG_BYTES_MAX, err) < 0)
			return ts_fail_errno(err, "read", o->process_file,
					     "--process: cannot read it");
		node =
		    ts_json_parse(x->process_text.data, x->process_text.len, &x->process_doc, err);
		if (!node)
			return ts_err_prefix(err, "--process");
		if (node->type != TS_JSON_OBJECT)
			return config_invalid(err, "process", "--process: must be an object");
		if (config_parse_process(x->process_doc, node, p, err) < 0)
			return -1;
	} else {
		*p = x->config.process;
		p->args = (const char *const *)o->args;
		p->arg_count = o->arg_count;
		p->terminal = false;
		p->console_rows = p->console_columns = 0;
	}
	if (o->cwd)
		p->cwd = o->cwd;
	if (p->cwd[0] != '/')
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "--cwd: must be absolute");
	p->terminal |= o->tty;
	p->no_new_privileges |= o->no_new_privs;
	p->apparmor_profile = o->apparmor ? o->apparmor : p->apparmor_profile;
	p->selinux_label = o->label ? o->label : p->selinux_label;
	if (!p->has_oom_score_adj) {
		p->has_oom_score_adj = x->config.process.has_oom_score_adj;
		p->oom_score_adj = x->config.process.oom_score_adj;
	}
	apply_env(x);
	return apply_user(x, err) < 0 ? -1 : apply_caps(x, err);
}

static int prepare_console(struct execution *x, struct ts_err *err)
{
	int pair[2];

	if (!x->process.terminal) {
		if (x->options->console_socket)
			return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
				       "--console-socket: the process has no terminal (--tty)");
		return 0;
	}
	if (x->options->console_socket) {
		x->console_fd = console_connect(x->options->console_socket, err);
		return x->console_fd < 0 ? -1 : 0;
	}
	if (x->options->detach)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "--detach with a terminal needs --console-socket");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return ts_fail_errno(err, "socketpair", NULL, "cannot create a socket pair");
	x->console_near = pair[0];
	x->console_fd = pair[1];
	return 0;
}

static int open_target(struct execution *x, const struct globals *g, struct ts_err *err)
{
	struct container *c = &x->container;
	enum status status;

	if (container_open(g, x->options->id, false, c, err) < 0)
		return -1;
	status = state_status(c->dir_fd, &c->state);
	if (status == STATUS_STOPPED || status == STATUS_CREATING ||
	    (status == STATUS_PAUSED && !x->options->ignore_paused))
		return ts_fail(err, TS_E_STATE, 0, "exec", c->state.id,
			       "cannot exec in container %s: it is %s", c->state.id,
			       state_status_name(status));
	x->target = ts_proc_pidfd(c->state.pid, c->state.start_ticks);
	if (x->target < 0)
		return ts_fail_errno(err, "pidfd_open", c->state.id, "container %s has ended",
				     c->state.id);
	return container_cgroup(c, &x->cgroup, err) < 0 ||
		       container_config(c, &x->config, &x->config_text, err) < 0
		   ? -1
		   : 0;
}

static int join_namespaces(const struct execution *x, struct ts_err *err)
{
	unsigned long flags = x->container.state.ns_flags & ~(unsigned long)CLONE_NEWPID;

	if (flags && setns(x->target, (int)flags) < 0)
		return ts_fail_errno(err, "setns", NULL, "cannot join the container's namespaces");
	if ((flags & CLONE_NEWUSER) && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return ts_fail_errno(err, "setresuid", NULL, "cannot become the container's root");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
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
	int keep[64];
	size_t n = 0;

	if (cgroup_join_self(&x->cgroup, x->joined_v2, err) < 0 || join_namespaces(x, err) < 0)
		return -1;
	if (setsid() < 0)
		return ts_fail_errno(err, "setsid", NULL, "cannot start a session");
	init_join_keyring(x->container.state.id);
	if (use_console(x, err) < 0)
		return -1;
	keep[n++] = x->sync_fd;
	keep[n++] = log_fd();
	for (int i = 0; i < x->options->preserve_fds && n < TS_ARRAY_LEN(keep); i++)
		keep[n++] = 3 + i;
	process_close_fds_except(keep, n);
	if ((p->has_oom_score_adj || p->apparmor_profile || p->selinux_label) &&
	    rootfs_proc_fd(&proc_only, err) < 0)
		return -1;
	if (process_set_limits(p, proc_only.proc_fd, err) < 0)
		return -1;
	ts_cleanup_fd(&proc_only.proc_fd);
	if (process_resolve(p, &x->filter, &ready, err) < 0)
		return -1;
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	return process_exec(&ready, err);
}

static _Noreturn void child(const struct execution *x)
{
	struct ts_err err = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	become(x, &err);
	send(x->sync_fd, &err, sizeof(err), MSG_NOSIGNAL);
	_exit(process_exit_code(&err));
}

static long clone_child(struct execution *x, int v2)
{
	struct clone_args args = {.flags = CLONE_PIDFD | (v2 >= 0 ? CLONE_INTO_CGROUP : 0),
				  .pidfd = (uint64_t)(uintptr_t)&x->pidfd,
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

static int spawn(struct execution *x, struct ts_err *err)
{
	int v2 = cgroup_v2_fd(&x->cgroup);
	long pid;

	if ((x->container.state.ns_flags & CLONE_NEWPID) && setns(x->target, CLONE_NEWPID) < 0)
		return ts_fail_errno(err, "setns", NULL,
				     "cannot join the container's pid namespace");
	pid = clone_child(x, v2);
	if (pid < 0 && errno == EBUSY && v2 >= 0) {
		cleanup_fd int group = open_init_group(x);

		pid = clone_child(x, group);
	}
	if (pid < 0)
		return ts_fail_errno(err, "clone3", NULL,
				     "cannot start a process in the container");
	if (pid == 0)
		child(x);
	x->pid = (pid_t)pid;
	return 0;
}

/* Success is the end of the socket without a message. */
static int await_exec(struct execution *x, int near, struct ts_err *err)
{
	struct ts_err report;
	ssize_t n;

	do
		n = recv(near, &report, sizeof(report), 0);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	waitpid(x->pid, NULL, 0);
	if (n == (ssize_t)sizeof(report))
		*err = report;
	else
		ts_fail(err, TS_E_KERNEL, EIO, "exec", NULL,
			"the process ended before its program ran");
	return -1;
}

static int run(struct execution *x, const struct globals *g, struct ts_err *err)
{
	cleanup_fd int near = -1, master = -1;
	int pair[2];

	if (open_target(x, g, err) < 0 || read_process(x, err) < 0 ||
	    seccomp_prepare(x->config.seccomp, x->container.root_fd, &x->filter, err) < 0 ||
	    prepare_console(x, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ts_fail_errno(err, "socketpair", NULL, "cannot create a socket pair");
	near = pair[0];
	x->sync_fd = pair[1];
	if (spawn(x, err) < 0)
		return -1;
	ts_cleanup_fd(&x->sync_fd);
	ts_cleanup_fd(&x->console_fd);
	x->sync_fd = x->console_fd = -1;
	if (await_exec(x, near, err) < 0)
		return -1;
	if (x->options->pid_file && write_pid_file(x->options->pid_file, x->pid, err) < 0) {
		ts_pidfd_send_signal(x->pidfd, SIGKILL);
		return -1;
	}
	if (x->options->detach)
		return 0;
	if (x->console_near >= 0) {
		master = console_receive(x->console_near, err);
		if (master < 0)
			return -1;
	}
	return relay_until_exit(x->pid, x->pidfd, master);
}

int cmd_exec(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	struct exec_options o = {0};
	struct execution x = {.options = &o,
			      .container = CONTAINER_INIT,
			      .target = -1,
			      .sync_fd = -1,
			      .console_fd = -1,
			      .console_near = -1,
			      .pidfd = -1};
	int rc;

	if (selfexe_seal(g->argv, err) < 0 || parse(argc, argv, &o, err) < 0)
		return -1;
	ts_close_range(3 + (unsigned)o.preserve_fds, ~0u, CLOSE_RANGE_CLOEXEC);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	rc = run(&x, g, err);
	container_close(&x.container);
	ts_json_free(&x.process_doc);
	config_free(&x.config);
	ts_buf_free(&x.config_text);
	ts_buf_free(&x.process_text);
	seccomp_free(&x.filter);
	cgroup_close(&x.cgroup);
	ts_cleanup_fd(&x.target);
	ts_cleanup_fd(&x.sync_fd);
	ts_cleanup_fd(&x.console_fd);
	ts_cleanup_fd(&x.console_near);
	ts_cleanup_fd(&x.pidfd);
	return rc;
}
