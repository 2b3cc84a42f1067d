/*
 * Reading JSON in place, without allocating: a value is a span of the text that holds it.
 *
 * For programs that answer small requests for months (shim) or read one configuration into tables
 * of their own (names). Every function checks what it walks over; malformed text reads as "absent"
 * or false, never as something else. Nesting deeper than JS_DEPTH_MAX is refused.
 */
#ifndef TSWARM_JSCAN_H
#define TSWARM_JSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JS_DEPTH_MAX = 64 };

/* One JSON value with no blanks around it; `text` is not terminated. */
struct js {
	const char *text;
	size_t length;
};

/* Checks that `text` is exactly one JSON value (blanks around it allowed) and returns its span. */
bool js_parse(const char *text, size_t length, struct js *value);

/* Finds the first member `name` of `object`; false when absent, or when `object` is no object. */
bool js_member(struct js object, const char *name, struct js *value);

/* Walks over an object's members; start with *position = 0. `key` is the string's span with quotes. */
bool js_next_member(struct js object, size_t *position, struct js *key, struct js *value);

/* Walks over an array's elements; start with *position = 0. */
bool js_next_element(struct js array, size_t *position, struct js *value);

/* Decodes a string into `buffer` (terminated). False: no string, too long, or holds a NUL. */
bool js_string(struct js value, char *buffer, size_t capacity);

/* Reads an integer without fraction or exponent that fits. */
bool js_integer(struct js value, int64_t *number);

/* Reads true or false. */
bool js_boolean(struct js value, bool *flag);

/* True when the value is the string `text` (no escapes needed to compare). */
bool js_equals(struct js value, const char *text);

#endif
