/*
 * Open addressing with linear probing; see table.h. The hash is keyed once per process, because
 * users of the cluster choose the names.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BLOCK_BYTES = 64 << 10, FIRST_CAPACITY = 16, ALIGNMENT = 16 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(ALIGNMENT) char bytes[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (!arena->blocks || arena->left < size) {
		size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;
		struct arena_block *block = calloc(1, sizeof *block + capacity);
		if (!block)
			abort();
		block->next = arena->blocks;
		block->size = capacity;
		arena->blocks = block;
		arena->left = capacity;
	}
	void *memory = arena->blocks->bytes + arena->blocks->size - arena->left;
	arena->left -= size;
	return memory;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
	return memcpy(arena_alloc(arena, size), bytes, size);
}

void arena_free(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;
		arena->blocks = block->next;
		free(block);
	}
	arena->left = 0;
}

static uint64_t hash(const uint8_t *bytes, size_t length)
{
	static uint64_t secret;

	if (secret == 0 && getrandom(&secret, sizeof secret, 0) != sizeof secret)
		abort();
	secret |= 1;
	uint64_t value = secret ^ length;
	for (size_t i = 0; i < length; i++) {
		value = (value ^ bytes[i]) * UINT64_C(0x9e3779b97f4a7c15);
		value ^= value >> 29;
	}
	value *= secret;
	return value ^ value >> 32;
}

static struct key **find(struct key **slots, size_t capacity, const uint8_t *bytes, size_t length)
{
	size_t at = (size_t)hash(bytes, length) & (capacity - 1);

	while (slots[at] &&
	       (slots[at]->length != length || memcmp(slots[at]->bytes, bytes, length) != 0))
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static void grow(struct table *table)
{
	size_t capacity = table->capacity ? table->capacity * 2 : FIRST_CAPACITY;
	struct key **slots = calloc(capacity, sizeof *slots);

	if (!slots)
		abort();
	for (size_t i = 0; i < table->capacity; i++) {
		struct key *entry = table->slots[i];
		if (entry)
			*find(slots, capacity, entry->bytes, entry->length) = entry;
	}
	free(table->slots);
	table->slots = slots;
	table->capacity = capacity;
}

void table_put(struct table *table, struct key *entry)
{
	if (table->used * 2 >= table->capacity)
		grow(table);
	struct key **slot = find(table->slots, table->capacity, entry->bytes, entry->length);
	if (!*slot)
		table->used++;
	*slot = entry;
}

void *table_get(const struct table *table, const uint8_t *bytes, size_t length)
{
	if (table->used == 0)
		return NULL;
	return *find(table->slots, table->capacity, bytes, length);
}

void table_free(struct table *table)
{
	free(table->slots);
	*table = (struct table){0};
}
