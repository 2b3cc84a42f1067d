/*
 * The container's log file: one JSON object per line of output, rotated by size.
 *
 * Refuses to block or to fail its caller: when the file cannot be written, records are counted as
 * lost, and a record that says so is written as soon as the file takes data again.
 * Invariant: the file always ends after a whole record, also after a failed write.
 */
#ifndef TSWARM_SHIM_LOG_H
#define TSWARM_SHIM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "limits.h"

enum { LOG_STDOUT = 0, LOG_STDERR = 1 };

struct log {
	int fd; /* -1 = no log is kept */
	const char *path;
	uint64_t bytes_max; /* of one file; 0 = unlimited */
	uint64_t files_max; /* with the current one; 0 = unlimited */
	uint64_t bytes;	    /* in the current file */
	uint64_t records_lost;
	size_t records;	   /* in the buffer */
	size_t used;	   /* bytes in the buffer */
	size_t partial[2]; /* bytes of an unfinished line, per stream */
};

/* Opens or makes the file; what an earlier writer left behind its last whole record is cut off. */
int log_open(struct log *log, const char *path, uint64_t bytes_max, uint64_t files_max,
	     struct ts_err *err);

/* Records output; whole lines are in the file when it returns. */
void log_output(struct log *log, int stream, const char *data, size_t length);

/* Records what is left of a line that was never ended. */
void log_end(struct log *log, int stream);

/* Gives the memory of the buffers back to the kernel where they hold nothing. */
void log_trim(struct log *log);

#endif
