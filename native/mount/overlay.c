/*
 * Overlay mounts with any number of layers. Where the kernel takes layers one by one ("lowerdir+",
 * Linux 6.8) each path is given as it is. Older kernels take one option text of at most a page:
 * there the layers are opened and named by descriptor number from inside /proc/self/fd, so that
 * each costs some four bytes and no character in a path needs escaping.
 *
 * Before Linux 6.5 fsconfig(2) on overlay only collects text, whatever it says: "lowerdir+" is then
 * taken until the page is full, and refused at the end. Such a kernel also takes a word that no
 * kernel knows; that is how it is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "mount.h"
#include "sys.h"

#define OPTION_PAGE 4096

struct overlay {
	const char *lower[LOWER_MAX];
	size_t lower_len;
	const char *upper; /* NULL = read-only */
	const char *work;
	const char *target;
	bool readonly;
	bool is_volatile;
};

static int parse(const struct ts_json *req, struct overlay *o, struct ts_err *err)
{
	const struct ts_json *list = NULL;

	if (ts_json_opt_node(req, "lower", "", TS_JSON_ARRAY, &list, err) < 0 ||
	    ts_json_opt_str(req, "upper", "", &o->upper, err) < 0 ||
	    ts_json_opt_str(req, "work", "", &o->work, err) < 0 ||
	    ts_json_opt_str(req, "target", "", &o->target, err) < 0 ||
	    ts_json_opt_bool(req, "readonly", "", &o->readonly, err) < 0 ||
	    ts_json_opt_bool(req, "volatile", "", &o->is_volatile, err) < 0)
		return -1;
	ts_json_each (item, list) {
		if (item->type != TS_JSON_STRING)
			return ts_fail(err, TS_E_INVALID, 0, "request", "lower",
				       "lower: must be strings");
		if (o->lower_len == LOWER_MAX)
			return ts_fail(err, TS_E_UNSUPPORTED, 0, "request", "lower",
				       "lower: more than %d layers", LOWER_MAX);
		o->lower[o->lower_len++] = item->str;
	}
	if (!o->target || o->lower_len == 0)
		return ts_fail(err, TS_E_INVALID, 0, "request", "",
			       "an overlay needs target and lower");
	if (!o->upper != !o->work)
		return ts_fail(err, TS_E_INVALID, 0, "request", "work",
			       "upper and work come together");
	if (!o->upper)
		o->readonly = true;
	return 0;
}

