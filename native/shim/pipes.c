/*
 * The descriptors between a process and the shim: pipes, or a terminal that the runtime hands over.
 *
 * Invariant: the shim's ends are non-blocking and close-on-exec; the process's ends are blocking
 * and are closed here as soon as the runtime has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "cleanup.h"
#include "shim.h"

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Makes one pipe; *ours becomes non-blocking. `ours_reads` tells the direction. */
static int make_pipe(int *ours, int *theirs, bool ours_reads)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	*ours = ends[ours_reads ? 0 : 1];
	*theirs = ends[ours_reads ? 1 : 0];
	return set_nonblocking(*ours);
}

void close_stdio(struct stdio *stdio)
{
	ts_cleanup_fd(&stdio->in);
	ts_cleanup_fd(&stdio->out);
	ts_cleanup_fd(&stdio->error);
	*stdio = (struct stdio){-1, -1, -1};
}

int make_pipes(struct process *process, bool with_input, struct stdio *stdio, struct ts_err *err)
{
	*stdio = (struct stdio){-1, -1, -1};
	if ((with_input && make_pipe(&process->input.source.fd, &stdio->in, false) < 0) ||
	    make_pipe(&process->outputs[0].source.fd, &stdio->out, true) < 0 ||
	    make_pipe(&process->outputs[1].source.fd, &stdio->error, true) < 0) {
		ts_fail_errno(err, "pipe", NULL, "cannot make the pipes of a process");
		close_stdio(stdio);
		close_streams(process);
		return -1;
	}
	return 0;
}

static int receive_descriptor(int fd)
{
	char byte[256], control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {byte, sizeof byte};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	int received;

	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0)
		return -1;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int))) {
		errno = EPROTO;
		return -1;
	}
	memcpy(&received, CMSG_DATA(header), sizeof received);
	return received;
}

/* Opens the terminal's other side; kept open so that the master never reports EIO early. */
static int open_keeper(int master)
{
	return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* Takes the terminal that the runtime has sent, and makes it the process's input and output. */
int console_receive(int listen_fd, struct process *process, struct ts_err *err)
{
	struct pollfd wait = {.fd = listen_fd, .events = POLLIN};

	if (poll(&wait, 1, CONSOLE_WAIT_MS) <= 0)
		return ts_fail(err, "runtime", 0, "console", NULL,
			       "the runtime has not sent the terminal");
	cleanup_fd int connection = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	wait.fd = connection;
	if (connection < 0 || poll(&wait, 1, CONSOLE_WAIT_MS) <= 0)
		return ts_fail(err, "runtime", 0, "console", NULL,
			       "the runtime has not sent the terminal");
	cleanup_fd int master = receive_descriptor(connection);
	if (master < 0 || set_nonblocking(master) < 0)
		return ts_fail_errno(err, "recvmsg", NULL, "cannot take the terminal");
	/* A second number, because epoll watches one for input and one for output. */
	int second = fcntl(master, F_DUPFD_CLOEXEC, 3);
	if (second < 0)
		return ts_fail_errno(err, "dup", NULL, "cannot take the terminal");
	process->tty_keeper = open_keeper(master);
	process->input.source.fd = second;
	process->outputs[0].source.fd = steal_fd(&master);
	process->outputs[1].source.fd = -1;
	return 0;
}

/* Opens the terminal's other side again after a hang-up; false when it has only just been done. */
bool console_reopen(struct process *process)
{
	int64_t now = now_ms();

	if (now - process->tty_reopened_ms < TTY_REOPEN_MS)
		return false;
	process->tty_reopened_ms = now;
	ts_cleanup_fd(&process->tty_keeper);
	process->tty_keeper = open_keeper(process->outputs[0].source.fd);
	return process->tty_keeper >= 0;
}

void prepare_process(struct process *process, bool is_container, bool has_tty)
{
	*process = (struct process){.used = true, .is_container = is_container, .has_tty = has_tty};
	process->tty_keeper = -1;
	for (int i = 0; i < 2; i++) {
		process->outputs[i].source = (struct source){.fd = -1, .ready = output_ready};
		process->outputs[i].process = process;
		process->outputs[i].stream = i == 0 ? FRAME_STDOUT : FRAME_STDERR;
	}
	process->input.source = (struct source){.fd = -1, .ready = input_ready};
	process->input.process = process;
}

/* Begins to read what the process writes. */
void start_streams(struct process *process)
{
	for (int i = 0; i < 2; i++)
		if (process->outputs[i].source.fd >= 0)
			watch(&process->outputs[i].source, EPOLLIN);
}

void close_streams(struct process *process)
{
	close_source(&process->input.source);
	close_source(&process->outputs[0].source);
	close_source(&process->outputs[1].source);
	ts_cleanup_fd(&process->tty_keeper);
	process->tty_keeper = -1;
}
