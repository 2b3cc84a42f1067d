/*
 * The life of a process's streams: output to the log and to clients, input from clients, its end.
 *
 * Invariants: output reaches the log before any client; a client of the container never holds the
 * container back, while an exec waits for its own client; everything that was written before the
 * end is read before the end is told (a background child may hold the output for DRAIN_MS).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cleanup.h"
#include "shim.h"

/* Reads at once at a process's end: what a pipe can hold, and more for one that was made larger. */
enum { END_READS = 64 };

static char chunk[READ_BYTES] __attribute__((aligned(4096)));

void process_trim(void)
{
	madvise(chunk, sizeof chunk, MADV_DONTNEED);
}

static bool follows(const struct conn *conn, const struct process *process)
{
	return conn->source.fd >= 0 && conn->process == process &&
	       (conn->role == ROLE_ATTACH || conn->role == ROLE_EXEC);
}

static void deliver(struct output *output, const char *data, size_t length)
{
	struct process *process = output->process;

	shim.memory_touched = true;
	if (process->is_container)
		log_output(&shim.log, output->stream - FRAME_STDOUT, data, length);
	for (size_t i = 0; i < MAX_CONNS; i++) {
		struct conn *conn = &shim.conns[i];
		if (follows(conn, process) && conn->wants[output->stream])
			conn_send(conn, output->stream, data, length);
	}
}

/* Reads once. False when there is nothing to read now or ever. */
static bool read_output(struct output *output)
{
	struct process *process = output->process;
	ssize_t n = read(output->source.fd, chunk, sizeof chunk);

	if (n > 0) {
		deliver(output, chunk, (size_t)n);
		return output->source.fd >= 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0 && process->has_tty && !process->exited && console_reopen(process))
		return false;
	close_source(&output->source);
	return false;
}

void output_ready(struct source *source, uint32_t events)
{
	struct output *output = (struct output *)source;

	(void)events;
	read_output(output);
	if (output->process->exited)
		process_check_end(output->process, now_ms());
}

/* Stops or goes on reading an exec's output, because of its client. */
void output_hold(struct process *process, bool hold)
{
	for (int i = 0; i < 2; i++) {
		struct output *output = &process->outputs[i];
		if (output->held == hold)
			continue;
		output->held = hold;
		if (output->source.fd >= 0)
			watch(&output->source, hold ? 0 : EPOLLIN);
	}
	/* The time that the client took is not the background child's. */
	if (!hold && process->exited)
		process->drain_until_ms = now_ms() + DRAIN_MS;
}

static void resume_clients(struct process *process)
{
	for (size_t i = 0; i < MAX_CONNS; i++) {
		struct conn *conn = &shim.conns[i];
		if (follows(conn, process) && conn->input_blocked)
			conn_resume_input(conn);
	}
}

void input_ready(struct source *source, uint32_t events)
{
	struct process *process = ((struct input *)source)->process;

	if (events & EPOLLERR && !process->has_tty) {
		input_close(process);
		return;
	}
	watch(source, 0);
	resume_clients(process);
}

/* Ends the process's input; a terminal has no such end, only its process does. */
void input_close(struct process *process)
{
	if (process->input.source.fd < 0 || (process->has_tty && !process->exited))
		return;
	close_source(&process->input.source);
	resume_clients(process);
}

/*
 * Moves bytes of the client's current frame into the process. They leave the socket only once the
 * process has them, so that nothing is buffered here. False: no more can be moved now.
 */
bool input_write(struct conn *conn)
{
	struct input *input = &conn->process->input;
	size_t want = conn->body_left < sizeof chunk ? conn->body_left : sizeof chunk;
	bool open = input->source.fd >= 0 && conn->wants[FRAME_STDIN];

	shim.memory_touched = true;
	ssize_t n = recv(conn->source.fd, chunk, want, MSG_DONTWAIT | (open ? MSG_PEEK : 0));
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			conn->read_closed = true;
		return false;
	}
	if (open) {
		ssize_t written = write(input->source.fd, chunk, (size_t)n);
		if (written < 0 && errno == EAGAIN) {
			conn->input_blocked = true;
			watch(&input->source, EPOLLOUT);
			return false;
		}
		if (written < 0) {
			close_source(&input->source);
			resume_clients(conn->process);
			return true;
		}
		n = recv(conn->source.fd, chunk, (size_t)written, MSG_DONTWAIT);
		if (n <= 0)
			return false;
	}
	conn->body_left -= (uint32_t)n;
	return true;
}

