/*
 * `update`: new limits for an existing container, as an OCI resources object (--resources FILE or
 * -), or by single options with runc's names. Only what is given is changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "runtime.h"

static int number(const char *text, const char *option, int64_t *out, struct ts_err *err)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (!*text || *end || errno)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "%s: \"%.64s\" is no number", option, text);
	return 0;
}

static int set_i64(const char *text, const char *option, struct opt_i64 *out, struct ts_err *err)
{
	if (!text)
		return 0;
	out->set = true;
	return number(text, option, &out->v, err);
}

static int set_u64(const char *text, const char *option, struct opt_u64 *out, struct ts_err *err)
{
	struct opt_i64 v = {0};

	if (!text)
		return 0;
	if (set_i64(text, option, &v, err) < 0)
		return -1;
	if (v.v < 0)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "%s: must not be negative", option);
	*out = (struct opt_u64){true, (uint64_t)v.v};
	return 0;
}

static int read_resources(const char *file, struct ts_buf *text, struct ts_json_doc **doc,
			  struct resources *res, struct ts_err *err)
{
	const struct ts_json *node;

	if (strcmp(file, "-") == 0) {
		if (ts_read_all(STDIN_FILENO, text, CONFIG_BYTES_MAX) < 0)
			return ts_fail_errno(err, "read", NULL, "--resources: cannot read stdin");
	} else if (ts_read_file_at(AT_FDCWD, file, text, CONFIG_BYTES_MAX, err) < 0) {
		return -1;
	}
	node = ts_json_parse(text->data, text->len, doc, err);
	if (!node)
		return ts_err_prefix(err, "--resources");
	if (node->type != TS_JSON_OBJECT)
		return ts_fail(err, TS_E_INVALID, 0, "config", NULL,
			       "--resources: must be an object");
	return config_parse_resources(*doc, node, res, err);
}

int cmd_update(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	const char *file = NULL, *memory = NULL, *reservation = NULL, *swap = NULL, *shares = NULL,
		   *quota = NULL, *period = NULL, *cpus = NULL, *mems = NULL, *pids = NULL,
		   *weight = NULL;
	const struct option_spec specs[] = {
	    {"--resources", 'r', &file, NULL, NULL},
	    {"--memory", 0, &memory, NULL, NULL},
	    {"--memory-reservation", 0, &reservation, NULL, NULL},
	    {"--memory-swap", 0, &swap, NULL, NULL},
	    {"--cpu-share", 0, &shares, NULL, NULL},
	    {"--cpu-quota", 0, &quota, NULL, NULL},
	    {"--cpu-period", 0, &period, NULL, NULL},
	    {"--cpuset-cpus", 0, &cpus, NULL, NULL},
	    {"--cpuset-mems", 0, &mems, NULL, NULL},
	    {"--pids-limit", 0, &pids, NULL, NULL},
	    {"--blkio-weight", 0, &weight, NULL, NULL},
	    {0},
	};
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_cgroup struct cgroup cg = {0};
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	cleanup_json struct ts_json_doc *doc = NULL;
	struct resources res = {0};
	enum status status;
	int i = parse_options(argc, argv, specs, err);

	if (i < 0)
		return -1;
	if (i != argc - 1)
		return ts_fail(
		    err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
		    "usage: tswarm-runtime update [--resources FILE|-] [--memory BYTES] ... ID");
	if (file && read_resources(file, &text, &doc, &res, err) < 0)
		return -1;
	if (set_i64(memory, "--memory", &res.memory_limit, err) < 0 ||
	    set_i64(reservation, "--memory-reservation", &res.memory_reservation, err) < 0 ||
	    set_i64(swap, "--memory-swap", &res.memory_swap, err) < 0 ||
	    set_u64(shares, "--cpu-share", &res.cpu_shares, err) < 0 ||
	    set_i64(quota, "--cpu-quota", &res.cpu_quota, err) < 0 ||
	    set_u64(period, "--cpu-period", &res.cpu_period, err) < 0 ||
	    set_i64(pids, "--pids-limit", &res.pids_limit, err) < 0 ||
	    set_u64(weight, "--blkio-weight", &res.blkio_weight, err) < 0)
		return -1;
	res.cpuset_cpus = cpus ? cpus : res.cpuset_cpus;
	res.cpuset_mems = mems ? mems : res.cpuset_mems;
	if (container_open(g, argv[i], true, &c, err) < 0)
		return -1;
	status = state_status(c.dir_fd, &c.state);
	if (status == STATUS_STOPPED || status == STATUS_CREATING)
		return ts_fail(err, TS_E_STATE, 0, "update", argv[i],
			       "cannot update container %s: it is %s", argv[i],
			       state_status_name(status));
	return container_cgroup(&c, &cg, err) < 0 ? -1 : cgroup_apply(&cg, &res, false, err);
}
