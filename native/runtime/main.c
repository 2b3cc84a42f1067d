/*
 * tswarm-runtime: an OCI runtime (runtime-spec 1.x) with the command line that callers of runc use.
 *
 * Reads the global options, finds the verb, prints the error. Reads no environment variables.
 * Exit codes: 0 = ok, 1 = failed, 2 = wrong command line; `run` and `exec` that wait give the
 * program's code.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "runtime.h"

static const struct {
	const char *name;
	verb_fn *run;
	const char *help;
} verbs[] = {
    {"create", cmd_create, "[--bundle DIR] [--pid-file F] [--console-socket S] ID"},
    {"run", cmd_run, "[--detach] [--keep] [options of create] ID"},
    {"start", cmd_start, "ID"},
    {"state", cmd_state, "ID"},
    {"kill", cmd_kill, "[--all] ID [SIGNAL]"},
    {"delete", cmd_delete, "[--force] ID"},
    {"exec", cmd_exec, "[--process F] [--detach] [--tty] [--user U] [--cwd D] ID ARG..."},
    {"list", cmd_list, "[--format table|json] [--quiet]"},
    {"ps", cmd_ps, "[--format table|json] ID"},
    {"pause", cmd_pause, "ID"},
    {"resume", cmd_resume, "ID"},
    {"update", cmd_update, "[--resources FILE|-] ID"},
    {"events", cmd_events, "[--stats] [--interval SECONDS] ID"},
    {"features", cmd_features, ""},
    {NULL, NULL, NULL},
};

static int usage(int fd)
{
	dprintf(
	    fd,
	    "usage: tswarm-runtime [--root DIR] [--log FILE] [--log-format text|json] VERB ...\n");
	for (size_t i = 0; verbs[i].name; i++)
		dprintf(fd, "  %-9s %s\n", verbs[i].name, verbs[i].help);
	return fd == STDOUT_FILENO ? 0 : 2;
}

static int run(int argc, char **argv, struct ts_err *err)
{
	struct globals g = {.root = RUNTIME_ROOT_DEFAULT, .argv = argv};
	const char *log = NULL, *format = "text", *manager = NULL;
	bool debug = false, version = false, help = false;
	/* --debug and --cgroup-manager change nothing: callers of runc and crun pass them always.
	 */
	const struct option_spec specs[] = {
	    {"--root", 0, &g.root, NULL, NULL},
	    {"--log", 0, &log, NULL, NULL},
	    {"--log-format", 0, &format, NULL, NULL},
	    {"--cgroup-manager", 0, &manager, NULL, NULL},
	    {"--systemd-cgroup", 0, NULL, &g.systemd_cgroup, NULL},
	    {"--debug", 0, NULL, &debug, NULL},
	    {"--version", 'v', NULL, &version, NULL},
	    {"--help", 'h', NULL, &help, NULL},
	    {0},
	};
	int i = parse_options(argc, argv, specs, err);

	if (i < 0)
		return -1;
	if (version)
		return printf("tswarm-runtime version " RUNTIME_VERSION "\nspec: 1.3.0\n") < 0;
	if (help || i == argc)
		return usage(help ? STDOUT_FILENO : STDERR_FILENO);
	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "--log-format: must be text or json");
	if (g.root[0] != '/')
		g.root = absolute_path(g.root);
	if (log_open(log, strcmp(format, "json") == 0, err) < 0)
		return -1;
	for (size_t v = 0; verbs[v].name; v++)
		if (strcmp(argv[i], verbs[v].name) == 0)
			return verbs[v].run(&g, argc - i, argv + i, err);
	return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL, "unknown verb \"%.64s\"",
		       argv[i]);
}

int main(int argc, char **argv)
{
	struct ts_err err = {0};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	umask(022);
	rc = run(argc, argv, &err);
	if (rc >= 0)
		return rc;
	log_error(&err);
	return strcmp(err.code, TS_E_BAD_REQUEST) == 0 ? 2 : 1;
}
