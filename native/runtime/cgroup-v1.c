/*
 * Limits on cgroup v1. Missing controllers are an error that names the field, except swap limits
 * (the kernel may run without swap accounting; engines always send one): those warn.
 * Order of memory and memory+swap: the kernel refuses a moment in which memory+swap is below
 * memory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "log.h"

#define CPU_SHARES_MIN 2
#define CPU_SHARES_MAX 262144

static int need(const struct cgroup *cg, const char *controller, const char *field, int *fd,
		struct ts_err *err)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, controller);

	if (!h)
		return ts_fail(err, TS_E_UNSUPPORTED, 0, "cgroup", field,
			       "%s: this host has no %s control group", field, controller);
	*fd = h->fd;
	return 0;
}

static int write_memsw(int fd, long long value, struct ts_err *err)
{
	bool missing = false;

	if (cgroup_write_i64(fd, "memory.memsw.limit_in_bytes", value,
			     "linux.resources.memory.swap", &missing, err) < 0)
		return -1;
	if (missing && value > 0)
		log_warn("linux.resources.memory.swap: this kernel counts no swap, the limit is "
			 "left out");
	return 0;
}

static int apply_memory(const struct cgroup *cg, const struct resources *r, struct ts_err *err)
{
	static const char field[] = "linux.resources.memory";
	struct opt_i64 limit = r->memory_limit, swap = r->memory_swap;
	long long now = 0, usage;
	int fd = -1;

	if (!limit.set && !swap.set && !r->memory_reservation.set && !r->memory_swappiness.set &&
	    !r->memory_disable_oom_killer && !r->memory_kernel_tcp.set)
		return 0;
	if (need(cg, "memory", field, &fd, err) < 0)
		return -1;
	if (r->memory_check_before_update && limit.set && limit.v > 0 &&
	    cgroup_read_i64(fd, "memory.usage_in_bytes", &usage) == 0 && usage > limit.v)
		return ts_fail(
		    err, TS_E_STATE, 0, "cgroup", "linux.resources.memory.limit",
		    "linux.resources.memory.limit: %lld bytes are in use, more than the new limit",
		    usage);
	if (limit.set && limit.v == -1 && !swap.set)
		swap = (struct opt_i64){true, -1};
	if (swap.set && swap.v == 0)
		swap.set = false;
	if (swap.set && limit.set &&
	    (swap.v == -1 ||
	     (cgroup_read_i64(fd, "memory.memsw.limit_in_bytes", &now) == 0 && now < swap.v))) {
		if (write_memsw(fd, swap.v, err) < 0)
			return -1;
		swap.set = false;
	}
	if (limit.set && limit.v != 0 &&
	    cgroup_write_i64(fd, "memory.limit_in_bytes", limit.v, "linux.resources.memory.limit",
			     NULL, err) < 0)
		return -1;
	if (swap.set && write_memsw(fd, swap.v, err) < 0)
		return -1;
	if (r->memory_reservation.set && r->memory_reservation.v != 0 &&
	    cgroup_write_i64(fd, "memory.soft_limit_in_bytes", r->memory_reservation.v,
			     "linux.resources.memory.reservation", NULL, err) < 0)
		return -1;
	if (r->memory_kernel_tcp.set && r->memory_kernel_tcp.v != 0 &&
	    cgroup_write_i64(fd, "memory.kmem.tcp.limit_in_bytes", r->memory_kernel_tcp.v,
			     "linux.resources.memory.kernelTCP", NULL, err) < 0)
		return -1;
	if (r->memory_disable_oom_killer &&
	    cgroup_write(fd, "memory.oom_control", "1", "linux.resources.memory.disableOOMKiller",
			 NULL, err) < 0)
		return -1;
	if (r->memory_swappiness.set &&
	    cgroup_write_u64(fd, "memory.swappiness", r->memory_swappiness.v,
			     "linux.resources.memory.swappiness", NULL, err) < 0)
		return -1;
	return 0;
}

static int apply_cfs(int fd, const struct resources *r, struct ts_err *err)
{
	static const char period[] = "linux.resources.cpu.period";
	bool period_later = false;

	if (r->cpu_period.set) {
		struct ts_err first = {0};

		/* A shorter period may be refused while the old quota is larger than it. */
		if (cgroup_write_u64(fd, "cpu.cfs_period_us", r->cpu_period.v, period, NULL,
				     &first) < 0) {
			if (first.errnum != EINVAL || !r->cpu_quota.set) {
				*err = first;
				return -1;
			}
			period_later = true;
		}
	}
	if (r->cpu_quota.set && cgroup_write_i64(fd, "cpu.cfs_quota_us", r->cpu_quota.v,
						 "linux.resources.cpu.quota", NULL, err) < 0)
		return -1;
	if (period_later &&
	    cgroup_write_u64(fd, "cpu.cfs_period_us", r->cpu_period.v, period, NULL, err) < 0)
		return -1;
	if (r->cpu_burst.set && cgroup_write_u64(fd, "cpu.cfs_burst_us", r->cpu_burst.v,
						 "linux.resources.cpu.burst", NULL, err) < 0)
		return -1;
	return 0;
}

