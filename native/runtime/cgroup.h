/*
 * The container's control groups, whatever the host has: cgroup v1 (one hierarchy per controller),
 * hybrid (v1 plus a cgroup v2 tree beside it) or v2.
 *
 * Owns: the folders of one container in all hierarchies. All work goes through descriptors of those
 * folders. Refuses a path that leads out of the tree, the root itself, and a group that is in use.
 * Only the container's own folder is removed again; parents may be shared and stay.
 */
#ifndef RUNTIME_CGROUP_H
#define RUNTIME_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_HIERARCHIES_MAX 24

struct cgroup_hierarchy {
	char name[64];	 /* v1: "memory", "cpu,cpuacct", "systemd"; v2: "unified" */
	char mount[128]; /* where it is mounted on the host */
	bool v2;
	bool made;    /* this process created the folder */
	int mount_fd; /* the top folder */
	int fd;	      /* the container's folder, -1 = none */
};

struct cgroup {
	bool unified; /* v2 only; else v1 or hybrid */
	size_t count;
	struct cgroup_hierarchy items[CGROUP_HIERARCHIES_MAX];
	char path[1024]; /* the container's folder below each mount, starts with '/' */
};

/* Finds the hierarchies; opens their top folders. No cgroup file system at all is no error: count
 * 0. */
int cgroup_detect(struct cgroup *cg, struct ts_err *err);

/* Sets cg->path from linux.cgroupsPath (NULL: made from the id). */
int cgroup_set_path(struct cgroup *cg, const char *cgroups_path, const char *id, bool systemd_form,
		    struct ts_err *err);

/* Creates the folders; on failure removes what it made. */
int cgroup_create(struct cgroup *cg, struct ts_err *err);

/* Opens the folders of an existing container; missing ones get fd -1. */
int cgroup_open(struct cgroup *cg, struct ts_err *err);

/* Puts the calling (single-threaded) process into the groups; `skip_v2`: clone3 has done that one.
 */
int cgroup_join_self(const struct cgroup *cg, bool skip_v2, struct ts_err *err);

/* Writes the limits. `fresh`: the group was just made (also sets the device rules). */
int cgroup_apply(struct cgroup *cg, const struct resources *res, bool fresh, struct ts_err *err);
int cgroup_v1_apply(struct cgroup *cg, const struct resources *res, bool fresh, struct ts_err *err);
int cgroup_v2_apply(struct cgroup *cg, const struct resources *res, bool fresh, struct ts_err *err);

/* Removes the folders (and empty folders below, which the container may have made). */
int cgroup_remove(struct cgroup *cg, struct ts_err *err);

/* All pids in the group and below, in the reader's pid namespace; the caller frees *pids. */
int cgroup_pids(const struct cgroup *cg, pid_t **pids, size_t *count, struct ts_err *err);

/* Sends the signal to every process of the group, so that none can escape by forking. */
int cgroup_signal_all(struct cgroup *cg, int sig, struct ts_err *err);

int cgroup_freeze(struct cgroup *cg, bool freeze, struct ts_err *err);
/* 1 = frozen, 0 = not (or no freezer). */
int cgroup_is_frozen(const struct cgroup *cg);

/* The v1 hierarchy that has the controller, the v2 one for "" ; NULL when there is none. */
struct cgroup_hierarchy *cgroup_find(const struct cgroup *cg, const char *controller);

/* Turns the controllers of a v2 tree on in every group above the container's; see apply_huge. */
int cgroup_enable_above(const struct cgroup *cg, const struct cgroup_hierarchy *h, struct ts_err *err);

/* The v2 folder's descriptor for clone3(CLONE_INTO_CGROUP), or -1. */
int cgroup_v2_fd(const struct cgroup *cg);

void cgroup_close(struct cgroup *cg);
#define cleanup_cgroup __attribute__((cleanup(cgroup_close)))

/* One write of a limit; an error names `field`. Missing file: 0 with *missing set, if missing !=
 * NULL. */
int cgroup_write(int fd, const char *file, const char *value, const char *field, bool *missing,
		 struct ts_err *err);
int cgroup_write_u64(int fd, const char *file, unsigned long long value, const char *field,
		     bool *missing, struct ts_err *err);
int cgroup_write_i64(int fd, const char *file, long long value, const char *field, bool *missing,
		     struct ts_err *err);
/* First number in a file; -1 with errno when it cannot be read. "max" reads as LLONG_MAX. */
int cgroup_read_i64(int fd, const char *file, long long *out);

/* The device rules that every container gets behind its own: see cgroup-devices.c. */
extern const struct device_rule cgroup_default_devices[];
extern const size_t cgroup_default_device_count;
int cgroup_v1_devices(int fd, const struct resources *res, struct ts_err *err);
int cgroup_v2_devices(int fd, const struct resources *res, struct ts_err *err);

#endif
