/*
 * `create`: the parent's side. Reads and checks everything first, then makes the state folder, the
 * control groups and the process, then serves the process until it is ready (init.c is its side).
 * Invariant: after a failure nothing is left, in the order process, control groups, state folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "console.h"
#include "fs.h"
#include "hooks.h"
#include "init.h"
#include "log.h"
#include "proc.h"
#include "rootfs.h"
#include "runtime.h"
#include "seccomp.h"
#include "selfexe.h"
#include "start-socket.h"
#include "sys.h"

struct creation {
	const struct globals *globals;
	const struct create_options *options;
	struct config config;
	struct ts_buf config_text;
	struct cgroup cgroup;
	struct seccomp_program filter;
	struct container container; /* its state is what gets saved */
	struct init_plan plan;
	int sync_fd, pidfd;
	char bundle[PATH_MAX], rootfs[PATH_MAX + 256], created[48];
};

static int load_config(struct creation *c, struct ts_err *err)
{
	const char *file = c->options->config_file ? c->options->config_file : "config.json";

	if (!realpath(c->options->bundle, c->bundle) || chdir(c->bundle) < 0)
		return ts_fail_errno(err, "chdir", c->options->bundle, "--bundle: cannot enter %s",
				     c->options->bundle);
	if (ts_read_file_at(AT_FDCWD, file, &c->config_text, CONFIG_BYTES_MAX, err) < 0 ||
	    config_parse(&c->config, c->config_text.data, c->config_text.len, err) < 0)
		return -1;
	if (!c->config.has_process)
		return config_invalid(err, "process", "process: missing");
	if (c->config.process.terminal && !c->options->console_socket && c->options->console_fd < 0)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "process.terminal is true: --console-socket is needed");
	if (!c->config.process.terminal && c->options->console_socket)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "--console-socket: process.terminal is not true");
	return 0;
}

