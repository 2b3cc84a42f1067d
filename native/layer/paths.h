/*
 * Names from archives as clean relative paths, and folders below a root by descriptor.
 */
#ifndef TSWARM_LAYER_PATHS_H
#define TSWARM_LAYER_PATHS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/*
 * Makes `raw` relative and free of ".", ".." and double slashes, into *clean ("" = the root
 * itself). Fails with code "refused" when ".." leads above the root or the path is too deep.
 */
int path_clean(const char *raw, struct ts_buf *clean, struct ts_err *err);

/* The last name of a clean path (all of it when it has no slash). */
const char *path_base(const char *clean);

/* A root below which everything happens, with the folder that was used last. */
struct root {
	int fd;		      /* O_PATH */
	struct ts_buf prefix; /* --path: goes before every name; "" or ends with '/' */
	struct ts_buf cached; /* parent path of cached_fd */
	int cached_fd;	      /* -1 = none */
	bool set_owner;	      /* made parents get this owner */
	uid_t uid;
	gid_t gid;
};

int root_open(struct root *root, const char *folder, const char *path, struct ts_err *err);
void root_close(struct root *root);

/*
 * The folder that holds `clean`, as the root's own processes would find it. Borrowed until the next
 * call. With `make`, missing folders are made (0755).
 */
int root_parent(struct root *root, const char *clean, bool make, struct ts_err *err);

/* Must be called whenever a folder or a symbolic link was replaced or removed. */
void root_forget(struct root *root);

/* ts_fail_errno, with code "no_space" where the disk or the quota is full. */
int fs_fail(struct ts_err *err, const char *op, const char *path, const char *what);

#endif
