/*
 * Further processes in the container: runtime exec --detach, whose process becomes our child.
 *
 * The process may end before the runtime has told its number; its status is then among the orphans.
 * Invariant: an exec that has a pid is in shim.execs until its end has been told.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "shim.h"

enum { NAME_BYTES = 40 };

static struct process *new_exec(bool has_tty, struct ts_err *err)
{
	for (size_t i = 0; i < MAX_EXECS; i++) {
		if (shim.execs[i].used)
			continue;
		prepare_process(&shim.execs[i], false, has_tty);
		shim.execs[i].number = ++shim.exec_count;
		return &shim.execs[i];
	}
	ts_fail(err, "busy", 0, "exec", NULL, "too many execs at once (%d)", MAX_EXECS);
	return NULL;
}

static void file_name(char name[NAME_BYTES], const struct process *process, const char *suffix)
{
	snprintf(name, NAME_BYTES, "exec.%d.%s", process->number, suffix);
}

static void remove_exec_file(const struct process *process, const char *suffix)
{
	char name[NAME_BYTES];

	file_name(name, process, suffix);
	unlinkat(shim.state_fd, name, 0);
}

static void forget(struct process *process)
{
	remove_exec_file(process, "json");
	remove_exec_file(process, "pid");
	remove_exec_file(process, "sock");
	close_streams(process);
	process->used = false;
}

/* Writes the process description to a file that only root reads, for the runtime. */
static int write_description(const struct process *process, const struct ts_json *description,
			     struct ts_err *err)
{
	char name[NAME_BYTES];

	file_name(name, process, "json");
	return ts_write_file_atomic(shim.state_fd, name, description->raw, description->raw_len,
				    0600, false, err);
}

/* Prepares the process's descriptors; stdio gets the runtime's side. */
static int prepare_streams(struct command *command, struct process *process, bool with_input,
			   struct stdio *stdio, struct ts_err *err)
{
	char name[NAME_BYTES];
	int ends[2];

	*stdio = (struct stdio){-1, -1, -1};
	if (!process->has_tty)
		return make_pipes(process, with_input, stdio, err);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return ts_fail_errno(err, "pipe", NULL, "cannot make a pipe");
	command->error_fd = ends[0];
	stdio->error = ends[1];
	file_name(name, process, "sock");
	command->console_fd = listen_in_state_folder(name, 1, err);
	return command->console_fd < 0 ? -1 : 0;
}

static int spawn_exec(struct command *command, struct process *process, struct stdio stdio,
		      struct ts_err *err)
{
	static const char *const suffixes[] = {"json", "pid", "sock"};
	char paths[3][sizeof shim.state_path + NAME_BYTES];
	char name[NAME_BYTES];
	const char *arguments[12];
	size_t count = 0;

	for (size_t i = 0; i < TS_ARRAY_LEN(suffixes); i++) {
		file_name(name, process, suffixes[i]);
		snprintf(paths[i], sizeof paths[i], "%s/%s", shim.state_path, name);
	}
	arguments[count++] = "exec";
	arguments[count++] = "--process";
	arguments[count++] = paths[0];
	arguments[count++] = "--pid-file";
	arguments[count++] = paths[1];
	arguments[count++] = "--detach";
	if (process->has_tty) {
		arguments[count++] = "--console-socket";
		arguments[count++] = paths[2];
	}
	arguments[count++] = shim.options.id;
	arguments[count] = NULL;
	command->pid = spawn_runtime(arguments, stdio, err);
	if (command->pid < 0) {
		command->pid = 0;
		return -1;
	}
	return 0;
}

static int begin(struct conn *conn, const struct ts_json *request, struct ts_err *err)
{
	const struct ts_json *description = NULL;
	bool with_input = false, detach = false, terminal = false;
	struct stdio stdio;

	if (ts_json_opt_node(request, "process", "exec", TS_JSON_OBJECT, &description, err) < 0 ||
	    ts_json_opt_bool(request, "stdin", "exec", &with_input, err) < 0 ||
	    ts_json_opt_bool(request, "detach", "exec", &detach, err) < 0 ||
	    ts_json_opt_bool(description, "terminal", "exec.process", &terminal, err) < 0)
		return -1;
	if (!description)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "exec", NULL, "exec.process is required");
	if (shim.container.exited || !shim.has_started)
		return ts_fail(err, TS_E_STATE, 0, "exec", NULL, "the container is not running");

	struct command *command = command_add(COMMAND_EXEC, conn, err);
	struct process *process = command ? new_exec(terminal, err) : NULL;
	if (!process)
		return -1;
	process->detached = detach;
	command->process = process;
	conn->wants[FRAME_STDIN] = with_input;
	if (write_description(process, description, err) < 0 ||
	    prepare_streams(command, process, with_input, &stdio, err) < 0 ||
	    spawn_exec(command, process, stdio, err) < 0) {
		ts_cleanup_fd(&command->error_fd);
		ts_cleanup_fd(&command->console_fd);
		close_stdio(&stdio);
		forget(process);
		return -1;
	}
	close_stdio(&stdio);
	conn->role = ROLE_ASKED;
	conn_update(conn);
	return 0;
}

void exec_begin(struct conn *conn, const struct ts_json *request)
{
	struct ts_err err = {0};

	if (begin(conn, request, &err) < 0)
		reply_error(conn, &err);
}

/* Learns the number of the process and takes its terminal. */
static int take_process(struct command *command, struct process *process, struct ts_err *err)
{
	char name[NAME_BYTES];

	file_name(name, process, "pid");
	process->pid = take_pid_file(name, err);
	if (process->pid < 0)
		return -1;
	process->started = true;
	return process->has_tty ? console_receive(command->console_fd, process, err) : 0;
}

/* Hands the streams to the client that asked, if it is still there. */
static void connect_client(struct conn *conn, struct process *process)
{
	char text[64];

	if (!conn) {
		input_close(process);
		return;
	}
	int length = snprintf(text, sizeof text, "{\"ok\":true,\"pid\":%d}", process->pid);
	conn->role = ROLE_EXEC;
	conn->process = process;
	conn->wants[FRAME_STDOUT] = conn->wants[FRAME_STDERR] = !process->detached;
	conn_send(conn, FRAME_REPLY, text, (size_t)length);
	conn_update(conn);
}

/* The runtime's exec has ended: the process runs, or could not be started. */
void exec_ended(struct command *command, int status)
{
	struct process *process = command->process;
	struct ts_err err = {0};

	if (status != 0)
		runtime_error(command->error_fd >= 0 ? command->error_fd
						     : process->outputs[1].source.fd,
			      "exec", &err);
	if (status != 0 || take_process(command, process, &err) < 0) {
		forget(process);
		reply_error(command->conn, &err);
		return;
	}
	remove_exec_file(process, "json");
	remove_exec_file(process, "sock");
	connect_client(command->conn, process);
	start_streams(process);
	for (size_t i = 0; i < MAX_ORPHANS; i++) {
		struct orphan *orphan = &shim.orphans[i];
		if (orphan->pid != process->pid)
			continue;
		orphan->pid = 0;
		process_exited(process, orphan->status, orphan->finished);
		return;
	}
}
