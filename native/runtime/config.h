/*
 * The OCI configuration as plain C data, read and checked completely before anything is done.
 *
 * Owns the parsed document; all strings point into it. Unknown keys are ignored, wrong values are
 * errors that name the field (runtime-spec 1.x). Nothing here touches the kernel, so that a wrong
 * configuration fails before anything exists that would have to be undone.
 */
#ifndef RUNTIME_CONFIG_H
#define RUNTIME_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "json.h"

#define CONFIG_BYTES_MAX (8 * 1024 * 1024)
#define CONFIG_ITEMS_MAX                                                                           \
	8192 /* mounts, devices, maps, ...: a limit on work, far above any real use */

enum ns_kind { NS_USER, NS_PID, NS_NET, NS_IPC, NS_UTS, NS_CGROUP, NS_TIME, NS_MOUNT, NS_COUNT };

struct ns_spec {
	bool present;
	const char *path; /* NULL = make a new one */
};

struct id_map {
	uint32_t container_id, host_id, size;
};

struct id_maps {
	struct id_map *items;
	size_t count;
};

struct opt_i64 {
	bool set;
	int64_t v;
};

struct opt_u64 {
	bool set;
	uint64_t v;
};

/* What a mount's option list means; see mount-options.c. */
struct mount_options {
	bool bind, rbind, remount, copy_up, idmap, idmap_recursive;
	uint64_t attr_set, attr_clear; /* MOUNT_ATTR_* of this mount */
	uint64_t rec_set, rec_clear;   /* MOUNT_ATTR_* of this mount and all below it */
	unsigned long propagation;     /* MS_SHARED, MS_SLAVE, ...; 0 = leave */
	bool propagation_recursive;
	const char *subpath; /* of a bind mount: this path below the source; NULL = all of it */
	const char **super; /* options of the file system, NULL-terminated */
	size_t super_count;
};

struct mount_spec {
	const char *destination; /* absolute, lexically clean */
	const char *type;	 /* NULL for a bind mount */
	const char *source;	 /* NULL = none */
	struct mount_options options;
	struct id_maps uid_maps, gid_maps;
	int source_fd; /* detached tree opened by the parent (user namespaces), else -1 */
};

struct device_spec {
	const char *path;
	char type; /* 'c', 'b', 'u' or 'p' */
	int64_t major, minor;
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
};

struct device_rule {
	bool allow;
	char type;	      /* 'a', 'c' or 'b' */
	int64_t major, minor; /* -1 = all */
	unsigned access;      /* DEVICE_READ | ... */
};
enum { DEVICE_READ = 1, DEVICE_WRITE = 2, DEVICE_MKNOD = 4 };

struct blkio_device {
	uint32_t major, minor;
	uint64_t value; /* weight, bytes per second or operations per second */
};

struct blkio_list {
	struct blkio_device *items;
	size_t count;
};

struct name_value {
	const char *name, *value;
};

struct resources {
	struct opt_i64 memory_limit, memory_reservation, memory_swap; /* bytes; -1 = unlimited */
	struct opt_i64 memory_kernel_tcp; /* bytes; v1 only */
	struct opt_u64 memory_swappiness;
	bool memory_disable_oom_killer, memory_check_before_update;
	struct opt_u64 cpu_shares, cpu_period, cpu_burst,
	    cpu_rt_period; /* period, burst: microseconds */
	struct opt_i64 cpu_quota, cpu_rt_runtime, cpu_idle;
	const char *cpuset_cpus, *cpuset_mems; /* NULL = unset */
	struct opt_i64 pids_limit;
	struct opt_u64 blkio_weight;
	struct blkio_list blkio_weight_device, read_bps, write_bps, read_iops, write_iops;
	struct {
		const char *size;
		uint64_t limit;
	} * huge; /* "2MB" -> bytes */
	size_t huge_count;
	struct opt_u64 net_class_id;
	struct name_value *net_priorities, *unified; /* unified: cgroup v2 file -> content */
	size_t net_priority_count, unified_count;
	struct device_rule *devices;
	size_t device_count;
};

