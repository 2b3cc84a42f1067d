/*
 * The shim's data: one struct shim, a fixed pool of connections, processes and runtime commands.
 *
 * One thread, one epoll loop, no allocation once the container runs except for the text of a
 * request that is being handled. Who owns what is said at each field. See DESIGN.md.
 */
#ifndef TSWARM_SHIM_H
#define TSWARM_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "limits.h"
#include "log.h"

/* Something that epoll watches. `ready` gets the epoll events. fd < 0: not open. */
struct source {
	int fd;
	uint32_t events; /* what is registered now; 0 = not registered */
	void (*ready)(struct source *source, uint32_t events);
};

/* Exit data of a process, as in exit.json. */
struct exit_info {
	int code;   /* 0..255; 128+n when a signal ended it */
	int signal; /* 0 = none */
	bool oom_killed;
	struct timespec finished;
};

struct process;

/* The end from which a process's output is read. */
struct output {
	struct source source;
	struct process *process;
	uint8_t stream; /* FRAME_STDOUT or FRAME_STDERR */
	bool held;	/* not read now: the client of this exec is behind */
};

/* The end into which a process's input is written. */
struct input {
	struct source source;
	struct process *process;
};

/* The container's first process, or one that exec started. */
struct process {
	bool used;
	bool is_container;
	bool has_tty;
	bool detached; /* exec: nobody gets its output */
	bool started;  /* it has a pid */
	bool exited;   /* waitpid has told its status */
	bool finished; /* output is drained and the end has been told */
	pid_t pid;
	int number;	/* exec: names its files in the state folder */
	int tty_keeper; /* slave side held open while the process lives, so that EIO means its end
			 */
	int64_t tty_reopened_ms;
	int64_t drain_until_ms; /* valid once exited */
	struct exit_info exit;
	struct output outputs[2];
	struct input input;
};

enum role {
	ROLE_NEW,     /* has not sent its request */
	ROLE_ASKED,   /* waits for a runtime command */
	ROLE_WAIT,    /* gets X when the container has ended */
	ROLE_ATTACH,  /* streams of the container */
	ROLE_EXEC,    /* streams of an exec */
	ROLE_CLOSING, /* closed once its output is sent */
};

/* One client connection. */
struct conn {
	struct source source;
	enum role role;
	struct process *process; /* ATTACH, EXEC */
	bool wants[3];		 /* stdin, stdout, stderr */
	bool input_blocked;	 /* the process's stdin is full; not read until it drains */
	bool read_closed;	 /* the client has sent its last byte */
	bool peer_gone;		 /* both directions are closed, some input is still to be read */
	uint8_t header[FRAME_HEADER];
	size_t header_used;
	uint32_t body_left; /* of the frame whose header is complete */
	struct ts_buf body; /* of frames other than stdin */
	char *ring;	    /* RING_BYTES, mapped when first needed; NULL = none */
	size_t ring_head, ring_used;
	int64_t progress_ms; /* when the client last took bytes, valid while ring_used > 0 */
};

enum command_kind { COMMAND_START, COMMAND_KILL, COMMAND_DELETE, COMMAND_EXEC };

/* A run of the runtime that has not ended. */
struct command {
	pid_t pid; /* 0 = free slot */
	enum command_kind kind;
	struct conn *conn;	 /* who asked; NULL once it has gone */
	struct process *process; /* EXEC */
	int error_fd;		 /* where the runtime's stderr arrives; -1 for EXEC without tty */
	int console_fd;		 /* EXEC with tty: listening console socket; else -1 */
};

/* A child that ended before anybody knew what it was. */
struct orphan {
	pid_t pid;
	int status;
	struct timespec finished;
};

struct options {
	const char *id, *bundle, *state, *runtime, *runtime_root;
	const char *log_file;	/* NULL = none */
	const char *cgroup_oom; /* folder of the memory cgroup; NULL = find it */
	uint64_t log_max_bytes; /* 0 = unlimited */
	uint64_t log_max_files;
	bool tty, open_stdin;
};

