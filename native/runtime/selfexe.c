/*
 * A process inside a container can open our executable through /proc/PID/exe, wait until we have
 * ended and then write it. What it opens has the mount that we were executed from, so we execute
 * ourselves from a private read-only bind mount: attached nowhere, dissolved when its last
 * descriptor closes, it can be neither remounted nor found. That costs one execve and copies
 * nothing. Where bind mounts are not allowed, a sealed memory file does the same for the price of a
 * copy.
 */
#include "selfexe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "sys.h"

#define SELF "/proc/self/exe"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define MARK "tswarm-runtime (sealed)"
#ifndef ST_RDONLY
#define ST_RDONLY 1
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static int is_sealed(void)
{
	struct statfs st;
	cleanup_fd int fd = -1;

	if (statfs(SELF, &st) == 0 && (st.f_flags & ST_RDONLY))
		return 1;
	fd = open(SELF, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && fcntl(fd, F_GET_SEALS) == SEALS;
}

static int open_readonly_mount(void)
{
	struct mount_attr ro = {.attr_set =
				    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	cleanup_fd int fd = ts_open_tree(AT_FDCWD, SELF, OPEN_TREE_CLONE);

	if (fd < 0 || ts_mount_setattr(fd, "", AT_EMPTY_PATH, &ro) < 0)
		return -1;
	return steal_fd(&fd);
}

static int open_sealed_copy(void)
{
	cleanup_fd int fd =
	    memfd_create("tswarm-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	cleanup_fd int from = open(SELF, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == EINVAL) /* Linux before 6.3 */
		fd = memfd_create("tswarm-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || from < 0 || fstat(from, &st) < 0)
		return -1;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(fd, from, NULL, (size_t)left);

		if (n <= 0)
			return -1;
		left -= n;
	}
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -1 : steal_fd(&fd);
}

int selfexe_seal(char **argv, struct ts_err *err)
{
	static char *const no_env[] = {NULL};
	cleanup_fd int fd = -1;

	if (is_sealed())
		return 0;
	if (strcmp(argv[0], MARK) == 0)
		return ts_fail(err, TS_E_REFUSED, 0, "selfexe", NULL,
			       "the runtime's executable could not be made read-only");
	argv[0] = (char *)MARK;
	fd = open_readonly_mount();
	if (fd >= 0)
		syscall(SYS_execveat, fd, "", argv, no_env, AT_EMPTY_PATH);
	ts_cleanup_fd(&fd);
	fd = open_sealed_copy();
	if (fd >= 0)
		syscall(SYS_execveat, fd, "", argv, no_env, AT_EMPTY_PATH);
	return ts_fail_errno(err, "execveat", SELF,
			     "cannot run from a read-only copy of the runtime");
}
