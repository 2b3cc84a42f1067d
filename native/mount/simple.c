/*
 * The other operations: unmount, bind, tmpfs, sync. Mounts are built detached and attached in one
 * step, so that nobody ever sees a bind mount before it is read-only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cleanup.h"
#include "mount.h"
#include "sys.h"

#define UMOUNT_NOFOLLOW 8

static int want_str(const struct ts_json *req, const char *key, const char **out,
		    struct ts_err *err)
{
	int found = ts_json_opt_str(req, key, "", out, err);

	if (found == 0)
		return ts_fail(err, TS_E_INVALID, 0, "request", key, "%s: is missing", key);
	return found < 0 ? -1 : 0;
}

static int attach(int mnt, const char *target, struct ts_err *err)
{
	cleanup_fd int fd = open(target, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return ts_fail_errno(err, "open", target, "cannot open %s", target);
	if (ts_move_mount(mnt, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return ts_fail_errno(err, "move_mount", target, "cannot mount on %s", target);
	return 0;
}

int op_umount(const struct ts_json *req, struct ts_err *err)
{
	const char *target = NULL;
	bool lazy = false;

	if (want_str(req, "target", &target, err) < 0 ||
	    ts_json_opt_bool(req, "lazy", "", &lazy, err) < 0)
		return -1;
	if (ts_umount2(target, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOENT)
		return ts_fail(err, "not_mounted", errno, "umount", target,
			       "nothing is mounted on %s", target);
	return ts_fail_errno(err, "umount", target, "cannot unmount %s", target);
}

int op_bind(const struct ts_json *req, struct ts_err *err)
{
	const char *source = NULL, *target = NULL;
	bool readonly = false, recursive = false;
	cleanup_fd int tree = -1;

	if (want_str(req, "source", &source, err) < 0 ||
	    want_str(req, "target", &target, err) < 0 ||
	    ts_json_opt_bool(req, "readonly", "", &readonly, err) < 0 ||
	    ts_json_opt_bool(req, "recursive", "", &recursive, err) < 0)
		return -1;
	unsigned deep = recursive ? AT_RECURSIVE : 0;
	tree = ts_open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | deep);
	if (tree < 0)
		return ts_fail_errno(err, "open_tree", source, "cannot open %s", source);
	if (readonly) {
		struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

		if (ts_mount_setattr(tree, "", AT_EMPTY_PATH | deep, &attr) < 0)
			return ts_fail_errno(err, "mount_setattr", source,
					     "cannot make %s read-only", source);
	}
	return attach(tree, target, err);
}

/* Sets `key` to a number unless it is absent from the request. */
static int set_number(int fs, const struct ts_json *req, const char *key, const char *format,
		      struct ts_err *err)
{
	char text[32];
	uint64_t value = 0;
	int found = ts_json_opt_u64(req, key, "", &value, err);

	if (found <= 0)
		return found;
	snprintf(text, sizeof(text), format, (unsigned long)value);
	if (ts_fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0) < 0)
		return ts_fail_errno(err, "fsconfig", key, "tmpfs does not take %s=%s", key, text);
	return 0;
}

int op_tmpfs(const struct ts_json *req, struct ts_err *err)
{
	const char *target = NULL;
	bool noexec = false;
	unsigned attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	cleanup_fd int fs = -1;
	cleanup_fd int mnt = -1;

	if (want_str(req, "target", &target, err) < 0 ||
	    ts_json_opt_bool(req, "noexec", "", &noexec, err) < 0)
		return -1;
	fs = ts_fsopen("tmpfs");
	if (fs < 0)
		return ts_fail_errno(err, "fsopen", "tmpfs", "this kernel has no tmpfs");
	(void)ts_fsconfig(fs, FSCONFIG_SET_STRING, "source", "tmpfs", 0);
	if (set_number(fs, req, "size", "%lu", err) < 0 ||
	    set_number(fs, req, "mode", "%lo", err) < 0 ||
	    set_number(fs, req, "uid", "%lu", err) < 0 ||
	    set_number(fs, req, "gid", "%lu", err) < 0)
		return -1;
	if (ts_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return ts_fail_errno(err, "fsconfig", target, "cannot make a tmpfs for %s", target);
	mnt = ts_fsmount(fs, attrs | (noexec ? MOUNT_ATTR_NOEXEC : 0));
	if (mnt < 0)
		return ts_fail_errno(err, "fsmount", target, "cannot mount %s", target);
	return attach(mnt, target, err);
}

int op_sync(const char *path, struct ts_err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ts_fail_errno(err, "open", path, "cannot open %s", path);
	if (syncfs(fd) < 0)
		return ts_fail_errno(err, "syncfs", path, "cannot write %s to its disk", path);
	return 0;
}
