/*
 * The log writer; see log.h. Format: Docker's json-file, split as Docker splits (pieces of 16 KiB,
 * only the last of a line has the newline), except that a piece never ends inside a UTF-8 sequence.
 * All lines of one read carry the time of that read: they became known to anybody at that moment.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "json-write.h"
#include "stamp.h"

/* Bytes of a record besides its text, generously. */
enum { RECORD_OVERHEAD = 128, ESCAPE_MAX = 6, PATH_BYTES = 4096 };

static char buffer[LOG_BUFFER_BYTES] __attribute__((aligned(4096)));
static char partials[2][LOG_PIECE_BYTES] __attribute__((aligned(4096)));

_Static_assert(LOG_PIECE_BYTES *ESCAPE_MAX + RECORD_OVERHEAD <= LOG_BUFFER_BYTES,
	       "a record must fit into the buffer");

/* Bytes up to the end of the last whole record. What is behind it a killed writer has left torn, or
 * a power cut as zeros: the size of a file can be on the disk before its last block is. */
static off_t whole_bytes(int fd, off_t size)
{
	char block[4096];

	for (off_t end = size; end > 0;) {
		size_t length = end > (off_t)sizeof block ? sizeof block : (size_t)end;
		off_t start = end - (off_t)length;
		if (pread(fd, block, length, start) != (ssize_t)length)
			return size;
		const char *newline = memrchr(block, '\n', length);
		if (newline)
			return start + (newline - block) + 1;
		end = start;
	}
	return 0;
}

int log_open(struct log *log, const char *path, uint64_t bytes_max, uint64_t files_max,
	     struct ts_err *err)
{
	struct stat st;

	*log = (struct log){.fd = -1, .path = path, .bytes_max = bytes_max, .files_max = files_max};
	if (!path)
		return 0;
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0640);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		ts_fail_errno(err, "open", path, "cannot open the log file");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	log->fd = fd;
	off_t whole = whole_bytes(fd, st.st_size);
	if (whole < st.st_size && ftruncate(fd, whole) < 0)
		whole = st.st_size; /* readers pass over what is no record */
	log->bytes = (uint64_t)whole;
	return 0;
}

/* Appends to the file; true when all of it is there. Never leaves a part of it. */
static bool write_whole(struct log *log, const char *data, size_t length)
{
	size_t done = 0;
	struct stat st;

	while (done < length) {
		ssize_t n = write(log->fd, data + done, length - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			break;
	}
	if (done == length) {
		log->bytes += done;
		return true;
	}
	if (done > 0 && fstat(log->fd, &st) == 0 && st.st_size >= (off_t)done &&
	    ftruncate(log->fd, st.st_size - (off_t)done) < 0)
		log->bytes += done;
	return false;
}

static void put(struct log *log, const char *text, size_t length)
{
	memcpy(buffer + log->used, text, length);
	log->used += length;
}

#define PUT_TEXT(log, text) put((log), (text), sizeof(text) - 1)

static void put_tail(struct log *log, int stream, const char stamp[STAMP_BYTES])
{
	if (stream == LOG_STDOUT)
		PUT_TEXT(log, "\",\"stream\":\"stdout\",\"time\":\"");
	else
		PUT_TEXT(log, "\",\"stream\":\"stderr\",\"time\":\"");
	put(log, stamp, STAMP_BYTES);
	PUT_TEXT(log, "\"}\n");
	log->records++;
}

static void now_stamp(char stamp[STAMP_BYTES])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	stamp_format(now, stamp);
}

/* Says in the file itself that records are missing. */
static bool write_loss(struct log *log)
{
	char stamp[STAMP_BYTES], text[256];

	now_stamp(stamp);
	int length =
	    snprintf(text, sizeof text,
		     "{\"log\":\"tswarm-shim: %llu log records before this line are lost, the log"
		     " could not be written\\n\",\"stream\":\"stderr\",\"time\":\"%.*s\"}\n",
		     (unsigned long long)log->records_lost, STAMP_BYTES, stamp);
	return write_whole(log, text, (size_t)length);
}

/* Writes the buffer behind a notice of what is missing before it: both, or neither. */
static bool write_after_loss(struct log *log)
{
	struct stat before;
	uint64_t bytes = log->bytes;

	if (fstat(log->fd, &before) < 0)
		return false;
	if (write_loss(log) && write_whole(log, buffer, log->used)) {
		log->records_lost = 0;
		return true;
	}
	if (ftruncate(log->fd, before.st_size) == 0)
		log->bytes = bytes;
	return false;
}

static void flush(struct log *log)
{
	if (log->used == 0)
		return;
	bool written =
	    log->records_lost > 0 ? write_after_loss(log) : write_whole(log, buffer, log->used);
	if (!written)
		log->records_lost += log->records;
	log->used = log->records = 0;
}

/* Renames path.N to path.N+1 from the oldest on, then path to path.1. */
static void shift_files(const struct log *log)
{
	char from[PATH_BYTES], to[PATH_BYTES];
	uint64_t oldest = log->files_max - 1;

	if (log->files_max == 0) {
		for (oldest = 1;; oldest++) {
			snprintf(to, sizeof to, "%s.%llu", log->path, (unsigned long long)oldest);
			if (access(to, F_OK) < 0)
				break;
		}
	}
	for (uint64_t n = oldest; n >= 1; n--) {
		snprintf(to, sizeof to, "%s.%llu", log->path, (unsigned long long)n);
		if (n > 1)
			snprintf(from, sizeof from, "%s.%llu", log->path,
				 (unsigned long long)(n - 1));
		else
			snprintf(from, sizeof from, "%s", log->path);
		rename(from, to);
	}
}

