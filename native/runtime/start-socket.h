/*
 * The socket ROOT/ID/start.sock between `start` and a created container.
 *
 * The container's first process listens on it while it waits. A connection brings one byte: GO, or
 * NO from somebody who only asked whether it waits. On GO the process answers ACK, closes the
 * listener and becomes the user's program; the connection then carries a struct ts_err when that
 * fails, and closes by itself (close-on-exec) when it works. So `start` knows both, and "created"
 * is simply "somebody listens": there is no flag that could be wrong after a crash.
 */
#ifndef RUNTIME_START_SOCKET_H
#define RUNTIME_START_SOCKET_H

#include <stdbool.h>

#include "err.h"

/* Creates the listening socket in the container's state folder. */
int start_socket_listen(int dir_fd, struct ts_err *err);

/* In the container: waits for GO. Returns the connection, on which ACK has been sent. */
int start_socket_wait(int listen_fd, struct ts_err *err);

/* Does a process wait there? */
bool start_socket_waits(int dir_fd);

/* Lets the container go; returns when its program runs, or the error with which it failed. */
int start_socket_go(int dir_fd, const char *id, struct ts_err *err);

#endif
