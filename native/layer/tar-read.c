/*
 * The tar reader's stream and header blocks; see tar-read.h. PAX records and sparse maps are in
 * tar-pax.c and tar-sparse.c.
 * Sources: POSIX.1-2017 pax (ustar and pax interchange formats); the GNU tar manual, "Basic Tar
 * Format" and "Storing Sparse Files".
 * Invariant: position <= filled, and no byte is read beyond the entry's data_left and padding.
 */
#include "tar-read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tar-format.h"

static int bad_archive(struct ts_err *err, const char *message)
{
	return ts_fail(err, "bad_archive", 0, "tar", NULL, "%s", message);
}

static int truncated(struct ts_err *err)
{
	return ts_fail(err, "truncated", 0, "tar", NULL,
		       "the archive ends too early; it was cut off on its way");
}

void tar_open(struct tar_reader *reader, int fd)
{
	*reader = (struct tar_reader){.fd = fd};
	reader->buffer = malloc(TAR_BUFFER_BYTES);
	if (!reader->buffer)
		abort();
}

void tar_open_memory(struct tar_reader *reader, char *bytes, size_t length)
{
	*reader = (struct tar_reader){.fd = -1, .buffer = bytes, .filled = length, .at_end = true};
}

void tar_close(struct tar_reader *reader)
{
	if (reader->fd >= 0)
		free(reader->buffer);
	ts_buf_free(&reader->global_pax);
	ts_buf_free(&reader->local_pax);
	ts_buf_free(&reader->entry.path);
	ts_buf_free(&reader->entry.link);
	free(reader->entry.xattrs);
	free(reader->entry.pieces);
}

/* Makes at least one byte available; 0 at the end of the input. */
static int64_t fill(struct tar_reader *reader, struct ts_err *err)
{
	if (reader->position < reader->filled)
		return (int64_t)(reader->filled - reader->position);
	if (reader->at_end)
		return 0;
	ssize_t n;
	do
		n = read(reader->fd, reader->buffer, TAR_BUFFER_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return ts_fail_errno(err, "read", NULL, "cannot read the archive");
	reader->position = 0;
	reader->filled = (size_t)n;
	reader->at_end = n == 0;
	return n;
}

static void consume(struct tar_reader *reader, size_t count)
{
	reader->position += count;
	reader->input_bytes += count;
}

/* Copies exactly `length` bytes; 0 when the input ends before the first, -1 when in the middle. */
static int read_exactly(struct tar_reader *reader, char *to, size_t length, struct ts_err *err)
{
	size_t done = 0;

	while (done < length) {
		int64_t available = fill(reader, err);
		if (available < 0)
			return -1;
		if (available == 0)
			return done == 0 ? 0 : truncated(err);
		size_t take = (size_t)available < length - done ? (size_t)available : length - done;
		memcpy(to + done, reader->buffer + reader->position, take);
		consume(reader, take);
		done += take;
	}
	return 1;
}

static int skip(struct tar_reader *reader, uint64_t length, struct ts_err *err)
{
	while (length > 0) {
		int64_t available = fill(reader, err);
		if (available < 0)
			return -1;
		if (available == 0)
			return truncated(err);
		size_t take = (uint64_t)available < length ? (size_t)available : (size_t)length;
		consume(reader, take);
		length -= take;
	}
	return 0;
}

int64_t tar_data(struct tar_reader *reader, const char **data, struct ts_err *err)
{
	if (reader->data_left == 0)
		return 0;
	int64_t available = fill(reader, err);
	if (available < 0)
		return -1;
	if (available == 0)
		return truncated(err);
	if ((uint64_t)available > reader->data_left)
		available = (int64_t)reader->data_left;
	*data = reader->buffer + reader->position;
	consume(reader, (size_t)available);
	reader->data_left -= (uint64_t)available;
	return available;
}

int tar_read_block(struct tar_reader *reader, char block[TAR_BLOCK], struct ts_err *err)
{
	int result = read_exactly(reader, block, TAR_BLOCK, err);

	return result == 0 ? truncated(err) : result;
}

int tar_drain(struct tar_reader *reader, struct ts_err *err)
{
	int64_t available;

	while ((available = fill(reader, err)) > 0)
		consume(reader, (size_t)available);
	return available < 0 ? -1 : 0;
}

static void set_data(struct tar_reader *reader, uint64_t length)
{
	reader->data_left = length;
	reader->padding_left = (size_t)(-length & (TAR_BLOCK - 1));
}

/* Reads a small body (long name, PAX records) into `to`. */
static int read_body(struct tar_reader *reader, struct ts_buf *to, uint64_t length,
		     struct ts_err *err)
{
	if (length > TAR_HEADER_MAX_BYTES)
		return bad_archive(err, "an extended header is larger than 1 MiB");
	to->len = 0;
	ts_buf_reserve(to, (size_t)length);
	if (length > 0) {
		int result = read_exactly(reader, to->data, (size_t)length, err);
		if (result <= 0)
			return result == 0 ? truncated(err) : -1;
	}
	to->len = (size_t)length;
	to->data[to->len] = '\0';
	return skip(reader, -length & (TAR_BLOCK - 1), err);
}

/* Parses an octal or base-256 number. False when it is neither, or does not fit. */
bool tar_number(const char *field, size_t width, int64_t *number)
{
	const unsigned char *p = (const unsigned char *)field, *end = p + width;

	if (*p & 0x80) {
		/* Two's complement without the marker bit. */
		bool negative = *p & 0x40;
		uint64_t value = negative ? UINT64_MAX : 0;
		for (size_t i = 0; i < width; i++) {
			unsigned char byte = p[i];
			if (i == 0)
				byte = negative ? byte : byte & 0x7f;
			if (value >> 55 != (negative ? 0x1ff : 0))
				return false;
			value = value << 8 | byte;
		}
		*number = (int64_t)value;
		return true;
	}
	while (p < end && *p == ' ')
		p++;
	uint64_t value = 0;
	for (; p < end && *p >= '0' && *p <= '7'; p++) {
		if (value >> 60)
			return false;
		value = value << 3 | (uint64_t)(*p - '0');
	}
	for (; p < end; p++)
		if (*p != ' ' && *p != '\0')
			return false;
	*number = (int64_t)value;
	return true;
}

static bool checksum_fits(const struct tar_header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	int64_t stored, plain = 0, with_sign = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool in_field = i >= offsetof(struct tar_header, checksum) &&
				i < offsetof(struct tar_header, checksum) + sizeof header->checksum;
		plain += in_field ? ' ' : bytes[i];
		with_sign += in_field ? ' ' : (signed char)bytes[i];
	}
	return tar_number(header->checksum, sizeof header->checksum, &stored) &&
	       (stored == plain || stored == with_sign);
}

