/*
 * A JSON scanner over spans (RFC 8259). See jscan.h.
 * Invariant: `skip_value` either returns the end of one well-formed value or NULL, and never looks
 * at or beyond `end`.
 */
#include "jscan.h"

#include <string.h>

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Reads the four digits of a \u escape; -1 when there are not four. */
static int32_t hex4(const char *p, const char *end)
{
	int32_t value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(p[i]);
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static const char *skip_string(const char *p, const char *end)
{
	if (p >= end || *p != '"')
		return NULL;
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p != '\\')
			continue;
		if (++p >= end)
			return NULL;
		if (*p == 'u') {
			if (hex4(p + 1, end) < 0)
				return NULL;
			p += 4;
		} else if (*p == '\0' || !strchr("\"\\/bfnrt", *p)) {
			return NULL;
		}
	}
	return NULL;
}

static const char *skip_digits(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && is_digit(*p))
		p++;
	return p > start ? p : NULL;
}

static const char *skip_number(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	if (p < end && *p == '0')
		p++;
	else if (!(p = skip_digits(p, end)))
		return NULL;
	if (p < end && *p == '.' && !(p = skip_digits(p + 1, end)))
		return NULL;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = skip_digits(p, end);
	}
	return p;
}

static const char *skip_word(const char *p, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - p) >= length && memcmp(p, word, length) == 0 ? p + length : NULL;
}

static const char *skip_value(const char *p, const char *end, int depth);

/* Skips from after the opening bracket to after the closing one; `keyed` for objects. */
static const char *skip_items(const char *p, const char *end, int depth, bool keyed)
{
	char closing = keyed ? '}' : ']';

	p = skip_blank(p, end);
	if (p < end && *p == closing)
		return p + 1;
	for (;;) {
		if (keyed) {
			if (!(p = skip_string(skip_blank(p, end), end)))
				return NULL;
			p = skip_blank(p, end);
			if (p >= end || *p++ != ':')
				return NULL;
		}
		if (!(p = skip_value(skip_blank(p, end), end, depth)))
			return NULL;
		p = skip_blank(p, end);
		if (p >= end)
			return NULL;
		if (*p == closing)
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static const char *skip_value(const char *p, const char *end, int depth)
{
	if (p >= end || depth >= JS_DEPTH_MAX)
		return NULL;
	switch (*p) {
	case '"':
		return skip_string(p, end);
	case '{':
		return skip_items(p + 1, end, depth + 1, true);
	case '[':
		return skip_items(p + 1, end, depth + 1, false);
	case 't':
		return skip_word(p, end, "true");
	case 'f':
		return skip_word(p, end, "false");
	case 'n':
		return skip_word(p, end, "null");
	default:
		return skip_number(p, end);
	}
}

bool js_parse(const char *text, size_t length, struct js *value)
{
	const char *end = text + length;
	const char *start = skip_blank(text, end);
	const char *stop = skip_value(start, end, 0);

	if (!stop || skip_blank(stop, end) != end)
		return false;
	*value = (struct js){ start, (size_t)(stop - start) };
	return true;
}

/* Moves to the next item of a container; false at its end or when it is malformed. */
static bool next_item(struct js container, char opening, size_t *position, struct js *key,
		      struct js *value)
{
	const char *end = container.text + container.length;
	const char *p = container.text + *position;

	if (*position == 0) {
		if (container.length < 2 || *p != opening)
			return false;
		p = skip_blank(p + 1, end);
	} else {
		p = skip_blank(p, end);
		if (p >= end || *p++ != ',')
			return false;
		p = skip_blank(p, end);
	}
	if (key) {
		const char *stop = skip_string(p, end);
		if (!stop)
			return false;
		*key = (struct js){ p, (size_t)(stop - p) };
		p = skip_blank(stop, end);
		if (p >= end || *p++ != ':')
			return false;
		p = skip_blank(p, end);
	}
	const char *stop = skip_value(p, end, 1);
	if (!stop)
		return false;
	*value = (struct js){ p, (size_t)(stop - p) };
	*position = (size_t)(stop - container.text);
	return true;
}

bool js_next_member(struct js object, size_t *position, struct js *key, struct js *value)
{
	return next_item(object, '{', position, key, value);
}

bool js_next_element(struct js array, size_t *position, struct js *value)
{
	return next_item(array, '[', position, NULL, value);
}

bool js_member(struct js object, const char *name, struct js *value)
{
	struct js key, found;
	size_t position = 0;

	while (js_next_member(object, &position, &key, &found)) {
		if (js_equals(key, name)) {
			*value = found;
			return true;
		}
	}
	return false;
}

bool js_equals(struct js value, const char *text)
{
	size_t length = strlen(text);

	return value.length == length + 2 && value.text[0] == '"' &&
	       memcmp(value.text + 1, text, length) == 0;
}

/* Writes `code` as UTF-8; returns the number of bytes (1 to 4). */
static size_t put_utf8(uint32_t code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* Decodes the escape at `*p` (after the backslash) and moves `*p` behind it. */
static uint32_t decode_escape(const char **p, const char *end)
{
	static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
	char c = *(*p)++;

	if (c != 'u') {
		const char *found = strchr(names, c);
		return (unsigned char)(found ? values[found - names] : c);
	}
	uint32_t code = (uint32_t)hex4(*p, end);
	*p += 4;
	if (code < 0xd800 || code > 0xdfff)
		return code;
	if (code < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		int32_t low = hex4(*p + 2, end);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
		}
	}
	return 0xfffd;
}

bool js_string(struct js value, char *buffer, size_t capacity)
{
	if (value.length < 2 || value.text[0] != '"')
		return false;

	const char *p = value.text + 1, *end = value.text + value.length - 1;
	size_t used = 0;
	while (p < end) {
		char bytes[4];
		size_t count = 1;
		if (*p == '\\') {
			p++;
			count = put_utf8(decode_escape(&p, end), bytes);
		} else {
			bytes[0] = *p++;
		}
		if (bytes[0] == '\0' || used + count >= capacity)
			return false;
		memcpy(buffer + used, bytes, count);
		used += count;
	}
	if (used >= capacity)
		return false;
	buffer[used] = '\0';
	return true;
}

bool js_integer(struct js value, int64_t *number)
{
	const char *p = value.text, *end = value.text + value.length;
	bool negative = p < end && *p == '-';
	int64_t result = 0;

	if (negative)
		p++;
	if (p >= end)
		return false;
	for (; p < end; p++) {
		if (!is_digit(*p) || __builtin_mul_overflow(result, 10, &result) ||
		    __builtin_sub_overflow(result, *p - '0', &result))
			return false;
	}
	if (!negative && __builtin_sub_overflow((int64_t)0, result, &result))
		return false;
	*number = result;
	return true;
}

bool js_boolean(struct js value, bool *flag)
{
	if (value.length == 4 && memcmp(value.text, "true", 4) == 0)
		*flag = true;
	else if (value.length == 5 && memcmp(value.text, "false", 5) == 0)
		*flag = false;
	else
		return false;
	return true;
}
