/*
 * From an empty state folder to a created container.
 *
 * Order: lock the folder, drop what an earlier shim left, shim.pid, socket (so that a worker that
 * restarts meanwhile can already connect and wait), pipes or console socket, runtime create,
 * container.pid. On any failure everything is undone, the container included.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "shim.h"

/* Set once the runtime's create has succeeded, so that undoing knows what to undo. */
static bool container_made;
static bool folder_ours; /* locked */
static bool folder_made;

static int open_state_folder(struct ts_err *err)
{
	const char *path = shim.options.state;
	struct sockaddr_un address;

	folder_made = mkdir(path, 0700) == 0;
	if (!folder_made && errno != EEXIST)
		return ts_fail_errno(err, "mkdir", path, "cannot make the state folder");
	shim.state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (shim.state_fd < 0 || fchmod(shim.state_fd, 0700) < 0)
		return ts_fail_errno(err, "open", path, "cannot open the state folder");
	if (flock(shim.state_fd, LOCK_EX | LOCK_NB) < 0)
		return ts_fail(err, TS_E_EXISTS, errno, "flock", path,
			       "another shim keeps this container; connect to its socket instead");
	folder_ours = true;
	/* Socket addresses are short; a long folder is reached through this process's descriptor.
	 */
	if (strlen(path) + sizeof "/console.1234567890.sock" <= sizeof address.sun_path)
		snprintf(shim.state_path, sizeof shim.state_path, "%s", path);
	else
		snprintf(shim.state_path, sizeof shim.state_path, "/proc/%d/fd/%d", getpid(),
			 shim.state_fd);
	return 0;
}

static void remove_left_files(void)
{
	static const char *const names[] = {"shim.pid",	  "shim.sock", "container.pid",
					    "exit.json",  "init.pid",  "console.sock",
					    "runtime.log"};

	for (size_t i = 0; i < TS_ARRAY_LEN(names); i++)
		unlinkat(shim.state_fd, names[i], 0);
}

/* Listens on a socket in the state folder that only root can connect to. */
int listen_in_state_folder(const char *name, int backlog, struct ts_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int length =
	    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", shim.state_path, name);

	if (length < 0 || (size_t)length >= sizeof address.sun_path)
		return ts_fail(err, TS_E_INVALID, ENAMETOOLONG, "bind", name, "cannot listen on %s",
			       name);
	unlinkat(shim.state_fd, name, 0);
	mode_t old = umask(0177);
	int result = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
	umask(old);
	if (result < 0 || listen(fd, backlog) < 0)
		return ts_fail_errno(err, "bind", name, "cannot listen on %s", name);
	return steal_fd(&fd);
}

static int listen_for_clients(struct ts_err *err)
{
	int fd = listen_in_state_folder("shim.sock", MAX_CONNS, err);

	if (fd < 0)
		return -1;
	shim.listener = (struct source){.fd = fd, .ready = listener_ready};
	return 0;
}