struct shim {
	struct options options;
	int state_fd;	      /* the state folder, locked for as long as the shim lives */
	char state_path[256]; /* a path to it that fits into a socket address */
	int epoll_fd;
	struct source listener, signals;
	struct log log;
	struct process container;
	bool has_started; /* the runtime's start succeeded */
	struct timespec start_asked;
	int oom_fd;		   /* memory.oom_control or memory.events; -1 = unknown */
	uint64_t oom_kills_before; /* counter at create */
	bool exit_unwritten;	   /* exit.json could not be written; tried again */
	int64_t exit_retry_ms;
	bool delete_pending;	  /* deleted, but the container's end is not complete */
	struct conn *delete_conn; /* who asked; NULL once it has gone */
	bool deleted;		  /* leave the loop once clients are served */
	int64_t leave_by_ms;
	int exec_count;	     /* numbers given out */
	bool memory_touched; /* buffers hold pages that can be given back when idle */
	struct process execs[MAX_EXECS];
	struct conn conns[MAX_CONNS];
	struct command commands[MAX_COMMANDS];
	struct orphan orphans[MAX_ORPHANS];
	size_t orphan_next;
};

extern struct shim shim;

/* loop.c */
int64_t now_ms(void);
void watch(struct source *source, uint32_t events);
void close_source(struct source *source);
void signals_ready(struct source *source, uint32_t events);
int run_loop(void);

/* setup.c: everything up to a created container. */
int set_up(struct ts_err *err);
void undo_set_up(void);
pid_t take_pid_file(const char *name, struct ts_err *err);
int listen_in_state_folder(const char *name, int backlog, struct ts_err *err);

/* spawn.c: runs of the runtime. */
struct stdio {
	int in, out, error; /* -1 = /dev/null */
};
pid_t spawn_runtime(const char *const *arguments, struct stdio stdio, struct ts_err *err);
void runtime_error(int error_fd, const char *verb, struct ts_err *err);

/* pipes.c: descriptors between a process and the shim. */
void prepare_process(struct process *process, bool is_container, bool has_tty);
int make_pipes(struct process *process, bool with_input, struct stdio *stdio, struct ts_err *err);
void close_stdio(struct stdio *stdio);
int console_receive(int listen_fd, struct process *process, struct ts_err *err);
bool console_reopen(struct process *process);
void start_streams(struct process *process);
void close_streams(struct process *process);

/* process.c: output, input and end of a process. */
void process_exited(struct process *process, int status, struct timespec finished);
void process_check_end(struct process *process, int64_t now);
void process_trim(void);
void record_container_exit(void);
void output_ready(struct source *source, uint32_t events);
void output_hold(struct process *process, bool hold);
void input_ready(struct source *source, uint32_t events);
bool input_write(struct conn *conn);
void input_close(struct process *process);
int process_resize(struct process *process, const char *text, size_t length, struct ts_err *err);

/* exec.c */
void exec_begin(struct conn *conn, const struct ts_json *request);
void exec_ended(struct command *command, int status);

/* request.c: what a client asks, and the answers. */
void handle_request(struct conn *conn, const char *text, size_t length);
void command_ended(struct command *command, int status);
struct command *command_add(enum command_kind kind, struct conn *conn, struct ts_err *err);
void container_finished(void);
void reply_error(struct conn *conn, const struct ts_err *err);

/* conn.c: frames to and from clients. */
void listener_ready(struct source *source, uint32_t events);
void conn_send(struct conn *conn, uint8_t type, const char *data, size_t length);
void conn_update(struct conn *conn);
void conn_close(struct conn *conn);
void conn_close_when_sent(struct conn *conn);
void conn_resume_input(struct conn *conn);
void conn_check_stall(struct conn *conn, int64_t now);
void conn_trim(struct conn *conn);

/* files.c: what the shim leaves in the state folder. */
int write_pid_file(const char *name, pid_t pid, struct ts_err *err);
int write_exit_file(struct ts_err *err);
void exit_json(const struct process *process, struct ts_buf *out);
void put_time(struct ts_buf *out, struct timespec time);

/* oom.c */
void oom_open(pid_t pid);
uint64_t oom_kills(void);

#endif
