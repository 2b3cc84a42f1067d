/* Running the hooks of a configuration: one after the other, with the state JSON on stdin. */
#ifndef RUNTIME_HOOKS_H
#define RUNTIME_HOOKS_H

#include "config.h"
#include "state.h"

/* Name of a kind as in the configuration. */
const char *hooks_kind_name(enum hook_kind kind);

/*
 * Runs all hooks of a kind in the calling process's namespaces. The first one that fails, or lasts
 * longer than its timeout (it is killed), ends the run with code hook_failed; but of the poststop
 * hooks, and by the specification before 1.2 of the poststart hooks, all run whatever becomes of
 * the others, and a failure is a warning.
 */
int hooks_run(const struct config *config, enum hook_kind kind, const struct state *state,
	      enum status status, struct ts_err *err);

#endif
