/*
 * tswarm-shim: the keeper of one container. Command line and the step into the background.
 *
 * The caller's process stays in the foreground until the container is created (exit 0) or could not
 * be (one JSON line on stderr, exit 1; 2 for a bad command line). The child of it is the shim.
 * It reads no environment variable.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs.h"
#include "shim.h"
#include "sys.h"

struct shim shim = {.state_fd = -1, .epoll_fd = -1, .oom_fd = -1};

enum { EXIT_FAILED = 1, EXIT_BAD_REQUEST = 2 };

enum option_number {
	OPTION_ID = 1,
	OPTION_BUNDLE,
	OPTION_STATE,
	OPTION_RUNTIME,
	OPTION_RUNTIME_ROOT,
	OPTION_LOG_FILE,
	OPTION_LOG_MAX_BYTES,
	OPTION_LOG_MAX_FILES,
	OPTION_TTY,
	OPTION_STDIN,
	OPTION_CGROUP_OOM,
};

static const struct option long_options[] = {
    {"id", required_argument, NULL, OPTION_ID},
    {"bundle", required_argument, NULL, OPTION_BUNDLE},
    {"state", required_argument, NULL, OPTION_STATE},
    {"runtime", required_argument, NULL, OPTION_RUNTIME},
    {"runtime-root", required_argument, NULL, OPTION_RUNTIME_ROOT},
    {"log-file", required_argument, NULL, OPTION_LOG_FILE},
    {"log-max-bytes", required_argument, NULL, OPTION_LOG_MAX_BYTES},
    {"log-max-files", required_argument, NULL, OPTION_LOG_MAX_FILES},
    {"tty", no_argument, NULL, OPTION_TTY},
    {"stdin", no_argument, NULL, OPTION_STDIN},
    {"cgroup-oom", required_argument, NULL, OPTION_CGROUP_OOM},
    {NULL, 0, NULL, 0},
};

static int parse_number(const char *name, const char *text, uint64_t *number, struct ts_err *err)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > INT64_MAX)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", name,
			       "--%s wants a whole number, not \"%s\"", name, text);
	*number = value;
	return 0;
}

static int require_absolute(const char *name, const char *value, struct ts_err *err)
{
	if (!value)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", name, "--%s is required", name);
	if (value[0] != '/')
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", name,
			       "--%s must be an absolute path, not \"%s\"", name, value);
	return 0;
}

static int check_options(struct options *o, struct ts_err *err)
{
	if (!o->id || !o->id[0])
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", "id", "--id is required");
	if (require_absolute("bundle", o->bundle, err) < 0 ||
	    require_absolute("state", o->state, err) < 0 ||
	    require_absolute("runtime", o->runtime, err) < 0 ||
	    require_absolute("runtime-root", o->runtime_root, err) < 0)
		return -1;
	if (o->log_file && require_absolute("log-file", o->log_file, err) < 0)
		return -1;
	if (o->cgroup_oom && require_absolute("cgroup-oom", o->cgroup_oom, err) < 0)
		return -1;
	return 0;
}

static int parse_options(int argc, char **argv, struct options *o, struct ts_err *err)
{
	int option;

	o->log_max_files = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPTION_ID:
			o->id = optarg;
			break;
		case OPTION_BUNDLE:
			o->bundle = optarg;
			break;
		case OPTION_STATE:
			o->state = optarg;
			break;
		case OPTION_RUNTIME:
			o->runtime = optarg;
			break;
		case OPTION_RUNTIME_ROOT:
			o->runtime_root = optarg;
			break;
		case OPTION_LOG_FILE:
			o->log_file = optarg;
			break;
		case OPTION_CGROUP_OOM:
			o->cgroup_oom = optarg;
			break;
		case OPTION_TTY:
			o->tty = true;
			break;
		case OPTION_STDIN:
			o->open_stdin = true;
			break;
		case OPTION_LOG_MAX_BYTES:
			if (parse_number("log-max-bytes", optarg, &o->log_max_bytes, err) < 0)
				return -1;
			break;
		case OPTION_LOG_MAX_FILES:
			if (parse_number("log-max-files", optarg, &o->log_max_files, err) < 0)
				return -1;
			break;
		default:
			return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", argv[optind - 1],
				       "unknown option, or an option without its value: %s",
				       argv[optind - 1]);
		}
	}
	if (optind < argc)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", argv[optind],
			       "unexpected argument: %s", argv[optind]);
	return check_options(o, err);
}

/* Waits for the child's word: nothing but "+" when the container is created, else an error line. */
static int foreground(int from_child)
{
	char text[8192];
	ssize_t n;
	size_t total = 0;

	while (total < sizeof text &&
	       (n = read(from_child, text + total, sizeof text - total)) != 0) {
		if (n > 0)
			total += (size_t)n;
		else if (errno != EINTR)
			break;
	}
	if (total == 1 && text[0] == '+')
		return 0;
	if (total == 0) {
		struct ts_err err = {0};
		ts_fail(&err, "internal", 0, "create", NULL,
			"the shim's process ended before it had created the container");
		ts_err_print(&err, STDERR_FILENO);
	} else {
		ts_write_all(STDERR_FILENO, text, total);
	}
	return EXIT_FAILED;
}

/* Leaves the caller's session, folder and descriptors; `keep` stays open. Returns its new number.
 */
static int detach_from_caller(int keep)
{
	setsid();
	if (chdir("/") < 0)
		return -1;
	int null = open("/dev/null", O_RDWR | O_NOCTTY);
	if (null < 0)
		return -1;
	if (keep < 3) {
		keep = fcntl(keep, F_DUPFD_CLOEXEC, 3);
		if (keep < 0)
			return -1;
	}
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return -1;
	if (dup3(keep, 3, O_CLOEXEC) < 0 && keep != 3)
		return -1;
	ts_close_range(4, ~0U, 0);
	return 3;
}

static int background(int to_parent)
{
	struct ts_err err = {0};

	to_parent = detach_from_caller(to_parent);
	if (to_parent < 0)
		return EXIT_FAILED;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		ts_fail_errno(&err, "prctl", NULL, "cannot become the reaper of the container");
	if (ts_err_is_set(&err) || set_up(&err) < 0) {
		undo_set_up();
		ts_err_print(&err, to_parent);
		return EXIT_FAILED;
	}
	/* A caller that has gone is no reason to stop: the container is found by its state folder.
	 */
	if (write(to_parent, "+", 1) < 0) {
	}
	close(to_parent);
	return run_loop();
}

int main(int argc, char **argv)
{
	struct ts_err err = {0};
	int channel[2];

	if (parse_options(argc, argv, &shim.options, &err) < 0) {
		ts_err_print(&err, STDERR_FILENO);
		return EXIT_BAD_REQUEST;
	}
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(channel, O_CLOEXEC) < 0) {
		ts_fail_errno(&err, "pipe", NULL, "cannot make a pipe");
		ts_err_print(&err, STDERR_FILENO);
		return EXIT_FAILED;
	}
	pid_t child = fork();
	if (child < 0) {
		ts_fail_errno(&err, "fork", NULL, "cannot fork");
		ts_err_print(&err, STDERR_FILENO);
		return EXIT_FAILED;
	}
	if (child == 0) {
		close(channel[0]);
		return background(channel[1]);
	}
	close(channel[1]);
	return foreground(channel[0]);
}
