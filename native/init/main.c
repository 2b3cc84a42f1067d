/*
 * tswarm-init: the process 1 that `--init` puts before a container's program.
 *
 * It starts the program in a process group of its own (the terminal's foreground group when there
 * is a terminal), passes every signal that it gets on to that program, reaps whatever is orphaned
 * to it, and ends with the program's status (128 + signal when a signal ended it). It refuses to be
 * anything more: no configuration, no restart, no environment variables of its own (the PATH of the
 * container is used to find the program, as execvp does). Invariant: all signals stay blocked here,
 * so none can be lost between two waits.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_BAD_REQUEST = 2, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNAL = 128 };

/* Signals that report a fault of this very process; blocking or forwarding them makes no sense. */
static const int fault_signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};

static void say(const char *what, const char *name, const char *why)
{
	const char *parts[] = {"tswarm-init: ", what, name, why, "\n"};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			return;
}

/* Makes the calling process's group the terminal's foreground group; no terminal is no error. */
static void take_terminal(void)
{
	pid_t group = getpgrp();
	sigset_t ttou, old;

	/* A background group that calls TIOCSPGRP is stopped by SIGTTOU unless that is blocked. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	ioctl(STDIN_FILENO, TIOCSPGRP, &group);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static _Noreturn void run_program(char **argv, const sigset_t *original_mask)
{
	setpgid(0, 0);
	take_terminal();
	sigprocmask(SIG_SETMASK, original_mask, NULL);
	execvp(argv[0], argv);
	int error = errno;
	say("cannot run ", argv[0], error == ENOENT ? ": not found" : ": not executable");
	_exit(error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Reaps every child that has ended; ends this process when `program` is among them. */
static void reap(pid_t program)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != program)
			continue;
		_exit(WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status));
	}
	if (pid < 0 && errno == ECHILD)
		_exit(EXIT_SIGNAL);
}

int main(int argc, char **argv)
{
	char **command = argv + 1;

	if (argc > 1 && strcmp(argv[1], "--") == 0)
		command++;
	if (argc < 2 || !*command) {
		say("usage: ", "tswarm-init -- PROGRAM [ARGUMENT...]", "");
		return EXIT_BAD_REQUEST;
	}

	sigset_t all, original;
	sigfillset(&all);
	for (size_t i = 0; i < sizeof fault_signals / sizeof fault_signals[0]; i++)
		sigdelset(&all, fault_signals[i]);
	sigprocmask(SIG_BLOCK, &all, &original);

	/* With a shared pid namespace this is not process 1, and orphans would go elsewhere. */
	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

	pid_t program = fork();
	if (program < 0) {
		say("cannot fork: ", strerror(errno), "");
		return EXIT_NOT_EXECUTABLE;
	}
	if (program == 0)
		run_program(command, &original);

	for (;;) {
		int signal = sigwaitinfo(&all, NULL);

		if (signal == SIGCHLD)
			reap(program);
		else if (signal > 0 && signal != SIGTTIN && signal != SIGTTOU)
			kill(program, signal);
	}
}
