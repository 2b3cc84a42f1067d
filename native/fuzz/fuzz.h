/*
 * What a fuzz target gives to its driver (ours, or libFuzzer's).
 */
#ifndef TSWARM_FUZZ_H
#define TSWARM_FUZZ_H

#include <stddef.h>
#include <stdint.h>

enum { FUZZ_INPUT_MAX = 16 << 10, FUZZ_SEEDS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Writes the seed with this number (any number is fine) and returns its length. */
size_t fuzz_seed(size_t number, uint8_t *bytes, size_t capacity);

#endif
