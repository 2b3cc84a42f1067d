/*
 * Capabilities by name, and putting a process's five sets in place.
 *
 * What this process itself may not have (its bounding set) cannot be given away: such capabilities
 * are left out with a warning, as the runtime-spec asks. Invariant: what is in no set of the
 * configuration is in no set of the process.
 */
#ifndef RUNTIME_CAPS_H
#define RUNTIME_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

/* Number of "CAP_CHOWN", or -1 when the name is not known. */
int caps_number(const char *name);
/* Name of a capability number, or NULL. */
const char *caps_name(int cap);
/* The highest capability that this kernel knows. */
int caps_last(void);

/* Removes from the sets what this process does not have in its bounding set, with warnings. */
int caps_limit(uint64_t caps[CAP_SETS], struct ts_err *err);

/* Drops bounding capabilities; must run while CAP_SETPCAP is effective. */
int caps_apply_bounding(const uint64_t caps[CAP_SETS], struct ts_err *err);

/*
 * Sets the other four sets, after the change of user (with PR_SET_KEEPCAPS). `keep` is a mask that
 * stays permitted and effective until execve, which removes it since it is not in the bounding set.
 */
int caps_apply(const uint64_t caps[CAP_SETS], uint64_t keep, struct ts_err *err);

#endif
