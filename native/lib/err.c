/*
 * Filling and printing of struct ts_err; see err.h for the rules. Refuses to overwrite a filled
 * error: the first cause is the one that a person needs.
 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fs.h"
#include "json-write.h"

static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);
	memcpy(to, from, n);
	to[n] = '\0';
}

void ts_err_fill(struct ts_err *err, const char *code, int errnum, const char *op, const char *path,
		 const char *fmt, ...)
{
	va_list ap;
	int n;

	if (ts_err_is_set(err))
		return;
	err->errnum = errnum;
	copy_text(err->code, sizeof(err->code), code);
	copy_text(err->op, sizeof(err->op), op);
	copy_text(err->path, sizeof(err->path), path ? path : "");
	va_start(ap, fmt);
	n = vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	if (errnum != 0 && n >= 0 && (size_t)n < sizeof(err->message))
		snprintf(err->message + n, sizeof(err->message) - (size_t)n, ": %s",
			 strerror(errnum));
}

int ts_err_prefix(struct ts_err *err, const char *fmt, ...)
{
	char old[sizeof(err->message)];
	va_list ap;
	int n;

	memcpy(old, err->message, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	/* What is too long loses its end. */
	if (n >= 0 && (size_t)n + 2 < sizeof(err->message)) {
		memcpy(err->message + n, ": ", 2);
		copy_text(err->message + n + 2, sizeof(err->message) - (size_t)n - 2, old);
	}
	return -1;
}

void ts_err_to_json(const struct ts_err *err, struct ts_buf *out)
{
	ts_buf_puts(out, "{\"code\":");
	ts_json_put_str(out, err->code);
	ts_buf_puts(out, ",\"op\":");
	ts_json_put_str(out, err->op);
	ts_buf_puts(out, ",\"path\":");
	ts_json_put_str(out, err->path);
	ts_buf_printf(out, ",\"errno\":%d,\"message\":", err->errnum);
	ts_json_put_str(out, err->message);
	ts_buf_puts(out, "}");
}

void ts_err_print(const struct ts_err *err, int fd)
{
	struct ts_buf line = TS_BUF_INIT;

	ts_err_to_json(err, &line);
	ts_buf_puts(&line, "\n");
	ts_write_all(fd, line.data, line.len);
	ts_buf_free(&line);
}