/* The kernel would quietly take the nearest value that it allows. */
static int apply_shares(int fd, unsigned long long shares, struct ts_err *err)
{
	static const char field[] = "linux.resources.cpu.shares";

	if (shares < CPU_SHARES_MIN)
		return ts_fail(err, TS_E_INVALID, 0, "config", field,
			       "%s: the minimum allowed cpu-shares is %d", field, CPU_SHARES_MIN);
	if (shares > CPU_SHARES_MAX)
		return ts_fail(err, TS_E_INVALID, 0, "config", field,
			       "%s: the maximum allowed cpu-shares is %d", field, CPU_SHARES_MAX);
	return cgroup_write_u64(fd, "cpu.shares", shares, field, NULL, err);
}

static int apply_cpu(const struct cgroup *cg, const struct resources *r, struct ts_err *err)
{
	int fd = -1;

	if (!r->cpu_shares.set && !r->cpu_period.set && !r->cpu_quota.set && !r->cpu_burst.set &&
	    !r->cpu_idle.set && !r->cpu_rt_runtime.set && !r->cpu_rt_period.set)
		return 0;
	if (need(cg, "cpu", "linux.resources.cpu", &fd, err) < 0)
		return -1;
	if (r->cpu_shares.set && apply_shares(fd, r->cpu_shares.v, err) < 0)
		return -1;
	if (apply_cfs(fd, r, err) < 0)
		return -1;
	if (r->cpu_idle.set && cgroup_write_i64(fd, "cpu.idle", r->cpu_idle.v,
						"linux.resources.cpu.idle", NULL, err) < 0)
		return -1;
	if (r->cpu_rt_period.set && r->cpu_rt_period.v != 0 &&
	    cgroup_write_u64(fd, "cpu.rt_period_us", r->cpu_rt_period.v,
			     "linux.resources.cpu.realtimePeriod", NULL, err) < 0)
		return -1;
	if (r->cpu_rt_runtime.set && r->cpu_rt_runtime.v != 0 &&
	    cgroup_write_i64(fd, "cpu.rt_runtime_us", r->cpu_rt_runtime.v,
			     "linux.resources.cpu.realtimeRuntime", NULL, err) < 0)
		return -1;
	return 0;
}

static int apply_cpuset(const struct cgroup *cg, const struct resources *r, struct ts_err *err)
{
	int fd = -1;

	if (!r->cpuset_cpus && !r->cpuset_mems)
		return 0;
	if (need(cg, "cpuset", "linux.resources.cpu.cpus", &fd, err) < 0)
		return -1;
	if (r->cpuset_cpus && cgroup_write(fd, "cpuset.cpus", r->cpuset_cpus,
					   "linux.resources.cpu.cpus", NULL, err) < 0)
		return -1;
	if (r->cpuset_mems && cgroup_write(fd, "cpuset.mems", r->cpuset_mems,
					   "linux.resources.cpu.mems", NULL, err) < 0)
		return -1;
	return 0;
}

