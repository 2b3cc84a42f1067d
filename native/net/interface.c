/*
 * The two ends of a container's interface. Routed, not bridged: the container has its address as
 * /32 (/128) and reaches everything through the gateway, which every host end answers for; the host
 * has one route per container. Neighbour entries are permanent on both sides, so nothing resolves.
 *
 * The resolver's well-known address 127.0.0.11 is a route like any other, only in the local table,
 * where it is more specific than 127.0.0.0/8: the question leaves through the interface and the
 * host's rules do the rest. So a container's namespace needs no netfilter of its own.
 */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "link.h"
#include "net.h"

#define RESOLVER_ADDRESS "127.0.0.11"

struct prefix {
	int family;
	uint8_t length;
	size_t size; /* bytes of the address */
	unsigned char address[16];
};

static int prefix_parse(const char *text, struct prefix *out, struct ts_err *err)
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

static int index_of(const char *name, int *index, struct ts_err *err)
{
	unsigned found = if_nametoindex(name);
	if (found == 0)
		return ts_fail_errno(err, "if_nametoindex", name, "no interface %s", name);
	*index = (int)found;
	return 0;
}

static int family_parse(const struct ts_json *json, const char *key, struct net_family *out,
			struct ts_err *err)
{
	const struct ts_json *node = NULL;
	if (ts_json_opt_node(json, key, "interface", TS_JSON_OBJECT, &node, err) < 0)
		return -1;
	if (!node)
		return 0;
	if (ts_json_opt_str(node, "address", key, &out->address, err) < 0 ||
	    ts_json_opt_str(node, "gateway", key, &out->gateway, err) < 0 ||
	    ts_json_opt_str(node, "subnet", key, &out->subnet, err) < 0 ||
	    ts_json_opt_bool(node, "defaultRoute", key, &out->default_route, err) < 0)
		return -1;
	if (!out->address || !out->gateway || !out->subnet)
		return ts_fail(err, TS_E_INVALID, 0, "interface", key,
			       "%s needs address, gateway and subnet", key);
	return 0;
}

int net_interface_parse(const struct ts_json *json, struct net_interface *out, struct ts_err *err)
{
	memset(out, 0, sizeof(*out));
	out->mtu = 1500;
	if (ts_json_opt_str(json, "host", "interface", &out->host, err) < 0 ||
	    ts_json_opt_str(json, "name", "interface", &out->name, err) < 0 ||
	    ts_json_opt_str(json, "mac", "interface", &out->mac, err) < 0 ||
	    ts_json_opt_str(json, "hostMac", "interface", &out->host_mac, err) < 0 ||
	    ts_json_opt_u32(json, "mtu", "interface", &out->mtu, err) < 0 ||
	    family_parse(json, "v4", &out->v4, err) < 0 ||
	    family_parse(json, "v6", &out->v6, err) < 0)
		return -1;
	if (!out->host || !out->name || !out->mac || !out->host_mac)
		return ts_fail(err, TS_E_INVALID, 0, "interface", "host",
			       "an interface needs host, name, mac and hostMac");
	if (strlen(out->host) >= IFNAMSIZ || strlen(out->name) >= IFNAMSIZ)
		return ts_fail(err, TS_E_INVALID, 0, "interface", out->host,
			       "interface names have at most %d letters", IFNAMSIZ - 1);
	return 0;
}

static int address_add(struct nl_batch *batch, int index, const char *address, struct ts_err *err)
{
	struct prefix p;
	if (prefix_parse(address, &p, err) < 0)
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

static int neighbour_add(struct nl_batch *batch, int index, const char *address,
			 const char *mac_text, struct ts_err *err)
{
	struct prefix p;
	unsigned char mac[6];
	if (prefix_parse(address, &p, err) < 0 || net_mac_parse(mac_text, mac, err) < 0)
		return -1;
	struct ndmsg body = {
	    .ndm_family = (uint8_t)p.family, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
	nl_begin(batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body), address);
	nl_attr(batch, NDA_DST, p.address, p.size);
	nl_attr(batch, NDA_LLADDR, mac, sizeof(mac));
	return 0;
}

struct route {
	const char *to; /* CIDR or address */
	const char *via, *source;
	uint8_t table;
	int index;
};

static int route_add(struct nl_batch *batch, const struct route *route, struct ts_err *err)
{
	struct prefix dst, gw, src;
	if (prefix_parse(route->to, &dst, err) < 0)
		return -1;
	struct rtmsg body = {.rtm_family = (uint8_t)dst.family,
			     .rtm_dst_len = dst.length,
			     .rtm_table = route->table,
			     .rtm_protocol = RTPROT_STATIC,
			     .rtm_scope = route->via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
			     .rtm_type = RTN_UNICAST,
			     .rtm_flags = route->via ? RTNH_F_ONLINK : 0};
	nl_begin(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body), route->to);
	if (dst.length > 0)
		nl_attr(batch, RTA_DST, dst.address, dst.size);
	if (route->via) {
		if (prefix_parse(route->via, &gw, err) < 0)
			return -1;
		nl_attr(batch, RTA_GATEWAY, gw.address, gw.size);
	}
	if (route->source) {
		if (prefix_parse(route->source, &src, err) < 0)
			return -1;
		nl_attr(batch, RTA_PREFSRC, src.address, src.size);
	}
	nl_attr_u32(batch, RTA_OIF, (uint32_t)route->index);
	return 0;
}