static bool is_zero(const char block[TAR_BLOCK])
{
	return block[0] == '\0' && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/* A field of a header block: ends at its first NUL or at its width. */
static void copy_field(struct ts_buf *to, const char *field, size_t width)
{
	ts_buf_add(to, field, strnlen(field, width));
}

static int take_id(const char *field, size_t width, uint32_t *id)
{
	int64_t number;

	if (!tar_number(field, width, &number) || number < 0 || number >= UINT32_MAX)
		return -1;
	*id = (uint32_t)number;
	return 0;
}

/* Fills the entry from its own block; long names and PAX records come on top of it. */
static int take_header(struct tar_entry *entry, const struct tar_header *h, struct ts_err *err)
{
	int64_t mode, size, mtime, major = 0, minor = 0;
	bool posix = memcmp(h->magic, "ustar\0", 6) == 0;
	bool gnu = memcmp(h->magic, "ustar ", 6) == 0;

	entry->path.len = entry->link.len = 0;
	ts_buf_puts(&entry->path, "");
	if (posix && h->prefix[0] != '\0') {
		copy_field(&entry->path, h->prefix, sizeof h->prefix);
		ts_buf_puts(&entry->path, "/");
	}
	copy_field(&entry->path, h->name, sizeof h->name);
	ts_buf_puts(&entry->link, "");
	copy_field(&entry->link, h->link, sizeof h->link);
	if (!tar_number(h->mode, sizeof h->mode, &mode) ||
	    !tar_number(h->size, sizeof h->size, &size) ||
	    !tar_number(h->mtime, sizeof h->mtime, &mtime) ||
	    ((posix || gnu) && (!tar_number(h->device_major, sizeof h->device_major, &major) ||
				!tar_number(h->device_minor, sizeof h->device_minor, &minor))))
		return bad_archive(err, "a header holds a number that is no number");
	if (take_id(h->uid, sizeof h->uid, &entry->uid) < 0 ||
	    take_id(h->gid, sizeof h->gid, &entry->gid) < 0)
		return bad_archive(err, "a header holds an owner that is out of range");
	if (size < 0)
		return bad_archive(err, "a header holds a negative size");
	if (major < 0 || major > UINT32_MAX || minor < 0 || minor > UINT32_MAX)
		return bad_archive(err, "a header holds a device number that is out of range");
	entry->mode = (uint32_t)mode & 07777;
	entry->size = entry->data_bytes = (uint64_t)size;
	entry->mtime = (struct timespec){.tv_sec = mtime};
	entry->device_major = (uint32_t)major;
	entry->device_minor = (uint32_t)minor;
	entry->xattr_count = entry->piece_count = 0;
	entry->sparse = false;
	return 0;
}

/* Settles the type; links, folders and devices have no data whatever their size says. */
static int take_type(struct tar_entry *entry, char flag, struct ts_err *err)
{
	switch (flag) {
	case '\0':
	case '7':
	case 'S':
	case TAR_FILE:
		entry->type = TAR_FILE;
		if (entry->path.len > 0 && entry->path.data[entry->path.len - 1] == '/')
			entry->type = TAR_FOLDER;
		break;
	case TAR_HARD_LINK:
	case TAR_SYMLINK:
	case TAR_CHAR:
	case TAR_BLOCK_DEVICE:
	case TAR_FOLDER:
	case TAR_FIFO:
		entry->type = (enum tar_type)flag;
		break;
	default:
		return ts_fail(err, "unsupported", 0, "tar", entry->path.data,
			       "%s: entries of type 0x%02x are not supported", entry->path.data,
			       (unsigned char)flag);
	}
	if (entry->type != TAR_FILE)
		entry->size = entry->data_bytes = 0;
	return 0;
}

/* Everything that may come before an entry's own header. */
struct preface {
	bool has_long_name, has_long_link, has_pax;
	struct ts_buf long_name, long_link;
};

static int read_preface(struct tar_reader *reader, char flag, uint64_t size,
			struct preface *preface, struct ts_err *err)
{
	struct ts_buf *to;

	switch (flag) {
	case 'L':
		preface->has_long_name = true;
		to = &preface->long_name;
		break;
	case 'K':
		preface->has_long_link = true;
		to = &preface->long_link;
		break;
	case 'g':
		to = &reader->global_pax;
		break;
	default:
		preface->has_pax = true;
		to = &reader->local_pax;
	}
	if (read_body(reader, to, size, err) < 0)
		return -1;
	/* GNU names end with a NUL; what is behind it is not part of the name. */
	if (flag == 'L' || flag == 'K')
		to->len = strnlen(to->data, to->len);
	return 0;
}

static void replace(struct ts_buf *to, const struct ts_buf *from)
{
	to->len = 0;
	ts_buf_add(to, from->data, from->len);
}

/* Puts header, long names, PAX records and sparse map together. */
static int assemble(struct tar_reader *reader, const struct tar_header *header,
		    const struct preface *preface, struct ts_err *err)
{
	struct tar_entry *entry = &reader->entry;
	struct tar_pax pax = {0};

	if (take_header(entry, header, err) < 0)
		return -1;
	if (preface->has_long_name)
		replace(&entry->path, &preface->long_name);
	if (preface->has_long_link)
		replace(&entry->link, &preface->long_link);
	if (tar_apply_pax(entry, &reader->global_pax, &pax, err) < 0)
		return -1;
	if (preface->has_pax && tar_apply_pax(entry, &reader->local_pax, &pax, err) < 0)
		return -1;
	if (take_type(entry, header->type, err) < 0)
		return -1;
	set_data(reader, entry->data_bytes);
	if (tar_take_sparse(reader, header, &pax, err) < 0)
		return -1;
	if (entry->path.len > PATH_MAX_BYTES || entry->link.len > PATH_MAX_BYTES)
		return bad_archive(err, "a path is longer than 4095 bytes");
	return 1;
}

static int next_header(struct tar_reader *reader, struct preface *preface, struct ts_err *err)
{
	union {
		char block[TAR_BLOCK];
		struct tar_header header;
	} u;
	uint64_t header_bytes = 0;

	for (;;) {
		int result = read_exactly(reader, u.block, TAR_BLOCK, err);
		if (result < 0)
			return -1;
		if (result == 0)
			return reader->unterminated_ok && header_bytes == 0 ? 0 : truncated(err);
		if (is_zero(u.block))
			return header_bytes == 0 ? 0 : truncated(err);
		if (!checksum_fits(&u.header))
			return bad_archive(err,
					   "not a tar archive, or a damaged one (header checksum)");
		int64_t size;
		switch (u.header.type) {
		case 'L':
		case 'K':
		case 'x':
		case 'X':
		case 'g':
			if (!tar_number(u.header.size, sizeof u.header.size, &size) || size < 0)
				return bad_archive(err, "an extended header holds a wrong size");
			header_bytes += TAR_BLOCK + (uint64_t)size;
			if (header_bytes > TAR_HEADER_MAX_BYTES + 8 * TAR_BLOCK)
				return bad_archive(err, "the extended headers of one entry are"
							" larger than 1 MiB");
			if (read_preface(reader, u.header.type, (uint64_t)size, preface, err) < 0)
				return -1;
			/* A global header belongs to no entry; the archive may end after it. */
			if (u.header.type == 'g')
				header_bytes = 0;
			continue;
		case 'V':
			if (!tar_number(u.header.size, sizeof u.header.size, &size) || size < 0 ||
			    skip(reader,
				 ((uint64_t)size + TAR_BLOCK - 1) & ~(uint64_t)(TAR_BLOCK - 1),
				 err) < 0)
				return bad_archive(err, "a volume header holds a wrong size");
			continue;
		default:
			return assemble(reader, &u.header, preface, err);
		}
	}
}

int tar_next(struct tar_reader *reader, struct ts_err *err)
{
	struct preface preface = {0};

	if (skip(reader, reader->data_left, err) < 0 || skip(reader, reader->padding_left, err) < 0)
		return -1;
	set_data(reader, 0);
	int result = next_header(reader, &preface, err);
	ts_buf_free(&preface.long_name);
	ts_buf_free(&preface.long_link);
	return result;
}
