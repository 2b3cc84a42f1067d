/* The small verbs: start, state, kill, delete, pause, resume, list, ps. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "proc.h"
#include "runtime.h"
#include "sys.h"

static int one_id(int argc, char **argv, int at, const char **id, struct ts_err *err)
{
	if (at != argc - 1)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "usage: tswarm-runtime %s [options] ID", argv[0]);
	*id = argv[at];
	return 0;
}

static int parse_none(int argc, char **argv, const char **id, struct ts_err *err)
{
	static const struct option_spec none[] = {{0}};
	int i = parse_options(argc, argv, none, err);

	return i < 0 ? -1 : one_id(argc, argv, i, id, err);
}

static int print(struct ts_buf *out, struct ts_err *err)
{
	ts_buf_puts(out, "\n");
	if (ts_write_all(STDOUT_FILENO, out->data, out->len) < 0)
		return ts_fail_errno(err, "write", NULL, "cannot write the answer");
	return 0;
}

int cmd_start(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	const char *id = NULL;

	return parse_none(argc, argv, &id, err) < 0 ? -1 : start_container(g, id, err);
}

int cmd_state(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_buf struct ts_buf out = TS_BUF_INIT;
	const char *id = NULL;

	if (parse_none(argc, argv, &id, err) < 0 || container_open(g, id, false, &c, err) < 0)
		return -1;
	state_to_json(&c.state, state_status(c.dir_fd, &c.state), &out);
	return print(&out, err);
}

int cmd_kill(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_cgroup struct cgroup cg = {0};
	cleanup_fd int pidfd = -1;
	bool all = false;
	const struct option_spec specs[] = {{"--all", 'a', NULL, &all, NULL}, {0}};
	int i = parse_options(argc, argv, specs, err), sig = SIGTERM;

	if (i < 0)
		return -1;
	if (i >= argc || i < argc - 2)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "usage: tswarm-runtime kill [--all] ID [SIGNAL]");
	if (i == argc - 2)
		sig = signal_number(argv[i + 1]);
	if (sig < 0)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "\"%.32s\" is no signal", argv[i + 1]);
	if (container_open(g, argv[i], false, &c, err) < 0)
		return -1;
	if (all)
		return container_cgroup(&c, &cg, err) < 0 ? -1 : cgroup_signal_all(&cg, sig, err);
	pidfd = c.state.pid ? ts_proc_pidfd(c.state.pid, c.state.start_ticks) : -1;
	if (pidfd < 0 || ts_pidfd_send_signal(pidfd, sig) < 0) {
		if (pidfd < 0 || errno == ESRCH)
			return ts_fail(err, TS_E_STATE, 0, "kill", argv[i],
				       "cannot signal container %s: container not running",
				       argv[i]);
		return ts_fail_errno(err, "kill", argv[i], "cannot signal container %s", argv[i]);
	}
	return 0;
}

int cmd_delete(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	bool force = false;
	const struct option_spec specs[] = {{"--force", 'f', NULL, &force, NULL}, {0}};
	int i = parse_options(argc, argv, specs, err);
	const char *id = NULL;

	if (i < 0 || one_id(argc, argv, i, &id, err) < 0)
		return -1;
	return delete_container(g, id, force, err);
}

static int set_frozen(const struct globals *g, int argc, char **argv, bool freeze,
		      struct ts_err *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_cgroup struct cgroup cg = {0};
	enum status status;
	const char *id = NULL;

	if (parse_none(argc, argv, &id, err) < 0 || container_open(g, id, false, &c, err) < 0)
		return -1;
	status = state_status(c.dir_fd, &c.state);
	if (freeze ? status != STATUS_RUNNING : status != STATUS_PAUSED)
		return ts_fail(err, TS_E_STATE, 0, argv[0], id, "cannot %s container %s: it is %s",
			       argv[0], id, state_status_name(status));
	return container_cgroup(&c, &cg, err) < 0 ? -1 : cgroup_freeze(&cg, freeze, err);
}

int cmd_pause(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	return set_frozen(g, argc, argv, true, err);
}

int cmd_resume(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	return set_frozen(g, argc, argv, false, err);
}

static void list_one(int root_fd, const char *id, bool json, struct ts_buf *out, size_t *count)
{
	struct state state;
	struct ts_err ignored = {0};
	enum status status;
	cleanup_fd int dir = state_open_dir(root_fd, id, false, &ignored);

	if (dir < 0 || state_load(dir, id, &state, &ignored) < 0)
		return; /* deleted meanwhile, or not ours */
	status = state_status(dir, &state);
	if (json) {
		ts_buf_puts(out, *count ? "," : "");
		state_to_json(&state, status, out);
	} else {
		ts_buf_printf(out, "%-32s %-8d %-9s %-30s %s\n", id,
			      status == STATUS_STOPPED ? 0 : (int)state.pid,
			      state_status_name(status), state.created ? state.created : "",
			      state.bundle ? state.bundle : "");
	}
	(*count)++;
	state_free(&state);
}

