/*
 * What is known about a container between two runs of this program: the folder ROOT/ID with
 * state.json (this struct), config.json (a copy: what exec and the hooks use) and start.sock (the
 * socket on which a created container waits).
 *
 * Invariant: state.json exists before the first process of the container, so that a creation that
 * is killed at any moment can be deleted. Status is never stored: it is read from the process and
 * the socket. The folder is locked (flock) while a container is created or deleted.
 */
#ifndef RUNTIME_STATE_H
#define RUNTIME_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"
#include "json.h"

enum status { STATUS_CREATING, STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_STOPPED };

struct state {
	const char *oci_version, *id, *bundle, *rootfs, *created, *cgroup_path;
	const char *annotations; /* JSON text, or NULL */
	size_t annotations_len;
	pid_t pid;		/* 0 while creating */
	uint64_t start_ticks;	/* start time of pid, see proc.h */
	unsigned long ns_flags; /* CLONE_NEW* that differ from the host's: what exec joins */
	bool has_poststart, has_poststop, systemd_cgroup;
	bool root_apart; /* the root is not that of its mount namespace: exec must change to it */
	struct ts_json_doc *doc; /* owns the strings of a loaded state */
	struct ts_buf text;
};

/* Opens the state root, with `make` creating it; refuses one that others can write. */
int state_open_root(const char *root, bool make, struct ts_err *err);

/* Checks an id: letters, digits and "_+-.", at most 255, not starting with a dot. */
int state_check_id(const char *id, struct ts_err *err);

/* Creates ROOT/ID and takes its lock. Returns its descriptor. */
int state_create_dir(int root_fd, const char *id, struct ts_err *err);

/* Opens ROOT/ID (code no_such_container); with `lock` waits for its lock. */
int state_open_dir(int root_fd, const char *id, bool lock, struct ts_err *err);

int state_save(int dir_fd, const struct state *state, struct ts_err *err);
int state_load(int dir_fd, const char *id, struct state *state, struct ts_err *err);
void state_free(struct state *state);
#define cleanup_state __attribute__((cleanup(state_free)))

enum status state_status(int dir_fd, const struct state *state);
const char *state_status_name(enum status status);

/* The state as the runtime-spec wants it on stdout and on the stdin of hooks. */
void state_to_json(const struct state *state, enum status status, struct ts_buf *out);

#endif
