/*
 * The cache of compiled seccomp filters: one file per profile in the state root, named by the hash
 * of the profile's text, this format's version, libseccomp's version and the machine.
 *
 * A filter read from here decides what a container may do, so an entry counts only when the folder
 * and the file belong to root, nobody else may write, and header and checksum are right. Anything
 * else is ignored and written anew. The number of entries is bounded: a full cache is emptied.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blake2b.h"
#include "cleanup.h"
#include "fs.h"
#include "log.h"
#include "seccomp.h"

#define CACHE_DIR ".seccomp"
#define CACHE_ENTRIES_MAX 256
#define FORMAT_VERSION 1

struct header {
	char magic[8];
	uint32_t version, flags, count, reserved;
	uint8_t key[BLAKE2B_BYTES]; /* what the program was compiled from */
	uint8_t sum[BLAKE2B_BYTES]; /* of the instructions */
};
static const char magic[8] = "tswarmSC";

static void hash_profile(const struct ts_json *seccomp, uint8_t key[BLAKE2B_BYTES])
{
	const struct scmp_version *v = seccomp_version();
	uint32_t prefix[5] = {FORMAT_VERSION, seccomp_arch_native(), v->major, v->minor, v->micro};
	struct blake2b b;

	blake2b_init(&b);
	blake2b_update(&b, prefix, sizeof(prefix));
	blake2b_update(&b, seccomp->raw, seccomp->raw_len);
	blake2b_final(&b, key);
}

static void hash_insns(const struct seccomp_program *p, uint8_t sum[BLAKE2B_BYTES])
{
	struct blake2b b;

	blake2b_init(&b);
	blake2b_update(&b, p->insns, p->count * sizeof(*p->insns));
	blake2b_final(&b, sum);
}

static int open_dir(int root_fd)
{
	struct stat st;
	cleanup_fd int fd =
	    openat(root_fd, CACHE_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(root_fd, CACHE_DIR, 0700) < 0 && errno != EEXIST)
			return -1;
		fd = openat(root_fd, CACHE_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return -1;
	return steal_fd(&fd);
}

static bool read_entry(int dir, const char *name, const uint8_t key[BLAKE2B_BYTES],
		       struct seccomp_program *out)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint8_t sum[BLAKE2B_BYTES];
	struct header h;
	struct stat st;
	size_t bytes;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 0777) != 0600 || read(fd, &h, sizeof(h)) != (ssize_t)sizeof(h))
		return false;
	bytes = h.count * sizeof(*out->insns);
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || h.version != FORMAT_VERSION ||
	    memcmp(h.key, key, sizeof(h.key)) != 0 || h.count == 0 || h.count > BPF_MAXINSNS ||
	    (size_t)st.st_size != sizeof(h) + bytes)
		return false;
	out->insns = malloc(bytes);
	if (!out->insns)
		abort();
	out->count = h.count;
	out->flags = h.flags;
	if (read(fd, out->insns, bytes) == (ssize_t)bytes) {
		hash_insns(out, sum);
		if (memcmp(sum, h.sum, sizeof(sum)) == 0)
			return true;
	}
	seccomp_free(out);
	return false;
}

static void make_room(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int count = 0;

	while (list && (entry = readdir(list)) != NULL)
		count++;
	if (!list || count <= CACHE_ENTRIES_MAX)
		return;
	rewinddir(list);
	while ((entry = readdir(list)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dir, entry->d_name, 0);
}

static void write_entry(int dir, const char *name, const uint8_t key[BLAKE2B_BYTES],
			const struct seccomp_program *p)
{
	cleanup_buf struct ts_buf bytes = TS_BUF_INIT;
	struct ts_err err = {0};
	struct header h = {
	    .version = FORMAT_VERSION, .flags = p->flags, .count = (uint32_t)p->count};

	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.key, key, sizeof(h.key));
	hash_insns(p, h.sum);
	ts_buf_add(&bytes, &h, sizeof(h));
	ts_buf_add(&bytes, p->insns, p->count * sizeof(*p->insns));
	make_room(dir);
	/* Only a cache: a container starts without it too. */
	if (ts_write_file_atomic(dir, name, bytes.data, bytes.len, 0600, false, &err) < 0)
		log_warn("cannot keep the compiled seccomp filter: %s", err.message);
}

int seccomp_prepare(const struct ts_json *seccomp, int root_fd, struct seccomp_program *out,
		    struct ts_err *err)
{
	cleanup_fd int dir = -1;
	uint8_t key[BLAKE2B_BYTES];
	char name[2 * BLAKE2B_BYTES + 5];

	memset(out, 0, sizeof(*out));
	if (!seccomp)
		return 0;
	hash_profile(seccomp, key);
	for (int i = 0; i < BLAKE2B_BYTES; i++)
		snprintf(name + 2 * i, 3, "%02x", key[i]);
	memcpy(name + 2 * BLAKE2B_BYTES, ".bpf", 5);
	if (root_fd >= 0)
		dir = open_dir(root_fd);
	if (dir >= 0 && read_entry(dir, name, key, out))
		return 0;
	if (seccomp_compile(seccomp, out, err) < 0)
		return -1;
	if (dir >= 0)
		write_entry(dir, name, key, out);
	return 0;
}
