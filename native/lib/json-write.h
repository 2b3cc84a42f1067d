/*
 * Writing JSON text into a buffer: only the parts that are easy to get wrong. Objects and arrays
 * are written by the caller with ts_buf_puts().
 */
#ifndef TS_JSON_WRITE_H
#define TS_JSON_WRITE_H

#include <stddef.h>

#include "buf.h"

/* Appends a quoted string; invalid UTF-8 becomes U+FFFD, one per maximal wrong part. */
void ts_json_put_strn(struct ts_buf *out, const char *text, size_t len);
/* The same for a C string; NULL is written as null. */
void ts_json_put_str(struct ts_buf *out, const char *text);

/* Bytes of the valid UTF-8 sequence at p (1..4), or 0 when it is invalid or cut off at the end. */
size_t ts_utf8_len(const unsigned char *p, size_t left);

#endif
