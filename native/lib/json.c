/*
 * The JSON reader of json.h: recursive descent over a byte range, nodes and strings in an arena of
 * chunks. Invariant: `p` never passes `end`; nothing relies on a terminating NUL in the input.
 */
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json-write.h"
#include "mem.h"

#define CHUNK_BYTES (16 * 1024)

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

struct ts_json_doc {
	struct chunk *chunks;
};

struct reader {
	const char *text, *p, *end;
	struct ts_json_doc *doc;
	struct ts_err *err;
	int depth;
};

void *ts_json_alloc(struct ts_json_doc *doc, size_t size)
{
	struct chunk *c = doc->chunks;
	void *out;

	size = (size + 15) & ~(size_t)15;
	if (!c || c->size - c->used < size) {
		size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;

		c = ts_grow(NULL, 1, sizeof(*c) + bytes);
		c->next = doc->chunks;
		c->used = 0;
		c->size = bytes;
		doc->chunks = c;
	}
	out = c->bytes + c->used;
	c->used += size;
	return memset(out, 0, size);
}

void ts_json_free(struct ts_json_doc **doc)
{
	if (!*doc)
		return;
	for (struct chunk *c = (*doc)->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(*doc);
	*doc = NULL;
}

static int bad(struct reader *r, const char *what)
{
	size_t line = 1, column = 1;

	for (const char *q = r->text; q < r->p; q++) {
		column = *q == '\n' ? 1 : column + 1;
		line += *q == '\n';
	}
	return ts_fail(r->err, TS_E_INVALID, 0, "json", NULL, "JSON: %s at line %zu, column %zu",
		       what, line, column);
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

static int read_hex4(struct reader *r, unsigned *out)
{
	unsigned v = 0;

	if (r->end - r->p < 4)
		return bad(r, "cut-off \\u escape");
	for (int i = 0; i < 4; i++) {
		char c = *r->p++;

		v <<= 4;
		if (c >= '0' && c <= '9')
			v |= (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v |= (unsigned)((c | 32) - 'a' + 10);
		else
			return bad(r, "wrong \\u escape");
	}
	*out = v;
	return 0;
}

static int read_unicode(struct reader *r, char **out)
{
	unsigned v, low;
	char *o = *out;

	if (read_hex4(r, &v) < 0)
		return -1;
	if (v == 0)
		return bad(r, "NUL in a string");
	if (v >= 0xdc00 && v <= 0xdfff)
		return bad(r, "lone surrogate");
	if (v >= 0xd800 && v <= 0xdbff) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
			return bad(r, "lone surrogate");
		r->p += 2;
		if (read_hex4(r, &low) < 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return bad(r, "lone surrogate");
		v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
	}
	if (v < 0x80) {
		*o++ = (char)v;
	} else if (v < 0x800) {
		*o++ = (char)(0xc0 | (v >> 6));
		*o++ = (char)(0x80 | (v & 0x3f));
	} else if (v < 0x10000) {
		*o++ = (char)(0xe0 | (v >> 12));
		*o++ = (char)(0x80 | ((v >> 6) & 0x3f));
		*o++ = (char)(0x80 | (v & 0x3f));
	} else {
		*o++ = (char)(0xf0 | (v >> 18));
		*o++ = (char)(0x80 | ((v >> 12) & 0x3f));
		*o++ = (char)(0x80 | ((v >> 6) & 0x3f));
		*o++ = (char)(0x80 | (v & 0x3f));
	}
	*out = o;
	return 0;
}

static int read_escape(struct reader *r, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (r->p >= r->end)
		return bad(r, "cut-off string");
	if (*r->p == 'u') {
		r->p++;
		return read_unicode(r, out);
	}
	at = *r->p ? strchr(from, *r->p) : NULL;
	if (!at)
		return bad(r, "unknown escape");
	*(*out)++ = to[at - from];
	r->p++;
	return 0;
}

/* Called behind the opening quote. The text never grows by unescaping, so its source length
 * suffices. */
static int read_string(struct reader *r, const char **out, size_t *len)
{
	const char *close = r->p;
	char *buf, *o;

	while (close < r->end && *close != '"') {
		if (*close == '\\')
			close++;
		close++;
	}
	if (close >= r->end)
		return bad(r, "cut-off string");
	buf = o = ts_json_alloc(r->doc, (size_t)(close - r->p) + 1);
	while (*r->p != '"') {
		unsigned char c = (unsigned char)*r->p;

		if (c < 0x20)
			return bad(r, "control character in a string");
		if (c == '\\') {
			r->p++;
			if (read_escape(r, &o) < 0)
				return -1;
			continue;
		}
		if (c < 0x80) {
			*o++ = *r->p++;
		} else {
			size_t n =
			    ts_utf8_len((const unsigned char *)r->p, (size_t)(r->end - r->p));

			if (n == 0)
				return bad(r, "invalid UTF-8");
			memcpy(o, r->p, n);
			o += n;
			r->p += n;
		}
	}
	r->p++;
	*out = buf;
	*len = (size_t)(o - buf);
	return 0;
}

static bool is_digit(const struct reader *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

static int read_number(struct reader *r, struct ts_json *node)
{
	const char *start = r->p;
	bool integer = true;
	char text[64];
	size_t len;

	node->type = TS_JSON_NUMBER;
	if (*r->p == '-') {
		node->negative = true;
		r->p++;
	}
	if (!is_digit(r))
		return bad(r, "wrong number");
	if (*r->p == '0' && r->p + 1 < r->end && r->p[1] >= '0' && r->p[1] <= '9')
		return bad(r, "number with a leading zero");
	for (; is_digit(r); r->p++) {
		uint64_t digit = (uint64_t)(*r->p - '0');

		if (__builtin_mul_overflow(node->magnitude, (uint64_t)10, &node->magnitude) ||
		    __builtin_add_overflow(node->magnitude, digit, &node->magnitude))
			integer = false;
	}
	if (r->p < r->end && *r->p == '.') {
		integer = false;
		r->p++;
		if (!is_digit(r))
			return bad(r, "wrong number");
		while (is_digit(r))
			r->p++;
	}
	if (r->p < r->end && (*r->p | 32) == 'e') {
		integer = false;
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (!is_digit(r))
			return bad(r, "wrong number");
		while (is_digit(r))
			r->p++;
	}
	len = (size_t)(r->p - start);
	if (len >= sizeof(text))
		return bad(r, "number too long");
	node->integer = integer;
	if (integer) {
		node->number = node->negative ? -(double)node->magnitude : (double)node->magnitude;
	} else {
		memcpy(text, start, len);
		text[len] = '\0';
		node->number = strtod(text, NULL);
	}
	return 0;
}

static int read_word(struct reader *r, const char *word, struct ts_json *node)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return bad(r, "unexpected text");
	r->p += n;
	node->type = word[0] == 'n' ? TS_JSON_NULL : TS_JSON_BOOL;
	node->boolean = word[0] == 't';
	return 0;
}

static int read_value(struct reader *r, struct ts_json *node);

static int read_key(struct reader *r, const char **key)
{
	size_t len;

	if (r->p >= r->end || *r->p != '"')
		return bad(r, "expected a member name");
	r->p++;
	if (read_string(r, key, &len) < 0)
		return -1;
	skip_space(r);
	if (r->p >= r->end || *r->p != ':')
		return bad(r, "expected ':'");
	r->p++;
	return 0;
}

/* Reads the children of an object or array; called behind the opening bracket. */
static int read_children(struct reader *r, struct ts_json *node, char close)
{
	struct ts_json **tail = &node->child;

	if (++r->depth > TS_JSON_DEPTH_MAX)
		return bad(r, "nested too deeply");
	skip_space(r);
	if (r->p < r->end && *r->p == close) {
		r->p++;
		r->depth--;
		return 0;
	}
	for (;;) {
		struct ts_json *item = ts_json_alloc(r->doc, sizeof(*item));

		skip_space(r);
		if (close == '}' && read_key(r, &item->key) < 0)
			return -1;
		if (read_value(r, item) < 0)
			return -1;
		*tail = item;
		tail = &item->next;
		node->len++;
		skip_space(r);
		if (r->p < r->end && *r->p == ',') {
			r->p++;
			continue;
		}
		if (r->p < r->end && *r->p == close) {
			r->p++;
			r->depth--;
			return 0;
		}
		return bad(r, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
	}
}

static int read_value(struct reader *r, struct ts_json *node)
{
	int rc;

	skip_space(r);
	if (r->p >= r->end)
		return bad(r, "unexpected end");
	node->raw = r->p;
	switch (*r->p) {
	case '{':
		r->p++;
		node->type = TS_JSON_OBJECT;
		rc = read_children(r, node, '}');
		break;
	case '[':
		r->p++;
		node->type = TS_JSON_ARRAY;
		rc = read_children(r, node, ']');
		break;
	case '"':
		r->p++;
		node->type = TS_JSON_STRING;
		rc = read_string(r, &node->str, &node->len);
		break;
	case 't':
		rc = read_word(r, "true", node);
		break;
	case 'f':
		rc = read_word(r, "false", node);
		break;
	case 'n':
		rc = read_word(r, "null", node);
		break;
	default:
		if (*r->p != '-' && !is_digit(r))
			return bad(r, "unexpected text");
		rc = read_number(r, node);
	}
	node->raw_len = (size_t)(r->p - node->raw);
	return rc;
}

struct ts_json *ts_json_parse(const char *text, size_t len, struct ts_json_doc **doc,
			      struct ts_err *err)
{
	struct ts_json_doc *d = calloc(1, sizeof(*d));
	struct reader r = {text, text, text + len, d, err, 0};
	struct ts_json *root;

	if (!d)
		abort();
	root = ts_json_alloc(d, sizeof(*root));
	if (read_value(&r, root) == 0) {
		skip_space(&r);
		if (r.p == r.end) {
			*doc = d;
			return root;
		}
		bad(&r, "text after the value");
	}
	ts_json_free(&d);
	return NULL;
}
