/*
 * A small netlink client. Messages are gathered in a batch and sent with one system call; only the
 * last one asks for an acknowledgement, because the kernel reports every error anyway. A batch is
 * not a transaction (except nftables' own): messages before and after a failed one take effect, and
 * the first error is the one that is reported.
 */
#ifndef TS_NET_NETLINK_H
#define TS_NET_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define NL_BATCH_MAX 1024

struct nl_batch {
	struct ts_buf bytes;
	size_t last;			/* where the newest message begins */
	size_t count;			/* messages */
	const char *what[NL_BATCH_MAX]; /* what each is about, for errors; must outlive the batch */
};

#define cleanup_batch __attribute__((cleanup(nl_batch_free)))
void nl_batch_free(struct nl_batch *batch);

/* A socket in the network namespace that the caller is in; `groups` as in sockaddr_nl. -1 with
 * errno. */
int nl_open(int protocol, uint32_t groups);
/* The number by which the kernel names the socket in notifications about what it did. */
uint32_t nl_port(int sock);

/* Starts a message; `body` is the fixed part (ifinfomsg, ifaddrmsg, ...). */
void nl_begin(struct nl_batch *batch, uint16_t type, uint16_t flags, const void *body, size_t len,
	      const char *what);
void nl_attr(struct nl_batch *batch, uint16_t type, const void *value, size_t len);
void nl_attr_str(struct nl_batch *batch, uint16_t type, const char *text);
void nl_attr_u32(struct nl_batch *batch, uint16_t type, uint32_t value);
/* Opens a nested attribute; close it with nl_nest_end. */
size_t nl_nest(struct nl_batch *batch, uint16_t type);
void nl_nest_end(struct nl_batch *batch, size_t nest);
/* Appends raw bytes (the ifinfomsg inside VETH_INFO_PEER). */
void nl_raw(struct nl_batch *batch, const void *bytes, size_t len);

/* Sends everything and waits until the kernel has done it. The batch is empty afterwards. */
int nl_commit(int sock, struct nl_batch *batch, const char *op, struct ts_err *err);
/* Sends a batch of one message. 0, or a negative errno. */
int nl_call(int sock, struct nl_batch *batch);

/* Sends the batch's one message and calls `each` for every answer. -1 with *err. `kind`: NLM_F_DUMP
 * for all objects, 0 for the one that the message names. */
int nl_query(int sock, struct nl_batch *batch, uint16_t kind,
	     void (*each)(const struct nlmsghdr *head, void *data), void *data, struct ts_err *err);

/* The payload of an attribute in a list of attributes; NULL when it is absent or short. */
const void *nl_find(const void *attrs, size_t len, uint16_t type, size_t size_min);
/* The same with its length. */
const void *nl_find_len(const void *attrs, size_t len, uint16_t type, size_t *size);

#endif
