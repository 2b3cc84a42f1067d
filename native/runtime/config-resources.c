/*
 * Reading the `resources` object, for create and for update. Refuses rdma limits by name;
 * memory.kernel is accepted and ignored, as the kernel does. Source: runtime-spec config-linux.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static int opt_i64(const struct ts_json *obj, const char *key, const char *where,
		   struct opt_i64 *out, struct ts_err *err)
{
	int rc = ts_json_opt_i64(obj, key, where, &out->v, err);

	if (rc > 0)
		out->set = true;
	return rc;
}

static int opt_u64(const struct ts_json *obj, const char *key, const char *where,
		   struct opt_u64 *out, struct ts_err *err)
{
	int rc = ts_json_opt_u64(obj, key, where, &out->v, err);

	if (rc > 0)
		out->set = true;
	return rc;
}

static int parse_memory(const struct ts_json *node, struct resources *out, struct ts_err *err)
{
	static const char where[] = "linux.resources.memory";
	const struct ts_json *m = NULL;

	if (ts_json_opt_node(node, "memory", "linux.resources", TS_JSON_OBJECT, &m, err) < 0)
		return -1;
	if (opt_i64(m, "limit", where, &out->memory_limit, err) < 0 ||
	    opt_i64(m, "reservation", where, &out->memory_reservation, err) < 0 ||
	    opt_i64(m, "swap", where, &out->memory_swap, err) < 0 ||
	    opt_i64(m, "kernelTCP", where, &out->memory_kernel_tcp, err) < 0 ||
	    opt_u64(m, "swappiness", where, &out->memory_swappiness, err) < 0 ||
	    ts_json_opt_bool(m, "disableOOMKiller", where, &out->memory_disable_oom_killer, err) <
		0 ||
	    ts_json_opt_bool(m, "checkBeforeUpdate", where, &out->memory_check_before_update, err) <
		0)
		return -1;
	if (out->memory_swappiness.set && out->memory_swappiness.v > 100)
		return config_invalid(err, where, "%s.swappiness: must be 0 to 100", where);
	if (out->memory_limit.set && out->memory_swap.set && out->memory_limit.v > 0 &&
	    out->memory_swap.v > 0 && out->memory_swap.v < out->memory_limit.v)
		return config_invalid(
		    err, where, "%s.swap: is memory plus swap, so it must be at least the limit",
		    where);
	return 0;
}

static int parse_cpu(const struct ts_json *node, struct resources *out, struct ts_err *err)
{
	static const char where[] = "linux.resources.cpu";
	const struct ts_json *c = NULL;

	if (ts_json_opt_node(node, "cpu", "linux.resources", TS_JSON_OBJECT, &c, err) < 0)
		return -1;
	if (opt_u64(c, "shares", where, &out->cpu_shares, err) < 0 ||
	    opt_i64(c, "quota", where, &out->cpu_quota, err) < 0 ||
	    opt_u64(c, "period", where, &out->cpu_period, err) < 0 ||
	    opt_u64(c, "burst", where, &out->cpu_burst, err) < 0 ||
	    opt_i64(c, "realtimeRuntime", where, &out->cpu_rt_runtime, err) < 0 ||
	    opt_u64(c, "realtimePeriod", where, &out->cpu_rt_period, err) < 0 ||
	    opt_i64(c, "idle", where, &out->cpu_idle, err) < 0 ||
	    ts_json_opt_str(c, "cpus", where, &out->cpuset_cpus, err) < 0 ||
	    ts_json_opt_str(c, "mems", where, &out->cpuset_mems, err) < 0)
		return -1;
	/* Engines write 0 and "" for "not set". */
	if (out->cpu_shares.v == 0)
		out->cpu_shares.set = false;
	if (out->cpu_period.v == 0)
		out->cpu_period.set = false;
	if (out->cpu_quota.v == 0)
		out->cpu_quota.set = false;
	if (out->cpuset_cpus && !*out->cpuset_cpus)
		out->cpuset_cpus = NULL;
	if (out->cpuset_mems && !*out->cpuset_mems)
		out->cpuset_mems = NULL;
	return 0;
}

