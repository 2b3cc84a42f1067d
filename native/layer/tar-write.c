/*
 * The tar writer; see tar-write.h. Sources: POSIX.1-2017 pax, ustar and pax interchange formats.
 * Invariant: every item's data and padding end on a block before the next header begins.
 */
#include "tar-write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"
#include "tar-format.h"

/* The largest numbers that the octal fields of 8 and 12 bytes hold. */
#define NUMBER_8_MAX UINT32_C(07777777)
#define NUMBER_12_MAX UINT64_C(077777777777)

void tar_write_open(struct tar_writer *writer, int fd)
{
	*writer = (struct tar_writer){.fd = fd, .buffer = malloc(TAR_BUFFER_BYTES)};
	if (!writer->buffer)
		abort();
}

void tar_write_close(struct tar_writer *writer)
{
	free(writer->buffer);
	ts_buf_free(&writer->pax);
}

static int flush(struct tar_writer *writer, struct ts_err *err)
{
	if (ts_write_all(writer->fd, writer->buffer, writer->used) < 0)
		return ts_fail_errno(err, "write", NULL, "cannot write the archive");
	writer->used = 0;
	return 0;
}

static int put(struct tar_writer *writer, const char *data, size_t length, struct ts_err *err)
{
	while (length > 0) {
		if (writer->used == TAR_BUFFER_BYTES && flush(writer, err) < 0)
			return -1;
		size_t room = TAR_BUFFER_BYTES - writer->used;
		size_t take = length < room ? length : room;
		memcpy(writer->buffer + writer->used, data, take);
		writer->used += take;
		data += take;
		length -= take;
	}
	return 0;
}

static int put_zeros(struct tar_writer *writer, size_t length, struct ts_err *err)
{
	static const char zeros[TAR_BLOCK];

	for (; length > sizeof zeros; length -= sizeof zeros)
		if (put(writer, zeros, sizeof zeros, err) < 0)
			return -1;
	return put(writer, zeros, length, err);
}

static size_t padding_of(uint64_t length)
{
	return (size_t)(-length & (TAR_BLOCK - 1));
}

void tar_put_record(struct ts_buf *records, const char *key, const char *value, size_t length)
{
	/* The length counts its own digits. */
	size_t rest = strlen(key) + length + 3, total = rest + 1;

	while (rest + (size_t)snprintf(NULL, 0, "%zu", total) != total)
		total++;
	ts_buf_printf(records, "%zu %s=", total, key);
	ts_buf_add(records, value, length);
	ts_buf_puts(records, "\n");
}

static void put_number_record(struct ts_buf *records, const char *key, uint64_t value)
{
	char text[32];
	int length = snprintf(text, sizeof text, "%llu", (unsigned long long)value);

	tar_put_record(records, key, text, (size_t)length);
}

static void put_time_record(struct ts_buf *records, struct timespec time)
{
	char text[64];
	long long seconds = time.tv_sec;
	long nanos = time.tv_nsec;
	const char *sign = "";

	if (seconds < 0) {
		sign = "-";
		seconds = -seconds;
		if (nanos > 0) {
			seconds--;
			nanos = 1000000000 - nanos;
		}
	}
	int length = snprintf(text, sizeof text, "%s%lld.%09ld", sign, seconds, nanos);
	while (text[length - 1] == '0')
		length--;
	if (text[length - 1] == '.')
		length--;
	tar_put_record(records, "mtime", text, (size_t)length);
}

