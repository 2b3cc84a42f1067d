/*
 * Points in time as RFC 3339 text in UTC with all nine digits, so that lines sort as text.
 */
#ifndef TSWARM_SHIM_STAMP_H
#define TSWARM_SHIM_STAMP_H

#include <time.h>

enum { STAMP_BYTES = 30 };

/* Writes "2026-01-31T12:00:00.123456789Z", not terminated. Years 0 to 9999. */
void stamp_format(struct timespec time, char out[STAMP_BYTES]);

#endif
