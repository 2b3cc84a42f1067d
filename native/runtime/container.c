/*
 * What all verbs do with an existing container: open it, find its control groups, start it, take it
 * down. Nothing waits by sleeping: the end of a process is a readable pidfd, and when that has
 * happened the process has left its control groups.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "hooks.h"
#include "log.h"
#include "proc.h"
#include "runtime.h"
#include "start-socket.h"
#include "sys.h"

#define KILL_TIMEOUT_MS 10000

int container_open(const struct globals *g, const char *id, bool lock, struct container *c,
		   struct ts_err *err)
{
	if (state_check_id(id, err) < 0)
		return -1;
	c->root_fd = state_open_root(g->root, false, err);
	if (c->root_fd < 0) {
		if (err->errnum == ENOENT) {
			memset(err, 0, sizeof(*err));
			ts_fail(err, TS_E_NO_CONTAINER, 0, "open", id,
				"container %s does not exist", id);
		}
		return -1;
	}
	c->dir_fd = state_open_dir(c->root_fd, id, lock, err);
	if (c->dir_fd < 0)
		return -1;
	return state_load(c->dir_fd, id, &c->state, err);
}

void container_close(struct container *c)
{
	ts_cleanup_fd(&c->root_fd);
	ts_cleanup_fd(&c->dir_fd);
	c->root_fd = c->dir_fd = -1;
	state_free(&c->state);
}

int container_cgroup(const struct container *c, struct cgroup *cg, struct ts_err *err)
{
	if (cgroup_detect(cg, err) < 0)
		return -1;
	if (!c->state.cgroup_path) {
		cgroup_close(cg);
		return 0;
	}
	return cgroup_set_path(cg, c->state.cgroup_path, c->state.id, false, err) < 0 ||
		       cgroup_open(cg, err) < 0
		   ? -1
		   : 0;
}

int container_config(const struct container *c, struct config *config, struct ts_buf *text,
		     struct ts_err *err)
{
	return ts_read_file_at(c->dir_fd, "config.json", text, CONFIG_BYTES_MAX, err) < 0 ||
		       config_parse(config, text->data, text->len, err) < 0
		   ? -1
		   : 0;
}

static int kill_init(const struct container *c, struct ts_err *err)
{
	cleanup_fd int pidfd =
	    c->state.pid ? ts_proc_pidfd(c->state.pid, c->state.start_ticks) : -1;

	if (pidfd < 0)
		return 0;
	if (ts_pidfd_send_signal(pidfd, SIGKILL) < 0 && errno != ESRCH)
		return ts_fail_errno(err, "kill", c->state.id, "cannot kill container %s",
				     c->state.id);
	if (ts_proc_wait(pidfd, KILL_TIMEOUT_MS) == 0)
		return ts_fail(
		    err, TS_E_KERNEL, ETIMEDOUT, "kill", c->state.id,
		    "container %s does not end after SIGKILL (is it waiting for a disk?)",
		    c->state.id);
	return 0;
}

/* Processes that share the host's pid namespace, or joined another's, outlive the first one. */
static int kill_rest(struct cgroup *cg, struct ts_err *err)
{
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;

	if (cgroup_pids(cg, &pids, &count, err) < 0)
		return -1;
	for (int round = 0; count > 0 && round < 10; round++) {
		cleanup_fd int pidfd = ts_pidfd_open(pids[0]);

		if (cgroup_signal_all(cg, SIGKILL, err) < 0)
			return -1;
		if (pidfd >= 0)
			ts_proc_wait(pidfd, KILL_TIMEOUT_MS);
		free(pids);
		if (cgroup_pids(cg, &pids, &count, err) < 0)
			return -1;
	}
	return 0;
}

int container_destroy(struct container *c, struct ts_err *err)
{
	cleanup_cgroup struct cgroup cg = {0};
	struct ts_err first = {0};

	if (container_cgroup(c, &cg, err) < 0)
		return -1;
	/* A frozen process does not die: thaw it with the signal already waiting. */
	if (cg.count && cgroup_is_frozen(&cg)) {
		if (cgroup_signal_all(&cg, SIGKILL, err) < 0)
			return -1;
	}
	if (kill_init(c, err) < 0)
		return -1;
	if (cgroup_remove(&cg, &first) < 0) {
		if (kill_rest(&cg, err) < 0 || cgroup_remove(&cg, err) < 0)
			return -1;
	}
	return 0;
}

static void run_poststop(const struct container *c)
{
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	struct config config = {0};
	struct ts_err err = {0};

	if (container_config(c, &config, &text, &err) < 0)
		log_warn("%s", err.message);
	else
		hooks_run(&config, HOOK_POSTSTOP, &c->state, STATUS_STOPPED, &err);
	config_free(&config);
}

int delete_container(const struct globals *g, const char *id, bool force, struct ts_err *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	enum status status;

	if (container_open(g, id, true, &c, err) < 0) {
		if (force && strcmp(err->code, TS_E_NO_CONTAINER) == 0) {
			memset(err, 0, sizeof(*err));
			return 0;
		}
		return -1;
	}
	if (!force) {
		status = state_status(c.dir_fd, &c.state);
		if (status != STATUS_STOPPED)
			return ts_fail(
			    err, TS_E_STATE, 0, "delete", id,
			    "cannot delete container %s: it is %s; stop it first or use --force",
			    id, state_status_name(status));
	}
	if (container_destroy(&c, err) < 0)
		return -1;
	if (c.state.has_poststop)
		run_poststop(&c);
	if (ts_remove_tree_at(c.root_fd, id) < 0)
		return ts_fail_errno(err, "rmdir", id, "cannot remove the state folder of %s", id);
	return 0;
}

int start_container(const struct globals *g, const char *id, struct ts_err *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	struct config config = {0};
	enum status status;
	int rc;

	if (container_open(g, id, false, &c, err) < 0)
		return -1;
	status = state_status(c.dir_fd, &c.state);
	if (status != STATUS_CREATED)
		return ts_fail(err, TS_E_STATE, 0, "start", id,
			       "cannot start container %s: it is %s", id,
			       state_status_name(status));
	if (start_socket_go(c.dir_fd, id, err) < 0)
		return -1;
	if (!c.state.has_poststart)
		return 0;
	rc = container_config(&c, &config, &text, err);
	if (rc == 0)
		rc = hooks_run(&config, HOOK_POSTSTART, &c.state, STATUS_RUNNING, err);
	if (rc < 0) {
		struct ts_err ignored = {0};

		kill_init(&c, &ignored);
	}
	config_free(&config);
	return rc;
}
