/*
 * Waiting for a program in the foreground (`run`, `exec` without --detach): signals that we get are
 * passed on to it, and with a terminal of its own its bytes are copied between us and it, our own
 * terminal in raw mode. Everything is one poll loop over stdin, master, pidfd and signalfd.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "runtime.h"
#include "sys.h"

static struct termios saved_terminal;
static bool terminal_changed;

static void restore_terminal(void)
{
	if (terminal_changed)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
	terminal_changed = false;
}

static void make_terminal_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved_terminal) < 0)
		return;
	raw = saved_terminal;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0) {
		terminal_changed = true;
		atexit(restore_terminal);
	}
}

static void copy_size(int master)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

/* One read and write; false when the source has ended. */
static bool copy_some(int from, int to)
{
	char bytes[16384];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	return n > 0 && ts_write_all(to, bytes, (size_t)n) == 0;
}

static void pass_signals(int signals, int pidfd, int master)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH && master >= 0)
		copy_size(master);
	else if (info.ssi_signo != SIGCHLD)
		ts_pidfd_send_signal(pidfd, (int)info.ssi_signo);
}

int relay_until_exit(pid_t pid, int pidfd, int master)
{
	cleanup_fd int signals = -1;
	siginfo_t info = {0};
	sigset_t all;
	bool input = true;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (master >= 0) {
		make_terminal_raw();
		copy_size(master);
	}
	for (;;) {
		struct pollfd p[4] = {{pidfd, POLLIN, 0},
				      {signals, POLLIN, 0},
				      {master, POLLIN, 0},
				      {master >= 0 && input ? STDIN_FILENO : -1, POLLIN, 0}};

		if (poll(p, 4, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents)
			pass_signals(signals, pidfd, master);
		if (p[2].revents && !copy_some(master, STDOUT_FILENO))
			master = -1;
		if (p[3].revents && !copy_some(STDIN_FILENO, master))
			input = false;
		if (p[0].revents)
			break;
	}
	/* What the program wrote last is still in the terminal. */
	while (master >= 0) {
		struct pollfd p = {master, POLLIN, 0};

		if (poll(&p, 1, 0) <= 0 || !copy_some(master, STDOUT_FILENO))
			break;
	}
	restore_terminal();
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return 255;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
