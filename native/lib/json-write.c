/* Quoting of JSON strings and the UTF-8 check that reader and writer share (RFC 3629 table). */
#include "json-write.h"

#include <string.h>

size_t ts_utf8_len(const unsigned char *p, size_t left)
{
	unsigned char lead, low = 0x80, high = 0xbf;
	size_t need;

	if (left == 0)
		return 0;
	lead = p[0];
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf) {
		need = 2;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		need = 3;
		if (lead == 0xe0)
			low = 0xa0;
		else if (lead == 0xed)
			high = 0x9f;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		need = 4;
		if (lead == 0xf0)
			low = 0x90;
		else if (lead == 0xf4)
			high = 0x8f;
	} else {
		return 0;
	}
	if (left < need || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

static void put_escape(struct ts_buf *out, unsigned char c)
{
	switch (c) {
	case '"':
		ts_buf_add(out, "\\\"", 2);
		break;
	case '\\':
		ts_buf_add(out, "\\\\", 2);
		break;
	case '\n':
		ts_buf_add(out, "\\n", 2);
		break;
	case '\r':
		ts_buf_add(out, "\\r", 2);
		break;
	case '\t':
		ts_buf_add(out, "\\t", 2);
		break;
	default:
		ts_buf_printf(out, "\\u%04x", c);
	}
}

void ts_json_put_strn(struct ts_buf *out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0, start = 0;

	ts_buf_add(out, "\"", 1);
	while (i < len) {
		size_t n = ts_utf8_len(p + i, len - i);

		if (n == 1 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\') {
			i++;
			continue;
		}
		if (n > 1) {
			i += n;
			continue;
		}
		ts_buf_add(out, text + start, i - start);
		if (n == 1) {
			put_escape(out, p[i]);
		} else {
			ts_buf_add(out, "\xef\xbf\xbd", 3);
			/* A cut-off or broken sequence counts once: skip its continuation bytes. */
			if (p[i] >= 0xc2)
				while (i + 1 < len && (p[i + 1] & 0xc0) == 0x80)
					i++;
		}
		start = ++i;
	}
	ts_buf_add(out, text + start, len - start);
	ts_buf_add(out, "\"", 1);
}

void ts_json_put_str(struct ts_buf *out, const char *text)
{
	if (text)
		ts_json_put_strn(out, text, strlen(text));
	else
		ts_buf_puts(out, "null");
}
