/*
 * Implementation of caps.h with the raw system calls (capset version 3): libcap would be a
 * dependency for a table of 41 names.
 */
#include "caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

static const char *const names[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};
#define NAME_COUNT ((int)(sizeof(names) / sizeof(names[0])))

static const char *const set_names[CAP_SETS] = {"bounding", "effective", "permitted", "inheritable",
						"ambient"};

int caps_number(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) != 0)
		return -1;
	for (int i = 0; i < NAME_COUNT; i++)
		if (strcasecmp(name + 4, names[i]) == 0)
			return i;
	return -1;
}

const char *caps_name(int cap)
{
	return cap >= 0 && cap < NAME_COUNT ? names[cap] : NULL;
}

int caps_last(void)
{
	static int last = -1;

	if (last < 0)
		for (int cap = 63; cap >= 0 && last < 0; cap--)
			if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0)
				last = cap;
	return last;
}

/* The bounding set of this process. */
static uint64_t own_bounding(void)
{
	uint64_t mask = 0;

	for (int cap = 0; cap < 64; cap++) {
		int rc = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (rc < 0)
			break;
		if (rc > 0)
			mask |= (uint64_t)1 << cap;
	}
	return mask;
}

int caps_limit(uint64_t caps[CAP_SETS], struct ts_err *err)
{
	uint64_t own = own_bounding(), lost = 0;

	(void)err;
	for (int set = 0; set < CAP_SETS; set++) {
		lost |= caps[set] & ~own;
		caps[set] &= own;
	}
	/* The kernel wants effective, inheritable and ambient within permitted; say what does not
	 * fit. */
	for (int cap = 0; cap < 64 && lost; cap++)
		if (lost & ((uint64_t)1 << cap))
			log_warn("process.capabilities: CAP_%s is left out, this process may not "
				 "have it "
				 "itself",
				 caps_name(cap) ? caps_name(cap) : "?");
	lost = (caps[CAP_SET_EFFECTIVE] & ~caps[CAP_SET_PERMITTED]) |
	       (caps[CAP_SET_AMBIENT] & ~(caps[CAP_SET_PERMITTED] & caps[CAP_SET_INHERITABLE]));
	if (lost)
		log_warn("process.capabilities: %s or %s capabilities outside permitted (and "
			 "inheritable) are left out",
			 set_names[CAP_SET_EFFECTIVE], set_names[CAP_SET_AMBIENT]);
	caps[CAP_SET_EFFECTIVE] &= caps[CAP_SET_PERMITTED];
	caps[CAP_SET_AMBIENT] &= caps[CAP_SET_PERMITTED] & caps[CAP_SET_INHERITABLE];
	return 0;
}

int caps_apply_bounding(const uint64_t caps[CAP_SETS], struct ts_err *err)
{
	int last = caps_last();

	for (int cap = 0; cap <= last; cap++) {
		if (caps[CAP_SET_BOUNDING] & ((uint64_t)1 << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return ts_fail_errno(err, "prctl", NULL, "cannot drop capability %d", cap);
	}
	return 0;
}

static int set_three(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	return (int)syscall(SYS_capset, &head, data);
}

int caps_apply(const uint64_t caps[CAP_SETS], uint64_t keep, struct ts_err *err)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return ts_fail_errno(err, "prctl", NULL, "cannot clear the ambient capabilities");
	if (set_three(caps[CAP_SET_EFFECTIVE] | keep, caps[CAP_SET_PERMITTED] | keep,
		      caps[CAP_SET_INHERITABLE]) < 0)
		return ts_fail_errno(err, "capset", NULL, "cannot set the capabilities");
	for (int cap = 0; cap < 64; cap++) {
		if (!(caps[CAP_SET_AMBIENT] & ((uint64_t)1 << cap)))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return ts_fail_errno(err, "prctl", NULL,
					     "cannot raise the ambient capability %d", cap);
	}
	return 0;
}
