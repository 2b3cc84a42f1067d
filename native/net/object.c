#include "object.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

int net_prefix_parse(const char *text, struct net_prefix *out, struct ts_err *err)
{
	char address[64];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	out->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	out->size = out->family == AF_INET ? 4 : 16;
	unsigned long bits = slash ? strtoul(slash + 1, NULL, 10) : out->size * 8;
	if (len >= sizeof(address) || bits > out->size * 8)
		return ts_fail(err, TS_E_INVALID, 0, "address", text, "not an address: %s", text);
	memcpy(address, text, len);
	address[len] = '\0';
	out->length = (uint8_t)bits;
	if (inet_pton(out->family, address, out->address) != 1)
		return ts_fail(err, TS_E_INVALID, 0, "address", text, "not an address: %s", text);
	return 0;
}

int net_index_of(const char *name, int *index, struct ts_err *err)
{
	unsigned found = if_nametoindex(name);
	if (found == 0)
		return ts_fail_errno(err, "if_nametoindex", name, "no interface %s", name);
	*index = (int)found;
	return 0;
}

int net_address_add(struct nl_batch *batch, int index, const char *address, struct ts_err *err)
{
	struct net_prefix p;
	if (net_prefix_parse(address, &p, err) < 0)
		return -1;
	struct ifaddrmsg body = {.ifa_family = (uint8_t)p.family,
				 .ifa_prefixlen = p.length,
				 .ifa_flags = p.family == AF_INET6 ? IFA_F_NODAD : 0,
				 .ifa_index = (uint32_t)index};
	nl_begin(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body), address);
	nl_attr(batch, IFA_LOCAL, p.address, p.size);
	nl_attr(batch, IFA_ADDRESS, p.address, p.size);
	return 0;
}

int net_neighbour_add(struct nl_batch *batch, int index, const char *address, const char *mac_text,
		      struct ts_err *err)
{
	struct net_prefix p;
	unsigned char mac[6];
	if (net_prefix_parse(address, &p, err) < 0 || net_mac_parse(mac_text, mac, err) < 0)
		return -1;
	struct ndmsg body = {
	    .ndm_family = (uint8_t)p.family, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
	nl_begin(batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body), address);
	nl_attr(batch, NDA_DST, p.address, p.size);
	nl_attr(batch, NDA_LLADDR, mac, sizeof(mac));
	return 0;
}

/* The next hop; one of the other family goes into an attribute of its own (Linux 5.2). */
static int gateway_attr(struct nl_batch *batch, int family, const char *via, struct ts_err *err)
{
	struct net_prefix gw;
	struct {
		uint16_t family;
		unsigned char address[16];
	} other;
	if (net_prefix_parse(via, &gw, err) < 0)
		return -1;
	if (gw.family == family) {
		nl_attr(batch, RTA_GATEWAY, gw.address, gw.size);
		return 0;
	}
	other.family = (uint16_t)gw.family;
	memcpy(other.address, gw.address, gw.size);
	nl_attr(batch, RTA_VIA, &other, sizeof(other.family) + gw.size);
	return 0;
}

int net_route_message(struct nl_batch *batch, const struct net_route *route, bool add,
		      struct ts_err *err)
{
	struct net_prefix dst, src;
	if (net_prefix_parse(route->to, &dst, err) < 0)
		return -1;
	bool small = route->table <= UINT8_MAX;
	struct rtmsg body = {.rtm_family = (uint8_t)dst.family,
			     .rtm_dst_len = dst.length,
			     .rtm_table = small ? (uint8_t)route->table : RT_TABLE_UNSPEC,
			     .rtm_protocol = route->direct ? NET_PROTOCOL_DIRECT : RTPROT_STATIC,
			     .rtm_scope = route->via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
			     .rtm_type = RTN_UNICAST,
			     .rtm_flags = route->via ? RTNH_F_ONLINK : 0};
	nl_begin(batch, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0,
		 &body, sizeof(body), route->to);
	if (!small)
		nl_attr_u32(batch, RTA_TABLE, route->table);
	if (dst.length > 0)
		nl_attr(batch, RTA_DST, dst.address, dst.size);
	if (route->via && gateway_attr(batch, dst.family, route->via, err) < 0)
		return -1;
	if (route->source) {
		if (net_prefix_parse(route->source, &src, err) < 0)
			return -1;
		nl_attr(batch, RTA_PREFSRC, src.address, src.size);
	}
	if (route->mtu > 0) {
		size_t metrics = nl_nest(batch, RTA_METRICS);
		nl_attr_u32(batch, RTAX_MTU, route->mtu);
		nl_nest_end(batch, metrics);
	}
	nl_attr_u32(batch, RTA_OIF, (uint32_t)route->index);
	return 0;
}