static int block_signals(struct ts_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A service manager that stops everything must not take the container's keeper with it. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return ts_fail_errno(err, "signalfd", NULL, "cannot watch for ended processes");
	shim.signals = (struct source){.fd = fd, .ready = signals_ready};
	return 0;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/* Reads the pid file that the runtime wrote, and removes it. */
pid_t take_pid_file(const char *name, struct ts_err *err)
{
	struct ts_buf text cleanup_buf = TS_BUF_INIT;

	if (ts_read_file_at(shim.state_fd, name, &text, 64, err) < 0)
		return -1;
	unlinkat(shim.state_fd, name, 0);
	long pid = strtol(text.data ? text.data : "", NULL, 10);
	if (pid <= 1 || pid > INT32_MAX)
		return ts_fail(err, "runtime", 0, "create", name,
			       "the runtime wrote no process id");
	return (pid_t)pid;
}

/* Learns the container's process; it must be a child of ours, or its status would be lost. */
static int adopt_container(struct ts_err *err)
{
	siginfo_t info;
	pid_t pid = take_pid_file("init.pid", err);

	if (pid < 0)
		return -1;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return ts_fail_errno(err, "waitid", NULL,
				     "the container's process %d is no child of the shim", pid);
	shim.container.pid = pid;
	shim.container.started = true;
	oom_open(pid);
	return write_pid_file("container.pid", pid, err);
}

static int create_container(struct ts_err *err)
{
	char pid_path[sizeof shim.state_path + 16], console_path[sizeof shim.state_path + 16];
	const char *arguments[12];
	size_t count = 0;
	int error_pipe[2] = {-1, -1};
	cleanup_fd int console = -1, error_read = -1;
	struct stdio stdio = {-1, -1, -1};

	snprintf(pid_path, sizeof pid_path, "%s/init.pid", shim.state_path);
	snprintf(console_path, sizeof console_path, "%s/console.sock", shim.state_path);
	arguments[count++] = "create";
	arguments[count++] = "--bundle";
	arguments[count++] = shim.options.bundle;
	arguments[count++] = "--pid-file";
	arguments[count++] = pid_path;
	if (shim.options.tty) {
		if (pipe2(error_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
			return ts_fail_errno(err, "pipe", NULL, "cannot make a pipe");
		error_read = error_pipe[0];
		stdio.error = error_pipe[1];
		arguments[count++] = "--console-socket";
		arguments[count++] = console_path;
		console = listen_in_state_folder("console.sock", 1, err);
	}
	if ((shim.options.tty && console < 0) ||
	    (!shim.options.tty &&
	     make_pipes(&shim.container, shim.options.open_stdin, &stdio, err) < 0)) {
		close_stdio(&stdio);
		return -1;
	}
	arguments[count++] = shim.options.id;
	arguments[count] = NULL;

	pid_t runtime = spawn_runtime(arguments, stdio, err);
	close_stdio(&stdio);
	if (runtime < 0)
		return -1;
	if (wait_for(runtime) != 0) {
		runtime_error(shim.options.tty ? error_read : shim.container.outputs[1].source.fd,
			      "create", err);
		return -1;
	}
	container_made = true;
	if (shim.options.tty) {
		unlinkat(shim.state_fd, "console.sock", 0);
		if (console_receive(console, &shim.container, err) < 0)
			return -1;
	}
	return adopt_container(err);
}

int set_up(struct ts_err *err)
{
	prepare_process(&shim.container, true, shim.options.tty);
	shim.listener.fd = shim.signals.fd = -1;
	for (size_t i = 0; i < MAX_CONNS; i++)
		shim.conns[i].source.fd = -1;
	if (open_state_folder(err) < 0)
		return -1;
	remove_left_files();
	if (log_open(&shim.log, shim.options.log_file, shim.options.log_max_bytes,
		     shim.options.log_max_files, err) < 0 ||
	    write_pid_file("shim.pid", getpid(), err) < 0 || block_signals(err) < 0 ||
	    listen_for_clients(err) < 0)
		return -1;
	shim.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (shim.epoll_fd < 0)
		return ts_fail_errno(err, "epoll_create", NULL, "cannot make an event queue");
	if (create_container(err) < 0)
		return -1;
	watch(&shim.signals, EPOLLIN);
	watch(&shim.listener, EPOLLIN);
	start_streams(&shim.container);
	return 0;
}

void undo_set_up(void)
{
	struct ts_err ignored = {0};
	const char *arguments[] = {"delete", "--force", shim.options.id, NULL};

	if (container_made) {
		pid_t runtime = spawn_runtime(arguments, (struct stdio){-1, -1, -1}, &ignored);
		/* The runtime waits for the container's process, which only its parent can reap. */
		pid_t ended = 0;
		while (runtime > 0 && ended >= 0 && ended != runtime)
			ended = waitpid(-1, NULL, 0);
	}
	if (folder_ours)
		remove_left_files();
	if (folder_made)
		rmdir(shim.options.state);
}