static int apply_blkio_list(int fd, const char *file, const struct blkio_list *list,
			    const char *field, struct ts_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		char text[64];

		snprintf(text, sizeof(text), "%u:%u %llu", list->items[i].major,
			 list->items[i].minor, (unsigned long long)list->items[i].value);
		if (cgroup_write(fd, file, text, field, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int apply_blkio(const struct cgroup *cg, const struct resources *r, struct ts_err *err)
{
	static const char field[] = "linux.resources.blockIO";
	bool missing = false;
	int fd = -1;

	if (!r->blkio_weight.set && !r->blkio_weight_device.count && !r->read_bps.count &&
	    !r->write_bps.count && !r->read_iops.count && !r->write_iops.count)
		return 0;
	if (need(cg, "blkio", field, &fd, err) < 0)
		return -1;
	if (r->blkio_weight.set) {
		if (cgroup_write_u64(fd, "blkio.weight", r->blkio_weight.v, field, &missing, err) <
		    0)
			return -1;
		if (missing && cgroup_write_u64(fd, "blkio.bfq.weight", r->blkio_weight.v,
						"linux.resources.blockIO.weight", NULL, err) < 0)
			return -1;
	}
	if (apply_blkio_list(fd, "blkio.bfq.weight_device", &r->blkio_weight_device, field, err) <
		0 ||
	    apply_blkio_list(fd, "blkio.throttle.read_bps_device", &r->read_bps, field, err) < 0 ||
	    apply_blkio_list(fd, "blkio.throttle.write_bps_device", &r->write_bps, field, err) <
		0 ||
	    apply_blkio_list(fd, "blkio.throttle.read_iops_device", &r->read_iops, field, err) <
		0 ||
	    apply_blkio_list(fd, "blkio.throttle.write_iops_device", &r->write_iops, field, err) <
		0)
		return -1;
	return 0;
}

/*
 * hugetlb may live in the v2 tree of a hybrid host. There controllers are turned on only when a limit
 * asks for it: a group with controllers for those below takes no process itself.
 */
static int apply_huge(const struct cgroup *cg, const struct resources *r, struct ts_err *err)
{
	const struct cgroup_hierarchy *h = cgroup_find(cg, "hugetlb");
	int fd = h ? h->fd : -1;

	if (!r->huge_count)
		return 0;
	if (!h) {
		const struct cgroup_hierarchy *v2 = cgroup_find(cg, "");

		if (!v2)
			return ts_fail(err, TS_E_UNSUPPORTED, 0, "cgroup",
				       "linux.resources.hugepageLimits",
				       "linux.resources.hugepageLimits: this host has no hugetlb "
				       "control group");
		if (cgroup_enable_above(cg, v2, err) < 0)
			return -1;
		fd = v2->fd;
	}
	for (size_t i = 0; i < r->huge_count; i++) {
		char file[96];

		snprintf(file, sizeof(file), "hugetlb.%s.%s", r->huge[i].size,
			 h ? "limit_in_bytes" : "max");
		if (cgroup_write_u64(fd, file, r->huge[i].limit, "linux.resources.hugepageLimits",
				     NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int apply_network(const struct cgroup *cg, const struct resources *r, struct ts_err *err)
{
	int fd = -1;

	if (r->net_class_id.set && r->net_class_id.v != 0) {
		if (need(cg, "net_cls", "linux.resources.network.classID", &fd, err) < 0 ||
		    cgroup_write_u64(fd, "net_cls.classid", r->net_class_id.v,
				     "linux.resources.network.classID", NULL, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < r->net_priority_count; i++) {
		char text[64];

		snprintf(text, sizeof(text), "%.40s %s", r->net_priorities[i].name,
			 r->net_priorities[i].value);
		if (need(cg, "net_prio", "linux.resources.network.priorities", &fd, err) < 0 ||
		    cgroup_write(fd, "net_prio.ifpriomap", text,
				 "linux.resources.network.priorities", NULL, err) < 0)
			return -1;
	}
	return 0;
}

int cgroup_v1_apply(struct cgroup *cg, const struct resources *res, bool fresh, struct ts_err *err)
{
	const struct cgroup_hierarchy *h;

	if (res->unified_count)
		return ts_fail(
		    err, TS_E_UNSUPPORTED, 0, "cgroup", "linux.resources.unified",
		    "linux.resources.unified: this host uses cgroup v1; give the limits by their "
		    "own keys");
	if (apply_memory(cg, res, err) < 0 || apply_cpu(cg, res, err) < 0 ||
	    apply_cpuset(cg, res, err) < 0 || apply_blkio(cg, res, err) < 0 ||
	    apply_huge(cg, res, err) < 0 || apply_network(cg, res, err) < 0)
		return -1;
	h = cgroup_find(cg, "pids");
	if (res->pids_limit.set) {
		if (!h)
			return ts_fail(err, TS_E_UNSUPPORTED, 0, "cgroup", "linux.resources.pids",
				       "linux.resources.pids: this host has no pids control group");
		if ((res->pids_limit.v < 0
			 ? cgroup_write(h->fd, "pids.max", "max", "linux.resources.pids.limit",
					NULL, err)
			 : cgroup_write_i64(h->fd, "pids.max", res->pids_limit.v,
					    "linux.resources.pids.limit", NULL, err)) < 0)
			return -1;
	}
	h = cgroup_find(cg, "devices");
	if (h && (fresh || res->device_count))
		return cgroup_v1_devices(h->fd, res, err);
	return 0;
}