struct rlimit_spec {
	int resource;
	const char *name;
	struct rlimit limit;
};

enum cap_set {
	CAP_SET_BOUNDING,
	CAP_SET_EFFECTIVE,
	CAP_SET_PERMITTED,
	CAP_SET_INHERITABLE,
	CAP_SET_AMBIENT,
	CAP_SETS
};

struct process_spec {
	bool terminal, no_new_privileges;
	uint16_t console_rows, console_columns; /* 0 = not given */
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	int umask; /* -1 = not given */
	const char *const *args, *const *env;
	size_t arg_count, env_count;
	const char *cwd;
	bool has_caps;
	uint64_t caps[CAP_SETS]; /* bit n = capability n */
	struct rlimit_spec *rlimits;
	size_t rlimit_count;
	bool has_oom_score_adj;
	int oom_score_adj;
	const char *apparmor_profile, *selinux_label; /* NULL = none */
	bool has_io_priority;
	int io_priority; /* value for ioprio_set */
	bool has_scheduler;
	const struct ts_json *scheduler;
};

struct hook_spec {
	const char *path;
	const char *const *args, *const *env;
	int timeout_s; /* 0 = no limit */
};

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KINDS
};

struct hook_list {
	struct hook_spec *items;
	size_t count;
};

struct config {
	struct ts_json_doc *doc;
	const struct ts_json *root, *annotations, *seccomp; /* annotations, seccomp: NULL = none */
	const char *oci_version;
	const char *rootfs; /* as written: relative to the bundle */
	bool rootfs_readonly;
	const char *hostname, *domainname; /* NULL = none */
	bool has_process;
	struct process_spec process;
	struct mount_spec *mounts;
	size_t mount_count;
	struct hook_list hooks[HOOK_KINDS];
	struct ns_spec namespaces[NS_COUNT];
	struct id_maps uid_maps, gid_maps;
	struct name_value *time_offsets; /* "monotonic" -> "secs nanosecs" */
	size_t time_offset_count;
	struct device_spec *devices;
	size_t device_count;
	const char *cgroups_path; /* NULL = none */
	struct resources resources;
	struct name_value *sysctls;
	size_t sysctl_count;
	unsigned long rootfs_propagation; /* MS_* or 0 */
	const char *mount_label;	  /* SELinux label of new file systems, NULL = none */
	const char *const *masked_paths, *const *readonly_paths;
	size_t masked_count, readonly_count;
	bool has_personality;
	unsigned long personality;
};

/* Reads and checks a whole config.json. The text may go away afterwards only with the document. */
int config_parse(struct config *config, const char *text, size_t len, struct ts_err *err);
void config_free(struct config *config);

/* Parts, also used by exec (--process) and update (--resources). */
int config_parse_process(struct ts_json_doc *doc, const struct ts_json *node,
			 struct process_spec *out, struct ts_err *err);
int config_parse_resources(struct ts_json_doc *doc, const struct ts_json *node,
			   struct resources *out, struct ts_err *err);
int config_parse_mounts(struct config *config, struct ts_err *err);
int config_parse_linux(struct config *config, struct ts_err *err);
int config_parse_hooks(struct config *config, struct ts_err *err);

/* Splits a mount's option list; `where` names the field in errors. */
int mount_options_parse(struct ts_json_doc *doc, const char *const *list, size_t count, bool bind,
			const char *where, struct mount_options *out, struct ts_err *err);

/* Reads id maps or any [{name: value}] object of strings; shared by the parsers. */
int config_parse_id_maps(struct ts_json_doc *doc, const struct ts_json *obj, const char *key,
			 const char *where, struct id_maps *out, struct ts_err *err);
int config_parse_strings(struct ts_json_doc *doc, const struct ts_json *obj, const char *key,
			 const char *where, struct name_value **out, size_t *count,
			 struct ts_err *err);

/* ts_fail with code "invalid" for a field. */
#define config_invalid(err, path, ...)                                                             \
	ts_fail((err), TS_E_INVALID, 0, "config", (path), __VA_ARGS__)

#endif
