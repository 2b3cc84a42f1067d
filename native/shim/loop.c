/*
 * The event loop: epoll, ended children, and the few things that happen because time passed.
 *
 * Without deadlines the loop sleeps for ever: an idle shim uses no CPU time.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim.h"

enum { EVENTS_AT_ONCE = 16 };

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Registers, changes or (events = 0) takes back what epoll reports about the source. */
void watch(struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (source->events == events || source->fd < 0)
		return;
	if (events == 0)
		epoll_ctl(shim.epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	else
		epoll_ctl(shim.epoll_fd, source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, source->fd,
			  &event);
	source->events = events;
}

void close_source(struct source *source)
{
	if (source->fd < 0)
		return;
	watch(source, 0);
	close(source->fd);
	source->fd = -1;
}

static void child_ended(pid_t pid, int status, struct timespec now)
{
	for (size_t i = 0; i < MAX_COMMANDS; i++) {
		if (shim.commands[i].pid == pid) {
			command_ended(&shim.commands[i], status);
			return;
		}
	}
	if (pid == shim.container.pid && !shim.container.exited) {
		process_exited(&shim.container, status, now);
		return;
	}
	for (size_t i = 0; i < MAX_EXECS; i++) {
		struct process *exec = &shim.execs[i];
		if (exec->used && exec->started && !exec->exited && exec->pid == pid) {
			process_exited(exec, status, now);
			return;
		}
	}
	shim.orphans[shim.orphan_next] = (struct orphan){pid, status, now};
	shim.orphan_next = (shim.orphan_next + 1) % MAX_ORPHANS;
}

static void reap(void)
{
	struct timespec now;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		clock_gettime(CLOCK_REALTIME, &now);
		child_ended(pid, status, now);
	}
}

void signals_ready(struct source *source, uint32_t events)
{
	struct signalfd_siginfo info[4];

	(void)events;
	while (read(source->fd, info, sizeof info) > 0) {
	}
	reap();
}

static void sooner(int64_t *deadline, int64_t other)
{
	if (*deadline < 0 || other < *deadline)
		*deadline = other;
}

/* When the next thing is due, in ms of the monotonic clock; -1 = never. */
static int64_t next_deadline(int64_t now)
{
	int64_t deadline = -1;

	for (size_t i = 0; i < MAX_CONNS; i++) {
		const struct conn *conn = &shim.conns[i];
		if (conn->source.fd >= 0 && conn->ring_used > 0 && conn->role != ROLE_EXEC)
			sooner(&deadline, conn->progress_ms + CLIENT_STALL_MS);
	}
	for (size_t i = 0; i < MAX_EXECS; i++) {
		const struct process *exec = &shim.execs[i];
		if (exec->used && exec->exited && !exec->finished && !exec->outputs[0].held)
			sooner(&deadline, exec->drain_until_ms);
	}
	if (shim.container.exited && !shim.container.finished)
		sooner(&deadline, shim.container.drain_until_ms);
	if (shim.exit_unwritten)
		sooner(&deadline, shim.exit_retry_ms);
	if (shim.deleted)
		sooner(&deadline, shim.leave_by_ms);
	if (shim.memory_touched)
		sooner(&deadline, now + IDLE_TRIM_MS);
	return deadline;
}

static void handle_deadlines(int64_t now)
{
	for (size_t i = 0; i < MAX_CONNS; i++)
		conn_check_stall(&shim.conns[i], now);
	process_check_end(&shim.container, now);
	if (shim.exit_unwritten && now >= shim.exit_retry_ms)
		record_container_exit();
	for (size_t i = 0; i < MAX_EXECS; i++)
		if (shim.execs[i].used)
			process_check_end(&shim.execs[i], now);
}

/* Gives the pages of empty buffers back after a silence. */
static void trim_memory(void)
{
	process_trim();
	log_trim(&shim.log);
	for (size_t i = 0; i < MAX_CONNS; i++)
		conn_trim(&shim.conns[i]);
	shim.memory_touched = false;
}

static bool clients_served(void)
{
	for (size_t i = 0; i < MAX_CONNS; i++)
		if (shim.conns[i].source.fd >= 0 && shim.conns[i].ring_used > 0)
			return false;
	return true;
}

int run_loop(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	/* Children that ended while the container was created have already been signalled. */
	reap();
	for (;;) {
		int64_t now = now_ms();
		if (shim.deleted && (clients_served() || now >= shim.leave_by_ms))
			return 0;
		int64_t deadline = next_deadline(now);
		int timeout = deadline < 0 ? -1 : deadline <= now ? 0 : (int)(deadline - now);
		int count = epoll_wait(shim.epoll_fd, events, EVENTS_AT_ONCE, timeout);
		if (count == 0 && timeout >= IDLE_TRIM_MS && shim.memory_touched)
			trim_memory();
		for (int i = 0; i < count; i++) {
			struct source *source = events[i].data.ptr;
			/* An earlier event of this round may have closed it or turned it off. */
			if (source->fd >= 0 && source->events)
				source->ready(source, events[i].events);
		}
		handle_deadlines(now_ms());
	}
}
