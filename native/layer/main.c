/*
 * tswarm-layer: everything that touches a container's or an image's files as root.
 *
 * This file is the command line: it reads the arguments of a verb and prints its answer. Answers go
 * to stdout; an error is one JSON line on stderr (exit 1, or 2 for a bad command line).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "fs.h"
#include "layer.h"

enum { EXIT_FAILED = 1, EXIT_BAD_REQUEST = 2 };

static int bad_request(struct ts_err *err, const char *option, const char *message)
{
	return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", option, "%s: %s", option, message);
}

int option_number(const char *option, const char *text, uint64_t max, uint64_t *number,
		  struct ts_err *err)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value > max)
		return bad_request(err, option, "wants a whole number that is not too large");
	*number = value;
	return 0;
}

/* The value behind an option; NULL with *err when there is none. */
const char *option_value(char ***arguments, struct ts_err *err)
{
	const char *option = **arguments;

	if (!(*arguments)[1]) {
		bad_request(err, option, "wants a value");
		return NULL;
	}
	return *++*arguments;
}

int option_unknown(const char *option, struct ts_err *err)
{
	return bad_request(err, option, "unknown option");
}

static int number_option(char ***arguments, uint64_t max, uint64_t *number, struct ts_err *err)
{
	const char *option = **arguments, *value = option_value(arguments, err);

	return value ? option_number(option, value, max, number, err) : -1;
}

static int apply_options(char **arguments, struct apply_options *o, struct ts_err *err)
{
	uint64_t uid = UINT64_MAX, gid = UINT64_MAX;

	*o = (struct apply_options){.bytes_max = APPLY_BYTES_MAX_DEFAULT,
				    .entries_max = APPLY_ENTRIES_MAX_DEFAULT};
	for (; *arguments; arguments++) {
		const char *option = *arguments;
		int result = 0;
		if (strcmp(option, "--root") == 0)
			result = (o->root = option_value(&arguments, err)) ? 0 : -1;
		else if (strcmp(option, "--path") == 0)
			result = (o->path = option_value(&arguments, err)) ? 0 : -1;
		else if (strcmp(option, "--max-bytes") == 0)
			result = number_option(&arguments, INT64_MAX, &o->bytes_max, err);
		else if (strcmp(option, "--max-entries") == 0)
			result = number_option(&arguments, INT64_MAX, &o->entries_max, err);
		else if (strcmp(option, "--chown-uid") == 0)
			result = number_option(&arguments, UINT32_MAX - 1, &uid, err);
		else if (strcmp(option, "--chown-gid") == 0)
			result = number_option(&arguments, UINT32_MAX - 1, &gid, err);
		else if (strcmp(option, "--overlay-whiteouts") == 0)
			o->overlay_whiteouts = true;
		else if (strcmp(option, "--plain") == 0)
			o->plain = true;
		else if (strcmp(option, "--keep-kind") == 0)
			o->keep_kind = true;
		else if (strcmp(option, "--unterminated-ok") == 0)
			o->unterminated_ok = true;
		else
			result = option_unknown(option, err);
		if (result < 0)
			return -1;
	}
	if (option_required("--root", o->root, err) < 0)
		return -1;
	if ((uid == UINT64_MAX) != (gid == UINT64_MAX))
		return bad_request(err, "--chown-uid", "goes together with --chown-gid");
	if (o->plain && o->overlay_whiteouts)
		return bad_request(err, "--plain", "does not go together with --overlay-whiteouts");
	o->set_owner = uid != UINT64_MAX;
	o->uid = (uint32_t)uid;
	o->gid = (uint32_t)gid;
	return 0;
}

static int verb_apply(char **arguments, struct ts_err *err)
{
	struct apply_options options;
	struct apply apply;

	if (apply_options(arguments, &options, err) < 0)
		return -1;
	int result = apply_run(&apply, &options, STDIN_FILENO, err);
	if (result == 0 &&
	    (printf("{\"bytes\":%llu,\"entries\":%llu}\n", (unsigned long long)apply.bytes,
		    (unsigned long long)apply.entries) < 0 ||
	     fflush(stdout) != 0))
		result = ts_fail_errno(err, "write", NULL, "cannot print the result");
	apply_close(&apply);
	return result;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **arguments, struct ts_err *err);
	} verbs[] = {
	    {"apply", verb_apply}, {"diff", verb_diff},	    {"tar", verb_tar},
	    {"stat", verb_stat},   {"lookup", verb_lookup},
	};
	struct ts_err err = {0};

	for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		if (verbs[i].run(argv + 2, &err) == 0)
			return 0;
		ts_err_print(&err, STDERR_FILENO);
		return strcmp(err.code, TS_E_BAD_REQUEST) == 0 ? EXIT_BAD_REQUEST : EXIT_FAILED;
	}
	ts_fail(&err, TS_E_BAD_REQUEST, 0, "options", argc > 1 ? argv[1] : "",
		"the first argument must be one of apply, diff, tar, stat, lookup");
	ts_err_print(&err, STDERR_FILENO);
	return EXIT_BAD_REQUEST;
}
