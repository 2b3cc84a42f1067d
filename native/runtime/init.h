/*
 * The container's first process, from clone to the user's program, and its talk with the parent.
 *
 * Over the socket pair the child sends struct init_message and, where it says so, waits for the
 * answer (its pid on the host); a closed socket means that the parent is gone, and the child ends.
 * It also dies with its parent until it is ready, so a killed `create` leaves no process behind.
 */
#ifndef RUNTIME_INIT_H
#define RUNTIME_INIT_H

#include "cgroup.h"
#include "config.h"
#include "namespaces.h"
#include "seccomp.h"
#include "state.h"

enum init_message_kind {
	INIT_NEEDS_MAPS = 1, /* waits: write my id maps */
	INIT_NEEDS_HOOKS,    /* waits: run prestart and createRuntime hooks */
	INIT_READY,	     /* everything stands; waits for `start` from now on */
	INIT_FAILED,	     /* err says why */
};

struct init_message {
	enum init_message_kind kind;
	struct ts_err err;
};

struct init_plan {
	const struct config *config;
	const struct cgroup *cgroup;
	const struct seccomp_program *filter;
	struct state *state;	 /* for createContainer and startContainer hooks */
	const char *rootfs_path; /* relative paths: to the working folder, which is the bundle */
	int rootfs_source_fd;	 /* user namespace: the detached root, else -1 */
	int sync_fd, listen_fd, console_fd; /* console_fd: -1 = none */
	int ns_fds[NS_COUNT];
	bool joined_v2; /* clone3 has put us into the v2 group */
	bool no_pivot, no_keyring;
	int preserve_fds; /* descriptors 3 .. 3+n-1 go to the program */
};

/* Makes the first process; *pid is its pid on the host. See spawn.c. */
int init_spawn(struct init_plan *plan, pid_t *pid, int *pidfd, struct ts_err *err);

/* What runs in it. Never returns. */
_Noreturn void init_run(struct init_plan *plan);

/* Joins (or makes) the session keyring of a container, so that the host's keys are out of reach. */
void init_join_keyring(const char *id);

#endif
