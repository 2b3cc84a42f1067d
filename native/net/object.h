/*
 * Addresses, routes and neighbours as netlink messages, for all who make them. Adding what is there
 * already replaces it, so everything can be added again at any time.
 */
#ifndef TS_NET_OBJECT_H
#define TS_NET_OBJECT_H

#include <stdbool.h>

#include "netlink.h"

struct net_prefix {
	int family;
	uint8_t length;
	size_t size; /* bytes of the address */
	unsigned char address[16];
};

struct net_route {
	const char *to;		  /* CIDR or address */
	const char *via, *source; /* NULL = none; `via` may be of the other family */
	uint32_t table;
	uint32_t mtu; /* 0 = the interface's */
	int index;
	bool direct; /* through an interface that is not ours */
};

/* How routes of ours are known again whose interface is somebody else's: the kernel keeps with a
 * route who has made it. Routing programs have numbers of their own in rtnetlink.h; nobody has 't'. */
enum { NET_PROTOCOL_DIRECT = 116 };

/* `text`: an address, or one with a prefix length. */
int net_prefix_parse(const char *text, struct net_prefix *out, struct ts_err *err);
int net_index_of(const char *name, int *index, struct ts_err *err);

int net_address_add(struct nl_batch *batch, int index, const char *address, struct ts_err *err);
int net_neighbour_add(struct nl_batch *batch, int index, const char *address, const char *mac,
		      struct ts_err *err);
/* `add` false: takes it away. */
int net_route_message(struct nl_batch *batch, const struct net_route *route, bool add,
		      struct ts_err *err);
static inline int net_route_add(struct nl_batch *batch, const struct net_route *route,
				struct ts_err *err)
{
	return net_route_message(batch, route, true, err);
}

#endif