int net_host_side(int rtnl, const struct net_interface *itf, const char *dns, struct ts_err *err)
{
	/* route_localnet: published ports answer on the host's own 127.0.0.1 (the answer comes back
	   through this end). The worker's rules drop what a container itself sends to 127/8. */
	static const struct net_setting settings[] = {{IPV4_DEVCONF_ROUTE_LOCALNET, 1},
						      {IPV4_DEVCONF_RP_FILTER, 0},
						      {IPV4_DEVCONF_SEND_REDIRECTS, 0},
						      {IPV4_DEVCONF_FORWARDING, 1}};
	cleanup_batch struct nl_batch batch = {0};
	int index = 0;
	if (index_of(itf->host, &index, err) < 0)
		return -1;
	net_link_up(&batch, index, settings, TS_ARRAY_LEN(settings), itf->host);
	if (itf->v4.address && address_add(&batch, index, itf->v4.gateway, err) < 0)
		return -1;
	if (dns && address_add(&batch, index, dns, err) < 0)
		return -1;
	if (itf->v6.address && address_add(&batch, index, itf->v6.gateway, err) < 0)
		return -1;
	const struct net_family *families[] = {&itf->v4, &itf->v6};
	for (size_t i = 0; i < TS_ARRAY_LEN(families); i++) {
		const char *address = families[i]->address;
		struct route route = {.to = address, .table = RT_TABLE_MAIN, .index = index};
		if (address && (route_add(&batch, &route, err) < 0 ||
				neighbour_add(&batch, index, address, itf->mac, err) < 0))
			return -1;
	}
	return nl_commit(rtnl, &batch, "set up the host's end", err);
}

static int default_family(struct nl_batch *batch, int index, const struct net_family *family,
			  struct ts_err *err)
{
	if (!family->address || !family->default_route)
		return 0;
	bool v6 = strchr(family->address, ':');
	struct route route = {.to = v6 ? "::/0" : "0.0.0.0/0",
			      .via = family->gateway,
			      .source = family->address,
			      .table = RT_TABLE_MAIN,
			      .index = index};
	if (route_add(batch, &route, err) < 0)
		return -1;
	if (v6)
		return 0;
	route.to = RESOLVER_ADDRESS;
	route.table = RT_TABLE_LOCAL;
	return route_add(batch, &route, err);
}

static int container_family(struct nl_batch *batch, int index, const char *host_mac,
			    const struct net_family *family, struct ts_err *err)
{
	if (!family->address)
		return 0;
	struct route gateway = {.to = family->gateway, .table = RT_TABLE_MAIN, .index = index};
	struct route subnet = {.to = family->subnet,
			       .via = family->gateway,
			       .source = family->address,
			       .table = RT_TABLE_MAIN,
			       .index = index};
	if (address_add(batch, index, family->address, err) < 0 ||
	    neighbour_add(batch, index, family->gateway, host_mac, err) < 0 ||
	    route_add(batch, &gateway, err) < 0 || route_add(batch, &subnet, err) < 0)
		return -1;
	return default_family(batch, index, family, err);
}

int net_container_side(int rtnl, const struct net_interface *itf, size_t count, bool fresh,
		       struct ts_err *err)
{
	/* Answers of the resolver come from 127.0.0.11. */
	static const struct net_setting settings[] = {{IPV4_DEVCONF_ROUTE_LOCALNET, 1},
						      {IPV4_DEVCONF_RP_FILTER, 0}};
	cleanup_batch struct nl_batch batch = {0};
	if (fresh)
		net_link_up(&batch, 1, NULL, 0, "lo");
	for (size_t i = 0; i < count; i++) {
		int index = 0;
		if (index_of(itf[i].name, &index, err) < 0)
			return -1;
		net_link_up(&batch, index, settings, TS_ARRAY_LEN(settings), itf[i].name);
		if (container_family(&batch, index, itf[i].host_mac, &itf[i].v4, err) < 0 ||
		    container_family(&batch, index, itf[i].host_mac, &itf[i].v6, err) < 0)
			return -1;
	}
	return nl_commit(rtnl, &batch, "set up the container's end", err);
}

int net_default_routes(int rtnl, const struct net_interface *itf, struct ts_err *err)
{
	cleanup_batch struct nl_batch batch = {0};
	int index = 0;
	if (index_of(itf->name, &index, err) < 0 ||
	    default_family(&batch, index, &itf->v4, err) < 0 ||
	    default_family(&batch, index, &itf->v6, err) < 0)
		return -1;
	return nl_commit(rtnl, &batch, "set default routes", err);
}