static void fill_state(struct creation *c)
{
	struct state *s = &c->container.state;
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(c->created, sizeof(c->created), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(c->created + n, sizeof(c->created) - n, ".%09ldZ", now.tv_nsec);
	if (c->config.rootfs[0] == '/')
		snprintf(c->rootfs, sizeof(c->rootfs), "%s", c->config.rootfs);
	else
		snprintf(c->rootfs, sizeof(c->rootfs), "%s/%s", c->bundle, c->config.rootfs);
	s->oci_version = c->config.oci_version;
	s->id = c->options->id;
	s->bundle = c->bundle;
	s->rootfs = c->rootfs;
	s->created = c->created;
	s->cgroup_path = c->cgroup.path;
	s->ns_flags = ns_all_flags(&c->config);
	s->root_apart = !ns_has_own_mounts(&c->config);
	s->has_poststart = c->config.hooks[HOOK_POSTSTART].count > 0;
	s->has_poststop = c->config.hooks[HOOK_POSTSTOP].count > 0;
	if (c->config.annotations) {
		s->annotations = c->config.annotations->raw;
		s->annotations_len = c->config.annotations->raw_len;
	}
}

/*
 * What was copied here is still tied to the host's mounts: in the first process, which copies a
 * namespace, that is undone by making "/" a slave before it opens anything.
 */
static int untie(int tree, const char *where, struct ts_err *err)
{
	struct mount_attr attr = {.propagation = MS_SLAVE};

	if (ts_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
		return ts_fail_errno(err, "mount_setattr", where,
				     "%s: cannot part it from the host's mounts", where);
	return 0;
}

/* A mapped root may not see the host's paths: what it will mount is opened here. */
static int open_sources(struct creation *c, struct ts_err *err)
{
	c->plan.rootfs_source_fd = -1;
	if (!c->config.namespaces[NS_USER].present)
		return 0;
	c->plan.rootfs_source_fd =
	    ts_open_tree(AT_FDCWD, c->config.rootfs, OPEN_TREE_CLONE | AT_RECURSIVE);
	if (c->plan.rootfs_source_fd < 0)
		return ts_fail_errno(err, "open_tree", c->config.rootfs,
				     "root.path: cannot open %s", c->config.rootfs);
	if (untie(c->plan.rootfs_source_fd, "root.path", err) < 0)
		return -1;
	for (size_t i = 0; i < c->config.mount_count; i++) {
		struct mount_spec *m = &c->config.mounts[i];
		char where[32];

		if (!m->options.bind || m->options.remount)
			continue;
		snprintf(where, sizeof(where), "mounts[%zu]", i);
		m->source_fd = rootfs_open_source(m, where, err);
		if (m->source_fd < 0 || untie(m->source_fd, where, err) < 0)
			return -1;
	}
	return 0;
}

static int answer(const struct creation *c, struct ts_err *err)
{
	const pid_t *pid = &c->container.state.pid;

	if (send(c->sync_fd, pid, sizeof(*pid), MSG_NOSIGNAL) != (ssize_t)sizeof(*pid))
		return ts_fail_errno(err, "send", NULL, "the container's first process is gone");
	return 0;
}

static int run_host_hooks(struct creation *c, struct ts_err *err)
{
	const struct state *s = &c->container.state;

	return hooks_run(&c->config, HOOK_PRESTART, s, STATUS_CREATED, err) < 0 ||
		       hooks_run(&c->config, HOOK_CREATE_RUNTIME, s, STATUS_CREATED, err) < 0
		   ? -1
		   : 0;
}

/* Serves the child until it is ready. */
static int serve(struct creation *c, struct ts_err *err)
{
	for (;;) {
		struct init_message m;
		ssize_t n = recv(c->sync_fd, &m, sizeof(m), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(m))
			return ts_fail(
			    err, TS_E_KERNEL, 0, "create", NULL,
			    "the container's first process ended before it was ready (killed, or "
			    "out of memory: is the memory limit too small?)");
		switch (m.kind) {
		case INIT_NEEDS_MAPS:
			if (ns_write_id_maps(c->container.state.pid, &c->config, err) < 0 ||
			    answer(c, err) < 0)
				return -1;
			break;
		case INIT_NEEDS_HOOKS:
			if (run_host_hooks(c, err) < 0 || answer(c, err) < 0)
				return -1;
			break;
		case INIT_READY:
			return 0;
		default:
			*err = m.err;
			return -1;
		}
	}
}

static int save_files(struct creation *c, struct ts_err *err)
{
	return ts_write_file_atomic(c->container.dir_fd, "config.json", c->config_text.data,
				    c->config_text.len, 0600, false, err);
}

static int make_process(struct creation *c, struct ts_err *err)
{
	struct state *s = &c->container.state;
	cleanup_fd int child_sync = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ts_fail_errno(err, "socketpair", NULL, "cannot create a socket pair");
	c->sync_fd = pair[0];
	child_sync = pair[1];
	c->plan.config = &c->config;
	c->plan.cgroup = &c->cgroup;
	c->plan.filter = &c->filter;
	c->plan.state = s;
	c->plan.rootfs_path = c->config.rootfs;
	c->plan.no_pivot = c->options->no_pivot;
	c->plan.no_keyring = c->options->no_keyring;
	c->plan.preserve_fds = c->options->preserve_fds;
	c->plan.console_fd = c->options->console_fd;
	c->plan.listen_fd = start_socket_listen(c->container.dir_fd, err);
	if (c->plan.listen_fd < 0 || ns_open_paths(&c->config, c->plan.ns_fds, err) < 0 ||
	    open_sources(c, err) < 0)
		return -1;
	if (c->options->console_socket) {
		c->plan.console_fd = console_connect(c->options->console_socket, err);
		if (c->plan.console_fd < 0)
			return -1;
	}
	c->plan.sync_fd = child_sync;
	if (init_spawn(&c->plan, &s->pid, &c->pidfd, err) < 0)
		return -1;
	ts_cleanup_fd(&c->plan.listen_fd);
	ts_cleanup_fd(&child_sync);
	child_sync = -1;
	if (ts_proc_stat(s->pid, &s->start_ticks, NULL) < 0)
		return ts_fail_errno(err, "stat", NULL, "the container's first process is gone");
	if (state_save(c->container.dir_fd, s, err) < 0 || save_files(c, err) < 0)
		return -1;
	if (serve(c, err) < 0)
		return -1;
	if (c->options->pid_file && write_pid_file(c->options->pid_file, s->pid, err) < 0)
		return -1;
	return 0;
}

static void undo(struct creation *c)
{
	struct ts_err ignored = {0};
	const struct state *s = &c->container.state;

	if (c->pidfd >= 0) {
		ts_pidfd_send_signal(c->pidfd, SIGKILL);
		waitpid(s->pid, NULL, 0);
		/* Hooks may have set something up: they get their chance to take it down. */
		hooks_run(&c->config, HOOK_POSTSTOP, s, STATUS_STOPPED, &ignored);
	}
	if (cgroup_remove(&c->cgroup, &ignored) < 0)
		log_warn("%s", ignored.message);
	ts_remove_tree_at(c->container.root_fd, c->options->id);
}

static int build(struct creation *c, struct ts_err *err)
{
	struct container *box = &c->container;

	box->root_fd = state_open_root(c->globals->root, true, err);
	if (box->root_fd < 0 ||
	    seccomp_prepare(c->config.seccomp, box->root_fd, &c->filter, err) < 0 ||
	    cgroup_detect(&c->cgroup, err) < 0 ||
	    cgroup_set_path(&c->cgroup, c->config.cgroups_path, c->options->id,
			    c->globals->systemd_cgroup, err) < 0)
		return -1;
	box->dir_fd = state_create_dir(box->root_fd, c->options->id, err);
	if (box->dir_fd < 0)
		return -1;
	fill_state(c);
	if (state_save(box->dir_fd, &box->state, err) < 0) {
		ts_remove_tree_at(box->root_fd, c->options->id);
		return -1;
	}
	if (cgroup_create(&c->cgroup, err) < 0) {
		ts_remove_tree_at(box->root_fd, c->options->id);
		return -1;
	}
	if (cgroup_apply(&c->cgroup, &c->config.resources, true, err) < 0 ||
	    make_process(c, err) < 0) {
		undo(c);
		return -1;
	}
	return 0;
}

int create_container(const struct globals *g, struct create_options *o, pid_t *pid,
		     struct ts_err *err)
{
	struct creation c = {.globals = g,
			     .options = o,
			     .container = CONTAINER_INIT,
			     .sync_fd = -1,
			     .plan = {.console_fd = -1, .listen_fd = -1},
			     .pidfd = -1};
	int rc;

	if (selfexe_seal(g->argv, err) < 0 || state_check_id(o->id, err) < 0)
		return -1;
	o->pid_file = absolute_path(o->pid_file);
	o->console_socket = absolute_path(o->console_socket);
	ts_close_range(3 + (unsigned)o->preserve_fds, ~0u, CLOSE_RANGE_CLOEXEC);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	rc = load_config(&c, err) < 0 ? -1 : build(&c, err);
	*pid = c.container.state.pid;
	ts_cleanup_fd(&c.sync_fd);
	ts_cleanup_fd(&c.pidfd);
	if (o->console_fd < 0)
		ts_cleanup_fd(&c.plan.console_fd);
	cgroup_close(&c.cgroup);
	seccomp_free(&c.filter);
	container_close(&c.container);
	config_free(&c.config);
	ts_buf_free(&c.config_text);
	return rc;
}

int parse_create_options(int argc, char **argv, struct create_options *o, struct ts_err *err)
{
	const char *preserve = NULL;
	const struct option_spec specs[] = {
	    {"--bundle", 'b', &o->bundle, NULL, NULL},
	    {"--pid-file", 0, &o->pid_file, NULL, NULL},
	    {"--console-socket", 0, &o->console_socket, NULL, NULL},
	    {"--config", 'f', &o->config_file, NULL, NULL},
	    {"--preserve-fds", 0, &preserve, NULL, NULL},
	    {"--no-pivot", 0, NULL, &o->no_pivot, NULL},
	    {"--no-new-keyring", 0, NULL, &o->no_keyring, NULL},
	    {"--detach", 'd', NULL, &o->detach, NULL},
	    {"--keep", 0, NULL, &o->keep, NULL},
	    {0},
	};
	int i = parse_options(argc, argv, specs, err);

	if (i < 0)
		return -1;
	if (i != argc - 1)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "usage: tswarm-runtime %s [options] ID", argv[0]);
	if (preserve && parse_count(preserve, "--preserve-fds", 32, &o->preserve_fds, err) < 0)
		return -1;
	o->id = argv[i];
	if (!o->bundle)
		o->bundle = ".";
	return 0;
}

int cmd_create(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	struct create_options o = {0};
	pid_t pid;

	if (parse_create_options(argc, argv, &o, err) < 0)
		return -1;
	return create_container(g, &o, &pid, err);
}
