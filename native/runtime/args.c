/*
 * Reading command lines as runc's callers write them: --name value, --name=value, -n value, flags
 * as
 * --name or --name=true, options before the first other argument. An unknown option is an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "mem.h"
#include "runtime.h"

static int bad(struct ts_err *err, const char *what, const char *option)
{
	return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL, "%s: %.128s", what, option);
}

static const struct option_spec *find(const struct option_spec *specs, const char *arg, size_t len)
{
	for (const struct option_spec *s = specs; s->name; s++) {
		if (strlen(s->name) == len && strncmp(arg, s->name, len) == 0)
			return s;
		/* -name is --name, as Go's flag package reads it */
		if (strlen(s->name) == len + 1 && strncmp(arg, s->name + 1, len) == 0)
			return s;
		if (len == 2 && arg[0] == '-' && s->letter && arg[1] == s->letter)
			return s;
	}
	return NULL;
}

static void add_to_list(const char ***list, const char *value)
{
	size_t n = 0;

	while (*list && (*list)[n])
		n++;
	*list = ts_grow(*list, n + 2, sizeof(**list));
	(*list)[n] = value;
	(*list)[n + 1] = NULL;
}

int parse_options(int argc, char **argv, const struct option_spec *specs, struct ts_err *err)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		const char *arg = argv[i], *eq = strchr(arg, '='), *value = eq ? eq + 1 : NULL;
		const struct option_spec *s;

		if (strcmp(arg, "--") == 0)
			return i + 1;
		s = find(specs, arg, eq ? (size_t)(eq - arg) : strlen(arg));
		if (!s)
			return bad(err, "unknown option", arg);
		if (s->flag) {
			if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
				return bad(err, "must be true or false", arg);
			*s->flag = !value || strcmp(value, "true") == 0;
			continue;
		}
		if (!value) {
			if (++i == argc)
				return bad(err, "option needs a value", arg);
			value = argv[i];
		}
		if (s->list)
			add_to_list(s->list, value);
		else
			*s->value = value;
	}
	return i;
}

int parse_count(const char *text, const char *option, int max, int *out, struct ts_err *err)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (!*text || *end || errno || v < 0 || v > max)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "%s: \"%.64s\" is no number from 0 to %d", option, text, max);
	*out = (int)v;
	return 0;
}

const char *absolute_path(const char *path)
{
	char cwd[PATH_MAX], *out;

	if (!path || path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return path;
	if (asprintf(&out, "%s/%s", cwd, path) < 0)
		abort();
	return out;
}

int write_pid_file(const char *path, pid_t pid, struct ts_err *err)
{
	cleanup_free char *copy = strdup(path);
	char *slash, text[16];
	cleanup_fd int dir = -1;

	if (!copy)
		abort();
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	dir = open(slash ? (*copy ? copy : "/") : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return ts_fail_errno(err, "open", path, "--pid-file: cannot open the folder of %s",
				     path);
	snprintf(text, sizeof(text), "%d", (int)pid);
	if (ts_write_file_atomic(dir, slash ? slash + 1 : copy, text, strlen(text), 0644, false,
				 err) < 0)
		return ts_err_prefix(err, "--pid-file");
	return 0;
}

int signal_number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text && !*end)
		return n >= 0 && n < NSIG ? (int)n : -1;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int sig = 1; sig < SIGRTMIN; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && strcasecmp(text, name) == 0)
			return sig;
	}
	if (strcasecmp(text, "IOT") == 0)
		return SIGABRT;
	if (strncasecmp(text, "RTMIN", 5) == 0 || strncasecmp(text, "RTMAX", 5) == 0) {
		bool min = strncasecmp(text, "RTMIN", 5) == 0;

		n = text[5] ? strtol(text + 5, &end, 10) : 0;
		if (text[5] && *end)
			return -1;
		n += min ? SIGRTMIN : SIGRTMAX;
		return n >= SIGRTMIN && n <= SIGRTMAX ? (int)n : -1;
	}
	return -1;
}
