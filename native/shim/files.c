/*
 * What the shim leaves in its state folder: shim.pid, container.pid, exit.json.
 * Invariant: a reader sees a whole file or none; exit.json is on disk before anybody is told.
 */
#include <errno.h>
#include <stdio.h>

#include "fs.h"
#include "proc.h"
#include "shim.h"
#include "stamp.h"

int write_pid_file(const char *name, pid_t pid, struct ts_err *err)
{
	uint64_t start_ticks;
	char text[64];

	if (ts_proc_stat(pid, &start_ticks, NULL) < 0)
		return ts_fail_errno(err, "read", name, "cannot read the start time of process %d",
				     pid);
	int length = snprintf(text, sizeof text, "%d %llu\n", pid, (unsigned long long)start_ticks);
	return ts_write_file_atomic(shim.state_fd, name, text, (size_t)length, 0600, false, err);
}

void put_time(struct ts_buf *out, struct timespec time)
{
	char stamp[STAMP_BYTES];

	stamp_format(time, stamp);
	ts_buf_puts(out, "\"");
	ts_buf_add(out, stamp, sizeof stamp);
	ts_buf_puts(out, "\"");
}

void exit_json(const struct process *process, struct ts_buf *out)
{
	const struct exit_info *exit = &process->exit;

	ts_buf_printf(out, "{\"exitCode\":%d,\"signal\":%d", exit->code, exit->signal);
	if (process->is_container) {
		ts_buf_printf(
		    out, ",\"oomKilled\":%s,\"finishedAt\":", exit->oom_killed ? "true" : "false");
		put_time(out, exit->finished);
		ts_buf_puts(out, ",\"startedAt\":");
		if (shim.has_started)
			put_time(out, shim.start_asked);
		else
			ts_buf_puts(out, "null");
	}
	ts_buf_puts(out, "}");
}

int write_exit_file(struct ts_err *err)
{
	struct ts_buf text = TS_BUF_INIT;

	exit_json(&shim.container, &text);
	ts_buf_puts(&text, "\n");
	int result =
	    ts_write_file_atomic(shim.state_fd, "exit.json", text.data, text.len, 0600, true, err);
	ts_buf_free(&text);
	return result;
}
