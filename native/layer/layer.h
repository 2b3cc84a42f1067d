/*
 * What the verbs of tswarm-layer share: reading their options, and their entry points.
 */
#ifndef TSWARM_LAYER_LAYER_H
#define TSWARM_LAYER_LAYER_H

#include <stdint.h>

#include "err.h"

int option_number(const char *option, const char *text, uint64_t max, uint64_t *number,
		  struct ts_err *err);
const char *option_value(char ***arguments, struct ts_err *err);
int option_unknown(const char *option, struct ts_err *err);
static inline int option_required(const char *option, const void *value, struct ts_err *err)
{
	return value ? 0
		     : ts_fail(err, TS_E_BAD_REQUEST, 0, "options", option, "%s is required",
			       option);
}

int verb_lookup(char **arguments, struct ts_err *err);
int verb_stat(char **arguments, struct ts_err *err);
int verb_tar(char **arguments, struct ts_err *err);
int verb_diff(char **arguments, struct ts_err *err);

#endif
