/*
 * tswarm-names: the DNS responder of a node. Command line, start, loop, reload.
 *
 * Start: read the configuration, bind, write the pid file (which says that questions are answered
 * from now on), give up root. It keeps only CAP_NET_BIND_SERVICE, because a new configuration may
 * name new addresses. A later configuration that is wrong changes nothing but one line on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "proc.h"
#include "server.h"

enum { EXIT_FAILED = 1, EXIT_BAD_REQUEST = 2, EVENTS_AT_ONCE = 64, DESCRIPTORS_WANTED = 4096 };

struct server server = {.epoll_fd = -1};

static struct {
	const char *config_file, *pid_file, *user;
	char *config_name; /* last part of config_file */
	int config_folder;
	struct source changes, signals;
	bool stop;
} program = {.config_folder = -1, .changes = {.fd = -1}, .signals = {.fd = -1}};

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void random_bytes(void *to, size_t length)
{
	static uint8_t pool[256];
	static size_t left;

	if (left < length) {
		if (getrandom(pool, sizeof pool, 0) != sizeof pool)
			abort();
		left = sizeof pool;
	}
	memcpy(to, pool + sizeof pool - left, length);
	left -= length;
}

void watch(struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (source->fd < 0 || source->events == events)
		return;
	epoll_ctl(server.epoll_fd, source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, source->fd,
		  &event);
	source->events = events;
}

void close_source(struct source *source)
{
	if (source->fd < 0)
		return;
	close(source->fd);
	source->fd = -1;
	source->events = 0;
}

static int load_config(struct ts_err *err)
{
	struct ts_buf text cleanup_buf = TS_BUF_INIT;

	if (ts_read_file_at(program.config_folder, program.config_name, &text, CONFIG_MAX_BYTES,
			    err) < 0)
		return -1;
	struct config *config = config_parse(text.data ? text.data : "", text.len, err);
	if (!config)
		return ts_err_prefix(err, "%s", program.config_file);
	if (listeners_update(config, err) < 0) {
		config_free(config);
		return -1;
	}
	config_free(server.config);
	server.config = config;
	return 0;
}

static void reload(void)
{
	struct ts_err err = {0};

	if (load_config(&err) < 0)
		ts_err_print(&err, STDERR_FILENO);
}

static void changes_ready(struct source *source, uint32_t events)
{
	_Alignas(struct inotify_event) char bytes[16384];
	bool ours = false;
	ssize_t n;

	(void)events;
	while ((n = read(source->fd, bytes, sizeof bytes)) > 0) {
		for (char *p = bytes; p < bytes + n;) {
			const struct inotify_event *event = (const struct inotify_event *)p;
			if (event->mask & IN_Q_OVERFLOW ||
			    (event->len && strcmp(event->name, program.config_name) == 0))
				ours = true;
			p += sizeof *event + event->len;
		}
	}
	if (ours)
		reload();
}

static void signals_ready(struct source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGHUP)
			reload();
		else
			program.stop = true;
	}
}

static int parse_options(char **arguments, struct ts_err *err)
{
	for (; *arguments; arguments++) {
		const char *option = *arguments, **to = NULL;
		if (strcmp(option, "--config") == 0)
			to = &program.config_file;
		else if (strcmp(option, "--pid-file") == 0)
			to = &program.pid_file;
		else if (strcmp(option, "--user") == 0)
			to = &program.user;
		if (!to || !arguments[1])
			return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", option,
				       "%s: unknown option, or no value for it", option);
		*to = *++arguments;
	}
	if (!program.config_file || !program.pid_file)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", NULL,
			       "--config and --pid-file are required");
	return 0;
}

