/* Terminals: made inside the container's devpts, handed to whoever listens on the console socket.
 */
#ifndef RUNTIME_CONSOLE_H
#define RUNTIME_CONSOLE_H

#include "config.h"

/* Connects to the console socket on the host; returns the descriptor. */
int console_connect(const char *path, struct ts_err *err);

/*
 * Opens a new terminal in the devpts below `root_fd`. *master gets the master side; returns the
 * other side, owned by the process's user.
 */
int console_open(int root_fd, const struct process_spec *p, int *master, struct ts_err *err);

/* Binds the terminal over /dev/console. */
int console_mount(int root_fd, int slave, struct ts_err *err);

/* Sends the master with SCM_RIGHTS. */
int console_send(int socket_fd, int master, struct ts_err *err);
/* Receives it (for a runtime that serves the terminal itself). */
int console_receive(int socket_fd, struct ts_err *err);

/* Makes the terminal the controlling one of this session, and stdin, stdout, stderr. */
int console_use(int slave, struct ts_err *err);

#endif
