/*
 * Implementation of console.h. The slave side comes from the master (TIOCGPTPEER), never from a
 * path in the container, where somebody could have put a link (CVE-2025-52565); the master must
 * really be the ptmx of a devpts.
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "rootfs.h"
#include "sys.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int console_connect(const char *path, struct ts_err *err)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(a.sun_path))
		return ts_fail(err, TS_E_BAD_REQUEST, ENAMETOOLONG, "connect", path,
			       "--console-socket: the path is longer than %zu bytes",
			       sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return ts_fail_errno(err, "connect", path, "--console-socket: cannot connect to %s",
				     path);
	return steal_fd(&fd);
}

int console_open(int root_fd, const struct process_spec *p, int *master, struct ts_err *err)
{
	cleanup_fd int ptmx = ts_open_in_root(root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);
	cleanup_fd int slave = -1;
	struct winsize size = {.ws_row = p->console_rows, .ws_col = p->console_columns};
	struct statfs fs;
	struct stat st;
	int unlock = 0;

	if (ptmx < 0)
		return ts_fail_errno(err, "open", "/dev/pts/ptmx",
				     "process.terminal: the container has no devpts on /dev/pts");
	if (fstatfs(ptmx, &fs) < 0 || fstat(ptmx, &st) < 0)
		return ts_fail_errno(err, "fstat", "/dev/pts/ptmx",
				     "process.terminal: cannot check ptmx");
	if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		return ts_fail(
		    err, TS_E_REFUSED, 0, "open", "/dev/pts/ptmx",
		    "process.terminal: /dev/pts/ptmx in the container is no terminal device");
	if (ioctl(ptmx, TIOCSPTLCK, &unlock) < 0)
		return ts_fail_errno(err, "ioctl", "/dev/pts/ptmx",
				     "process.terminal: cannot unlock it");
	slave = ioctl(ptmx, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return ts_fail_errno(err, "ioctl", "/dev/pts/ptmx",
				     "process.terminal: cannot open it");
	if (p->uid != 0 && fchown(slave, p->uid, (gid_t)-1) < 0)
		return ts_fail_errno(err, "fchown", NULL,
				     "process.terminal: cannot give it to the user");
	if ((size.ws_row || size.ws_col) && ioctl(ptmx, TIOCSWINSZ, &size) < 0)
		return ts_fail_errno(err, "ioctl", NULL, "process.consoleSize: cannot set it");
	*master = steal_fd(&ptmx);
	return steal_fd(&slave);
}

int console_mount(int root_fd, int slave, struct ts_err *err)
{
	cleanup_fd int dev = ts_open_in_root(root_fd, "/dev", O_PATH | O_DIRECTORY, 0);
	cleanup_fd int made = -1, at = -1, tree = -1;

	if (dev < 0)
		return ts_fail_errno(err, "openat2", "/dev", "process.terminal: cannot open /dev");
	made = openat(dev, "console",
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	if (made < 0 && errno != EEXIST)
		return ts_fail_errno(err, "open", "/dev/console", "cannot create /dev/console");
	at = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	tree = ts_open_tree(slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	if (at < 0 || tree < 0)
		return ts_fail_errno(err, "open_tree", "/dev/console", "cannot mount /dev/console");
	return rootfs_attach(tree, at, "/dev/console", err);
}

int console_send(int socket_fd, int master, struct ts_err *err)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, name[] = "/dev/ptmx";
	struct iovec iov = {name, sizeof(name)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master, sizeof(int));
	if (sendmsg(socket_fd, &msg, MSG_NOSIGNAL) < 0)
		return ts_fail_errno(err, "sendmsg", NULL,
				     "--console-socket: cannot send the terminal");
	return 0;
}

int console_receive(int socket_fd, struct ts_err *err)
{
	char control[CMSG_SPACE(sizeof(int))], name[64];
	struct iovec iov = {name, sizeof(name)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return ts_fail_errno(err, "recvmsg", NULL, "the terminal did not arrive");
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return ts_fail(err, TS_E_KERNEL, 0, "recvmsg", NULL, "the terminal did not arrive");
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

int console_use(int slave, struct ts_err *err)
{
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return ts_fail_errno(err, "ioctl", NULL,
				     "process.terminal: cannot take the terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return ts_fail_errno(err, "dup2", NULL,
					     "process.terminal: cannot use the terminal");
	return 0;
}
