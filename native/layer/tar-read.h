/*
 * Reading tar archives: v7, ustar, PAX (local and global headers), GNU long names, base-256
 * numbers, sparse files of GNU 0.0, 0.1, 1.0 and the old GNU form.
 *
 * Knows nothing of files: it turns bytes into entries and refuses what is malformed, truncated or
 * beyond the limits. Names are handed on as they are; they are not safe to use as paths.
 */
#ifndef TSWARM_LAYER_TAR_READ_H
#define TSWARM_LAYER_TAR_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "buf.h"
#include "err.h"
#include "limits.h"

enum tar_type {
	TAR_FILE = '0',
	TAR_HARD_LINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHAR = '3',
	TAR_BLOCK_DEVICE = '4',
	TAR_FOLDER = '5',
	TAR_FIFO = '6',
};

/* A part of a sparse file that has data. */
struct tar_piece {
	uint64_t offset, length;
};

struct tar_xattr {
	const char *name; /* not terminated, without NUL */
	size_t name_length;
	const char *value; /* any bytes */
	size_t value_length;
};

struct tar_entry {
	enum tar_type type;
	struct ts_buf path, link; /* without NUL inside; as in the archive */
	uint32_t mode;		  /* 07777 */
	uint32_t uid, gid;
	uint64_t size; /* of the file; data_bytes may be less when it is sparse */
	uint64_t data_bytes;
	struct timespec mtime;
	uint32_t device_major, device_minor;
	struct tar_xattr *xattrs; /* in the reader's memory until the next entry */
	size_t xattr_count, xattr_capacity;
	bool sparse;
	struct tar_piece *pieces;
	size_t piece_count, piece_capacity;
};

struct tar_reader {
	int fd; /* -1: all bytes are in the buffer already */
	char *buffer;
	size_t position, filled;
	bool at_end;	      /* of the input */
	bool unterminated_ok; /* an input that ends between entries is complete */
	uint64_t data_left;   /* of the current entry, without padding */
	size_t padding_left;
	uint64_t input_bytes; /* consumed so far */
	struct ts_buf global_pax, local_pax;
	struct tar_entry entry;
};

/* Makes a reader of a descriptor. */
void tar_open(struct tar_reader *reader, int fd);
/* Makes a reader of memory, which must live as long as it. */
void tar_open_memory(struct tar_reader *reader, char *bytes, size_t length);
void tar_close(struct tar_reader *reader);

/* Moves to the next entry (skipping what is left of this one): 1 = entry, 0 = end, -1 = error. */
int tar_next(struct tar_reader *reader, struct ts_err *err);

/*
 * The next bytes of the entry's data, in the reader's memory until the next call: their number,
 * 0 at the end of the entry, -1 on error.
 */
int64_t tar_data(struct tar_reader *reader, const char **data, struct ts_err *err);

/* Reads the input to its end, whatever follows the archive. */
int tar_drain(struct tar_reader *reader, struct ts_err *err);

#endif
