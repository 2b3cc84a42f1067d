/*
 * Requests of clients, and the runs of the runtime that some of them need.
 *
 * A request is answered once. Start, exec, delete and kill --all wait for the runtime; meanwhile
 * the connection is not read, and may go away without harm.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "json-write.h"
#include "shim.h"

void reply_error(struct conn *conn, const struct ts_err *err)
{
	struct ts_buf text cleanup_buf = TS_BUF_INIT;

	if (!conn)
		return;
	ts_buf_puts(&text, "{\"ok\":false,\"code\":");
	ts_json_put_str(&text, err->code);
	ts_buf_puts(&text, ",\"message\":");
	ts_json_put_str(&text, err->message);
	ts_buf_puts(&text, "}");
	conn_send(conn, FRAME_REPLY, text.data, text.len);
	conn_close_when_sent(conn);
}

static void reply(struct conn *conn, const char *text)
{
	conn_send(conn, FRAME_REPLY, text, strlen(text));
}

static void reply_done(struct conn *conn)
{
	if (!conn)
		return;
	reply(conn, "{\"ok\":true}");
	conn_close_when_sent(conn);
}

/* Takes a free slot for a run of the runtime; NULL with *err when there is none. */
struct command *command_add(enum command_kind kind, struct conn *conn, struct ts_err *err)
{
	for (size_t i = 0; i < MAX_COMMANDS; i++) {
		struct command *command = &shim.commands[i];
		if (command->pid)
			continue;
		*command =
		    (struct command){.kind = kind, .conn = conn, .error_fd = -1, .console_fd = -1};
		return command;
	}
	ts_fail(err, "busy", 0, "request", NULL, "too many requests at once (%d)", MAX_COMMANDS);
	return NULL;
}

/* Runs a verb of the runtime whose stderr is only of interest when it fails. */
static void run_verb(struct conn *conn, enum command_kind kind, const char *const *arguments)
{
	struct ts_err err = {0};
	int ends[2];
	struct command *command = command_add(kind, conn, &err);

	if (!command) {
		reply_error(conn, &err);
		return;
	}
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		ts_fail_errno(&err, "pipe", NULL, "cannot make a pipe");
		reply_error(conn, &err);
		return;
	}
	pid_t pid = spawn_runtime(arguments, (struct stdio){-1, -1, ends[1]}, &err);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		reply_error(conn, &err);
		return;
	}
	command->pid = pid;
	command->error_fd = ends[0];
	conn->role = ROLE_ASKED;
	conn_update(conn);
}

static bool is_running(enum command_kind kind)
{
	for (size_t i = 0; i < MAX_COMMANDS; i++)
		if (shim.commands[i].pid && shim.commands[i].kind == kind)
			return true;
	return false;
}

static void fail(struct conn *conn, const char *code, const char *message)
{
	struct ts_err err = {0};

	ts_fail(&err, code, 0, "request", NULL, "%s", message);
	reply_error(conn, &err);
}

static void request_start(struct conn *conn, const struct ts_json *request)
{
	const char *arguments[] = {"start", shim.options.id, NULL};

	(void)request;
	if (shim.container.exited) {
		fail(conn, TS_E_STATE, "the container has ended; create it again to start it");
		return;
	}
	if (shim.has_started || is_running(COMMAND_START)) {
		fail(conn, TS_E_STATE, "the container has been started already");
		return;
	}
	clock_gettime(CLOCK_REALTIME, &shim.start_asked);
	/* Assumed until the runtime says no, so that a container that ends at once has a start
	 * time. */
	shim.has_started = true;
	run_verb(conn, COMMAND_START, arguments);
	if (!is_running(COMMAND_START))
		shim.has_started = false;
}

static void request_kill(struct conn *conn, const struct ts_json *request)
{
	struct ts_err err = {0};
	int64_t number = SIGTERM;
	bool all = false;
	char text[8];
	const char *arguments[] = {"kill", "--all", shim.options.id, text, NULL};

	if (ts_json_opt_i64(request, "signal", "kill", &number, &err) < 0 ||
	    ts_json_opt_bool(request, "all", "kill", &all, &err) < 0) {
		reply_error(conn, &err);
		return;
	}
	if (number < 1 || number > SIGRTMAX) {
		fail(conn, TS_E_INVALID, "kill.signal: must be a signal number");
		return;
	}
	if (shim.container.exited) {
		fail(conn, TS_E_STATE, "the container has ended");
		return;
	}
	if (all) {
		snprintf(text, sizeof text, "%d", (int)number);
		run_verb(conn, COMMAND_KILL, arguments);
		return;
	}
	/* The process is our child and not yet reaped: the number cannot mean another one. */
	if (kill(shim.container.pid, (int)number) < 0) {
		ts_fail_errno(&err, "kill", NULL, "cannot signal the container's process");
		reply_error(conn, &err);
		return;
	}
	reply_done(conn);
}

static void request_state(struct conn *conn, const struct ts_json *request)
{
	struct ts_buf text cleanup_buf = TS_BUF_INIT;
	int execs = 0;

	(void)request;
	for (size_t i = 0; i < MAX_EXECS; i++)
		execs += shim.execs[i].used;
	ts_buf_printf(&text, "{\"ok\":true,\"pid\":%d,\"status\":\"%s\",\"startedAt\":",
		      shim.container.exited ? 0 : shim.container.pid,
		      shim.container.exited			       ? "stopped"
		      : shim.has_started && !is_running(COMMAND_START) ? "running"
								       : "created");
	if (shim.has_started)
		put_time(&text, shim.start_asked);
	else
		ts_buf_puts(&text, "null");
	ts_buf_puts(&text, ",\"exit\":");
	if (shim.container.exited)
		exit_json(&shim.container, &text);
	else
		ts_buf_puts(&text, "null");
	ts_buf_printf(&text, ",\"execs\":%d}", execs);
	conn_send(conn, FRAME_REPLY, text.data, text.len);
	conn_close_when_sent(conn);
}

