/*
 * A fuzzing driver for compilers without libFuzzer: mutates seeds for a given number of seconds.
 *
 *     fuzz-X SECONDS [SEED]      prints the seed, so that a failure can be repeated
 *
 * Coverage does not guide it; what makes it useful is that the targets give it well-formed seeds
 * and repair what would stop every mutation at the door (checksums). The sanitizers are the oracle.
 * The input that is running is kept in a file of the target's own, ./X-input, until the run ended.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

static uint64_t state;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t below(size_t limit)
{
	return limit ? (size_t)(next() % limit) : 0;
}

static size_t mutate(uint8_t *bytes, size_t length, size_t capacity)
{
	static const uint8_t interesting[] = {0,   1,	0x7f, 0x80, 0xff, '0',
					      '7', '9', ' ',  '\n', '=',  0xc0};

	switch (below(7)) {
	case 0: /* flip one bit */
		if (length)
			bytes[below(length)] ^= (uint8_t)(1u << below(8));
		break;
	case 1: /* put an interesting byte */
		if (length)
			bytes[below(length)] = interesting[below(sizeof interesting)];
		break;
	case 2: /* put a random run */
		if (length) {
			size_t at = below(length), count = below(8) + 1;
			for (size_t i = at; i < length && i < at + count; i++)
				bytes[i] = (uint8_t)next();
		}
		break;
	case 3: /* cut the end off */
		length = below(length + 1);
		break;
	case 4: { /* copy a part elsewhere */
		size_t count = below(length < 512 ? length : 512);
		if (length > count)
			memmove(bytes + below(length - count), bytes + below(length - count),
				count);
		break;
	}
	case 5: { /* insert bytes */
		size_t count = below(16) + 1, at = below(length + 1);
		if (length + count <= capacity) {
			memmove(bytes + at + count, bytes + at, length - at);
			for (size_t i = 0; i < count; i++)
				bytes[at + i] = (uint8_t)next();
			length += count;
		}
		break;
	}
	default: { /* remove bytes */
		size_t count = below(16) + 1, at = below(length + 1);
		if (at + count <= length) {
			memmove(bytes + at, bytes + at + count, length - at - count);
			length -= count;
		}
	}
	}
	return length;
}

int main(int argc, char **argv)
{
	static uint8_t seed[FUZZ_INPUT_MAX];
	time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 10);
	char path[64];
	uint64_t runs = 0;

	/* Targets may run side by side in one folder. */
	snprintf(path, sizeof path, "%s-input", basename(argv[0]));
	state =
	    argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL) * 0x9e3779b97f4a7c15 + 1;
	printf("seed %llu\n", (unsigned long long)state);
	fflush(stdout);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, FUZZ_INPUT_MAX) < 0)
		return 1;
	uint8_t *input = mmap(NULL, FUZZ_INPUT_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (input == MAP_FAILED)
		return 1;
	for (; (runs & 255) != 0 || time(NULL) < end; runs++) {
		size_t length = fuzz_seed(below(FUZZ_SEEDS), seed, sizeof seed);
		memcpy(input, seed, length);
		for (size_t i = below(12); i > 0; i--)
			length = mutate(input, length, FUZZ_INPUT_MAX);
		LLVMFuzzerTestOneInput(input, length);
	}
	printf("%llu runs\n", (unsigned long long)runs);
	unlink(path);
	return 0;
}
