/*
 * Writing tar archives: ustar, with a PAX header only where ustar cannot say it.
 *
 * The bytes depend on the items alone (no user names, process ids or clocks), so equal trees give
 * equal archives.
 */
#ifndef TSWARM_LAYER_TAR_WRITE_H
#define TSWARM_LAYER_TAR_WRITE_H

#include <stdint.h>
#include <time.h>

#include "buf.h"
#include "err.h"
#include "tar-read.h"

struct tar_item {
	enum tar_type type;
	const char *name, *link; /* link: "" unless it is one */
	uint32_t mode, uid, gid;
	uint64_t size;
	struct timespec mtime;
	uint32_t device_major, device_minor;
	const struct ts_buf *xattrs; /* PAX records, ready to write; NULL = none */
};

struct tar_writer {
	int fd;
	char *buffer;
	size_t used;
	uint64_t data_left; /* of the current item */
	size_t padding;
	struct ts_buf pax;
};

void tar_write_open(struct tar_writer *writer, int fd);
void tar_write_close(struct tar_writer *writer);

/* Begins an item; exactly item->size bytes of data must follow. */
int tar_write_item(struct tar_writer *writer, const struct tar_item *item, struct ts_err *err);
int tar_write_data(struct tar_writer *writer, const char *data, size_t length, struct ts_err *err);

/* Writes the end mark and everything that is still in the buffer. */
int tar_write_end(struct tar_writer *writer, struct ts_err *err);

/* Appends one PAX record to *records. */
void tar_put_record(struct ts_buf *records, const char *key, const char *value, size_t length);

#endif
