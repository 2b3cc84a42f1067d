/*
 * Turning the calling process into the configured one: limits, identity, capabilities, filter,
 * exec. Shared by create (after pivot_root) and exec (after setns).
 */
#ifndef RUNTIME_PROCESS_H
#define RUNTIME_PROCESS_H

#include "config.h"
#include "seccomp.h"

struct process_ready {
	const struct process_spec *spec;
	const struct seccomp_program *filter;
	char path[4096]; /* the executable, resolved inside the container */
	char **env;	 /* with HOME added when it was missing */
	uint64_t caps[CAP_SETS];
};

/* Sets what needs full privileges: rlimits, priorities, labels. proc_fd: a procfs. */
int process_set_limits(const struct process_spec *p, int proc_fd, struct ts_err *err);

/* Gives the standard streams to the process's user, so that it can open /dev/stdout again. */
int process_own_stdio(const struct process_spec *p, struct ts_err *err);

/*
 * Enters the working folder (made when it is missing and may be made: for a container's first
 * process only) and finds the executable; errors not_found and not_executable. Fills `ready`.
 */
int process_resolve(const struct process_spec *p, const struct seccomp_program *filter,
		    bool may_make_cwd, struct process_ready *ready, struct ts_err *err);

/* linux.personality; last of what is set, because it changes how addresses are laid out. */
int process_set_personality(const struct config *config, struct ts_err *err);

/* Drops privileges and executes. Returns only on failure. */
int process_exec(struct process_ready *ready, struct ts_err *err);

/* The exit code of a shell for this error: 127, 126 or 1. */
int process_exit_code(const struct ts_err *err);

/* Default signal actions and an empty mask, as a fresh process has them. */
void process_reset_signals(void);

/* Closes every descriptor above stderr except these (-1 entries are skipped). */
void process_close_fds_except(const int *keep, size_t count);

#endif
