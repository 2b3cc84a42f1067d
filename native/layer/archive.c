/*
 * The verbs that write an archive to stdout: tar (one path, for copying out and exporting) and diff
 * (an overlay's upper layer as an OCI layer).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "layer.h"
#include "locate.h"
#include "walk.h"

/* Overlayfs takes no more lower layers. */
enum { LOWERS_MAX = 500 };

int verb_tar(char **arguments, struct ts_err *err)
{
	const char *root_path = NULL, *path = NULL, *name = NULL;
	struct place place = {.parent = -1};
	struct walk walk = {0};

	for (; *arguments; arguments++) {
		const char *option = *arguments, **to = NULL;
		if (strcmp(option, "--root") == 0)
			to = &root_path;
		else if (strcmp(option, "--path") == 0)
			to = &path;
		else if (strcmp(option, "--name") == 0)
			to = &name;
		if (!to)
			return option_unknown(option, err);
		if (!(*to = option_value(&arguments, err)))
			return -1;
	}
	if (option_required("--root", root_path, err) < 0 ||
	    option_required("--path", path, err) < 0)
		return -1;
	cleanup_fd int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return ts_fail_errno(err, "open", root_path, "cannot open the root folder %s",
				     root_path);
	int result = locate(root, path, &place, err);
	if (result == 0) {
		tar_write_open(&walk.writer, STDOUT_FILENO);
		const char *top = name ? name : place.base.data;
		result = walk_write(&walk, place.parent, place.name.data,
				    strcmp(top, "/") == 0 ? "" : top, err);
		if (result == 0)
			result = tar_write_end(&walk.writer, err);
		walk_close(&walk);
	}
	place_free(&place);
	return result;
}

int verb_diff(char **arguments, struct ts_err *err)
{
	const char *upper = NULL;
	int lowers[LOWERS_MAX];
	struct walk walk = {.overlay = true, .lowers = lowers};
	int result = 0;

	for (; *arguments && result == 0; arguments++) {
		const char *option = *arguments, *value;
		if (strcmp(option, "--upper") != 0 && strcmp(option, "--lower") != 0) {
			result = option_unknown(option, err);
			break;
		}
		if (!(value = option_value(&arguments, err))) {
			result = -1;
		} else if (strcmp(option, "--upper") == 0) {
			upper = value;
		} else if (walk.lower_count == LOWERS_MAX) {
			result = ts_fail(err, TS_E_BAD_REQUEST, 0, "options", option,
					 "too many --lower");
		} else {
			int fd = open(value, O_PATH | O_DIRECTORY | O_CLOEXEC);
			if (fd < 0)
				result = ts_fail_errno(err, "open", value,
						       "cannot open the layer %s", value);
			else
				lowers[walk.lower_count++] = fd;
		}
	}
	if (result == 0)
		result = option_required("--upper", upper, err);
	cleanup_fd int fd = result == 0 ? open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (result == 0 && fd < 0)
		result = ts_fail_errno(err, "open", upper, "cannot open the layer %s", upper);
	if (result == 0) {
		tar_write_open(&walk.writer, STDOUT_FILENO);
		result = walk_write(&walk, fd, ".", "", err);
		if (result == 0)
			result = tar_write_end(&walk.writer, err);
		walk_close(&walk);
	}
	for (size_t i = 0; i < walk.lower_count; i++)
		close(lowers[i]);
	return result;
}
