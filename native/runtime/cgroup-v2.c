/*
 * Limits on cgroup v2, converted from the v1 terms of the configuration. Formulas: cpu weight from
 * shares and swap.max from memory+swap as runc and crun convert them (see DESIGN.md).
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "log.h"

/* shares 2..262144 -> weight 1..10000, with 1024 -> 100 (a quadratic in log2, rounded up). */
static unsigned long long weight_of_shares(unsigned long long shares)
{
	double l, exponent;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2((double)shares);
	exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
	return (unsigned long long)ceil(pow(10.0, exponent));
}

static int write_bytes(int fd, const char *file, long long value, const char *field,
		       struct ts_err *err)
{
	if (value < 0)
		return cgroup_write(fd, file, "max", field, NULL, err);
	return cgroup_write_i64(fd, file, value, field, NULL, err);
}

static int apply_memory(int fd, const struct resources *r, struct ts_err *err)
{
	long long limit = r->memory_limit.v, swap = r->memory_swap.v, usage, swap_max = 0;
	bool has_limit = r->memory_limit.set && limit != 0,
	     has_swap = r->memory_swap.set && swap != 0;

	if (r->memory_check_before_update && has_limit && limit > 0 &&
	    cgroup_read_i64(fd, "memory.current", &usage) == 0 && usage > limit)
		return ts_fail(
		    err, TS_E_STATE, 0, "cgroup", "linux.resources.memory.limit",
		    "linux.resources.memory.limit: %lld bytes are in use, more than the new limit",
		    usage);
	if (has_swap && swap > 0) {
		if (!has_limit &&
		    (cgroup_read_i64(fd, "memory.max", &limit) < 0 || limit == LLONG_MAX))
			return config_invalid(err, "linux.resources.memory.swap",
					      "linux.resources.memory.swap: needs a memory limit");
		if (limit > 0 && swap < limit)
			return config_invalid(
			    err, "linux.resources.memory.swap",
			    "linux.resources.memory.swap: must be at least the limit");
		swap_max = limit > 0 ? swap - limit : swap;
	}
	if (has_swap || (has_limit && limit == -1)) {
		bool missing = false;
		int rc = has_swap && swap > 0
			     ? cgroup_write_i64(fd, "memory.swap.max", swap_max,
						"linux.resources.memory.swap", &missing, err)
			     : cgroup_write(fd, "memory.swap.max", "max",
					    "linux.resources.memory.swap", &missing, err);

		if (rc < 0)
			return -1;
		if (missing)
			log_warn(
			    "linux.resources.memory.swap: this kernel counts no swap, left out");
	}
	if (has_limit &&
	    write_bytes(fd, "memory.max", limit, "linux.resources.memory.limit", err) < 0)
		return -1;
	if (r->memory_reservation.set && r->memory_reservation.v != 0 &&
	    write_bytes(fd, "memory.low", r->memory_reservation.v,
			"linux.resources.memory.reservation", err) < 0)
		return -1;
	if (r->memory_disable_oom_killer)
		return ts_fail(
		    err, TS_E_UNSUPPORTED, 0, "cgroup", "linux.resources.memory.disableOOMKiller",
		    "linux.resources.memory.disableOOMKiller: cgroup v2 has no such switch; "
		    "remove it");
	if (r->memory_kernel_tcp.set && r->memory_kernel_tcp.v != 0)
		log_warn("linux.resources.memory.kernelTCP: cgroup v2 has none, left out");
	if (r->memory_swappiness.set)
		log_warn("linux.resources.memory.swappiness: cgroup v2 has none, left out");
	return 0;
}

