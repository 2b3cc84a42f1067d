/* Making and joining namespaces, and what belongs to a fresh one: id maps, host name, loopback. */
#ifndef RUNTIME_NAMESPACES_H
#define RUNTIME_NAMESPACES_H

#include <sys/types.h>

#include "config.h"

/* CLONE_NEW* of the namespaces that are to be made; one for mounts is always among them. */
unsigned long ns_new_flags(const struct config *config);
/* CLONE_NEW* of all namespaces in the configuration: those that may differ from the host's. */
unsigned long ns_all_flags(const struct config *config);

/* Is the mount namespace one of the container's own? Else its tree goes with its processes only. */
bool ns_has_own_mounts(const struct config *config);

/*
 * Opens the given paths and checks that each is a namespace of its type; others get -1. A container
 * without a mount namespace gets the caller's.
 */
int ns_open_paths(const struct config *config, int fds[NS_COUNT], struct ts_err *err);

/* Joins those of the opened namespaces that a process can enter at any time, and closes them. */
int ns_join_self(int fds[NS_COUNT], struct ts_err *err);

/*
 * Must the container's first process come from a helper? Pid and time namespaces hold for the
 * children of who joins or makes them, a user namespace by path takes the host's rights away: none
 * of that may happen to the creating process, which runs hooks afterwards.
 */
bool ns_need_helper(const struct config *config);
/* What the helper does before it makes that process: everything that it alone can. */
int ns_join_as_helper(const struct config *config, int fds[NS_COUNT], struct ts_err *err);

/* Writes the id maps of a process in a new user namespace. */
int ns_write_id_maps(pid_t pid, const struct config *config, struct ts_err *err);

int ns_set_names(const struct config *config, struct ts_err *err);
int ns_loopback_up(struct ts_err *err);

#endif
