/*
 * PAX records: "LENGTH KEY=VALUE\n", with LENGTH counting the whole record in decimal.
 *
 * Used: path, linkpath, size, uid, gid, mtime, SCHILY.xattr.*, GNU.sparse.*. Others (user names,
 * access times, character sets, comments) have no meaning here and are passed over. A value that is
 * needed and malformed is an error. An empty value takes an earlier record of that key back; as the
 * entry's header has been read first, that means: as the header says.
 */
#include <stdlib.h>
#include <string.h>

#include "tar-format.h"

/* One record's key and value in the text. */
struct record {
	const char *key, *value;
	size_t key_length, value_length;
};

static int bad_record(struct ts_err *err, const char *message)
{
	return ts_fail(err, "bad_archive", 0, "tar", NULL, "%s", message);
}

bool tar_decimal(const char *text, size_t length, uint64_t *number)
{
	uint64_t value = 0;

	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return false;
	}
	*number = value;
	return true;
}

/* Takes one record off the text: 1 = got one, 0 = none left, -1 = malformed. */
static int next_record(const char **text, const char *end, struct record *record)
{
	const char *start = *text, *space = start;
	uint64_t length;

	if (start == end)
		return 0;
	while (space < end && *space != ' ')
		space++;
	if (space == end || !tar_decimal(start, (size_t)(space - start), &length) ||
	    length > (uint64_t)(end - start) || length < (uint64_t)(space - start) + 3 ||
	    start[length - 1] != '\n')
		return -1;
	record->key = space + 1;
	const char *stop = start + length - 1;
	const char *equals = memchr(record->key, '=', (size_t)(stop - record->key));
	if (!equals || equals == record->key)
		return -1;
	record->key_length = (size_t)(equals - record->key);
	record->value = equals + 1;
	record->value_length = (size_t)(stop - record->value);
	*text = start + length;
	return 1;
}

static bool is_key(const struct record *record, const char *key)
{
	return record->key_length == strlen(key) &&
	       memcmp(record->key, key, record->key_length) == 0;
}

static int take_text(struct ts_buf *to, const struct record *record, struct ts_err *err)
{
	if (memchr(record->value, '\0', record->value_length))
		return bad_record(err, "a path in a PAX record holds a NUL");
	to->len = 0;
	ts_buf_add(to, record->value, record->value_length);
	return 0;
}

static int take_id(uint32_t *id, const struct record *record, struct ts_err *err)
{
	uint64_t value;

	if (!tar_decimal(record->value, record->value_length, &value) || value >= UINT32_MAX)
		return bad_record(err, "a PAX record holds an owner that is out of range");
	*id = (uint32_t)value;
	return 0;
}

static int take_size(uint64_t *size, const struct record *record, struct ts_err *err)
{
	if (!tar_decimal(record->value, record->value_length, size) || *size > INT64_MAX)
		return bad_record(err, "a PAX record holds a size that is out of range");
	return 0;
}

/* Seconds with an optional sign and fraction; digits beyond nanoseconds are cut off. */
static int take_time(struct timespec *time, const struct record *record, struct ts_err *err)
{
	const char *p = record->value, *end = p + record->value_length;
	bool negative = p < end && *p == '-';
	uint64_t seconds;
	long nanos = 0;

	if (negative)
		p++;
	const char *dot = memchr(p, '.', (size_t)(end - p));
	const char *whole_end = dot ? dot : end;
	if (!tar_decimal(p, (size_t)(whole_end - p), &seconds) || seconds > INT64_MAX / 2)
		return bad_record(err, "a PAX record holds a time that is no time");
	int digits = 0;
	for (const char *q = dot ? dot + 1 : end; q < end; q++) {
		if (*q < '0' || *q > '9')
			return bad_record(err, "a PAX record holds a time that is no time");
		if (digits++ < 9)
			nanos = nanos * 10 + (*q - '0');
	}
	for (; digits < 9; digits++)
		nanos *= 10;
	time->tv_sec = negative ? -(time_t)seconds : (time_t)seconds;
	time->tv_nsec = nanos;
	if (negative && nanos > 0) {
		time->tv_sec--;
		time->tv_nsec = 1000000000 - nanos;
	}
	return 0;
}

/* Keeps the attribute where it is in the records' memory, which lives until the next entry. */
static int take_xattr(struct tar_entry *entry, const struct record *record, size_t prefix,
		      struct ts_err *err)
{
	const char *name = record->key + prefix;
	size_t length = record->key_length - prefix;