static int parse_blkio_list(struct ts_json_doc *doc, const struct ts_json *node, const char *key,
			    const char *value, struct blkio_list *out, struct ts_err *err)
{
	static const char where[] = "linux.resources.blockIO";
	const struct ts_json *list = NULL;

	if (ts_json_opt_node(node, key, where, TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	if (!list)
		return 0;
	out->items = ts_json_alloc(doc, (list->len + 1) * sizeof(*out->items));
	ts_json_each (item, list) {
		struct blkio_device *d = &out->items[out->count];
		char path[96];

		snprintf(path, sizeof(path), "%s.%s[%zu]", where, key, out->count);
		if (ts_json_opt_u32(item, "major", path, &d->major, err) < 0 ||
		    ts_json_opt_u32(item, "minor", path, &d->minor, err) < 0 ||
		    ts_json_opt_u64(item, value, path, &d->value, err) < 0)
			return -1;
		out->count++;
	}
	return 0;
}

static int parse_blkio(struct ts_json_doc *doc, const struct ts_json *node, struct resources *out,
		       struct ts_err *err)
{
	const struct ts_json *b = NULL;

	if (ts_json_opt_node(node, "blockIO", "linux.resources", TS_JSON_OBJECT, &b, err) < 0)
		return -1;
	if (opt_u64(b, "weight", "linux.resources.blockIO", &out->blkio_weight, err) < 0)
		return -1;
	if (out->blkio_weight.v == 0)
		out->blkio_weight.set = false;
	if (out->blkio_weight.set && (out->blkio_weight.v < 10 || out->blkio_weight.v > 1000))
		return config_invalid(err, "linux.resources.blockIO.weight",
				      "linux.resources.blockIO.weight: must be 10 to 1000");
	if (parse_blkio_list(doc, b, "weightDevice", "weight", &out->blkio_weight_device, err) <
		0 ||
	    parse_blkio_list(doc, b, "throttleReadBpsDevice", "rate", &out->read_bps, err) < 0 ||
	    parse_blkio_list(doc, b, "throttleWriteBpsDevice", "rate", &out->write_bps, err) < 0 ||
	    parse_blkio_list(doc, b, "throttleReadIOPSDevice", "rate", &out->read_iops, err) < 0 ||
	    parse_blkio_list(doc, b, "throttleWriteIOPSDevice", "rate", &out->write_iops, err) < 0)
		return -1;
	return 0;
}

static int parse_huge(struct ts_json_doc *doc, const struct ts_json *node, struct resources *out,
		      struct ts_err *err)
{
	const struct ts_json *list = NULL;

	if (ts_json_opt_node(node, "hugepageLimits", "linux.resources", TS_JSON_ARRAY, &list, err) <
	    0)
		return -1;
	if (!list)
		return 0;
	out->huge = ts_json_alloc(doc, (list->len + 1) * sizeof(*out->huge));
	ts_json_each (item, list) {
		char where[64];

		snprintf(where, sizeof(where), "linux.resources.hugepageLimits[%zu]",
			 out->huge_count);
		if (ts_json_opt_str(item, "pageSize", where, &out->huge[out->huge_count].size,
				    err) < 0 ||
		    ts_json_opt_u64(item, "limit", where, &out->huge[out->huge_count].limit, err) <
			0)
			return -1;
		if (!out->huge[out->huge_count].size ||
		    strchr(out->huge[out->huge_count].size, '/'))
			return config_invalid(err, where, "%s.pageSize: must be a size such as 2MB",
					      where);
		out->huge_count++;
	}
	return 0;
}

static int parse_network(struct ts_json_doc *doc, const struct ts_json *node, struct resources *out,
			 struct ts_err *err)
{
	static const char where[] = "linux.resources.network";
	const struct ts_json *n = NULL, *list = NULL;

	if (ts_json_opt_node(node, "network", "linux.resources", TS_JSON_OBJECT, &n, err) < 0 ||
	    opt_u64(n, "classID", where, &out->net_class_id, err) < 0 ||
	    ts_json_opt_node(n, "priorities", where, TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	if (!list)
		return 0;
	out->net_priorities = ts_json_alloc(doc, (list->len + 1) * sizeof(*out->net_priorities));
	ts_json_each (item, list) {
		struct name_value *p = &out->net_priorities[out->net_priority_count++];
		uint32_t priority = 0;
		char *text = ts_json_alloc(doc, 16);

		if (ts_json_opt_str(item, "name", where, &p->name, err) < 0 ||
		    ts_json_opt_u32(item, "priority", where, &priority, err) < 0)
			return -1;
		if (!p->name)
			return config_invalid(err, where, "%s.priorities: name missing", where);
		snprintf(text, 16, "%u", priority);
		p->value = text;
	}
	return 0;
}

static int parse_device_rule(const struct ts_json *item, struct device_rule *out, const char *where,
			     struct ts_err *err)
{
	const char *type = "a", *access = "rwm";

	out->major = out->minor = -1;
	if (ts_json_opt_bool(item, "allow", where, &out->allow, err) < 0 ||
	    ts_json_opt_str(item, "type", where, &type, err) < 0 ||
	    ts_json_opt_i64(item, "major", where, &out->major, err) < 0 ||
	    ts_json_opt_i64(item, "minor", where, &out->minor, err) < 0 ||
	    ts_json_opt_str(item, "access", where, &access, err) < 0)
		return -1;
	if (!*type)
		type = "a";
	if (strlen(type) != 1 || !strchr("acbu", type[0]))
		return config_invalid(err, where, "%s.type: must be a, b or c", where);
	if (out->major < -1 || out->minor < -1 || out->major > UINT32_MAX ||
	    out->minor > UINT32_MAX)
		return config_invalid(err, where, "%s: major or minor out of range", where);
	out->type = type[0] == 'u' ? 'c' : type[0];
	if (!*access)
		access = "rwm";
	for (const char *p = access; *p; p++) {
		const char *at = strchr("rwm", *p);

		if (!at)
			return config_invalid(err, where, "%s.access: must be made of r, w and m",
					      where);
		out->access |= *p == 'r' ? DEVICE_READ : *p == 'w' ? DEVICE_WRITE : DEVICE_MKNOD;
	}
	return 0;
}

static int parse_device_rules(struct ts_json_doc *doc, const struct ts_json *node,
			      struct resources *out, struct ts_err *err)
{
	const struct ts_json *list = NULL;

	if (ts_json_opt_node(node, "devices", "linux.resources", TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	if (!list)
		return 0;
	if (list->len > CONFIG_ITEMS_MAX)
		return config_invalid(err, "linux.resources.devices",
				      "linux.resources.devices: more than %d", CONFIG_ITEMS_MAX);
	out->devices = ts_json_alloc(doc, (list->len + 1) * sizeof(*out->devices));
	ts_json_each (item, list) {
		char where[48];

		snprintf(where, sizeof(where), "linux.resources.devices[%zu]", out->device_count);
		if (parse_device_rule(item, &out->devices[out->device_count], where, err) < 0)
			return -1;
		out->device_count++;
	}
	return 0;
}

int config_parse_resources(struct ts_json_doc *doc, const struct ts_json *node,
			   struct resources *out, struct ts_err *err)
{
	const struct ts_json *pids = NULL, *rdma = ts_json_get(node, "rdma");

	memset(out, 0, sizeof(*out));
	if (rdma && rdma->len > 0)
		return ts_fail(err, TS_E_UNSUPPORTED, 0, "config", "linux.resources.rdma",
			       "linux.resources.rdma: not supported; remove it");
	if (parse_memory(node, out, err) < 0 || parse_cpu(node, out, err) < 0 ||
	    ts_json_opt_node(node, "pids", "linux.resources", TS_JSON_OBJECT, &pids, err) < 0 ||
	    opt_i64(pids, "limit", "linux.resources.pids", &out->pids_limit, err) < 0 ||
	    parse_blkio(doc, node, out, err) < 0 || parse_huge(doc, node, out, err) < 0 ||
	    parse_network(doc, node, out, err) < 0 || parse_device_rules(doc, node, out, err) < 0 ||
	    config_parse_strings(doc, node, "unified", "linux.resources", &out->unified,
				 &out->unified_count, err) < 0)
		return -1;
	for (size_t i = 0; i < out->unified_count; i++)
		if (strchr(out->unified[i].name, '/') || out->unified[i].name[0] == '.')
			return config_invalid(err, "linux.resources.unified",
					      "linux.resources.unified.%s: is no file of a cgroup",
					      out->unified[i].name);
	return 0;
}
