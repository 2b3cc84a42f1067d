/* Implementation of scheduler.h with sched_setattr(2), which glibc does not wrap in Debian 12. */
#include "scheduler.h"

#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static const struct {
	const char *word;
	uint32_t value;
} policies[] = {{"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},	     {"SCHED_BATCH", 3},
		{"SCHED_ISO", 4},   {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6}},
  flags[] = {{"SCHED_FLAG_RESET_ON_FORK", 0x01}, {"SCHED_FLAG_RECLAIM", 0x02},
	     {"SCHED_FLAG_DL_OVERRUN", 0x04},	 {"SCHED_FLAG_KEEP_POLICY", 0x08},
	     {"SCHED_FLAG_KEEP_PARAMS", 0x10},	 {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
	     {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}};

int scheduler_apply(const struct ts_json *scheduler, struct ts_err *err)
{
	static const char where[] = "process.scheduler";
	struct attr a = {.size = sizeof(a), .policy = UINT32_MAX};
	const struct ts_json *list = NULL;
	const char *policy = "";
	int64_t nice = 0, priority = 0;

	if (ts_json_opt_str(scheduler, "policy", where, &policy, err) < 0 ||
	    ts_json_opt_i64(scheduler, "nice", where, &nice, err) < 0 ||
	    ts_json_opt_i64(scheduler, "priority", where, &priority, err) < 0 ||
	    ts_json_opt_u64(scheduler, "runtime", where, &a.runtime, err) < 0 ||
	    ts_json_opt_u64(scheduler, "deadline", where, &a.deadline, err) < 0 ||
	    ts_json_opt_u64(scheduler, "period", where, &a.period, err) < 0 ||
	    ts_json_opt_node(scheduler, "flags", where, TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcmp(policy, policies[i].word) == 0)
			a.policy = policies[i].value;
	if (a.policy == UINT32_MAX)
		return config_invalid(err, where, "%s.policy: \"%s\" is none", where, policy);
	if (nice < -20 || nice > 19 || priority < 0 || priority > 99)
		return config_invalid(err, where, "%s: nice or priority out of range", where);
	a.nice = (int32_t)nice;
	a.priority = (uint32_t)priority;
	ts_json_each (item, list) {
		uint32_t bit = 0;

		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (item->type == TS_JSON_STRING && strcmp(item->str, flags[i].word) == 0)
				bit = flags[i].value;
		if (!bit)
			return config_invalid(err, where, "%s.flags: unknown flag", where);
		a.flags |= bit;
	}
	if (syscall(SYS_sched_setattr, 0, &a, 0) < 0)
		return ts_fail_errno(err, "sched_setattr", where, "%s: cannot set it", where);
	return 0;
}
