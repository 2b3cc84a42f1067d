/*
 * A small rtnetlink client: one request, one acknowledgement. Messages are built in a fixed buffer;
 * a request that does not fit is an error of ours and fails with EMSGSIZE.
 */
#ifndef TS_NET_NETLINK_H
#define TS_NET_NETLINK_H

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct nl_request {
	struct nlmsghdr *head;
	char bytes[2048];
	int overflow;
};

/* A socket in the network namespace that the caller is in. -1 with errno. */
int nl_open(void);
/* Starts a request; `body` is the fixed part (ifinfomsg, ifaddrmsg, ...). */
void nl_begin(struct nl_request *req, uint16_t type, uint16_t flags, const void *body, size_t len);
void nl_attr(struct nl_request *req, uint16_t type, const void *value, size_t len);
void nl_attr_str(struct nl_request *req, uint16_t type, const char *text);
void nl_attr_u32(struct nl_request *req, uint16_t type, uint32_t value);
/* Opens a nested attribute; close it with nl_nest_end. */
struct rtattr *nl_nest(struct nl_request *req, uint16_t type);
void nl_nest_end(struct nl_request *req, struct rtattr *nest);
/* Appends raw bytes (the ifinfomsg inside VETH_INFO_PEER). */
void nl_raw(struct nl_request *req, const void *bytes, size_t len);
/* Sends and waits for the acknowledgement. 0, or a negative errno. */
int nl_call(int sock, struct nl_request *req);

#endif
