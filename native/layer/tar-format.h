/*
 * The layout of a tar header block, and what the parts of the reader share.
 */
#ifndef TSWARM_LAYER_TAR_FORMAT_H
#define TSWARM_LAYER_TAR_FORMAT_H

#include "tar-read.h"

struct tar_header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8]; /* "ustar\0" "00", or GNU's "ustar  \0" */
	char user[32], group[32];
	char device_major[8], device_minor[8];
	char prefix[155]; /* GNU keeps times and sparse pieces here */
	char unused[12];
};
_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a header is one block");

/* What PAX records say about sparse files; see tar-sparse.c. */
struct tar_pax {
	bool has_real_size, has_version;
	uint64_t real_size;
	int64_t major, minor;
	bool pending_offset; /* GNU 0.0: an offset that waits for its length */
	uint64_t offset;
};

/* Applies PAX records to the entry; later records win over earlier ones. */
int tar_apply_pax(struct tar_entry *entry, const struct ts_buf *records, struct tar_pax *pax,
		  struct ts_err *err);

/* Parses a decimal number without sign. */
bool tar_decimal(const char *text, size_t length, uint64_t *number);

bool tar_number(const char *field, size_t width, int64_t *number);
int tar_read_block(struct tar_reader *reader, char block[TAR_BLOCK], struct ts_err *err);

/* Reads the sparse map in whichever form there is, and checks it against the data. */
int tar_take_sparse(struct tar_reader *reader, const struct tar_header *header,
		    const struct tar_pax *pax, struct ts_err *err);
int tar_add_piece(struct tar_entry *entry, uint64_t offset, uint64_t length, struct ts_err *err);

#endif
