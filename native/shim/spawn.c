/*
 * Running the OCI runtime, and understanding why it failed.
 *
 * The runtime gets an environment of its own (PATH only), the descriptors that it is given as stdio
 * and nothing else (all others are close-on-exec), and an empty signal mask.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "json.h"
#include "shim.h"

enum { ARGUMENTS_MAX = 24 };

static const char *const runtime_environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

static _Noreturn void exec_runtime(const char *const *arguments, struct stdio stdio, pid_t parent)
{
	sigset_t none;

	/* Without the shim nobody would know of a container that a runtime goes on to create. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(127);
	if ((stdio.in >= 0 && dup2(stdio.in, STDIN_FILENO) < 0) ||
	    (stdio.out >= 0 && dup2(stdio.out, STDOUT_FILENO) < 0) ||
	    (stdio.error >= 0 && dup2(stdio.error, STDERR_FILENO) < 0))
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execve(arguments[0], (char *const *)arguments, (char *const *)runtime_environment);

	struct ts_err err = {0};
	ts_fail_errno(&err, "execve", arguments[0], "cannot run the runtime");
	ts_err_print(&err, STDERR_FILENO);
	_exit(127);
}

pid_t spawn_runtime(const char *const *arguments, struct stdio stdio, struct ts_err *err)
{
	const char *full[ARGUMENTS_MAX];
	char log_path[sizeof shim.state_path + 16];
	size_t count = 0;

	snprintf(log_path, sizeof log_path, "%s/runtime.log", shim.state_path);
	full[count++] = shim.options.runtime;
	full[count++] = "--root";
	full[count++] = shim.options.runtime_root;
	full[count++] = "--log";
	full[count++] = log_path;
	full[count++] = "--log-format";
	full[count++] = "json";
	for (size_t i = 0; arguments[i]; i++) {
		if (count == ARGUMENTS_MAX - 1)
			return ts_fail(err, "internal", 0, "spawn", NULL, "too many arguments");
		full[count++] = arguments[i];
	}
	full[count] = NULL;

	const pid_t self = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return ts_fail_errno(err, "fork", NULL, "cannot start the runtime");
	if (pid == 0)
		exec_runtime(full, stdio, self);
	return pid;
}

/* Our runtime's last error line: {"code","op","path","errno","message"}. */
static bool take_own_error(const char *text, size_t length, struct ts_err *err)
{
	struct ts_err ignored = {0};
	struct ts_json_doc *doc cleanup_json = NULL;
	const char *code = NULL, *op = "", *path = "", *message = NULL;
	int64_t errnum = 0;

	const struct ts_json *root = ts_json_parse(text, length, &doc, &ignored);
	if (!root || ts_json_opt_str(root, "code", "", &code, &ignored) != 1 ||
	    ts_json_opt_str(root, "message", "", &message, &ignored) != 1)
		return false;
	ts_json_opt_str(root, "op", "", &op, &ignored);
	ts_json_opt_str(root, "path", "", &path, &ignored);
	ts_json_opt_i64(root, "errno", "", &errnum, &ignored);
	ts_fail(err, code, 0, op, path, "%s", message);
	err->errnum = (int)errnum;
	return true;
}

/* Another runtime's words, sorted into our codes as far as they can be. */
static const char *guess_code(const char *message)
{
	if (strstr(message, "executable file not found") ||
	    strstr(message, "No such file or directory") ||
	    strstr(message, "no such file or directory"))
		return TS_E_NOT_FOUND;
	if (strstr(message, "ermission denied") || strstr(message, "xec format error"))
		return TS_E_NOT_EXECUTABLE;
	return "runtime";
}

/* The last line of runc's or crun's log: {"level","msg","time"}. */
static bool take_log_error(const char *text, size_t length, const char *verb, struct ts_err *err)
{
	struct ts_err ignored = {0};
	struct ts_json_doc *doc cleanup_json = NULL;
	const char *message = NULL;

	const struct ts_json *root = ts_json_parse(text, length, &doc, &ignored);
	if (!root || ts_json_opt_str(root, "msg", "", &message, &ignored) != 1)
		return false;
	ts_fail(err, guess_code(message), 0, verb, NULL, "%s", message);
	return true;
}

/* Cuts the last line with something in it off `text`; NULL when there is none. */
static const char *last_line(char *text, size_t *length)
{
	while (*length > 0 && (text[*length - 1] == '\n' || text[*length - 1] == '\r'))
		(*length)--;
	size_t start = *length;
	while (start > 0 && text[start - 1] != '\n')
		start--;
	if (start == *length)
		return NULL;
	text[*length] = '\0';
	*length -= start;
	return text + start;
}

/* Fills *err with the reason why the runtime failed; `error_fd` is its stderr (-1 = unknown). */
void runtime_error(int error_fd, const char *verb, struct ts_err *err)
{
	char text[ERROR_TEXT_MAX_BYTES + 1];
	size_t length = 0;
	ssize_t n;

	while (error_fd >= 0 && length < sizeof text - 1 &&
	       (n = read(error_fd, text + length, sizeof text - 1 - length)) > 0)
		length += (size_t)n;
	const char *line = last_line(text, &length);
	if (line && take_own_error(line, length, err))
		return;

	struct ts_buf log cleanup_buf = TS_BUF_INIT;
	struct ts_err ignored = {0};
	if (ts_read_file_at(shim.state_fd, "runtime.log", &log, 1 << 20, &ignored) == 0 &&
	    log.len > 0) {
		size_t log_length = log.len;
		const char *log_line = last_line(log.data, &log_length);
		unlinkat(shim.state_fd, "runtime.log", 0);
		if (log_line && take_log_error(log_line, log_length, verb, err))
			return;
	}
	ts_fail(err, line ? guess_code(line) : "runtime", 0, verb, shim.options.runtime,
		"the runtime's %s failed%s%s", verb, line ? ": " : " and gave no reason",
		line ? line : "");
}
