/*
 * Fuzz target: the tar reader. Header checksums are repaired first, or nothing would get past them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../layer/tar-format.h"
#include "../layer/tar-write.h"
#include "fuzz.h"

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void repair_checksums(char *bytes, size_t length)
{
	for (size_t at = 0; at + TAR_BLOCK <= length; at += TAR_BLOCK) {
		struct tar_header *header = (struct tar_header *)(bytes + at);
		unsigned sum = 0;
		if (memcmp(header->magic, "ustar", 5) != 0)
			continue;
		memset(header->checksum, ' ', sizeof header->checksum);
		for (size_t i = 0; i < TAR_BLOCK; i++)
			sum += (unsigned char)bytes[at + i];
		for (int i = 5; i >= 0; i--, sum >>= 3)
			header->checksum[i] = (char)('0' + (sum & 7));
		header->checksum[6] = '\0';
	}
}

static void check_entry(const struct tar_entry *entry)
{
	uint64_t total = 0, end = 0;

	must(entry->path.len <= PATH_MAX_BYTES && entry->link.len <= PATH_MAX_BYTES);
	must(strlen(entry->path.data) == entry->path.len);
	must(entry->mode <= 07777 && entry->xattr_count <= XATTRS_MAX);
	for (size_t i = 0; i < entry->xattr_count; i++)
		must(entry->xattrs[i].name_length <= XATTR_NAME_MAX_BYTES);
	if (!entry->sparse)
		return;
	for (size_t i = 0; i < entry->piece_count; i++) {
		must(entry->pieces[i].offset >= end);
		end = entry->pieces[i].offset + entry->pieces[i].length;
		total += entry->pieces[i].length;
	}
	must(end <= entry->size && total == entry->data_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct tar_reader reader;
	struct ts_err err = {0};
	const char *data;
	int64_t count;

	char *copy = malloc(length ? length : 1);
	memcpy(copy, bytes, length);
	repair_checksums(copy, length);
	tar_open_memory(&reader, copy, length);
	reader.unterminated_ok = length & 1;
	while (tar_next(&reader, &err) > 0) {
		uint64_t total = 0;
		check_entry(&reader.entry);
		while ((count = tar_data(&reader, &data, &err)) > 0)
			total += (uint64_t)count;
		must(count < 0 || total == reader.entry.data_bytes);
		if (count < 0)
			break;
	}
	tar_close(&reader);
	free(copy);
	return 0;
}

static void write_seed(struct tar_writer *writer, size_t number)
{
	static char long_name[300];
	struct ts_buf xattrs = TS_BUF_INIT;
	struct ts_err err = {0};
	struct tar_item file = {.type = TAR_FILE,
				.name = "folder/file",
				.link = "",
				.mode = 0644,
				.size = 700,
				.mtime = {1000000000, number % 2 ? 5 : 0}};
	struct tar_item link = {.type = TAR_SYMLINK, .name = "link", .link = "folder/file"};
	static const char zeros[700];

	memset(long_name, 'n', sizeof long_name - 1);
	if (number & 2)
		file.name = long_name;
	if (number & 4) {
		tar_put_record(&xattrs, "SCHILY.xattr.user.a", "value", 5);
		tar_put_record(&xattrs, "mtime", "12.5", 4);
		file.xattrs = &xattrs;
	}
	if (number & 8) {
		bool one = number & 1;
		tar_put_record(&xattrs, "GNU.sparse.major", one ? "1" : "0", 1);
		tar_put_record(&xattrs, "GNU.sparse.minor", one ? "0" : "1", 1);
		tar_put_record(&xattrs, "GNU.sparse.realsize", "9000", 4);
		if (!one)
			tar_put_record(&xattrs, "GNU.sparse.map", "0,500,8000,200", 14);
		file.xattrs = &xattrs;
	}
	tar_write_item(writer, &file, &err);
	if ((number & 9) == 9) {
		static char map[700] = "2\n0\n100\n8000\n88\n";
		tar_write_data(writer, map, sizeof map, &err);
	} else {
		tar_write_data(writer, zeros, sizeof zeros, &err);
	}
	tar_write_item(writer, &link, &err);
	tar_write_end(writer, &err);
	ts_buf_free(&xattrs);
}

size_t fuzz_seed(size_t number, uint8_t *bytes, size_t capacity)
{
	static struct {
		uint8_t bytes[FUZZ_INPUT_MAX];
		size_t length;
	} made[FUZZ_SEEDS];
	size_t slot = number % FUZZ_SEEDS;

	if (made[slot].length == 0) {
		struct tar_writer writer;
		int fd = memfd_create("seed", MFD_CLOEXEC);
		tar_write_open(&writer, fd);
		write_seed(&writer, slot);
		tar_write_close(&writer);
		made[slot].length = (size_t)pread(fd, made[slot].bytes, FUZZ_INPUT_MAX, 0);
		close(fd);
		/* Old GNU sparse files have no writer here; one of the seeds becomes one. */
		if (slot == 3) {
			memcpy(made[slot].bytes + 257, "ustar  ", 8);
			made[slot].bytes[156] = 'S';
		}
	}
	size_t length = made[slot].length < capacity ? made[slot].length : capacity;
	memcpy(bytes, made[slot].bytes, length);
	return length;
}
