/*
 * Unpacking: from entries to files, within limits, folder times last.
 *
 * Every name is cleaned (a leading slash is relative, ".." above the root is refused), then found
 * from the root by RESOLVE_IN_ROOT: links inside the tree are followed as the container would, and
 * cannot lead out. A hard link to itself, a duplicate name, a folder replaced by a link in the
 * middle of the archive: the later entry wins, below the same root.
 */
#include "apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"

static int check_limits(struct apply *apply, struct ts_err *err)
{
	const struct apply_options *options = apply->options;
	uint64_t bytes;

	if (++apply->entries > options->entries_max)
		return ts_fail(err, "too_large", 0, "apply", NULL,
			       "the archive has more than %llu entries",
			       (unsigned long long)options->entries_max);
	if (__builtin_add_overflow(apply->bytes, apply->reader.entry.data_bytes, &bytes) ||
	    bytes > options->bytes_max)
		return ts_fail(err, "too_large", 0, "apply", NULL,
			       "the archive holds more than %llu bytes",
			       (unsigned long long)options->bytes_max);
	apply->bytes = bytes;
	return 0;
}

static int apply_entry(struct apply *apply, struct ts_buf *clean, struct ts_err *err)
{
	const struct apply_options *options = apply->options;

	if (check_limits(apply, err) < 0 ||
	    path_clean(apply->reader.entry.path.data, clean, err) < 0)
		return -1;
	/* "docker cp" into a folder brings that folder's own entry along; its attributes stay. */
	if (clean->len == 0)
		return options->path ? 0 : place_root(apply, err);
	if (!options->plain && is_whiteout(clean->data))
		return apply_whiteout(apply, clean->data, err);
	if (place_entry(apply, clean->data, err) < 0)
		return -1;
	path_set_add(&apply->brought, clean->data);
	return 0;
}

/* Sets the times of folders, deepest last seen first; one that was replaced meanwhile is left. */
static int set_late_times(struct apply *apply, struct ts_err *err)
{
	for (size_t i = apply->late_count; i-- > 0;) {
		const struct late_time *late = &apply->late[i];
		struct timespec times[2] = {late->mtime, late->mtime};
		struct ts_err gone = {0};
		struct stat st;
		int parent = root_parent(&apply->root, late->path, false, &gone);
		const char *name = late->path[0] ? path_base(late->path) : ".";
		if (parent < 0 || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
			return fs_fail(err, "utimens", late->path, "cannot set the time");
	}
	return 0;
}

int apply_run(struct apply *apply, const struct apply_options *options, int input,
	      struct ts_err *err)
{
	struct ts_buf clean cleanup_buf = TS_BUF_INIT;
	int result;

	*apply = (struct apply){.options = options};
	path_set_open(&apply->brought);
	path_set_open(&apply->opaque);
	tar_open(&apply->reader, input);
	apply->reader.unterminated_ok = options->unterminated_ok;
	if (root_open(&apply->root, options->root, options->path, err) < 0)
		return -1;
	apply->root.set_owner = options->set_owner;
	apply->root.uid = options->uid;
	apply->root.gid = options->gid;
	umask(0);
	while ((result = tar_next(&apply->reader, err)) > 0) {
		if (apply_entry(apply, &clean, err) < 0)
			return -1;
	}
	if (result < 0 || set_late_times(apply, err) < 0)
		return -1;
	/* The sender hashes what it sends, also what follows the end mark. */
	return tar_drain(&apply->reader, err);
}

void apply_close(struct apply *apply)
{
	tar_close(&apply->reader);
	path_set_close(&apply->brought);
	path_set_close(&apply->opaque);
	root_close(&apply->root);
	for (size_t i = 0; i < apply->late_count; i++)
		free(apply->late[i].path);
	free(apply->late);
}