/* 0 = mounted, 1 = this kernel does not know "lowerdir+", -1 = failed. */
static int mount_by_parts(const struct overlay *o, int target, struct ts_err *err)
{
	cleanup_fd int fs = ts_fsopen("overlay");
	cleanup_fd int mnt = -1;

	if (fs < 0)
		return errno == ENOSYS ? 1
				       : ts_fail_errno(err, "fsopen", "overlay",
						       "this kernel has no overlay file system");
	if (ts_fsconfig(fs, FSCONFIG_SET_FLAG, "tswarm-unknown", NULL, 0) == 0)
		return 1;
	for (size_t i = 0; i < o->lower_len; i++) {
		if (ts_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", o->lower[i], 0) == 0)
			continue;
		if (errno == EINVAL && i == 0)
			return 1;
		return ts_fail_errno(err, "fsconfig", o->lower[i], "cannot use layer %s",
				     o->lower[i]);
	}
	if (o->upper && (ts_fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", o->upper, 0) < 0 ||
			 ts_fsconfig(fs, FSCONFIG_SET_STRING, "workdir", o->work, 0) < 0))
		return ts_fail_errno(err, "fsconfig", o->upper, "cannot use upper folder %s",
				     o->upper);
	if (o->is_volatile && ts_fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		return ts_fail_errno(err, "fsconfig", "volatile", "cannot mount as volatile");
	if (ts_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return ts_fail_errno(err, "fsconfig", o->target, "cannot make an overlay for %s",
				     o->target);
	mnt = ts_fsmount(fs, o->readonly ? MOUNT_ATTR_RDONLY : 0);
	if (mnt < 0)
		return ts_fail_errno(err, "fsmount", o->target, "cannot mount %s", o->target);
	if (ts_move_mount(mnt, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return ts_fail_errno(err, "move_mount", o->target, "cannot mount on %s", o->target);
	return 0;
}

static int open_layer(const char *path, int *fds, size_t *len, struct ts_err *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ts_fail_errno(err, "open", path, "cannot open layer %s", path);
	fds[(*len)++] = fd;
	return fd;
}

static int option_text(const struct overlay *o, int *fds, size_t *len, struct ts_buf *text,
		       struct ts_err *err)
{
	int fd;

	for (size_t i = 0; i < o->lower_len; i++) {
		if ((fd = open_layer(o->lower[i], fds, len, err)) < 0)
			return -1;
		ts_buf_printf(text, "%s%d", i == 0 ? "lowerdir=" : ":", fd);
	}
	if (o->upper) {
		if ((fd = open_layer(o->upper, fds, len, err)) < 0)
			return -1;
		ts_buf_printf(text, ",upperdir=%d", fd);
		if ((fd = open_layer(o->work, fds, len, err)) < 0)
			return -1;
		ts_buf_printf(text, ",workdir=%d", fd);
	}
	if (o->is_volatile)
		ts_buf_puts(text, ",volatile");
	if (text->len >= OPTION_PAGE)
		return ts_fail(err, TS_E_UNSUPPORTED, 0, "mount", o->target,
			       "this kernel cannot mount %zu layers", o->lower_len);
	return 0;
}

static int mount_by_text(const struct overlay *o, struct ts_err *err)
{
	int fds[LOWER_MAX + 2];
	size_t len = 0;
	int result = -1;
	cleanup_buf struct ts_buf text = TS_BUF_INIT;

	if (option_text(o, fds, &len, &text, err) == 0) {
		/* "N" below /proc/self/fd leads to the layer; the target is absolute. */
		if (chdir("/proc/self/fd") < 0)
			ts_fail_errno(err, "chdir", "/proc/self/fd", "/proc is not mounted");
		else if (ts_mount("overlay", o->target, "overlay",
				  o->readonly ? 1UL /* MS_RDONLY */ : 0, text.data) < 0)
			ts_fail_errno(err, "mount", o->target, "cannot mount an overlay on %s",
				      o->target);
		else
			result = 0;
		if (chdir("/") < 0 && result == 0)
			result = ts_fail_errno(err, "chdir", "/", "cannot leave /proc/self/fd");
	}
	for (size_t i = 0; i < len; i++)
		close(fds[i]);
	return result;
}

/* One layer and nothing to write to: the kernel refuses that as an overlay, a bind mount is it. */
static int mount_single(const struct overlay *o, int target, struct ts_err *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	cleanup_fd int tree = ts_open_tree(AT_FDCWD, o->lower[0], OPEN_TREE_CLONE);

	if (tree < 0)
		return ts_fail_errno(err, "open_tree", o->lower[0], "cannot open layer %s",
				     o->lower[0]);
	if (ts_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
		return ts_fail_errno(err, "mount_setattr", o->lower[0], "cannot make %s read-only",
				     o->lower[0]);
	if (ts_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return ts_fail_errno(err, "move_mount", o->target, "cannot mount on %s", o->target);
	return 0;
}

int op_overlay(const struct ts_json *req, const struct mount_options *opt, struct ts_err *err)
{
	struct overlay o = {0};
	cleanup_fd int target = -1;

	if (parse(req, &o, err) < 0)
		return -1;
	target = open(o.target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return ts_fail_errno(err, "open", o.target, "cannot open %s", o.target);
	if (!o.upper && o.lower_len == 1)
		return mount_single(&o, target, err);
	if (!opt->old_calls) {
		int result = mount_by_parts(&o, target, err);

		if (result <= 0)
			return result;
	}
	return mount_by_text(&o, err);
}
