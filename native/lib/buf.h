/*
 * A growable byte buffer that is always NUL-terminated.
 *
 * Owns its memory until ts_buf_free(). Allocation failure aborts the process: these are short-lived
 * programs or have bounded buffers, and none can go on sensibly without memory.
 */
#ifndef TS_BUF_H
#define TS_BUF_H

#include <stddef.h>

struct ts_buf {
	char *data; /* NULL until the first append */
	size_t len; /* bytes used, without the final NUL */
	size_t cap; /* bytes allocated */
};

#define TS_BUF_INIT                                                                                \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

/* Makes room for `more` further bytes and the NUL. */
void ts_buf_reserve(struct ts_buf *buf, size_t more);
void ts_buf_add(struct ts_buf *buf, const void *bytes, size_t len);
void ts_buf_puts(struct ts_buf *buf, const char *text);
void ts_buf_printf(struct ts_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ts_buf_free(struct ts_buf *buf);

#define cleanup_buf __attribute__((cleanup(ts_buf_free)))

#endif
