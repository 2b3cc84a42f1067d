/*
 * Binds a datagram socket of the file system and prints what comes, each datagram as a line: its
 * length, a space, and its first bytes; one that came as a memory file has "file " before it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static char bytes[1 << 20];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
		return 2;
	strcpy(address.sun_path, argv[1]);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		char control[64];
		struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof control};
		ssize_t n = recvmsg(fd, &message, 0);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		const char *how = "";
		if (n < 0)
			return 1;
		if (header) {
			int file;
			memcpy(&file, CMSG_DATA(header), sizeof file);
			n = pread(file, bytes, sizeof bytes, 0);
			close(file);
			how = "file ";
		}
		printf("%s%zd %.*s\n", how, n, n > 40 ? 40 : (int)n, bytes);
		fflush(stdout);
	}
}
