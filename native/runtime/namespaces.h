/* Making and joining namespaces, and what belongs to a fresh one: id maps, host name, loopback. */
#ifndef RUNTIME_NAMESPACES_H
#define RUNTIME_NAMESPACES_H

#include <sys/types.h>

#include "config.h"

/* CLONE_NEW* of the namespaces that are to be made. */
unsigned long ns_new_flags(const struct config *config);
/* CLONE_NEW* of all namespaces in the configuration: those that may differ from the host's. */
unsigned long ns_all_flags(const struct config *config);

/* Opens the given paths and checks that each is a namespace of its type; others get -1. */
int ns_open_paths(const struct config *config, int fds[NS_COUNT], struct ts_err *err);

/* Joins those of the opened namespaces that a process can enter itself (all but pid and time). */
int ns_join_self(const int fds[NS_COUNT], struct ts_err *err);
/* Joins pid and time namespaces for the children of this process. */
int ns_join_for_children(const int fds[NS_COUNT], struct ts_err *err);

/* Makes a time namespace for the children of this process, with its clock offsets. */
int ns_make_time(const struct config *config, struct ts_err *err);

/* Writes the id maps of a process in a new user namespace. */
int ns_write_id_maps(pid_t pid, const struct config *config, struct ts_err *err);

int ns_set_names(const struct config *config, struct ts_err *err);
int ns_loopback_up(struct ts_err *err);

#endif
