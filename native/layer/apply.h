/*
 * Unpacking an archive into a folder tree; see apply.c.
 */
#ifndef TSWARM_LAYER_APPLY_H
#define TSWARM_LAYER_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "path-set.h"
#include "paths.h"
#include "tar-read.h"

struct apply_options {
	const char *root, *path; /* path: folder in the root to unpack into; NULL = the root */
	uint64_t bytes_max, entries_max;
	bool set_owner; /* every entry belongs to uid:gid */
	uint32_t uid, gid;
	bool overlay_whiteouts; /* write overlayfs's own marks */
	bool plain;		/* .wh. names mean nothing */
	bool keep_kind;		/* a folder and something else never replace each other */
	bool unterminated_ok;	/* the archive may lack its end marker */
};

/* A folder whose time is set at the end, when nothing is put into it any more. */
struct late_time {
	char *path; /* clean */
	struct timespec mtime;
};

struct apply {
	const struct apply_options *options;
	struct root root;
	struct tar_reader reader;
	struct path_set brought; /* by this archive */
	struct path_set opaque;	 /* folders marked as hiding all that lower layers have in them */
	struct late_time *late;
	size_t late_count, late_capacity;
	uint64_t bytes, entries;
};

/* Unpacks stdin; the counts are in *apply afterwards, which the caller closes. */
int apply_run(struct apply *apply, const struct apply_options *options, int input,
	      struct ts_err *err);
void apply_close(struct apply *apply);

/* place.c: brings one entry into being at `clean` (not ""). */
int place_entry(struct apply *apply, const char *clean, struct ts_err *err);
/* Owner, mode and attributes of the root folder itself. */
int place_root(struct apply *apply, struct ts_err *err);

/* whiteout.c */
bool is_whiteout(const char *clean);
int apply_whiteout(struct apply *apply, const char *clean, struct ts_err *err);
/* Marks the open folder `clean` as hiding what lower layers have in it. */
int mark_opaque(struct apply *apply, int fd, const char *clean, struct ts_err *err);

#endif
