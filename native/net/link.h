/*
 * What link.c offers interface.c: settings and state of one interface.
 */
#ifndef TS_NET_LINK_H
#define TS_NET_LINK_H

#include "net.h"

struct net_setting {
	uint16_t id; /* IPV4_DEVCONF_* */
	uint32_t value;
};

int net_mac_parse(const char *text, unsigned char mac[6], struct ts_err *err);

/*
 * Sets an interface up. Its IPv4 settings (what /proc/sys/net/ipv4/conf/NAME has) come first, in a
 * message of their own: within one, the kernel would set the interface up first.
 */
void net_link_up(struct nl_batch *batch, int index, const struct net_setting *settings,
		 size_t count, const char *what);

#endif
