/* The verbs of the command line and what they share. */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include "cgroup.h"
#include "config.h"
#include "err.h"
#include "state.h"

#define RUNTIME_VERSION "0.1.0"
#define RUNTIME_ROOT_DEFAULT "/run/tswarm-runtime"

struct globals {
	const char *root;
	bool systemd_cgroup;
	char **argv; /* the whole command line, for selfexe_seal */
};

/* Every verb: argv[0] is the verb; returns the exit code, or -1 with *err filled. */
typedef int verb_fn(const struct globals *g, int argc, char **argv, struct ts_err *err);
verb_fn cmd_create, cmd_run, cmd_start, cmd_state, cmd_kill, cmd_delete, cmd_exec, cmd_list, cmd_ps,
    cmd_pause, cmd_resume, cmd_update, cmd_events, cmd_features;

/* A container that a verb works on. */
struct container {
	int root_fd, dir_fd;
	struct state state;
};
int container_open(const struct globals *g, const char *id, bool lock, struct container *c,
		   struct ts_err *err);
void container_close(struct container *c);
#define cleanup_container __attribute__((cleanup(container_close)))
#define CONTAINER_INIT                                                                             \
	{                                                                                          \
		.root_fd = -1, .dir_fd = -1                                                        \
	}

/* Opens the container's existing control groups. */
int container_cgroup(const struct container *c, struct cgroup *cg, struct ts_err *err);
/* Reads the copy of its configuration. */
int container_config(const struct container *c, struct config *config, struct ts_buf *text,
		     struct ts_err *err);

/* Kills and removes everything of a container; used by delete and by a create that failed. */
int container_destroy(struct container *c, struct ts_err *err);

struct create_options {
	const char *id, *bundle, *pid_file, *console_socket, *config_file;
	bool no_pivot, no_keyring, detach, keep;
	int preserve_fds;
	int console_fd; /* send the terminal here instead of to console_socket; -1 = none */
};
/* Reads the options and the id of create and run. */
int parse_create_options(int argc, char **argv, struct create_options *o, struct ts_err *err);
/* Creates the container and returns its first process's pid (waiting for start). */
int create_container(const struct globals *g, struct create_options *o, pid_t *pid,
		     struct ts_err *err);
/* Lets it run, with poststart hooks. */
int start_container(const struct globals *g, const char *id, struct ts_err *err);
int delete_container(const struct globals *g, const char *id, bool force, struct ts_err *err);

/* Reads a command line: options with and without a value; see args.c. */
struct option_spec {
	const char *name;   /* "--bundle" */
	char letter;	    /* 'b', or 0 */
	const char **value; /* takes a value, */
	bool *flag;	    /* or is a flag, */
	const char ***list; /* or may come again and again (NULL-terminated, grows) */
};
/* Returns the index of the first argument that is no option, or -1. */
int parse_options(int argc, char **argv, const struct option_spec *specs, struct ts_err *err);
int parse_count(const char *text, const char *option, int max, int *out, struct ts_err *err);

/*
 * Waits for a child in the foreground: passes signals on, serves its terminal when master >= 0.
 * Returns its exit code, 128 + n after signal n.
 */
int relay_until_exit(pid_t pid, int pidfd, int master);

/* Makes a path absolute, relative to the current folder; lives until the program ends. */
const char *absolute_path(const char *path);

/* Writes "PID" without a newline, atomically. */
int write_pid_file(const char *path, pid_t pid, struct ts_err *err);

/* Number of a signal by name ("TERM", "SIGTERM") or number; -1 = none. */
int signal_number(const char *text);

#endif