static int apply_cpu(int fd, const struct resources *r, struct ts_err *err)
{
	char text[64], quota[24] = "max";

	if (r->cpu_idle.set && cgroup_write_i64(fd, "cpu.idle", r->cpu_idle.v,
						"linux.resources.cpu.idle", NULL, err) < 0)
		return -1;
	if (r->cpu_shares.set && !(r->cpu_idle.set && r->cpu_idle.v == 1) &&
	    cgroup_write_u64(fd, "cpu.weight", weight_of_shares(r->cpu_shares.v),
			     "linux.resources.cpu.shares", NULL, err) < 0)
		return -1;
	if (r->cpu_quota.set || r->cpu_period.set) {
		if (r->cpu_quota.set && r->cpu_quota.v > 0)
			snprintf(quota, sizeof(quota), "%lld", (long long)r->cpu_quota.v);
		if (!r->cpu_quota.set) {
			long long now;

			if (cgroup_read_i64(fd, "cpu.max", &now) == 0 && now != LLONG_MAX)
				snprintf(quota, sizeof(quota), "%lld", now);
		}
		if (r->cpu_period.set)
			snprintf(text, sizeof(text), "%s %llu", quota,
				 (unsigned long long)r->cpu_period.v);
		else
			snprintf(text, sizeof(text), "%s", quota);
		if (cgroup_write(fd, "cpu.max", text, "linux.resources.cpu.quota", NULL, err) < 0)
			return -1;
	}
	if (r->cpu_burst.set && cgroup_write_u64(fd, "cpu.max.burst", r->cpu_burst.v,
						 "linux.resources.cpu.burst", NULL, err) < 0)
		return -1;
	if (r->cpuset_cpus && cgroup_write(fd, "cpuset.cpus", r->cpuset_cpus,
					   "linux.resources.cpu.cpus", NULL, err) < 0)
		return -1;
	if (r->cpuset_mems && cgroup_write(fd, "cpuset.mems", r->cpuset_mems,
					   "linux.resources.cpu.mems", NULL, err) < 0)
		return -1;
	if ((r->cpu_rt_runtime.set && r->cpu_rt_runtime.v) ||
	    (r->cpu_rt_period.set && r->cpu_rt_period.v))
		return ts_fail(
		    err, TS_E_UNSUPPORTED, 0, "cgroup", "linux.resources.cpu.realtimeRuntime",
		    "linux.resources.cpu.realtimeRuntime, realtimePeriod: cgroup v2 has none; "
		    "remove them");
	return 0;
}

static int apply_io_list(int fd, const char *word, const struct blkio_list *list,
			 struct ts_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		char text[80], value[24] = "max";

		if (list->items[i].value)
			snprintf(value, sizeof(value), "%llu",
				 (unsigned long long)list->items[i].value);
		snprintf(text, sizeof(text), "%u:%u %s=%s", list->items[i].major,
			 list->items[i].minor, word, value);
		if (cgroup_write(fd, "io.max", text, "linux.resources.blockIO", NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int apply_io(int fd, const struct resources *r, struct ts_err *err)
{
	bool missing = false;

	if (r->blkio_weight.set) {
		if (cgroup_write_u64(fd, "io.bfq.weight", r->blkio_weight.v,
				     "linux.resources.blockIO.weight", &missing, err) < 0)
			return -1;
		if (missing &&
		    cgroup_write_u64(fd, "io.weight", 1 + (r->blkio_weight.v - 10) * 9999 / 990,
				     "linux.resources.blockIO.weight", NULL, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < r->blkio_weight_device.count; i++) {
		const struct blkio_device *d = &r->blkio_weight_device.items[i];
		char text[64];

		snprintf(text, sizeof(text), "%u:%u %llu", d->major, d->minor,
			 (unsigned long long)d->value);
		if (cgroup_write(fd, "io.bfq.weight", text, "linux.resources.blockIO.weightDevice",
				 NULL, err) < 0)
			return -1;
	}
	if (apply_io_list(fd, "rbps", &r->read_bps, err) < 0 ||
	    apply_io_list(fd, "wbps", &r->write_bps, err) < 0 ||
	    apply_io_list(fd, "riops", &r->read_iops, err) < 0 ||
	    apply_io_list(fd, "wiops", &r->write_iops, err) < 0)
		return -1;
	return 0;
}

static int apply_unified(int fd, const struct resources *r, struct ts_err *err)
{
	for (size_t i = 0; i < r->unified_count; i++) {
		char field[160];

		snprintf(field, sizeof(field), "linux.resources.unified.%s", r->unified[i].name);
		if (cgroup_write(fd, r->unified[i].name, r->unified[i].value, field, NULL, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_v2_apply(struct cgroup *cg, const struct resources *res, bool fresh, struct ts_err *err)
{
	int fd = cgroup_v2_fd(cg);

	if (apply_memory(fd, res, err) < 0 || apply_cpu(fd, res, err) < 0 ||
	    apply_io(fd, res, err) < 0)
		return -1;
	if (res->pids_limit.set &&
	    write_bytes(fd, "pids.max", res->pids_limit.v, "linux.resources.pids.limit", err) < 0)
		return -1;
	for (size_t i = 0; i < res->huge_count; i++) {
		char file[96];

		snprintf(file, sizeof(file), "hugetlb.%s.max", res->huge[i].size);
		if (cgroup_write_u64(fd, file, res->huge[i].limit, "linux.resources.hugepageLimits",
				     NULL, err) < 0)
			return -1;
	}
	if ((res->net_class_id.set && res->net_class_id.v) || res->net_priority_count)
		return ts_fail(
		    err, TS_E_UNSUPPORTED, 0, "cgroup", "linux.resources.network",
		    "linux.resources.network: cgroup v2 has no classes and priorities; remove it");
	if (apply_unified(fd, res, err) < 0)
		return -1;
	return fresh || res->device_count ? cgroup_v2_devices(fd, res, err) : 0;
}