static int open_config_folder(struct ts_err *err)
{
	char *copy = strdup(program.config_file), *other = strdup(program.config_file);

	if (!copy || !other)
		abort();
	program.config_name = basename(other);
	program.config_folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (program.config_folder < 0)
		return ts_fail_errno(err, "open", program.config_file,
				     "cannot open the folder of %s", program.config_file);
	program.changes =
	    (struct source){.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .ready = changes_ready};
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", program.config_folder);
	if (program.changes.fd < 0 ||
	    inotify_add_watch(program.changes.fd, path, IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
		return ts_fail_errno(err, "inotify", program.config_file, "cannot watch %s",
				     program.config_file);
	watch(&program.changes, EPOLLIN);
	return 0;
}

static int watch_signals(struct ts_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	program.signals = (struct source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
					  .ready = signals_ready};
	if (program.signals.fd < 0)
		return ts_fail_errno(err, "signalfd", NULL, "cannot watch signals");
	watch(&program.signals, EPOLLIN);
	return 0;
}

static int write_pid_file(struct ts_err *err)
{
	uint64_t start_ticks;
	char text[64];

	if (ts_proc_stat(getpid(), &start_ticks, NULL) < 0)
		return ts_fail_errno(err, "read", "/proc/self/stat", "cannot read the start time");
	int length =
	    snprintf(text, sizeof text, "%d %llu\n", getpid(), (unsigned long long)start_ticks);
	char *copy = strdup(program.pid_file), *other = strdup(program.pid_file);
	if (!copy || !other)
		abort();
	cleanup_fd int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = folder < 0
			 ? ts_fail_errno(err, "open", program.pid_file, "cannot open its folder")
			 : ts_write_file_atomic(folder, basename(other), text, (size_t)length, 0644,
						false, err);
	free(copy);
	free(other);
	return result;
}

/* Becomes the user, keeping only the right to bind low ports. */
static int drop_privileges(struct ts_err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	char *end;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!program.user)
		return 0;
	errno = 0;
	unsigned long uid = strtoul(program.user, &end, 10);
	if (program.user[0] < '0' || program.user[0] > '9' || *end || errno || uid >= UINT32_MAX)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "options", "user",
			       "--user wants a number");
	data[0].permitted = data[0].effective = 1u << CAP_NET_BIND_SERVICE;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) < 0 ||
	    setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0 ||
	    syscall(SYS_capset, &header, data) < 0)
		return ts_fail_errno(err, "setuid", NULL, "cannot become user %lu", uid);
	return 0;
}

static int start(char **arguments, struct ts_err *err)
{
	struct rlimit descriptors;

	if (parse_options(arguments, err) < 0)
		return -1;
	for (size_t i = 0; i < LISTEN_MAX; i++)
		server.listeners[i].udp.fd = server.listeners[i].tcp.fd = -1;
	random_bytes(&server.shuffle.state, sizeof server.shuffle.state);
	server.shuffle.state |= 1;
	if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
		descriptors.rlim_cur = descriptors.rlim_max < DESCRIPTORS_WANTED
					   ? descriptors.rlim_max
					   : DESCRIPTORS_WANTED;
		setrlimit(RLIMIT_NOFILE, &descriptors);
	}
	server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server.epoll_fd < 0)
		return ts_fail_errno(err, "epoll_create", NULL, "cannot make an event queue");
	if (open_config_folder(err) < 0 || watch_signals(err) < 0 || load_config(err) < 0 ||
	    write_pid_file(err) < 0)
		return -1;
	return drop_privileges(err);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static void run(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int64_t due = -1;

	while (!program.stop) {
		int64_t now = now_ms();
		int timeout = due < 0 ? -1 : due <= now ? 0 : (int)(due - now);
		int count = epoll_wait(server.epoll_fd, events, EVENTS_AT_ONCE, timeout);
		for (int i = 0; i < count; i++) {
			struct source *source = events[i].data.ptr;
			/* An earlier event of this round may have closed it. */
			if (source->fd >= 0 && source->events)
				source->ready(source, events[i].events);
		}
		now = now_ms();
		forward_check(now);
		tcp_check(now);
		due = sooner(forward_deadline(), tcp_deadline());
	}
}

int main(int argc, char **argv)
{
	struct ts_err err = {0};

	(void)argc;
	if (start(argv + 1, &err) < 0) {
		ts_err_print(&err, STDERR_FILENO);
		return strcmp(err.code, TS_E_BAD_REQUEST) == 0 ? EXIT_BAD_REQUEST : EXIT_FAILED;
	}
	run();
	return 0;
}
