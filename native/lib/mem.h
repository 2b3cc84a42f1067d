/*
 * Memory for lists that grow and strings that are kept. None of them fails: a program of this
 * folder that gets no memory cannot go on, and ends.
 */
#ifndef TS_MEM_H
#define TS_MEM_H

#include <stddef.h>

/* Makes room for `count` items of `size` bytes; `items` (NULL at first) is given up for the result. */
void *ts_grow(void *items, size_t count, size_t size) __attribute__((returns_nonnull));

/* A copy that the caller frees. */
char *ts_strdup(const char *text) __attribute__((returns_nonnull));

#endif