int cmd_list(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	const char *format = "table";
	bool quiet = false, json;
	const struct option_spec specs[] = {
	    {"--format", 'f', &format, NULL, NULL}, {"--quiet", 'q', NULL, &quiet, NULL}, {0}};
	cleanup_buf struct ts_buf out = TS_BUF_INIT;
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	size_t count = 0;

	if (parse_options(argc, argv, specs, err) < 0)
		return -1;
	json = strcmp(format, "json") == 0;
	if (!json && strcmp(format, "table") != 0)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "--format: must be table or json");
	dir = opendir(g->root);
	if (!dir && errno != ENOENT)
		return ts_fail_errno(err, "opendir", g->root, "cannot read %s", g->root);
	if (!quiet)
		ts_buf_printf(&out, json ? "[" : "%-32s %-8s %-9s %-30s %s\n", "ID", "PID",
			      "STATUS", "CREATED", "BUNDLE");
	while (dir && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR)
			continue;
		if (quiet)
			ts_buf_printf(&out, "%s\n", entry->d_name);
		else
			list_one(dirfd(dir), entry->d_name, json, &out, &count);
	}
	if (json && !quiet)
		ts_buf_puts(&out, "]\n");
	return out.len && ts_write_all(STDOUT_FILENO, out.data, out.len) < 0
		   ? ts_fail_errno(err, "write", NULL, "cannot write the list")
		   : 0;
}

/* The command line of a process with spaces for NULs, or its name in brackets. */
static void put_command(pid_t pid, struct ts_buf *out)
{
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	struct ts_err ignored = {0};
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if (ts_read_file_at(AT_FDCWD, path, &text, 4096, &ignored) < 0 || text.len == 0)
		return;
	for (size_t i = 0; i + 1 < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20)
			text.data[i] = ' ';
	ts_buf_puts(out, text.data);
}

int cmd_ps(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_cgroup struct cgroup cg = {0};
	cleanup_buf struct ts_buf out = TS_BUF_INIT;
	cleanup_free pid_t *pids = NULL;
	const char *format = "table", *id = NULL;
	const struct option_spec specs[] = {{"--format", 'f', &format, NULL, NULL}, {0}};
	int i = parse_options(argc, argv, specs, err);
	size_t count = 0;
	bool json = strcmp(format, "json") == 0;

	if (i < 0 || one_id(argc, argv, i, &id, err) < 0)
		return -1;
	if (!json && strcmp(format, "table") != 0)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "--format: must be table or json");
	if (container_open(g, id, false, &c, err) < 0 || container_cgroup(&c, &cg, err) < 0 ||
	    cgroup_pids(&cg, &pids, &count, err) < 0)
		return -1;
	ts_buf_puts(&out, json ? "[" : "PID      COMMAND\n");
	for (size_t n = 0; n < count; n++) {
		ts_buf_printf(&out, json ? "%s%d" : "%s%-8d ", json && n ? "," : "", (int)pids[n]);
		if (!json) {
			put_command(pids[n], &out);
			ts_buf_puts(&out, "\n");
		}
	}
	ts_buf_puts(&out, json ? "]\n" : "");
	return ts_write_all(STDOUT_FILENO, out.data, out.len) < 0
		   ? ts_fail_errno(err, "write", NULL, "cannot write the list")
		   : 0;
}
