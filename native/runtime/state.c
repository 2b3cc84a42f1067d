/* Implementation of state.h: folders, the file, and the status that is derived from the kernel. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "cleanup.h"
#include "fs.h"
#include "json-write.h"
#include "proc.h"
#include "start-socket.h"

#define STATE_FILE "state.json"
#define STATE_BYTES_MAX (8 * 1024 * 1024)

int state_open_root(const char *root, bool make, struct ts_err *err)
{
	cleanup_fd int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT && make) {
		if (ts_mkdir_p(root, 0700, err) < 0)
			return -1;
		fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return ts_fail_errno(err, "open", root, "cannot open the state folder %s", root);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return ts_fail(
		    err, TS_E_REFUSED, 0, "stat", root,
		    "the state folder %s can be changed by others; it must belong to this user "
		    "and have no group or world write permission",
		    root);
	return steal_fd(&fd);
}

int state_check_id(const char *id, struct ts_err *err)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.");

	if (n == 0 || id[n] || n > 255 || id[0] == '.')
		return ts_fail(
		    err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
		    "\"%.64s\" is no container id: letters, digits and _ + - . are allowed", id);
	return 0;
}

int state_create_dir(int root_fd, const char *id, struct ts_err *err)
{
	cleanup_fd int fd = -1;

	if (mkdirat(root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return ts_fail(
			    err, TS_E_EXISTS, 0, "mkdir", id,
			    "container %s already exists; delete it first or use another id", id);
		return ts_fail_errno(err, "mkdir", id, "cannot create the state folder of %s", id);
	}
	fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return ts_fail_errno(err, "open", id, "cannot lock the state folder of %s", id);
	return steal_fd(&fd);
}

int state_open_dir(int root_fd, const char *id, bool lock, struct ts_err *err)
{
	cleanup_fd int fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOENT)
			return ts_fail(err, TS_E_NO_CONTAINER, 0, "open", id,
				       "container %s does not exist", id);
		return ts_fail_errno(err, "open", id, "cannot open the state folder of %s", id);
	}
	if (lock)
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return ts_fail_errno(err, "flock", id, "cannot lock container %s",
						     id);
	return steal_fd(&fd);
}

static void put_member(struct ts_buf *out, const char *key, const char *value)
{
	ts_buf_printf(out, ",\"%s\":", key);
	ts_json_put_str(out, value);
}

int state_save(int dir_fd, const struct state *s, struct ts_err *err)
{
	cleanup_buf struct ts_buf out = TS_BUF_INIT;

	ts_buf_puts(&out, "{\"ociVersion\":");
	ts_json_put_str(&out, s->oci_version);
	put_member(&out, "id", s->id);
	put_member(&out, "bundle", s->bundle);
	put_member(&out, "rootfs", s->rootfs);
	put_member(&out, "created", s->created);
	put_member(&out, "cgroupPath", s->cgroup_path);
	ts_buf_printf(&out,
		      ",\"pid\":%d,\"startTicks\":%llu,\"nsFlags\":%lu,\"poststart\":%s,"
		      "\"poststop\":%s,\"systemdCgroup\":%s,\"rootApart\":%s",
		      (int)s->pid, (unsigned long long)s->start_ticks, s->ns_flags,
		      s->has_poststart ? "true" : "false", s->has_poststop ? "true" : "false",
		      s->systemd_cgroup ? "true" : "false", s->root_apart ? "true" : "false");
	if (s->annotations) {
		ts_buf_puts(&out, ",\"annotations\":");
		ts_buf_add(&out, s->annotations, s->annotations_len);
	}
	ts_buf_puts(&out, "}\n");
	return ts_write_file_atomic(dir_fd, STATE_FILE, out.data, out.len, 0600, false, err);
}

int state_load(int dir_fd, const char *id, struct state *s, struct ts_err *err)
{
	const struct ts_json *root, *annotations;
	int64_t pid = 0;
	uint64_t flags = 0;

	memset(s, 0, sizeof(*s));
	if (ts_read_file_at(dir_fd, STATE_FILE, &s->text, STATE_BYTES_MAX, err) < 0) {
		/* A creation that was killed before its first file: there is nothing but the
		 * folder. */
		if (err->errnum != ENOENT)
			return -1;
		memset(err, 0, sizeof(*err));
		s->id = id;
		s->oci_version = "1.0.0";
		return 0;
	}
	root = ts_json_parse(s->text.data, s->text.len, &s->doc, err);
	if (!root)
		return ts_err_prefix(err, "the state of container %s is damaged", id);
	if (ts_json_opt_str(root, "ociVersion", "", &s->oci_version, err) < 0 ||
	    ts_json_opt_str(root, "id", "", &s->id, err) < 0 ||
	    ts_json_opt_str(root, "bundle", "", &s->bundle, err) < 0 ||
	    ts_json_opt_str(root, "rootfs", "", &s->rootfs, err) < 0 ||
	    ts_json_opt_str(root, "created", "", &s->created, err) < 0 ||
	    ts_json_opt_str(root, "cgroupPath", "", &s->cgroup_path, err) < 0 ||
	    ts_json_opt_i64(root, "pid", "", &pid, err) < 0 ||
	    ts_json_opt_u64(root, "startTicks", "", &s->start_ticks, err) < 0 ||
	    ts_json_opt_u64(root, "nsFlags", "", &flags, err) < 0 ||
	    ts_json_opt_bool(root, "poststart", "", &s->has_poststart, err) < 0 ||
	    ts_json_opt_bool(root, "poststop", "", &s->has_poststop, err) < 0 ||
	    ts_json_opt_bool(root, "systemdCgroup", "", &s->systemd_cgroup, err) < 0 ||
	    ts_json_opt_bool(root, "rootApart", "", &s->root_apart, err) < 0)
		return ts_err_prefix(err, "the state of container %s is damaged", id);
	s->pid = (pid_t)pid;
	s->ns_flags = flags;
	if (!s->id)
		s->id = id;
	if (!s->oci_version)
		s->oci_version = "1.0.0";
	annotations = ts_json_get(root, "annotations");
	if (annotations) {
		s->annotations = annotations->raw;
		s->annotations_len = annotations->raw_len;
	}
	return 0;
}