static void put_octal(char *field, size_t width, uint64_t value)
{
	field[width - 1] = '\0';
	for (size_t i = width - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

/* Splits a long name at a slash into prefix and name; false when ustar cannot hold it. */
static bool put_name(struct tar_header *header, const char *name)
{
	size_t length = strlen(name);

	if (length <= sizeof header->name) {
		memcpy(header->name, name, length);
		return true;
	}
	for (size_t at = 1; at <= sizeof header->prefix && at + 1 < length; at++) {
		if (name[at] != '/' || length - at - 1 > sizeof header->name)
			continue;
		memcpy(header->prefix, name, at);
		memcpy(header->name, name + at + 1, length - at - 1);
		return true;
	}
	memcpy(header->name, name, sizeof header->name);
	return false;
}

static void set_checksum(struct tar_header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned sum = 0;

	memset(header->checksum, ' ', sizeof header->checksum);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += bytes[i];
	put_octal(header->checksum, 7, sum);
	header->checksum[7] = ' ';
}

static void start_header(struct tar_header *header, char type)
{
	memset(header, 0, sizeof *header);
	header->type = type;
	memcpy(header->magic, "ustar\00000", sizeof header->magic);
	put_octal(header->mode, sizeof header->mode, 0644);
	put_octal(header->uid, sizeof header->uid, 0);
	put_octal(header->gid, sizeof header->gid, 0);
	put_octal(header->size, sizeof header->size, 0);
	put_octal(header->mtime, sizeof header->mtime, 0);
	put_octal(header->device_major, sizeof header->device_major, 0);
	put_octal(header->device_minor, sizeof header->device_minor, 0);
}

/* Fills the header; what does not fit goes into the PAX records. */
static void fill_header(struct tar_header *header, const struct tar_item *item, struct ts_buf *pax)
{
	start_header(header, (char)item->type);
	if (!put_name(header, item->name))
		tar_put_record(pax, "path", item->name, strlen(item->name));
	size_t link_length = strlen(item->link);
	memcpy(header->link, item->link,
	       link_length < sizeof header->link ? link_length : sizeof header->link);
	if (link_length > sizeof header->link)
		tar_put_record(pax, "linkpath", item->link, link_length);
	put_octal(header->mode, sizeof header->mode, item->mode);
	if (item->uid <= NUMBER_8_MAX)
		put_octal(header->uid, sizeof header->uid, item->uid);
	else
		put_number_record(pax, "uid", item->uid);
	if (item->gid <= NUMBER_8_MAX)
		put_octal(header->gid, sizeof header->gid, item->gid);
	else
		put_number_record(pax, "gid", item->gid);
	if (item->size <= NUMBER_12_MAX)
		put_octal(header->size, sizeof header->size, item->size);
	else
		put_number_record(pax, "size", item->size);
	bool fits = item->mtime.tv_sec >= 0 && (uint64_t)item->mtime.tv_sec <= NUMBER_12_MAX;
	if (fits)
		put_octal(header->mtime, sizeof header->mtime, (uint64_t)item->mtime.tv_sec);
	if (!fits || item->mtime.tv_nsec != 0)
		put_time_record(pax, item->mtime);
	put_octal(header->device_major, sizeof header->device_major, item->device_major);
	put_octal(header->device_minor, sizeof header->device_minor, item->device_minor);
	set_checksum(header);
}

static int write_pax(struct tar_writer *writer, struct ts_err *err)
{
	static const char name[] = "PaxHeaders/entry";
	struct tar_header header;

	start_header(&header, 'x');
	memcpy(header.name, name, sizeof name);
	put_octal(header.size, sizeof header.size, writer->pax.len);
	set_checksum(&header);
	if (put(writer, (const char *)&header, sizeof header, err) < 0 ||
	    put(writer, writer->pax.data, writer->pax.len, err) < 0)
		return -1;
	return put_zeros(writer, padding_of(writer->pax.len), err);
}

int tar_write_item(struct tar_writer *writer, const struct tar_item *item, struct ts_err *err)
{
	struct tar_header header;

	writer->pax.len = 0;
	fill_header(&header, item, &writer->pax);
	if (item->xattrs && item->xattrs->len > 0)
		ts_buf_add(&writer->pax, item->xattrs->data, item->xattrs->len);
	if (writer->pax.len > 0 && write_pax(writer, err) < 0)
		return -1;
	writer->data_left = item->size;
	writer->padding = padding_of(item->size);
	return put(writer, (const char *)&header, sizeof header, err);
}

int tar_write_data(struct tar_writer *writer, const char *data, size_t length, struct ts_err *err)
{
	if (put(writer, data, length, err) < 0)
		return -1;
	writer->data_left -= length;
	return writer->data_left == 0 ? put_zeros(writer, writer->padding, err) : 0;
}

int tar_write_end(struct tar_writer *writer, struct ts_err *err)
{
	if (put_zeros(writer, 2 * TAR_BLOCK, err) < 0)
		return -1;
	return flush(writer, err);
}
