/*
 * Open addressing with linear probing over keyed hashes; see path-set.h. The hash is SipHash-2-4
 * (Aumasson and Bernstein 2012), computed at each slash on the way as the hash of that prefix.
 */
#include "path-set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { FIRST_CAPACITY = 1024 };

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* Hash of the first `length` bytes of `path`; never 0, which marks a free slot. */
static uint64_t hash(const struct path_set *set, const char *path, size_t length)
{
	uint64_t v[4] = {set->key[0] ^ 0x736f6d6570736575, set->key[1] ^ 0x646f72616e646f6d,
			 set->key[0] ^ 0x6c7967656e657261, set->key[1] ^ 0x7465646279746573};
	size_t done = 0;
	uint64_t word;

	for (; length - done >= sizeof word; done += sizeof word) {
		memcpy(&word, path + done, sizeof word);
		v[3] ^= word;
		mix(v);
		mix(v);
		v[0] ^= word;
	}
	word = 0;
	memcpy(&word, path + done, length - done);
	word |= (uint64_t)length << 56;
	v[3] ^= word;
	mix(v);
	mix(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		mix(v);
	uint64_t result = v[0] ^ v[1] ^ v[2] ^ v[3];
	return result ? result : 1;
}

void path_set_open(struct path_set *set)
{
	*set = (struct path_set){.capacity = FIRST_CAPACITY};
	set->slots = calloc(set->capacity, sizeof *set->slots);
	if (!set->slots || getrandom(set->key, sizeof set->key, 0) != sizeof set->key)
		abort();
}

void path_set_close(struct path_set *set)
{
	free(set->slots);
}

/* The slot that holds the value, or the free one where it would go. */
static uint64_t *find(uint64_t *slots, size_t capacity, uint64_t value)
{
	size_t at = (size_t)value & (capacity - 1);

	while (slots[at] != 0 && slots[at] != value)
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static void grow(struct path_set *set)
{
	size_t capacity = set->capacity * 2;
	uint64_t *slots = calloc(capacity, sizeof *slots);

	if (!slots)
		abort();
	for (size_t i = 0; i < set->capacity; i++)
		if (set->slots[i])
			*find(slots, capacity, set->slots[i]) = set->slots[i];
	free(set->slots);
	set->slots = slots;
	set->capacity = capacity;
}

/* False when it was there already. */
static bool add(struct path_set *set, uint64_t value)
{
	uint64_t *slot = find(set->slots, set->capacity, value);

	if (*slot == value)
		return false;
	*slot = value;
	if (++set->used > set->capacity / 2)
		grow(set);
	return true;
}

void path_set_add(struct path_set *set, const char *path)
{
	size_t length = strlen(path);

	/* From the entry upwards: a folder that is known has its parents in the set. */
	while (length > 0 && add(set, hash(set, path, length))) {
		const char *slash = memrchr(path, '/', length);
		length = slash ? (size_t)(slash - path) : 0;
	}
}

void path_set_add_one(struct path_set *set, const char *path)
{
	add(set, hash(set, path, strlen(path)));
}

static bool has(const struct path_set *set, const char *path, size_t length)
{
	uint64_t value = hash(set, path, length);

	return *find(set->slots, set->capacity, value) == value;
}

bool path_set_has(const struct path_set *set, const char *path)
{
	return has(set, path, strlen(path));
}

bool path_set_has_above(const struct path_set *set, const char *path)
{
	size_t length = strlen(path);

	while (set->used > 0 && length > 0) {
		const char *slash = memrchr(path, '/', length);
		length = slash ? (size_t)(slash - path) : 0;
		if (has(set, path, length))
			return true;
	}
	return false;
}
