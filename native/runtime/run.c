/*
 * `run`: create, start and, unless detached, wait and delete, for people at a terminal and for test
 * suites. With process.terminal and no console socket the terminal is served here.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "console.h"
#include "log.h"
#include "runtime.h"
#include "sys.h"

static int drop(const struct globals *g, const char *id)
{
	struct ts_err err = {0};

	if (delete_container(g, id, true, &err) < 0)
		log_warn("%s", err.message);
	return -1;
}

int cmd_run(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	struct create_options o = {.console_fd = -1};
	cleanup_fd int console = -1, far_end = -1, master = -1, pidfd = -1;
	pid_t pid;
	int code, pair[2];

	if (parse_create_options(argc, argv, &o, err) < 0)
		return -1;
	if (!o.console_socket && !o.detach) {
		/* Not used when the process has no terminal. */
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return ts_fail_errno(err, "socketpair", NULL,
					     "cannot create a socket pair");
		console = pair[0];
		o.console_fd = far_end = pair[1];
	}
	if (create_container(g, &o, &pid, err) < 0)
		return -1;
	pidfd = ts_pidfd_open(pid);
	ts_cleanup_fd(&far_end);
	far_end = -1;
	if (console >= 0) {
		struct ts_err none = {0};

		master = console_receive(console, &none);
		if (master < 0)
			master = -1;
	}
	if (start_container(g, o.id, err) < 0)
		return drop(g, o.id);
	if (o.detach)
		return 0;
	code = relay_until_exit(pid, pidfd, master);
	if (!o.keep && delete_container(g, o.id, true, err) < 0)
		return -1;
	return code;
}
