/*
 * Warnings and the final error: to the --log file when there is one (text or runc's JSON lines),
 * and the final error always to stderr as one JSON line. Warnings never go to a stderr that is not
 * a terminal: during create it is the container's own output.
 */
#ifndef RUNTIME_LOG_H
#define RUNTIME_LOG_H

#include <stdbool.h>

#include "err.h"

/* Opens the log file for appending; path NULL = none. */
int log_open(const char *path, bool json, struct ts_err *err);
/* The descriptor of the log file, or -1: kept open across the closing of other descriptors. */
int log_fd(void);
/* Forgets and closes the log, in a process that is about to become the container's. */
void log_close(void);
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const struct ts_err *err);

#endif
