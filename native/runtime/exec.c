/*
 * `exec`: one more process in a running container, the half on the host: command line, process,
 * filter, terminal, and waiting for it. exec-child.c is the other half.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "caps.h"
#include "cleanup.h"
#include "console.h"
#include "exec.h"
#include "fs.h"
#include "proc.h"
#include "selfexe.h"
#include "sys.h"

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
	char path[48];

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
	if (c->state.root_apart) {
		snprintf(path, sizeof(path), "/proc/%d/root", (int)c->state.pid);
		x->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		/* Alive afterwards: so it was its root, not that of a process with its number. */
		if (x->root_fd < 0 || ts_pidfd_send_signal(x->target, 0) < 0)
			return ts_fail_errno(err, "open", path, "container %s has ended",
					     c->state.id);
	}
	return container_cgroup(c, &x->cgroup, err) < 0 ||
		       container_config(c, &x->config, &x->config_text, err) < 0
		   ? -1
		   : 0;
}

static int run(struct execution *x, const struct globals *g, struct ts_err *err)
{
	cleanup_fd int master = -1, pidfd = -1;

	if (open_target(x, g, err) < 0 || read_process(x, err) < 0 ||
	    seccomp_prepare(x->config.seccomp, x->container.root_fd, &x->filter, err) < 0 ||
	    prepare_console(x, err) < 0 || exec_spawn(x, err) < 0)
		return -1;
	ts_cleanup_fd(&x->console_fd);
	x->console_fd = -1;
	pidfd = ts_pidfd_open(x->pid);
	if (x->options->pid_file && write_pid_file(x->options->pid_file, x->pid, err) < 0) {
		kill(x->pid, SIGKILL);
		return -1;
	}
	if (x->options->detach)
		return 0;
	if (x->console_near >= 0) {
		master = console_receive(x->console_near, err);
		if (master < 0)
			return -1;
	}
	return relay_until_exit(x->pid, pidfd, master);
}

int cmd_exec(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	struct exec_options o = {0};
	struct execution x = {
	    .options = &o,
	    .container = CONTAINER_INIT,
	    .target = -1,
	    .root_fd = -1,
	    .console_fd = -1,
	    .console_near = -1,
	};
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
	ts_cleanup_fd(&x.root_fd);
	ts_cleanup_fd(&x.console_fd);
	ts_cleanup_fd(&x.console_near);
	return rc;
}