/* The container's end has been told already: tells it to this client too. */
static void send_ended(struct conn *conn)
{
	struct ts_buf text cleanup_buf = TS_BUF_INIT;

	exit_json(&shim.container, &text);
	conn_send(conn, FRAME_ENDED, text.data, text.len);
	conn_close_when_sent(conn);
}

static void request_wait(struct conn *conn, const struct ts_json *request)
{
	(void)request;
	conn->role = ROLE_WAIT;
	reply(conn, "{\"ok\":true}");
	if (shim.container.finished)
		send_ended(conn);
}

static void request_attach(struct conn *conn, const struct ts_json *request)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	struct ts_err err = {0};

	for (int i = 0; i < 3; i++) {
		if (ts_json_opt_bool(request, names[i], "attach", &conn->wants[i], &err) < 0) {
			reply_error(conn, &err);
			return;
		}
	}
	conn->role = ROLE_ATTACH;
	conn->process = &shim.container;
	reply(conn, "{\"ok\":true}");
	if (shim.container.finished) {
		conn->process = NULL;
		send_ended(conn);
	}
}

static void request_resize(struct conn *conn, const struct ts_json *request)
{
	struct ts_err err = {0};

	if (process_resize(&shim.container, request->raw, request->raw_len, &err) < 0)
		reply_error(conn, &err);
	else
		reply_done(conn);
}

static void request_delete(struct conn *conn, const struct ts_json *request)
{
	const char *arguments[] = {"delete", "--force", shim.options.id, NULL};

	(void)request;
	if (shim.deleted || shim.delete_conn || is_running(COMMAND_DELETE)) {
		fail(conn, TS_E_STATE, "the container is being deleted already");
		return;
	}
	run_verb(conn, COMMAND_DELETE, arguments);
}

/* Goes once the container is deleted and its end is recorded. */
static void leave(struct conn *conn)
{
	shim.delete_conn = NULL;
	close_source(&shim.listener);
	unlinkat(shim.state_fd, "shim.sock", 0);
	shim.deleted = true;
	shim.leave_by_ms = now_ms() + LEAVE_MS;
	reply_done(conn);
}

/* The container's end is complete. */
void container_finished(void)
{
	if (shim.delete_pending)
		leave(shim.delete_conn);
}

void handle_request(struct conn *conn, const char *text, size_t length)
{
	static const struct {
		const char *op;
		void (*handle)(struct conn *conn, const struct ts_json *request);
	} handlers[] = {
	    {"start", request_start},	{"kill", request_kill},	    {"state", request_state},
	    {"wait", request_wait},	{"attach", request_attach}, {"exec", exec_begin},
	    {"resize", request_resize}, {"delete", request_delete},
	};
	struct ts_json_doc *doc cleanup_json = NULL;
	struct ts_err err = {0};
	const char *op = NULL;

	const struct ts_json *request = ts_json_parse(text, length, &doc, &err);
	if (!request || ts_json_opt_str(request, "op", "request", &op, &err) < 0) {
		reply_error(conn, &err);
		return;
	}
	for (size_t i = 0; op && i < TS_ARRAY_LEN(handlers); i++) {
		if (strcmp(op, handlers[i].op) == 0) {
			handlers[i].handle(conn, request);
			return;
		}
	}
	ts_fail(&err, TS_E_BAD_REQUEST, 0, "request", "op",
		"request.op: unknown operation \"%s\"; update the shim or the worker",
		op ? op : "");
	reply_error(conn, &err);
}

static void reply_started(struct conn *conn)
{
	struct ts_buf text cleanup_buf = TS_BUF_INIT;

	ts_buf_printf(&text, "{\"ok\":true,\"pid\":%d,\"startedAt\":", shim.container.pid);
	put_time(&text, shim.start_asked);
	ts_buf_puts(&text, "}");
	conn_send(conn, FRAME_REPLY, text.data, text.len);
	conn_close_when_sent(conn);
}

static void verb_ended(struct command *command, int status)
{
	static const char *const verbs[] = {"start", "kill", "delete", "exec"};
	struct conn *conn = command->conn;
	struct ts_err err = {0};

	if (status != 0) {
		runtime_error(command->error_fd, verbs[command->kind], &err);
		if (command->kind == COMMAND_START)
			shim.has_started = false;
		reply_error(conn, &err);
	} else if (command->kind == COMMAND_START) {
		reply_started(conn);
	} else if (command->kind != COMMAND_DELETE) {
		reply_done(conn);
	} else if (shim.container.finished) {
		leave(conn);
	} else {
		shim.delete_pending = true;
		shim.delete_conn = conn;
	}
}

/* A run of the runtime has ended. */
void command_ended(struct command *command, int status)
{
	if (command->kind == COMMAND_EXEC)
		exec_ended(command, status);
	else
		verb_ended(command, status);
	ts_cleanup_fd(&command->error_fd);
	ts_cleanup_fd(&command->console_fd);
	command->pid = 0;
}
