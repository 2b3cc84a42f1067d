#include "lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536

enum ts_lines_result ts_lines_read(struct ts_lines *lines, int fd, ts_line_handler *handle,
				   void *context)
{
	struct ts_buf *bytes = &lines->bytes;
	size_t start = 0;
	ssize_t n;

	ts_buf_reserve(bytes, READ_BYTES);
	n = read(fd, bytes->data + bytes->len, READ_BYTES);
	if (n < 0 && errno == EINTR)
		return TS_LINES_MORE;
	if (n <= 0)
		return n == 0 ? TS_LINES_END : TS_LINES_FAILED;
	bytes->len += (size_t)n;
	for (char *end; (end = memchr(bytes->data + lines->scanned, '\n', bytes->len - lines->scanned));
	     start = lines->scanned = (size_t)(end - bytes->data) + 1)
		if (handle(bytes->data + start, (size_t)(end - bytes->data) - start, context) < 0)
			return TS_LINES_FAILED;
	memmove(bytes->data, bytes->data + start, bytes->len - start);
	bytes->len -= start;
	lines->scanned = bytes->len;
	return bytes->len > lines->max ? TS_LINES_TOO_LONG : TS_LINES_MORE;
}

int ts_lines_serve(int fd, size_t max, ts_line_handler *handle, void *context)
{
	struct ts_lines lines = {.bytes = TS_BUF_INIT, .max = max};
	enum ts_lines_result result;

	do
		result = ts_lines_read(&lines, fd, handle, context);
	while (result == TS_LINES_MORE);
	ts_buf_free(&lines.bytes);
	if (result == TS_LINES_TOO_LONG)
		return 2;
	return result == TS_LINES_END ? 0 : 1;
}
