/* The growable buffer of buf.h: doubles its memory, never shrinks, aborts without memory. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ts_buf_reserve(struct ts_buf *buf, size_t more)
{
	size_t need, cap = buf->cap ? buf->cap : 256;

	if (__builtin_add_overflow(buf->len, more, &need) || __builtin_add_overflow(need, 1, &need))
		abort();
	if (need <= buf->cap)
		return;
	while (cap < need) {
		if (cap > (size_t)-1 / 2)
			abort();
		cap *= 2;
	}
	buf->data = realloc(buf->data, cap);
	if (!buf->data)
		abort();
	buf->cap = cap;
}

void ts_buf_add(struct ts_buf *buf, const void *bytes, size_t len)
{
	ts_buf_reserve(buf, len);
	if (len)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void ts_buf_puts(struct ts_buf *buf, const char *text)
{
	ts_buf_add(buf, text, strlen(text));
}

void ts_buf_printf(struct ts_buf *buf, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	ts_buf_reserve(buf, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf->len += (size_t)n;
}

void ts_buf_free(struct ts_buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->len = buf->cap = 0;
}