int process_resize(struct process *process, const char *text, size_t length, struct ts_err *err)
{
	struct ts_json_doc *doc cleanup_json = NULL;
	uint32_t width = 0, height = 0;

	const struct ts_json *root = ts_json_parse(text, length, &doc, err);
	if (!root || ts_json_opt_u32(root, "width", "resize", &width, err) < 0 ||
	    ts_json_opt_u32(root, "height", "resize", &height, err) < 0)
		return -1;
	if (width > UINT16_MAX || height > UINT16_MAX)
		return ts_fail(err, TS_E_INVALID, 0, "resize", NULL,
			       "width and height must be below 65536");
	if (!process->has_tty || process->outputs[0].source.fd < 0)
		return ts_fail(err, TS_E_STATE, 0, "resize", NULL, "the process has no terminal");
	struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};
	if (ioctl(process->outputs[0].source.fd, TIOCSWINSZ, &size) < 0)
		return ts_fail_errno(err, "TIOCSWINSZ", NULL, "cannot resize the terminal");
	return 0;
}

/* Tells every client of the process, and frees what the process held. */
static void finish(struct process *process)
{
	struct ts_buf text cleanup_buf = TS_BUF_INIT;

	process->finished = true;
	if (process->is_container) {
		log_end(&shim.log, LOG_STDOUT);
		log_end(&shim.log, LOG_STDERR);
	}
	close_streams(process);
	exit_json(process, &text);
	for (size_t i = 0; i < MAX_CONNS; i++) {
		struct conn *conn = &shim.conns[i];
		bool waits =
		    process->is_container && conn->source.fd >= 0 && conn->role == ROLE_WAIT;
		if (!waits && !follows(conn, process))
			continue;
		conn_send(conn, FRAME_ENDED, text.data, text.len);
		conn->process = NULL;
		conn_close_when_sent(conn);
	}
	if (process->is_container)
		container_finished();
	else
		process->used = false;
}

/* Ends the process's account once its output is complete, or has been waited for long enough. */
void process_check_end(struct process *process, int64_t now)
{
	bool open = process->outputs[0].source.fd >= 0 || process->outputs[1].source.fd >= 0;
	bool held = process->outputs[0].held || process->outputs[1].held;

	if (process->finished || !process->exited ||
	    (open && (held || now < process->drain_until_ms)))
		return;
	finish(process);
}

static void record_exit(struct process *process, int status, struct timespec finished)
{
	struct exit_info *exit = &process->exit;

	exit->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	exit->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	exit->finished = finished;
	exit->oom_killed = process->is_container && oom_kills() > shim.oom_kills_before;
}

/* Writes exit.json, now or as soon as the disk lets it; until then a client can still ask. */
void record_container_exit(void)
{
	struct ts_err ignored = {0};

	shim.exit_unwritten = write_exit_file(&ignored) < 0;
	shim.exit_retry_ms = now_ms() + EXIT_RETRY_MS;
}

/* A process has ended: takes what it wrote, and makes a container's end durable. */
void process_exited(struct process *process, int status, struct timespec finished)
{
	process->exited = true;
	record_exit(process, status, finished);
	process->drain_until_ms = now_ms() + DRAIN_MS;
	input_close(process);
	ts_cleanup_fd(&process->tty_keeper);
	process->tty_keeper = -1;
	for (int i = 0; i < 2; i++) {
		struct output *output = &process->outputs[i];
		for (int reads = 0; reads < END_READS && output->source.fd >= 0 && !output->held;
		     reads++)
			if (!read_output(output))
				break;
	}
	if (process->is_container) {
		bool open =
		    process->outputs[0].source.fd >= 0 || process->outputs[1].source.fd >= 0;
		if (!open) {
			log_end(&shim.log, LOG_STDOUT);
			log_end(&shim.log, LOG_STDERR);
		}
		record_container_exit();
	}
	process_check_end(process, now_ms());
}
