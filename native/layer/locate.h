/*
 * Finding one path below a root, its last name not followed.
 */
#ifndef TSWARM_LAYER_LOCATE_H
#define TSWARM_LAYER_LOCATE_H

#include "buf.h"
#include "err.h"

struct place {
	int parent;	    /* O_PATH folder; closed by the caller */
	struct ts_buf name; /* in it; "." for the root itself or a path that ends in "/" or "/." */
	struct ts_buf base; /* the name a person would give it; "/" for the root */
};

/* Codes: "not_found", "not_a_folder" (a trailing slash behind something else). */
int locate(int root, const char *path, struct place *place, struct ts_err *err);
void place_free(struct place *place);

#endif
