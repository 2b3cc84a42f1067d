/* BLAKE2b (RFC 7693) with a 32-byte digest: the key of the cache of compiled seccomp filters. */
#ifndef RUNTIME_BLAKE2B_H
#define RUNTIME_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE2B_BYTES 32

struct blake2b {
	uint64_t h[8], bytes;
	uint8_t block[128];
	size_t used;
};

void blake2b_init(struct blake2b *b);
void blake2b_update(struct blake2b *b, const void *data, size_t len);
void blake2b_final(struct blake2b *b, uint8_t out[BLAKE2B_BYTES]);

#endif
