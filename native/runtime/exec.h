/* What the two halves of `exec` share: exec.c prepares on the host, exec-child.c enters. */
#ifndef RUNTIME_EXEC_H
#define RUNTIME_EXEC_H

#include "process.h"
#include "runtime.h"

struct exec_options {
	const char *id, *process_file, *pid_file, *console_socket, *user, *cwd, *preserve_text;
	const char *apparmor, *label;
	const char **env, **caps, **groups;
	char **args;
	size_t arg_count;
	bool detach, tty, ignore_paused, no_new_privs;
	int preserve_fds;
};

struct execution {
	const struct exec_options *options;
	struct container container;
	struct config config;
	struct ts_buf config_text, process_text;
	struct ts_json_doc *process_doc;
	struct process_spec process;
	struct seccomp_program filter;
	struct cgroup cgroup;
	int target;  /* pidfd of the first process */
	int root_fd; /* its root, where that is not its mount namespace's; else -1 */
	int console_fd, console_near;
	bool joined_v2;
	pid_t pid;
};

/* Starts the process in the container; when this returns its program runs, or *err says why not. */
int exec_spawn(struct execution *x, struct ts_err *err);

#endif
