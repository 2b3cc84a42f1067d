/*
 * Sparse files in tar archives: which parts of a file the archive holds.
 *
 * Old GNU (type S): four pieces in the header, 21 more in each extension block. PAX 0.0 and 0.1: in
 * records (tar-pax.c). PAX 1.0: decimal lines before the data, padded to a block.
 * Invariant afterwards: pieces do not overlap, are in ascending order, lie inside the file's size,
 * and their lengths add up to the entry's data.
 */
#include <stdlib.h>
#include <string.h>

#include "tar-format.h"

enum { GNU_PIECES_IN_HEADER = 4, GNU_PIECES_IN_BLOCK = 21 };

/* Where old GNU headers keep the map: offsets in the block. */
enum {
	GNU_HEADER_PIECES = 386,
	GNU_HEADER_EXTENDED = 482,
	GNU_HEADER_REAL_SIZE = 483,
	GNU_BLOCK_EXTENDED = 504,
	GNU_NUMBER = 12,
};

static int bad_map(struct ts_err *err, const char *message)
{
	return ts_fail(err, "bad_archive", 0, "tar", NULL, "%s", message);
}

int tar_add_piece(struct tar_entry *entry, uint64_t offset, uint64_t length, struct ts_err *err)
{
	if (entry->piece_count == SPARSE_PIECES_MAX)
		return bad_map(err, "a sparse file has too many pieces");
	if (entry->piece_count == entry->piece_capacity) {
		size_t capacity = entry->piece_capacity ? entry->piece_capacity * 2 : 16;
		void *grown = realloc(entry->pieces, capacity * sizeof *entry->pieces);
		if (!grown)
			abort();
		entry->pieces = grown;
		entry->piece_capacity = capacity;
	}
	entry->pieces[entry->piece_count++] = (struct tar_piece){offset, length};
	return 0;
}

/* Takes up to `count` pieces of the old GNU form; an empty field ends the list. */
static int take_gnu_pieces(struct tar_entry *entry, const char *at, int count, struct ts_err *err)
{
	int64_t offset, length;

	for (; count > 0 && at[0] != '\0'; count--, at += 2 * GNU_NUMBER) {
		if (!tar_number(at, GNU_NUMBER, &offset) || offset < 0 ||
		    !tar_number(at + GNU_NUMBER, GNU_NUMBER, &length) || length < 0)
			return bad_map(err, "a sparse map holds something that is no number");
		if (tar_add_piece(entry, (uint64_t)offset, (uint64_t)length, err) < 0)
			return -1;
	}
	return 0;
}

static int take_gnu_map(struct tar_reader *reader, const char *header, struct ts_err *err)
{
	struct tar_entry *entry = &reader->entry;
	char block[TAR_BLOCK];
	int64_t real_size;

	if (!tar_number(header + GNU_HEADER_REAL_SIZE, GNU_NUMBER, &real_size) || real_size < 0)
		return bad_map(err, "a sparse file's size is no number");
	entry->sparse = true;
	entry->size = (uint64_t)real_size;
	if (take_gnu_pieces(entry, header + GNU_HEADER_PIECES, GNU_PIECES_IN_HEADER, err) < 0)
		return -1;
	bool more = header[GNU_HEADER_EXTENDED] != '\0';
	while (more) {
		if (tar_read_block(reader, block, err) < 0 ||
		    take_gnu_pieces(entry, block, GNU_PIECES_IN_BLOCK, err) < 0)
			return -1;
		more = block[GNU_BLOCK_EXTENDED] != '\0';
		if (more && entry->piece_count == 0)
			return bad_map(err, "a sparse map goes on without pieces");
	}
	return 0;
}

/* Reads one decimal line of a 1.0 map, block by block. */
struct line_source {
	struct tar_reader *reader;
	char block[TAR_BLOCK];
	size_t position;
	uint64_t bytes_max;
};

static int next_number(struct line_source *source, uint64_t *number, struct ts_err *err)
{
	uint64_t value = 0;

	for (int digits = 0;; digits++) {
		if (source->position == TAR_BLOCK) {
			struct tar_reader *reader = source->reader;
			if (reader->data_left < TAR_BLOCK)
				return bad_map(err, "a sparse map is longer than its entry");
			if (tar_read_block(reader, source->block, err) < 0)
				return -1;
			reader->data_left -= TAR_BLOCK;
			source->position = 0;
		}
		char c = source->block[source->position++];
		if (c == '\n' && digits > 0)
			break;
		if (c < '0' || c > '9' || digits > 18)
			return bad_map(err, "a sparse map holds something that is no number");
		value = value * 10 + (uint64_t)(c - '0');
	}
	*number = value;
	return 0;
}

static int take_map_before_data(struct tar_reader *reader, struct ts_err *err)
{
	struct line_source source = {.reader = reader, .position = TAR_BLOCK};
	uint64_t count, offset, length;

	reader->entry.piece_count = 0;
	if (next_number(&source, &count, err) < 0)
		return -1;
	if (count > SPARSE_PIECES_MAX)
		return bad_map(err, "a sparse file has too many pieces");
	for (uint64_t i = 0; i < count; i++)
		if (next_number(&source, &offset, err) < 0 ||
		    next_number(&source, &length, err) < 0 ||
		    tar_add_piece(&reader->entry, offset, length, err) < 0)
			return -1;
	reader->entry.data_bytes = reader->data_left;
	return 0;
}

static int check_map(const struct tar_entry *entry, struct ts_err *err)
{
	uint64_t end = 0, total = 0;

	for (size_t i = 0; i < entry->piece_count; i++) {
		const struct tar_piece *piece = &entry->pieces[i];
		if (piece->offset < end || piece->offset > entry->size ||
		    piece->length > entry->size - piece->offset)
			return bad_map(err, "a sparse map has pieces that overlap or lie outside");
		end = piece->offset + piece->length;
		total += piece->length;
	}
	if (total != entry->data_bytes)
		return bad_map(err, "a sparse map does not fit its data");
	return 0;
}

int tar_take_sparse(struct tar_reader *reader, const struct tar_header *header,
		    const struct tar_pax *pax, struct ts_err *err)
{
	struct tar_entry *entry = &reader->entry;

	if (entry->type != TAR_FILE) {
		entry->sparse = false;
		return 0;
	}
	if (header->type == 'S') {
		if (take_gnu_map(reader, (const char *)header, err) < 0)
			return -1;
	} else if (entry->sparse) {
		if (pax->pending_offset)
			return bad_map(err, "a sparse map has an offset without a length");
		if (!pax->has_real_size)
			return bad_map(err, "a sparse file's header does not tell its size");
		if (pax->has_version && !(pax->major == 1 && pax->minor == 0) && pax->major != 0)
			return bad_map(err, "a sparse file has a version that is not supported");
		entry->size = pax->real_size;
		if (pax->major == 1 && take_map_before_data(reader, err) < 0)
			return -1;
	} else {
		return 0;
	}
	return check_map(entry, err);
}
