/*
 * The set of paths that an archive has brought so far, as keyed 64-bit hashes.
 *
 * A whiteout removes only what lower layers brought, so each entry and each folder above it is
 * remembered. Eight bytes for each keep millions of entries affordable; the random key makes it
 * useless to look for two paths with the same hash.
 */
#ifndef TSWARM_LAYER_PATH_SET_H
#define TSWARM_LAYER_PATH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct path_set {
	uint64_t key[2];
	uint64_t *slots; /* 0 = free */
	size_t used, capacity;
};

void path_set_open(struct path_set *set);
void path_set_close(struct path_set *set);

/* Adds a clean path and all folders above it. */
void path_set_add(struct path_set *set, const char *path);
/* Adds the path alone. */
void path_set_add_one(struct path_set *set, const char *path);
bool path_set_has(const struct path_set *set, const char *path);
/* Whether a folder above the path, at whatever distance, is in the set; "" is above everything. */
bool path_set_has_above(const struct path_set *set, const char *path);

#endif
