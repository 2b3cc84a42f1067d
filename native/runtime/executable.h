/* Finding the program of a container, inside its root and with its user's permissions. */
#ifndef RUNTIME_EXECUTABLE_H
#define RUNTIME_EXECUTABLE_H

#include "config.h"

/* Value of a variable in the process's environment (the last one counts), or NULL. */
const char *executable_env(const struct process_spec *p, const char *name);

/* Finds process.args[0], through PATH when it has no slash; errors not_found and not_executable. */
int executable_find(const struct process_spec *p, char *out, size_t size, struct ts_err *err);

#endif