	if (length == 0 || length > XATTR_NAME_MAX_BYTES || memchr(name, '\0', length) ||
	    record->value_length > XATTR_VALUE_MAX_BYTES)
		return bad_record(err, "an extended attribute is larger than the kernel allows");
	for (size_t i = 0; i < entry->xattr_count; i++) {
		struct tar_xattr *known = &entry->xattrs[i];
		if (known->name_length == length && memcmp(known->name, name, length) == 0) {
			known->value = record->value;
			known->value_length = record->value_length;
			return 0;
		}
	}
	if (entry->xattr_count == XATTRS_MAX)
		return bad_record(err, "an entry has more than 256 extended attributes");
	if (entry->xattr_count == entry->xattr_capacity) {
		size_t capacity = entry->xattr_capacity ? entry->xattr_capacity * 2 : 8;
		void *grown = realloc(entry->xattrs, capacity * sizeof *entry->xattrs);
		if (!grown)
			abort();
		entry->xattrs = grown;
		entry->xattr_capacity = capacity;
	}
	entry->xattrs[entry->xattr_count++] =
	    (struct tar_xattr){name, length, record->value, record->value_length};
	return 0;
}

/* GNU 0.1: "offset,length,offset,length,..." in one record. */
static int take_map(struct tar_entry *entry, const struct record *record, struct ts_err *err)
{
	const char *p = record->value, *end = p + record->value_length;
	uint64_t numbers[2];
	int have = 0;

	entry->piece_count = 0;
	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;
		if (!tar_decimal(p, (size_t)(stop - p), &numbers[have]))
			return bad_record(err, "a sparse map holds something that is no number");
		if (++have == 2) {
			have = 0;
			if (tar_add_piece(entry, numbers[0], numbers[1], err) < 0)
				return -1;
		}
		p = comma ? comma + 1 : end;
	}
	return have == 0 ? 0 : bad_record(err, "a sparse map has an offset without a length");
}

static int take_sparse_record(struct tar_entry *entry, const struct record *record,
			      struct tar_pax *pax, struct ts_err *err)
{
	uint64_t number = 0;

	if (is_key(record, "GNU.sparse.name"))
		return take_text(&entry->path, record, err);
	entry->sparse = true;
	if (is_key(record, "GNU.sparse.map"))
		return take_map(entry, record, err);
	if (!tar_decimal(record->value, record->value_length, &number) || number > INT64_MAX)
		return bad_record(err, "a sparse file's header holds something that is no number");
	if (is_key(record, "GNU.sparse.size") || is_key(record, "GNU.sparse.realsize")) {
		pax->has_real_size = true;
		pax->real_size = number;
	} else if (is_key(record, "GNU.sparse.major")) {
		pax->has_version = true;
		pax->major = (int64_t)number;
	} else if (is_key(record, "GNU.sparse.minor")) {
		pax->has_version = true;
		pax->minor = (int64_t)number;
	} else if (is_key(record, "GNU.sparse.offset")) {
		pax->pending_offset = true;
		pax->offset = number;
	} else if (is_key(record, "GNU.sparse.numbytes")) {
		if (!pax->pending_offset)
			return bad_record(err, "a sparse map has a length without an offset");
		pax->pending_offset = false;
		return tar_add_piece(entry, pax->offset, number, err);
	}
	return 0;
}

static bool has_prefix(const struct record *record, const char *prefix)
{
	size_t length = strlen(prefix);

	return record->key_length >= length && memcmp(record->key, prefix, length) == 0;
}

static int take_record(struct tar_entry *entry, const struct record *record, struct tar_pax *pax,
		       struct ts_err *err)
{
	static const char xattr_prefix[] = "SCHILY.xattr.";

	if (has_prefix(record, xattr_prefix))
		return take_xattr(entry, record, sizeof xattr_prefix - 1, err);
	if (record->value_length == 0)
		return 0;
	if (is_key(record, "path"))
		return take_text(&entry->path, record, err);
	if (is_key(record, "linkpath"))
		return take_text(&entry->link, record, err);
	if (is_key(record, "size")) {
		if (take_size(&entry->size, record, err) < 0)
			return -1;
		entry->data_bytes = entry->size;
		return 0;
	}
	if (is_key(record, "uid"))
		return take_id(&entry->uid, record, err);
	if (is_key(record, "gid"))
		return take_id(&entry->gid, record, err);
	if (is_key(record, "mtime"))
		return take_time(&entry->mtime, record, err);
	if (has_prefix(record, "GNU.sparse."))
		return take_sparse_record(entry, record, pax, err);
	return 0;
}

int tar_apply_pax(struct tar_entry *entry, const struct ts_buf *records, struct tar_pax *pax,
		  struct ts_err *err)
{
	const char *text = records->data, *end = records->data + records->len;
	struct record record;
	int result;

	if (records->len == 0)
		return 0;
	while ((result = next_record(&text, end, &record)) > 0)
		if (take_record(entry, &record, pax, err) < 0)
			return -1;
	return result < 0 ? bad_record(err, "a PAX header is malformed") : 0;
}
