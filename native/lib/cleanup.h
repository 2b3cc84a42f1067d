/*
 * Scope-bound release of file descriptors, memory and directory streams.
 *
 * Owns no state. Each macro is a variable attribute: the resource is released when the variable
 * leaves its scope, so an early return cannot leak. Ownership leaves a scope only through
 * steal_fd() or steal_ptr(), which make the transfer visible at the call site.
 */
#ifndef TS_CLEANUP_H
#define TS_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void ts_cleanup_fd(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}

static inline void ts_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void ts_cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define cleanup_fd __attribute__((cleanup(ts_cleanup_fd)))
#define cleanup_free __attribute__((cleanup(ts_cleanup_free)))
#define cleanup_dir __attribute__((cleanup(ts_cleanup_dir)))

/* Returns the descriptor and leaves -1 behind, so that its cleanup does nothing. */
static inline int steal_fd(int *fd)
{
	int out = *fd;
	*fd = -1;
	return out;
}

/* Returns the pointer and leaves NULL behind, so that its cleanup does nothing. */
#define steal_ptr(pp)                                                                              \
	({                                                                                         \
		__typeof__(*(pp)) stolen_ = *(pp);                                                 \
		*(pp) = NULL;                                                                      \
		stolen_;                                                                           \
	})

#define TS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
