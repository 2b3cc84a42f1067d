/*
 * A strict JSON reader (RFC 8259) that builds a tree in one arena.
 *
 * Refuses: nesting deeper than TS_JSON_DEPTH_MAX, strings with NUL (they become C strings), invalid
 * UTF-8 and lone surrogates, trailing text. A duplicate key: the last one wins, as in Go's reader.
 * Strings live as long as the document. Numbers keep all 64 bits: Docker writes RLIM_INFINITY as
 * 18446744073709551615.
 */
#ifndef TS_JSON_H
#define TS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define TS_JSON_DEPTH_MAX 64

enum ts_json_type {
	TS_JSON_NULL,
	TS_JSON_BOOL,
	TS_JSON_NUMBER,
	TS_JSON_STRING,
	TS_JSON_ARRAY,
	TS_JSON_OBJECT,
};

struct ts_json {
	enum ts_json_type type;
	bool boolean;	       /* BOOL */
	bool integer;	       /* NUMBER: has no fraction or exponent and fits in 64 bits */
	bool negative;	       /* NUMBER */
	uint64_t magnitude;    /* NUMBER that is an integer: absolute value */
	double number;	       /* NUMBER */
	const char *key;       /* member name when the parent is an object, else NULL */
	const char *str;       /* STRING: NUL-terminated */
	size_t len;	       /* STRING: bytes; ARRAY, OBJECT: number of children */
	struct ts_json *child; /* ARRAY, OBJECT: first child */
	struct ts_json *next;  /* next sibling */
	const char *raw;       /* first byte in the source text (the caller keeps that alive) */
	size_t raw_len;	       /* bytes in the source text */
};

struct ts_json_doc; /* owns the arena */

/* Parses `len` bytes. Returns the root, and the document in *doc (free it with ts_json_free), or
 * NULL. */
struct ts_json *ts_json_parse(const char *text, size_t len, struct ts_json_doc **doc,
			      struct ts_err *err);
void ts_json_free(struct ts_json_doc **doc);
#define cleanup_json __attribute__((cleanup(ts_json_free)))

/* Returns the member, or NULL when obj is NULL or no object, or the member is absent or null. */
struct ts_json *ts_json_get(const struct ts_json *obj, const char *key);

#define ts_json_each(item, array)                                                                  \
	for (const struct ts_json *item = (array) ? (array)->child : NULL; item; item = item->next)

/*
 * Typed optional members: 1 = present and stored in *out, 0 = absent or null (*out untouched), -1 =
 * wrong type or range (*err filled with "where.key").
 */
int ts_json_opt_str(const struct ts_json *obj, const char *key, const char *where, const char **out,
		    struct ts_err *err);
int ts_json_opt_bool(const struct ts_json *obj, const char *key, const char *where, bool *out,
		     struct ts_err *err);
int ts_json_opt_i64(const struct ts_json *obj, const char *key, const char *where, int64_t *out,
		    struct ts_err *err);
int ts_json_opt_u64(const struct ts_json *obj, const char *key, const char *where, uint64_t *out,
		    struct ts_err *err);
/* As opt_u64, for values up to UINT32_MAX. */
int ts_json_opt_u32(const struct ts_json *obj, const char *key, const char *where, uint32_t *out,
		    struct ts_err *err);
/* *out is the member if it is of the type. */
int ts_json_opt_node(const struct ts_json *obj, const char *key, const char *where,
		     enum ts_json_type type, const struct ts_json **out, struct ts_err *err);
/* An array of strings as a NULL-terminated vector in the document's arena; *out untouched if
 * absent. */
int ts_json_opt_strv(struct ts_json_doc *doc, const struct ts_json *obj, const char *key,
		     const char *where, const char *const **out, size_t *count, struct ts_err *err);

/* Memory that lives as long as the document, zeroed. */
void *ts_json_alloc(struct ts_json_doc *doc, size_t size);

#endif
