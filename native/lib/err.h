/*
 * One error object for every native program.
 *
 * Rule: a function that can fail returns a negative number and fills *err exactly once; on success
 * *err is untouched. The first cause wins: filling an already filled error keeps the first one, so
 * that clean-up code cannot hide why things failed. The struct has a fixed size and no pointers,
 * because a container's first process sends it to its parent over a socket as it is.
 */
#ifndef TS_ERR_H
#define TS_ERR_H

#include <errno.h>

#include "buf.h"

struct ts_err {
	int errnum;	   /* errno of the failed call, 0 when no call failed */
	char code[24];	   /* machine word: "not_found", "invalid", "kernel", ...; "" = no error */
	char op[40];	   /* the call or step that failed: "openat2", "seccomp", ... */
	char path[512];	   /* file, or dotted path of the configuration field; "" = none */
	char message[768]; /* one sentence for a person */
};

/* The words for ts_err.code that more than one program uses. */
#define TS_E_INVALID "invalid"		     /* a value in the configuration or request is wrong */
#define TS_E_KERNEL "kernel"		     /* a system call failed */
#define TS_E_UNSUPPORTED "unsupported"	     /* valid, but this program or kernel cannot do it */
#define TS_E_BAD_REQUEST "bad_request"	     /* the command line is wrong (exit code 2) */
#define TS_E_NOT_FOUND "not_found"	     /* the program to run does not exist (127) */
#define TS_E_NOT_EXECUTABLE "not_executable" /* the program cannot be executed (126) */
#define TS_E_NO_CONTAINER "no_such_container"
#define TS_E_EXISTS "already_exists"
#define TS_E_STATE "bad_state" /* the container's status does not allow it */
#define TS_E_HOOK "hook_failed"
#define TS_E_REFUSED "refused" /* refused for safety: the path leads somewhere it must not */

/*
 * Fills *err (unless it is filled) and returns -1. `path` may be NULL. The message is built from
 * `fmt`; when errnum is not 0, ": <strerror>" is added to it.
 */
#define ts_fail(...)                                                                               \
	({                                                                                         \
		ts_err_fill(__VA_ARGS__);                                                          \
		-1;                                                                                \
	})
/* A macro returns the -1, so that compiler and analyzer see in every caller that it failed. */
void ts_err_fill(struct ts_err *err, const char *code, int errnum, const char *op, const char *path,
		 const char *fmt, ...) __attribute__((format(printf, 6, 7), cold));

/* ts_fail with code "kernel" and the current errno. */
#define ts_fail_errno(err, op, path, ...)                                                          \
	ts_fail((err), TS_E_KERNEL, errno, (op), (path), __VA_ARGS__)

/* Puts "prefix: " before the message of a filled error. Returns -1 for use in return statements. */
int ts_err_prefix(struct ts_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline int ts_err_is_set(const struct ts_err *err)
{
	return err->code[0] != '\0';
}

/* Appends {"code","op","path","errno","message"} without a newline. */
void ts_err_to_json(const struct ts_err *err, struct ts_buf *out);

/* Writes the error as one JSON line to the descriptor. */
void ts_err_print(const struct ts_err *err, int fd);

#endif
