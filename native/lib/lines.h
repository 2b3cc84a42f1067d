/*
 * Whole lines from a descriptor, for the programs that answer the worker line by line.
 */
#ifndef TS_LINES_H
#define TS_LINES_H

#include "buf.h"

struct ts_lines {
	struct ts_buf bytes; /* what has come of a line that is not whole yet */
	size_t scanned;      /* no newline before this */
	size_t max;          /* bytes that a line may have before its newline is seen */
};

/* What a read has brought. */
enum ts_lines_result {
	TS_LINES_MORE,     /* go on */
	TS_LINES_END,      /* the input has ended */
	TS_LINES_FAILED,   /* read(2) failed, or a line's handler did */
	TS_LINES_TOO_LONG, /* a line has more than `max` bytes */
};

/* Gets a line without its newline; not terminated by NUL. -1 = stop (TS_LINES_FAILED). */
typedef int ts_line_handler(const char *line, size_t len, void *context);

/* Reads once, waiting if it must, and hands over each line that is whole, in order. */
enum ts_lines_result ts_lines_read(struct ts_lines *lines, int fd, ts_line_handler *handle,
				   void *context);

/* For a program that does nothing else: until its input ends. The program's exit code: 0 = it has
 * ended, 1 = it failed or a handler did, 2 = a line was too long. */
int ts_lines_serve(int fd, size_t max, ts_line_handler *handle, void *context);

#endif
