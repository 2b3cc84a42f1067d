#include "netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int nl_open(void)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (sock < 0)
		return -1;
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int saved = errno;
		close(sock);
		errno = saved;
		return -1;
	}
	return sock;
}

void nl_begin(struct nl_request *req, uint16_t type, uint16_t flags, const void *body, size_t len)
{
	memset(req->bytes, 0, sizeof(req->bytes));
	req->overflow = 0;
	req->head = (struct nlmsghdr *)(void *)req->bytes;
	req->head->nlmsg_type = type;
	req->head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	req->head->nlmsg_len = NLMSG_LENGTH(0);
	nl_raw(req, body, len);
}

void nl_raw(struct nl_request *req, const void *bytes, size_t len)
{
	size_t at = NLMSG_ALIGN(req->head->nlmsg_len);
	if (at + len > sizeof(req->bytes)) {
		req->overflow = 1;
		return;
	}
	memcpy(req->bytes + at, bytes, len);
	req->head->nlmsg_len = (uint32_t)(at + len);
}

void nl_attr(struct nl_request *req, uint16_t type, const void *value, size_t len)
{
	size_t at = NLMSG_ALIGN(req->head->nlmsg_len);
	if (at + RTA_SPACE(len) > sizeof(req->bytes)) {
		req->overflow = 1;
		return;
	}
	struct rtattr *attr = (struct rtattr *)(void *)(req->bytes + at);
	attr->rta_type = type;
	attr->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(attr), value, len);
	req->head->nlmsg_len = (uint32_t)(at + RTA_SPACE(len));
}

void nl_attr_str(struct nl_request *req, uint16_t type, const char *text)
{
	nl_attr(req, type, text, strlen(text) + 1);
}

void nl_attr_u32(struct nl_request *req, uint16_t type, uint32_t value)
{
	nl_attr(req, type, &value, sizeof(value));
}

struct rtattr *nl_nest(struct nl_request *req, uint16_t type)
{
	struct rtattr *nest =
	    (struct rtattr *)(void *)(req->bytes + NLMSG_ALIGN(req->head->nlmsg_len));
	nl_attr(req, type, NULL, 0);
	return nest;
}

void nl_nest_end(struct nl_request *req, struct rtattr *nest)
{
	if (!req->overflow)
		nest->rta_len =
		    (uint16_t)(req->bytes + NLMSG_ALIGN(req->head->nlmsg_len) - (char *)nest);
}

int nl_call(int sock, struct nl_request *req)
{
	static uint32_t sequence;
	if (req->overflow)
		return -EMSGSIZE;
	req->head->nlmsg_seq = ++sequence;
	if (send(sock, req->bytes, req->head->nlmsg_len, 0) < 0)
		return -errno;
	char answer[8192];
	while (true) {
		ssize_t n = recv(sock, answer, sizeof(answer), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		struct nlmsghdr *head = (struct nlmsghdr *)(void *)answer;
		if (!NLMSG_OK(head, (uint32_t)n) || head->nlmsg_seq != sequence)
			continue;
		if (head->nlmsg_type != NLMSG_ERROR)
			continue;
		return ((struct nlmsgerr *)NLMSG_DATA(head))->error;
	}
}
