/* Implementation of log.h; the JSON form is the one that callers of runc read
 * ("level","msg","time"). */
#include "log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "fs.h"
#include "json-write.h"

static struct {
	int fd;
	bool json;
} log_to = {-1, false};

int log_open(const char *path, bool json, struct ts_err *err)
{
	log_to.json = json;
	if (!path || !*path)
		return 0;
	log_to.fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (log_to.fd < 0)
		return ts_fail_errno(err, "open", path, "cannot open the log file %s", path);
	return 0;
}

int log_fd(void)
{
	return log_to.fd;
}

void log_close(void)
{
	if (log_to.fd >= 0)
		close(log_to.fd);
	log_to.fd = -1;
}

static void write_line(const char *level, const char *message, const struct ts_err *err)
{
	struct timespec now;
	struct tm tm;
	char when[40];
	struct ts_buf line = TS_BUF_INIT;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (log_to.json) {
		ts_buf_printf(&line, "{\"level\":\"%s\",\"msg\":", level);
		ts_json_put_str(&line, message);
		ts_buf_printf(&line, ",\"time\":\"%s\"", when);
		if (err) {
			ts_buf_puts(&line, ",\"error\":");
			ts_err_to_json(err, &line);
		}
		ts_buf_puts(&line, "}\n");
	} else {
		ts_buf_printf(&line, "time=\"%s\" level=%s msg=", when, level);
		ts_json_put_str(&line, message);
		ts_buf_puts(&line, "\n");
	}
	ts_write_all(log_to.fd, line.data, line.len);
	ts_buf_free(&line);
}

void log_warn(const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (log_to.fd >= 0)
		write_line("warning", message, NULL);
	else if (isatty(STDERR_FILENO))
		dprintf(STDERR_FILENO, "warning: %s\n", message);
}

void log_error(const struct ts_err *err)
{
	if (log_to.fd >= 0)
		write_line("error", err->message, err);
	ts_err_print(err, STDERR_FILENO);
}
