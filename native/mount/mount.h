/*
 * The mount operations of tswarm-mount. Each takes the request object, does one thing completely or
 * not at all (a mount that cannot be attached is never left behind detached), and fills *err.
 * Paths are host paths chosen by the worker; a path that a container controls never comes here.
 */
#ifndef TS_MOUNT_H
#define TS_MOUNT_H

#include <stdbool.h>

#include "err.h"
#include "json.h"

/* Layers of one overlay: the kernel's own limit (OVL_MAX_STACK). */
#define LOWER_MAX 500

struct mount_options {
	bool old_calls; /* mount(2) for overlays even where the newer calls would do */
};

/* {lower:[…topmost first],upper?,work?,target,readonly?,volatile?} */
int op_overlay(const struct ts_json *req, const struct mount_options *opt, struct ts_err *err);
/* {target,lazy?}; code "not_mounted" when nothing is mounted there */
int op_umount(const struct ts_json *req, struct ts_err *err);
/* {source,target,readonly?,recursive?} */
int op_bind(const struct ts_json *req, struct ts_err *err);
/* {target,size?,mode?,uid?,gid?,noexec?}; always nosuid and nodev */
int op_tmpfs(const struct ts_json *req, struct ts_err *err);
/* Writes everything of the file system that holds `path` to its disk. */
int op_sync(const char *path, struct ts_err *err);

#endif
