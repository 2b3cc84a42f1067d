/*
 * tswarm-datagram: sends datagrams to a Unix socket for the worker, whose runtime knows only
 * streams there. Local syslog (/dev/log) and the journal are such sockets.
 *
 *     tswarm-datagram SOCKET    one JSON request per line on stdin, one answer per line on stdout
 *
 * Request: {"id":N,"op":"send","datagrams":[BASE64,…]}. Answer: {"id":N,"ok":true,"sent":n} or
 * {"id":N,"ok":false,"sent":n,"error":{code,op,path,errno,message}}: the first n are with the
 * receiver; with none it only connects. A datagram that no socket buffer takes goes as a sealed
 * memory file, as the journal's protocol has it. A receiver that was started anew is found again;
 * one that reads nothing for SEND_TIMEOUT_S is an error. It ends with its input and keeps nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "json.h"
#include "lines.h"

enum { EXIT_BAD_REQUEST = 2, SEND_TIMEOUT_S = 5 };

/* The worker sends at most some hundred KiB at a time; base64 makes it a third more. */
#define LINE_BYTES_MAX (8 * 1024 * 1024)

struct target {
	struct sockaddr_un address;
	int fd; /* -1 = not connected */
};

static int reconnect(struct target *target)
{
	const struct timeval limit = {.tv_sec = SEND_TIMEOUT_S};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ts_cleanup_fd(&target->fd);
	target->fd = -1;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
	    connect(fd, (const struct sockaddr *)&target->address, sizeof target->address) < 0)
		return -1;
	target->fd = steal_fd(&fd);
	return 0;
}

/* The message in a memory file, whose descriptor is all that is sent. */
static int send_as_file(int fd, const char *bytes, size_t length)
{
	cleanup_fd int file = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr message = {.msg_control = control.bytes,
				 .msg_controllen = sizeof control.bytes};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (file < 0 || ts_write_all(file, bytes, length) < 0 ||
	    fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -1;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &file, sizeof file);
	return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int send_once(int fd, const char *bytes, size_t length)
{
	ssize_t n;

	do
		n = send(fd, bytes, length, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == EMSGSIZE || errno == ENOBUFS ? send_as_file(fd, bytes, length) : -1;
}

/* A receiver that has been started anew has a new socket behind the same path. */
static int send_datagram(struct target *target, const char *bytes, size_t length)
{
	if (target->fd >= 0) {
		if (send_once(target->fd, bytes, length) == 0)
			return 0;
		if (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
			return -1;
	}
	return reconnect(target) < 0 ? -1 : send_once(target->fd, bytes, length);
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Appends what the text stands for. -1 when it is no base64. */
static int decode(const char *text, size_t length, struct ts_buf *out)
{
	uint32_t bits = 0;
	unsigned count = 0;

	while (length > 0 && text[length - 1] == '=')
		length--;
	ts_buf_reserve(out, length);
	for (size_t i = 0; i < length; i++) {
		int value = digit(text[i]);
		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out->data[out->len++] = (char)(bits >> count & 0xff);
		}
	}
	return 0;
}

static int send_all(struct target *target, const struct ts_json *req, uint64_t *sent,
		    struct ts_err *err)
{
	const struct ts_json *list = NULL;
	const char *op = "", *path = target->address.sun_path;

	if (ts_json_opt_str(req, "op", "", &op, err) < 0 ||
	    ts_json_opt_node(req, "datagrams", "", TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	if (strcmp(op, "send") != 0 || !list)
		return ts_fail(err, TS_E_INVALID, 0, "request", "op", "only send is known");
	/* Nothing to send: is there somebody? */
	if (list->len == 0 && target->fd < 0 && reconnect(target) < 0)
		return ts_fail_errno(err, "connect", path, "cannot connect to %s", path);
	ts_json_each (item, list) {
		cleanup_buf struct ts_buf bytes = TS_BUF_INIT;
		if (item->type != TS_JSON_STRING || decode(item->str, item->len, &bytes) < 0)
			return ts_fail(err, TS_E_INVALID, 0, "request", "datagrams", "no base64");
		if (send_datagram(target, bytes.data, bytes.len) < 0)
			return ts_fail_errno(err, "send", path, "cannot send to %s", path);
		++*sent;
	}
	return 0;
}

/* Answers one line. -1 = the answer could not be written. */
static int handle(const char *line, size_t len, void *context)
{
	struct target *target = context;
	struct ts_json_doc *doc = NULL;
	struct ts_err err = {0};
	uint64_t id = 0, sent = 0;
	cleanup_buf struct ts_buf out = TS_BUF_INIT;
	struct ts_json *req = ts_json_parse(line, len, &doc, &err);
	int result = -1;

	if (req && ts_json_opt_u64(req, "id", "", &id, &err) >= 0)
		result = send_all(target, req, &sent, &err);
	ts_buf_printf(&out, "{\"id\":%llu,\"sent\":%llu,\"ok\":%s", (unsigned long long)id,
		      (unsigned long long)sent, result < 0 ? "false,\"error\":" : "true");
	if (result < 0)
		ts_err_to_json(&err, &out);
	ts_buf_puts(&out, "}\n");
	ts_json_free(&doc);
	return ts_write_all(STDOUT_FILENO, out.data, out.len);
}

int main(int argc, char **argv)
{
	struct target target = {.address = {.sun_family = AF_UNIX}, .fd = -1};
	struct ts_err err = {0};

	/* The worker's end being closed is seen as an error of write(2). */
	signal(SIGPIPE, SIG_IGN);
	if (argc != 2 || argv[1][0] != '/' || strlen(argv[1]) >= sizeof target.address.sun_path) {
		ts_fail(&err, TS_E_BAD_REQUEST, 0, "arguments", "",
			"usage: tswarm-datagram SOCKET");
		ts_err_print(&err, STDERR_FILENO);
		return EXIT_BAD_REQUEST;
	}
	strcpy(target.address.sun_path, argv[1]);
	/* Ctrl-C in a terminal must not take the hand away before the worker. */
	signal(SIGINT, SIG_IGN);
	return ts_lines_serve(STDIN_FILENO, LINE_BYTES_MAX, handle, &target);
}
