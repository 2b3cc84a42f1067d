/*
 * tswarm-net: reads one JSON object a line on stdin {"id":N,"op":"…",…}, answers one a line on
 * stdout: {"id":N,"ok":true,…} or {"id":N,"ok":false,"error":{…}}. Ends with its stdin.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "cleanup.h"
#include "fs.h"
#include "json-write.h"
#include "net.h"
#include "netlink.h"

/* A full rule set of a large node is well below this; a line that is longer ends the program. */
#define LINE_BYTES_MAX (32u << 20)

static void answer_line(const struct net_host *host, const char *line, size_t len)
{
	struct ts_err err = {0};
	cleanup_json struct ts_json_doc *doc = NULL;
	cleanup_buf struct ts_buf out = TS_BUF_INIT;
	cleanup_buf struct ts_buf more = TS_BUF_INIT;
	uint64_t id = 0;
	struct ts_json *request = ts_json_parse(line, len, &doc, &err);
	int result = -1;
	if (request && ts_json_opt_u64(request, "id", "request", &id, &err) >= 0)
		result = net_request(host, doc, request, &more, &err);
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
}

int main(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	struct net_host host = {.rtnl = nl_open(),
				.netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
	if (host.rtnl < 0 || host.netns < 0) {
		struct ts_err err = {0};
		ts_fail_errno(&err, "open", "/proc/self/ns/net", "cannot reach the kernel's network");
		ts_err_print(&err, STDERR_FILENO);
		return 1;
	}
	cleanup_buf struct ts_buf input = TS_BUF_INIT;
	size_t scanned = 0;
	while (1) {
		ts_buf_reserve(&input, 65536);
		ssize_t n = read(STDIN_FILENO, input.data + input.len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : 1;
		input.len += (size_t)n;
		char *end;
		size_t start = 0;
		while ((end = memchr(input.data + scanned, '\n', input.len - scanned))) {
			answer_line(&host, input.data + start, (size_t)(end - input.data) - start);
			start = scanned = (size_t)(end - input.data) + 1;
		}
		memmove(input.data, input.data + start, input.len - start);
		input.len -= start;
		scanned = input.len;
		if (input.len > LINE_BYTES_MAX)
			return 2;
	}
}
