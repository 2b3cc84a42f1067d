/* The CPU scheduling policy of a process (process.scheduler). */
#ifndef RUNTIME_SCHEDULER_H
#define RUNTIME_SCHEDULER_H

#include "json.h"

/* Reads the object and applies it to the calling process. */
int scheduler_apply(const struct ts_json *scheduler, struct ts_err *err);

#endif