static void rotate(struct log *log)
{
	if (log->files_max == 1) {
		if (ftruncate(log->fd, 0) == 0)
			log->bytes = 0;
		return;
	}
	shift_files(log);
	int fd =
	    open(log->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0640);
	if (fd < 0)
		return; /* go on in the file that is open: rather too long than lost */
	dup3(fd, log->fd, O_CLOEXEC);
	close(fd);
	log->bytes = 0;
}

static void put_escaped(struct log *log, const char *text, size_t length)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)text, *end = p + length;
	char *out = buffer + log->used;

	while (p < end) {
		unsigned char c = *p;
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			*out++ = (char)c;
			p++;
			continue;
		}
		if (c >= 0x80) {
			size_t n = ts_utf8_len(p, (size_t)(end - p));
			if (n == 0) {
				memcpy(out, "\xef\xbf\xbd", 3);
				out += 3;
				p++;
				continue;
			}
			memcpy(out, p, n);
			out += n;
			p += n;
			continue;
		}
		*out++ = '\\';
		p++;
		if (c == '"' || c == '\\') {
			*out++ = (char)c;
		} else if (c == '\n' || c == '\r' || c == '\t') {
			*out++ = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
		} else {
			memcpy(out, "u00", 3);
			out[3] = hex[c >> 4];
			out[4] = hex[c & 15];
			out += 5;
		}
	}
	log->used = (size_t)(out - buffer);
}

/* Adds one record; `whole` when the piece ends its line. */
static void record(struct log *log, int stream, const char *text, size_t length, bool whole,
		   const char stamp[STAMP_BYTES])
{
	if (log->used + length * ESCAPE_MAX + RECORD_OVERHEAD > sizeof buffer)
		flush(log);

	size_t start = log->used;
	PUT_TEXT(log, "{\"log\":\"");
	put_escaped(log, text, length);
	if (whole)
		PUT_TEXT(log, "\\n");
	put_tail(log, stream, stamp);

	size_t size = log->used - start;
	if (log->bytes_max == 0 || log->bytes + log->used <= log->bytes_max ||
	    log->bytes + start == 0)
		return;
	/* This record opens the next file: write what is before it, turn over, keep it. */
	log->used = start;
	log->records--;
	flush(log);
	rotate(log);
	memmove(buffer, buffer + start, size);
	log->used = size;
	log->records = 1;
}

/* Bytes at the end of `text` that begin a UTF-8 sequence which goes on behind it. */
static size_t cut_sequence(const char *text, size_t length)
{
	for (size_t back = 1; back <= 3 && back <= length; back++) {
		unsigned char c = (unsigned char)text[length - back];
		if (c < 0x80)
			return 0;
		if (c >= 0xc0)
			return back < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? back : 0;
	}
	return 0;
}

/* Writes the kept part of a line as a piece of its own; an incomplete character stays. */
static void record_partial(struct log *log, int stream, const char stamp[STAMP_BYTES])
{
	char *kept = partials[stream];
	size_t length = log->partial[stream];
	size_t rest = cut_sequence(kept, length);

	record(log, stream, kept, length - rest, false, stamp);
	memmove(kept, kept + length - rest, rest);
	log->partial[stream] = rest;
}

void log_output(struct log *log, int stream, const char *data, size_t length)
{
	char stamp[STAMP_BYTES];
	char *kept = partials[stream];

	if (log->fd < 0)
		return;
	now_stamp(stamp);
	while (length > 0) {
		const char *newline = memchr(data, '\n', length);
		size_t line = newline ? (size_t)(newline - data) : length;
		size_t room = LOG_PIECE_BYTES - log->partial[stream];
		if (newline && line <= room) {
			if (log->partial[stream] == 0) {
				record(log, stream, data, line, true, stamp);
			} else {
				memcpy(kept + log->partial[stream], data, line);
				record(log, stream, kept, log->partial[stream] + line, true, stamp);
				log->partial[stream] = 0;
			}
			data += line + 1;
			length -= line + 1;
			continue;
		}
		size_t take = line < room ? line : room;
		memcpy(kept + log->partial[stream], data, take);
		log->partial[stream] += take;
		data += take;
		length -= take;
		if (log->partial[stream] == LOG_PIECE_BYTES && length > 0)
			record_partial(log, stream, stamp);
	}
	flush(log);
}

void log_end(struct log *log, int stream)
{
	char stamp[STAMP_BYTES];

	if (log->fd < 0 || log->partial[stream] == 0)
		return;
	now_stamp(stamp);
	record(log, stream, partials[stream], log->partial[stream], false, stamp);
	log->partial[stream] = 0;
	flush(log);
}

void log_trim(struct log *log)
{
	madvise(buffer, sizeof buffer, MADV_DONTNEED);
	for (int stream = 0; stream < 2; stream++)
		if (log->partial[stream] == 0)
			madvise(partials[stream], sizeof partials[stream], MADV_DONTNEED);
}
