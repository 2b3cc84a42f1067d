/*
 * tswarm-net: reads one JSON object a line on stdin {"id":N,"op":"…",…}, answers one a line on
 * stdout: {"id":N,"ok":true,…} or {"id":N,"ok":false,"error":{…}}, in order; between answers there
 * may be lines {"event":"…",…}. Ends with its stdin. `tswarm-net probe` and `tswarm-net
 * resolve` are other programs: see probe.c and resolve.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "cleanup.h"
#include "fs.h"
#include "json-write.h"
#include "lines.h"
#include "net.h"

/* A full rule set of a large node is well below this; a line that is longer ends the program. */
#define LINE_BYTES_MAX (32u << 20)

enum { EXIT_FAILED = 1, EXIT_BAD_REQUEST = 2 };

static int answer_line(const char *line, size_t len, void *host)
{
	struct ts_err err = {0};
	cleanup_json struct ts_json_doc *doc = NULL;
	cleanup_buf struct ts_buf out = TS_BUF_INIT;
	cleanup_buf struct ts_buf more = TS_BUF_INIT;
	uint64_t id = 0;
	struct ts_json *request = ts_json_parse(line, len, &doc, &err);
	int result = -1;
	if (request && ts_json_opt_u64(request, "id", "request", &id, &err) >= 0)
		result = net_request(host, request, &more, &err);
	ts_buf_printf(&out, "{\"id\":%llu,\"ok\":%s", (unsigned long long)id,
		      result == 0 ? "true" : "false");
	if (result == 0 && more.len > 0)
		ts_buf_add(&out, more.data, more.len);
	if (result != 0) {
		ts_buf_puts(&out, ",\"error\":");
		ts_err_to_json(&err, &out);
	}
	ts_buf_puts(&out, "}\n");
	if (ts_write_all(STDOUT_FILENO, out.data, out.len) < 0)
		_exit(0);
	return 0;
}

static int run(struct net_host *host)
{
	struct ts_lines lines = {.bytes = TS_BUF_INIT, .max = LINE_BYTES_MAX};
	struct pollfd fds[1 + NET_WATCH_FDS];
	while (1) {
		fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
		net_watch_fds(fds + 1);
		if (poll(fds, TS_ARRAY_LEN(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return EXIT_FAILED;
		}
		net_watch_ready(fds + 1);
		if (!fds[0].revents)
			continue;
		enum ts_lines_result result = ts_lines_read(&lines, STDIN_FILENO, answer_line, host);
		if (result != TS_LINES_MORE) {
			ts_buf_free(&lines.bytes);
			return result == TS_LINES_END ? 0 : EXIT_BAD_REQUEST;
		}
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "probe") == 0)
		return net_probe(argc, argv);
	if (argc > 1 && strcmp(argv[1], "resolve") == 0)
		return net_resolve(argc, argv);
	prctl(PR_SET_DUMPABLE, 0);
	struct net_host host = {.rtnl = nl_open(NETLINK_ROUTE, 0),
				.netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
	if (host.rtnl < 0 || host.netns < 0) {
		struct ts_err err = {0};
		ts_fail_errno(&err, "open", "/proc/self/ns/net",
			      "cannot reach the kernel's network");
		ts_err_print(&err, STDERR_FILENO);
		return EXIT_FAILED;
	}
	return run(&host);
}
