/*
 * `events`: what a container uses, as runc's JSON lines {"type":"stats","id":...,"data":{...}},
 * once
 * (--stats) or at an interval until the container ends. A file that this kernel lacks is left out.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "json-write.h"
#include "proc.h"
#include "runtime.h"

/* Appends "key":value when the file can be read. */
static void put_file(struct ts_buf *out, const struct cgroup_hierarchy *h, const char *file,
		     const char *key)
{
	long long v;

	if (h && cgroup_read_i64(h->fd, file, &v) == 0)
		ts_buf_printf(out, "%s\"%s\":%lld", out->data[out->len - 1] == '{' ? "" : ",", key,
			      v);
}

/* Appends the "name value" lines of a file as members, values multiplied. */
static void put_lines(struct ts_buf *out, const struct cgroup_hierarchy *h, const char *file)
{
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	struct ts_err ignored = {0};
	char *save = NULL;

	if (!h || ts_read_file_at(h->fd, file, &text, 65536, &ignored) < 0)
		return;
	for (char *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');

		if (!space || strchr(line, '"'))
			continue;
		*space = '\0';
		ts_buf_printf(out, "%s\"%s\":%lld", out->data[out->len - 1] == '{' ? "" : ",", line,
			      strtoll(space + 1, NULL, 10));
	}
}

static void put_v1(const struct cgroup *cg, struct ts_buf *out)
{
	const struct cgroup_hierarchy *cpu = cgroup_find(cg, "cpu"),
				      *acct = cgroup_find(cg, "cpuacct"),
				      *memory = cgroup_find(cg, "memory"),
				      *pids = cgroup_find(cg, "pids");

	ts_buf_puts(out, "\"cpu\":{\"usage\":{");
	put_file(out, acct, "cpuacct.usage", "total");
	put_file(out, acct, "cpuacct.usage_sys", "kernel");
	put_file(out, acct, "cpuacct.usage_user", "user");
	ts_buf_puts(out, "},\"throttling\":{");
	put_lines(out, cpu, "cpu.stat");
	ts_buf_puts(out, "}},\"memory\":{\"usage\":{");
	put_file(out, memory, "memory.limit_in_bytes", "limit");
	put_file(out, memory, "memory.usage_in_bytes", "usage");
	put_file(out, memory, "memory.max_usage_in_bytes", "max");
	put_file(out, memory, "memory.failcnt", "failcnt");
	ts_buf_puts(out, "},\"swap\":{");
	put_file(out, memory, "memory.memsw.limit_in_bytes", "limit");
	put_file(out, memory, "memory.memsw.usage_in_bytes", "usage");
	ts_buf_puts(out, "},\"raw\":{");
	put_lines(out, memory, "memory.stat");
	ts_buf_puts(out, "}},\"pids\":{");
	put_file(out, pids, "pids.current", "current");
	put_file(out, pids, "pids.max", "limit");
	ts_buf_puts(out, "}");
}

static void put_v2(const struct cgroup *cg, struct ts_buf *out)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "");

	ts_buf_puts(out, "\"cpu\":{\"stat\":{");
	put_lines(out, h, "cpu.stat");
	ts_buf_puts(out, "}},\"memory\":{\"usage\":{");
	put_file(out, h, "memory.max", "limit");
	put_file(out, h, "memory.current", "usage");
	put_file(out, h, "memory.peak", "max");
	ts_buf_puts(out, "},\"swap\":{");
	put_file(out, h, "memory.swap.max", "limit");
	put_file(out, h, "memory.swap.current", "usage");
	ts_buf_puts(out, "},\"raw\":{");
	put_lines(out, h, "memory.stat");
	ts_buf_puts(out, "}},\"pids\":{");
	put_file(out, h, "pids.current", "current");
	put_file(out, h, "pids.max", "limit");
	ts_buf_puts(out, "}");
}

static int print_stats(const struct cgroup *cg, const char *id, struct ts_err *err)
{
	cleanup_buf struct ts_buf out = TS_BUF_INIT;

	ts_buf_puts(&out, "{\"type\":\"stats\",\"id\":");
	ts_json_put_str(&out, id);
	ts_buf_puts(&out, ",\"data\":{");
	if (cg->unified)
		put_v2(cg, &out);
	else
		put_v1(cg, &out);
	ts_buf_puts(&out, "}}\n");
	if (ts_write_all(STDOUT_FILENO, out.data, out.len) < 0)
		return ts_fail_errno(err, "write", NULL, "cannot write the statistics");
	return 0;
}

int cmd_events(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	bool once = false;
	const char *interval = "5s";
	const struct option_spec specs[] = {
	    {"--stats", 0, NULL, &once, NULL}, {"--interval", 0, &interval, NULL, NULL}, {0}};
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_cgroup struct cgroup cg = {0};
	cleanup_fd int pidfd = -1;
	int i = parse_options(argc, argv, specs, err), seconds;
	char digits[16];

	if (i < 0)
		return -1;
	snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(interval, "s"), interval);
	if (parse_count(digits, "--interval", 86400, &seconds, err) < 0)
		return -1;
	if (i != argc - 1 || seconds == 0)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "usage: tswarm-runtime events [--stats] [--interval SECONDS] ID");
	if (container_open(g, argv[i], false, &c, err) < 0 || container_cgroup(&c, &cg, err) < 0)
		return -1;
	pidfd = ts_proc_pidfd(c.state.pid, c.state.start_ticks);
	if (pidfd < 0)
		return ts_fail(err, TS_E_STATE, 0, "events", argv[i], "container %s is not running",
			       argv[i]);
	do
		if (print_stats(&cg, argv[i], err) < 0)
			return -1;
	while (!once && ts_proc_wait(pidfd, seconds * 1000) == 0);
	return 0;
}
