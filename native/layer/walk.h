/*
 * Walking a tree by descriptors and writing it as an archive; see walk.c.
 */
#ifndef TSWARM_LAYER_WALK_H
#define TSWARM_LAYER_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "tar-write.h"

/* The first name under which a file with several names was written. */
struct first_name {
	dev_t device;
	ino_t inode;
	char *name; /* NULL = free slot */
};

struct walk {
	struct tar_writer writer;
	bool overlay;	    /* the tree is an overlay's upper layer: its marks become .wh. names */
	const int *lowers;  /* overlay: the layers below, top first */
	size_t lower_count; /* 0: unknown, every mark counts */
	struct first_name *names;
	size_t name_count, name_capacity;
	int depth;
};

/*
 * Writes `name` in `parent` and everything below it as `path` ("" = only what is below).
 * Sockets are left out; a file that changes meanwhile is cut or filled up to its first size.
 */
int walk_write(struct walk *walk, int parent, const char *name, const char *path,
	       struct ts_err *err);
void walk_close(struct walk *walk);

/* lowers.c: whether the layers below have something at the path. */
bool lowers_have(const int *lowers, size_t count, const char *path);

#endif
