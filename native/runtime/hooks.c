/*
 * Implementation of hooks.h. The state goes in, and what a hook says comes out, through memory
 * files: no pipe can fill up and block, and nothing is opened by a path that a container could
 * control.
 */
#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "log.h"
#include "proc.h"
#include "sys.h"

#define OUTPUT_SHOWN 400

const char *hooks_kind_name(enum hook_kind kind)
{
	static const char *const names[HOOK_KINDS] = {"prestart",	 "createRuntime",
						      "createContainer", "startContainer",
						      "poststart",	 "poststop"};
	return names[kind];
}

static void exec_hook(const struct hook_spec *hook, int in, int out)
{
	const char *const self[] = {hook->path, NULL}, *const none[] = {NULL};
	sigset_t all;

	setpgid(0, 0);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
	    ts_close_range(3, ~0u, 0) < 0)
		_exit(127);
	execve(hook->path, (char *const *)(hook->args ? hook->args : self),
	       (char *const *)(hook->env ? hook->env : none));
	dprintf(2, "cannot execute: %s", strerror(errno));
	_exit(127);
}

/* Its last words, as one line. */
static void read_output(int out, char *text, size_t size)
{
	off_t end = lseek(out, 0, SEEK_END);
	ssize_t n = pread(out, text, size - 1, end > (off_t)size - 1 ? end - (off_t)size + 1 : 0);

	text[n > 0 ? n : 0] = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
}

static int run_one(const struct hook_spec *hook, const char *where, const struct ts_buf *json,
		   struct ts_err *err)
{
	cleanup_fd int in = memfd_create("state", MFD_CLOEXEC);
	cleanup_fd int out = memfd_create("hook", MFD_CLOEXEC);
	cleanup_fd int pidfd = -1;
	char said[OUTPUT_SHOWN];
	siginfo_t info = {0};
	pid_t pid;

	if (in < 0 || out < 0 || ts_write_all(in, json->data, json->len) < 0 ||
	    lseek(in, 0, SEEK_SET) < 0)
		return ts_fail_errno(err, "memfd", hook->path, "%s: cannot prepare its input",
				     where);
	pid = fork();
	if (pid < 0)
		return ts_fail_errno(err, "fork", hook->path, "%s: cannot fork", where);
	if (pid == 0)
		exec_hook(hook, in, out);
	pidfd = ts_pidfd_open(pid);
	if (hook->timeout_s > 0 && pidfd >= 0 && ts_proc_wait(pidfd, hook->timeout_s * 1000) == 0) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		waitid(P_PID, (id_t)pid, &info, WEXITED);
		return ts_fail(err, TS_E_HOOK, ETIMEDOUT, "hook", hook->path,
			       "%s: %s ran longer than %d s and was killed", where, hook->path,
			       hook->timeout_s);
	}
	while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		if (errno != EINTR)
			return ts_fail_errno(err, "waitid", hook->path, "%s: cannot wait for it",
					     where);
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	read_output(out, said, sizeof(said));
	return ts_fail(err, TS_E_HOOK, 0, "hook", hook->path, "%s: %s ended with %s %d: %s", where,
		       hook->path, info.si_code == CLD_EXITED ? "exit code" : "signal",
		       info.si_status, said);
}

/*
 * Is a failure of this kind of hook a warning, behind which the others run? Of poststop hooks always:
 * each has something of its own to take down. Of poststart hooks by the specification before 1.2;
 * since then it stops the container. The configuration says which one it was written for.
 */
static bool failure_is_warning(const struct config *config, enum hook_kind kind)
{
	unsigned minor = 0;

	if (kind == HOOK_POSTSTART)
		return sscanf(config->oci_version, "1.%u", &minor) == 1 && minor < 2;
	return kind == HOOK_POSTSTOP;
}

int hooks_run(const struct config *config, enum hook_kind kind, const struct state *state,
	      enum status status, struct ts_err *err)
{
	const struct hook_list *list = &config->hooks[kind];
	cleanup_buf struct ts_buf json = TS_BUF_INIT;

	if (list->count == 0)
		return 0;
	state_to_json(state, status, &json);
	for (size_t i = 0; i < list->count; i++) {
		char where[64];

		snprintf(where, sizeof(where), "hooks.%s[%zu]", hooks_kind_name(kind), i);
		if (run_one(&list->items[i], where, &json, err) == 0)
			continue;
		if (!failure_is_warning(config, kind))
			return -1;
		log_warn("%s", err->message);
		memset(err, 0, sizeof(*err));
	}
	return 0;
}
