/* Implementation of mem.h: reallocarray and strdup that end the program instead of failing. */
#include "mem.h"

#include <stdlib.h>
#include <string.h>

void *ts_grow(void *items, size_t count, size_t size)
{
	void *grown = reallocarray(items, count, size);

	if (!grown)
		abort();
	return grown;
}

char *ts_strdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	return copy;
}
