/*
 * Reading the `process` object: user, arguments, capabilities, limits. Also used for `exec
 * --process`. Capabilities that nobody knows are dropped with a warning (runtime-spec 1.1 and
 * later); unknown or repeated rlimits are errors.
 */
#include <stdio.h>
#include <string.h>

#include "caps.h"
#include "config.h"
#include "log.h"

static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

static int find_rlimit(const char *name)
{
	for (size_t i = 0; i < sizeof(rlimit_names) / sizeof(rlimit_names[0]); i++)
		if (strcmp(name, rlimit_names[i].name) == 0)
			return rlimit_names[i].resource;
	return -1;
}

static int parse_rlimits(struct ts_json_doc *doc, const struct ts_json *node,
			 struct process_spec *out, struct ts_err *err)
{
	const struct ts_json *list = NULL;
	uint32_t seen = 0;

	if (ts_json_opt_node(node, "rlimits", "process", TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	if (!list)
		return 0;
	out->rlimits = ts_json_alloc(doc, (list->len + 1) * sizeof(*out->rlimits));
	ts_json_each (item, list) {
		struct rlimit_spec *r = &out->rlimits[out->rlimit_count];
		uint64_t soft = 0, hard = 0;
		char where[48];

		snprintf(where, sizeof(where), "process.rlimits[%zu]", out->rlimit_count);
		if (ts_json_opt_str(item, "type", where, &r->name, err) < 0 ||
		    ts_json_opt_u64(item, "soft", where, &soft, err) < 0 ||
		    ts_json_opt_u64(item, "hard", where, &hard, err) < 0)
			return -1;
		r->resource = r->name ? find_rlimit(r->name) : -1;
		if (r->resource < 0)
			return config_invalid(err, where, "%s.type: \"%s\" is no resource limit",
					      where, r->name ? r->name : "");
		if (seen & (1u << r->resource))
			return config_invalid(err, where, "%s.type: %s is given twice", where,
					      r->name);
		if (soft > hard)
			return config_invalid(err, where,
					      "%s: the soft limit is above the hard limit", where);
		seen |= 1u << r->resource;
		r->limit = (struct rlimit){.rlim_cur = soft, .rlim_max = hard};
		out->rlimit_count++;
	}
	return 0;
}

static int parse_user(struct ts_json_doc *doc, const struct ts_json *node, struct process_spec *out,
		      struct ts_err *err)
{
	const struct ts_json *user = NULL, *groups = NULL;
	uint32_t mask;
	int rc;

	out->umask = -1;
	if (ts_json_opt_node(node, "user", "process", TS_JSON_OBJECT, &user, err) < 0 ||
	    ts_json_opt_u32(user, "uid", "process.user", &out->uid, err) < 0 ||
	    ts_json_opt_u32(user, "gid", "process.user", &out->gid, err) < 0 ||
	    ts_json_opt_node(user, "additionalGids", "process.user", TS_JSON_ARRAY, &groups, err) <
		0)
		return -1;
	if (out->uid == UINT32_MAX || out->gid == UINT32_MAX)
		return config_invalid(err, "process.user",
				      "process.user: 4294967295 is no valid id");
	rc = ts_json_opt_u32(user, "umask", "process.user", &mask, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		if (mask > 0777)
			return config_invalid(err, "process.user.umask",
					      "process.user.umask: must be 0 to 511 (octal 0777)");
		out->umask = (int)mask;
	}
	if (!groups)
		return 0;
	if (groups->len > 65536)
		return config_invalid(err, "process.user.additionalGids",
				      "process.user.additionalGids: more than 65536");
	out->groups = ts_json_alloc(doc, (groups->len + 1) * sizeof(*out->groups));
	ts_json_each (item, groups) {
		if (item->type != TS_JSON_NUMBER || !item->integer || item->negative ||
		    item->magnitude >= UINT32_MAX)
			return config_invalid(err, "process.user.additionalGids",
					      "process.user.additionalGids: must be group numbers");
		out->groups[out->group_count++] = (gid_t)item->magnitude;
	}
	return 0;
}

static int parse_caps(struct ts_json_doc *doc, const struct ts_json *node, struct process_spec *out,
		      struct ts_err *err)
{
	static const char *const sets[CAP_SETS] = {"bounding", "effective", "permitted",
						   "inheritable", "ambient"};
	const struct ts_json *caps = NULL;

	if (ts_json_opt_node(node, "capabilities", "process", TS_JSON_OBJECT, &caps, err) < 0)
		return -1;
	if (!caps)
		return 0;
	out->has_caps = true;
	for (int set = 0; set < CAP_SETS; set++) {
		const char *const *names = NULL;
		size_t count = 0;

		if (ts_json_opt_strv(doc, caps, sets[set], "process.capabilities", &names, &count,
				     err) < 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			int cap = caps_number(names[i]);

			if (cap < 0)
				log_warn(
				    "process.capabilities.%s: unknown capability %s is left out",
				    sets[set], names[i]);
			else
				out->caps[set] |= (uint64_t)1 << cap;
		}
	}
	return 0;
}

static int parse_io_priority(const struct ts_json *node, struct process_spec *out,
			     struct ts_err *err)
{
	static const char *const classes[] = {"", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
					      "IOPRIO_CLASS_IDLE"};
	const struct ts_json *io = NULL;
	const char *name = "";
	int64_t level = 0;

	if (ts_json_opt_node(node, "ioPriority", "process", TS_JSON_OBJECT, &io, err) < 0)
		return -1;
	if (!io)
		return 0;
	if (ts_json_opt_str(io, "class", "process.ioPriority", &name, err) < 0 ||
	    ts_json_opt_i64(io, "priority", "process.ioPriority", &level, err) < 0)
		return -1;
	if (level < 0 || level > 7)
		return config_invalid(err, "process.ioPriority.priority",
				      "process.ioPriority.priority: must be 0 to 7");
	for (int class = 1; class <= 3; class ++)
		if (strcmp(name, classes[class]) == 0) {
			out->has_io_priority = true;
			out->io_priority = (class << 13) | (int)level;
			return 0;
		}
	return config_invalid(err, "process.ioPriority.class",
			      "process.ioPriority.class: \"%s\" is none", name);
}

static int parse_console(const struct ts_json *node, struct process_spec *out, struct ts_err *err)
{
	const struct ts_json *size = NULL;
	uint64_t rows = 0, columns = 0;

	if (ts_json_opt_bool(node, "terminal", "process", &out->terminal, err) < 0 ||
	    ts_json_opt_node(node, "consoleSize", "process", TS_JSON_OBJECT, &size, err) < 0 ||
	    ts_json_opt_u64(size, "height", "process.consoleSize", &rows, err) < 0 ||
	    ts_json_opt_u64(size, "width", "process.consoleSize", &columns, err) < 0)
		return -1;
	if (rows > UINT16_MAX || columns > UINT16_MAX)
		return config_invalid(err, "process.consoleSize",
				      "process.consoleSize: height and width are at most 65535");
	out->console_rows = (uint16_t)rows;
	out->console_columns = (uint16_t)columns;
	return 0;
}

int config_parse_process(struct ts_json_doc *doc, const struct ts_json *node,
			 struct process_spec *out, struct ts_err *err)
{
	const struct ts_json *affinity;
	int64_t adj;
	int rc;

	memset(out, 0, sizeof(*out));
	out->cwd = "/";
	if (parse_console(node, out, err) < 0 || parse_user(doc, node, out, err) < 0 ||
	    ts_json_opt_strv(doc, node, "args", "process", &out->args, &out->arg_count, err) < 0 ||
	    ts_json_opt_strv(doc, node, "env", "process", &out->env, &out->env_count, err) < 0 ||
	    ts_json_opt_str(node, "cwd", "process", &out->cwd, err) < 0 ||
	    ts_json_opt_bool(node, "noNewPrivileges", "process", &out->no_new_privileges, err) <
		0 ||
	    ts_json_opt_str(node, "apparmorProfile", "process", &out->apparmor_profile, err) < 0 ||
	    ts_json_opt_str(node, "selinuxLabel", "process", &out->selinux_label, err) < 0 ||
	    parse_caps(doc, node, out, err) < 0 || parse_rlimits(doc, node, out, err) < 0 ||
	    parse_io_priority(node, out, err) < 0)
		return -1;
	affinity = ts_json_get(node, "execCPUAffinity");
	if (affinity && affinity->len > 0)
		return ts_fail(err, TS_E_UNSUPPORTED, 0, "config", "process.execCPUAffinity",
			       "process.execCPUAffinity: not supported by this runtime; "
			       "remove it");
	rc = ts_json_opt_node(node, "scheduler", "process", TS_JSON_OBJECT, &out->scheduler, err);
	if (rc < 0)
		return -1;
	out->has_scheduler = rc > 0;
	rc = ts_json_opt_i64(node, "oomScoreAdj", "process", &adj, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		if (adj < -1000 || adj > 1000)
			return config_invalid(err, "process.oomScoreAdj",
					      "process.oomScoreAdj: must be -1000 to 1000");
		out->has_oom_score_adj = true;
		out->oom_score_adj = (int)adj;
	}
	if (out->arg_count == 0 || !out->args[0][0])
		return config_invalid(err, "process.args", "process.args: needs a program to run");
	if (out->cwd[0] != '/')
		return config_invalid(err, "process.cwd", "process.cwd: must be an absolute path");
	return 0;
}
