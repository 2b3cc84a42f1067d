/*
 * Facts about processes from /proc, and waiting for the end of a process that is not our child.
 * A pid alone names a process only together with its start time (field 22 of /proc/PID/stat).
 */
#ifndef TS_PROC_H
#define TS_PROC_H

#include <stdint.h>
#include <sys/types.h>

/* Start time in clock ticks since boot and the state letter; -1 with errno (ESRCH: no such
 * process). */
int ts_proc_stat(pid_t pid, uint64_t *start_ticks, char *state);

/* A pidfd of that very process, or -1 with errno (ESRCH when it is gone or its pid was used again).
 */
int ts_proc_pidfd(pid_t pid, uint64_t start_ticks);

/* Waits until the process has ended: 1 = ended, 0 = timed out (-1 = no limit), -1 with errno. */
int ts_proc_wait(int pidfd, int timeout_ms);

#endif