void state_free(struct state *s)
{
	ts_json_free(&s->doc);
	ts_buf_free(&s->text);
}

static bool is_paused(const struct state *s)
{
	cleanup_cgroup struct cgroup cg;
	struct ts_err ignored = {0};

	if (cgroup_detect(&cg, &ignored) < 0 || !s->cgroup_path ||
	    cgroup_set_path(&cg, s->cgroup_path, s->id, false, &ignored) < 0 ||
	    cgroup_open(&cg, &ignored) < 0)
		return false;
	return cgroup_is_frozen(&cg);
}

enum status state_status(int dir_fd, const struct state *s)
{
	uint64_t ticks;
	char letter;

	if (s->pid == 0) {
		/* Whoever creates holds the lock; nobody does: the creation was cut off. */
		if (flock(dir_fd, LOCK_EX | LOCK_NB) < 0)
			return STATUS_CREATING;
		return STATUS_STOPPED;
	}
	if (ts_proc_stat(s->pid, &ticks, &letter) < 0 || ticks != s->start_ticks || letter == 'Z' ||
	    letter == 'X')
		return STATUS_STOPPED;
	if (start_socket_waits(dir_fd))
		return STATUS_CREATED;
	return is_paused(s) ? STATUS_PAUSED : STATUS_RUNNING;
}

const char *state_status_name(enum status status)
{
	static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};

	return names[status];
}

void state_to_json(const struct state *s, enum status status, struct ts_buf *out)
{
	ts_buf_puts(out, "{\"ociVersion\":");
	ts_json_put_str(out, s->oci_version);
	put_member(out, "id", s->id);
	put_member(out, "status", state_status_name(status));
	if (status != STATUS_STOPPED)
		ts_buf_printf(out, ",\"pid\":%d", (int)s->pid);
	put_member(out, "bundle", s->bundle ? s->bundle : "");
	if (s->rootfs)
		put_member(out, "rootfs", s->rootfs);
	if (s->created)
		put_member(out, "created", s->created);
	ts_buf_puts(out, ",\"owner\":\"\"");
	if (s->annotations) {
		ts_buf_puts(out, ",\"annotations\":");
		ts_buf_add(out, s->annotations, s->annotations_len);
	}
	ts_buf_puts(out, "}");
}
