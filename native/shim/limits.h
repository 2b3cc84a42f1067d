/*
 * The shim's numbers, each with its reason.
 */
#ifndef TSWARM_SHIM_LIMITS_H
#define TSWARM_SHIM_LIMITS_H

enum {
	/* Connections at once: one to wait, one per attached client, one per exec. */
	MAX_CONNS = 64,
	/* Execs at once (a health check is one); their connections must fit beside the others. */
	MAX_EXECS = 48,
	/* Runs of the runtime at once: every exec may be starting, with a kill and a delete
	   besides. */
	MAX_COMMANDS = MAX_EXECS + 4,
	/* Ended children kept until the runtime has told which of them an exec was. */
	MAX_ORPHANS = 256,

	/* u8 type, u8 0, u16 0, u32le length. */
	FRAME_HEADER = 8,
	/* Fits any process description; a peer that claims more is cut off. */
	FRAME_MAX_BYTES = 1 << 20,
	/* A frame other than a request is a few numbers. */
	SMALL_FRAME_MAX_BYTES = 256,

	/* One read from a pipe; also its default capacity, so that one wake-up can empty it. */
	READ_BYTES = 64 << 10,
	/* Output kept for one client. More than this behind: an attached client is cut off. */
	BACKLOG_MAX_BYTES = 1 << 20,
	/* An exec's output is not read while its client is this far behind. */
	EXEC_HOLD_BYTES = 256 << 10,
	/* Backlog, one read more and frame headers; a power of two for cheap wrap-around. */
	RING_BYTES = 2 << 20,

	/* An attached client that takes nothing for this long is cut off. */
	CLIENT_STALL_MS = 5000,
	/* How long a background child may hold the output open after the process has ended. */
	DRAIN_MS = 2000,
	/* How soon exit.json is tried again when the disk is full. */
	EXIT_RETRY_MS = 1000,
	/* A terminal that hangs up again within this time has ended. */
	TTY_REOPEN_MS = 100,
	/* The runtime has sent the terminal before it returns; this only covers a slow machine. */
	CONSOLE_WAIT_MS = 2000,
	/* After delete, clients get this long to take what is left for them. */
	LEAVE_MS = 2000,
	/* Buffers are given back to the kernel after this much silence. */
	IDLE_TRIM_MS = 1000,
	/* The part of a runtime's error text that is looked at. */
	ERROR_TEXT_MAX_BYTES = 16 << 10,

	/* Docker splits lines longer than this. */
	LOG_PIECE_BYTES = 16 << 10,
	/* Collected before one write to the log file. */
	LOG_BUFFER_BYTES = 128 << 10,
};

enum {
	FRAME_STDIN = 0,
	FRAME_STDOUT = 1,
	FRAME_STDERR = 2,
	FRAME_RESIZE = 3,
	FRAME_STDIN_CLOSED = 4,
	FRAME_REQUEST = 0x51,
	FRAME_REPLY = 0x52,
	FRAME_ENDED = 0x58,
};

#endif
