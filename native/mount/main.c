/*
 * tswarm-mount: mounts and unmounts for the worker, which as a JavaScript program has no mount(2).
 *
 *     tswarm-mount serve [--old-calls]    one JSON request per line on stdin, one answer per line
 *     tswarm-mount sync DIR               syncfs of the file system that holds DIR
 *
 * Answers: {"id":N,"ok":true} or {"id":N,"ok":false,"error":{code,op,path,errno,message}}, in the
 * order of the requests. It ends with its input; what it has mounted stays mounted.
 * It refuses to be anything but a thin hand for the worker: it keeps no list and decides nothing.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"
#include "lines.h"
#include "mount.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_BAD_REQUEST = 2 };

/* 500 layer paths of PATH_MAX would be 2 MiB; real ones are some 150 bytes. */
#define LINE_BYTES_MAX (1024 * 1024)

static int run(const struct ts_json *req, const struct mount_options *opt, struct ts_err *err)
{
	const char *op = "";

	if (ts_json_opt_str(req, "op", "", &op, err) < 0)
		return -1;
	if (strcmp(op, "overlay") == 0)
		return op_overlay(req, opt, err);
	if (strcmp(op, "umount") == 0)
		return op_umount(req, err);
	if (strcmp(op, "bind") == 0)
		return op_bind(req, err);
	if (strcmp(op, "tmpfs") == 0)
		return op_tmpfs(req, err);
	if (strcmp(op, "ping") == 0)
		return 0;
	return ts_fail(err, TS_E_INVALID, 0, "request", "op", "op: \"%s\" is not known", op);
}

/* Answers one line. -1 = the answer could not be written. */
static int handle(const char *line, size_t len, void *context)
{
	const struct mount_options *opt = context;
	struct ts_json_doc *doc = NULL;
	struct ts_err err = {0};
	uint64_t id = 0;
	cleanup_buf struct ts_buf out = TS_BUF_INIT;
	struct ts_json *req = ts_json_parse(line, len, &doc, &err);
	int result = -1;

	if (req && ts_json_opt_u64(req, "id", "", &id, &err) >= 0)
		result = run(req, opt, &err);
	ts_buf_printf(&out, "{\"id\":%llu,\"ok\":%s", (unsigned long long)id,
		      result < 0 ? "false,\"error\":" : "true");
	if (result < 0)
		ts_err_to_json(&err, &out);
	ts_buf_puts(&out, "}\n");
	ts_json_free(&doc);
	return ts_write_all(STDOUT_FILENO, out.data, out.len);
}

int main(int argc, char **argv)
{
	struct mount_options opt = {0};
	struct ts_err err = {0};

	/* The worker's end being closed is seen as an error of write(2). */
	signal(SIGPIPE, SIG_IGN);
	if (argc >= 2 && argc <= 3 && strcmp(argv[1], "serve") == 0) {
		opt.old_calls = argc == 3 && strcmp(argv[2], "--old-calls") == 0;
		if (argc == 2 || opt.old_calls) {
			/* Ctrl-C in a terminal must not take the hand away before the worker. */
			signal(SIGINT, SIG_IGN);
			return ts_lines_serve(STDIN_FILENO, LINE_BYTES_MAX, handle, &opt);
		}
	}
	if (argc == 3 && strcmp(argv[1], "sync") == 0) {
		if (op_sync(argv[2], &err) == 0)
			return EXIT_OK;
		ts_err_print(&err, STDERR_FILENO);
		return EXIT_FAILED;
	}
	ts_fail(&err, TS_E_BAD_REQUEST, 0, "arguments", "",
		"usage: tswarm-mount serve [--old-calls] | sync DIR");
	ts_err_print(&err, STDERR_FILENO);
	return EXIT_BAD_REQUEST;
}
