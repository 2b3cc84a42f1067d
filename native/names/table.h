/*
 * A hash table that is filled once, and the memory that lives as long as it.
 */
#ifndef TSWARM_NAMES_TABLE_H
#define TSWARM_NAMES_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Memory that is freed all at once. */
struct arena {
	struct arena_block *blocks;
	size_t left; /* bytes free in the newest block */
};

/* Zeroed, aligned for pointers. Aborts without memory. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *bytes, size_t size);
void arena_free(struct arena *arena);

/* Every entry begins with its key. */
struct key {
	const uint8_t *bytes;
	size_t length;
};

struct table {
	struct key **slots;
	size_t used, capacity;
};

/* Adds the entry; one with the same key is replaced. */
void table_put(struct table *table, struct key *entry);
void *table_get(const struct table *table, const uint8_t *bytes, size_t length);
void table_free(struct table *table);

#endif
