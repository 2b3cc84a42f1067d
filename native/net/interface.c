/*
 * The two ends of a container's interface. Routed, not bridged: the container has its address as
 * /32 (/128) and reaches everything through the gateway, which every host end answers for; the host
 * has one route per container. Neighbour entries are permanent on both sides, so nothing resolves.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "net.h"
#include "netlink.h"

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

static int mac_parse(const char *text, unsigned char mac[6], struct ts_err *err)
{
	unsigned part[6];
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &part[0], &part[1], &part[2], &part[3],
		   &part[4], &part[5]) != 6)
		return ts_fail(err, TS_E_INVALID, 0, "mac", text, "not a MAC address: %s", text);
	for (int i = 0; i < 6; i++)
		mac[i] = (unsigned char)part[i];
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

static int done(int result, struct ts_err *err, const char *op, const char *what)
{
	if (result == 0)
		return 0;
	return ts_fail(err, TS_E_KERNEL, -result, op, what, "%s %s", op, what);
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
	return 0;
}

static int veth_create(int rtnl, const struct net_interface *itf, int nsfd, struct ts_err *err)
{
	unsigned char mac[6], host_mac[6];
	if (mac_parse(itf->mac, mac, err) < 0 || mac_parse(itf->host_mac, host_mac, err) < 0)
		return -1;
	struct nl_request req;
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	nl_begin(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	nl_attr_str(&req, IFLA_IFNAME, itf->host);
	nl_attr(&req, IFLA_ADDRESS, host_mac, sizeof(host_mac));
	nl_attr_u32(&req, IFLA_MTU, itf->mtu);
	struct rtattr *linkinfo = nl_nest(&req, IFLA_LINKINFO);
	nl_attr_str(&req, IFLA_INFO_KIND, "veth");
	struct rtattr *data = nl_nest(&req, IFLA_INFO_DATA);
	struct rtattr *peer = nl_nest(&req, VETH_INFO_PEER);
	nl_raw(&req, &info, sizeof(info));
	nl_attr_str(&req, IFLA_IFNAME, itf->name);
	nl_attr(&req, IFLA_ADDRESS, mac, sizeof(mac));
	nl_attr_u32(&req, IFLA_MTU, itf->mtu);
	nl_attr_u32(&req, IFLA_NET_NS_FD, (uint32_t)nsfd);
	nl_nest_end(&req, peer);
	nl_nest_end(&req, data);
	nl_nest_end(&req, linkinfo);
	return done(nl_call(rtnl, &req), err, "create interface", itf->host);
}

static int address_add(int rtnl, int index, const char *cidr, struct ts_err *err)
{
	struct prefix p;
	if (prefix_parse(cidr, &p, err) < 0)
		return -1;
	struct nl_request req;
	struct ifaddrmsg body = {.ifa_family = (uint8_t)p.family,
				 .ifa_prefixlen = p.length,
				 .ifa_flags = p.family == AF_INET6 ? IFA_F_NODAD : 0,
				 .ifa_index = (uint32_t)index};
	nl_begin(&req, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
	nl_attr(&req, IFA_LOCAL, p.address, p.size);
	nl_attr(&req, IFA_ADDRESS, p.address, p.size);
	return done(nl_call(rtnl, &req), err, "add address", cidr);
}

static int neighbour_add(int rtnl, int index, const char *address, const char *mac_text,
			 struct ts_err *err)
{
	struct prefix p;
	unsigned char mac[6];
	if (prefix_parse(address, &p, err) < 0 || mac_parse(mac_text, mac, err) < 0)
		return -1;
	struct nl_request req;
	struct ndmsg body = {.ndm_family = (uint8_t)p.family,
			     .ndm_ifindex = index,
			     .ndm_state = NUD_PERMANENT};
	nl_begin(&req, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
	nl_attr(&req, NDA_DST, p.address, p.size);
	nl_attr(&req, NDA_LLADDR, mac, sizeof(mac));
	return done(nl_call(rtnl, &req), err, "add neighbour", address);
}

int net_route(int rtnl, int verb, const char *cidr, const char *via, const char *device,
	      const char *source, struct ts_err *err)
{
	struct prefix dst, gw, src;
	int index = 0;
	if (prefix_parse(cidr, &dst, err) < 0 || index_of(device, &index, err) < 0)
		return -1;
	struct nl_request req;
	struct rtmsg body = {.rtm_family = (uint8_t)dst.family,
			     .rtm_dst_len = dst.length,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_protocol = RTPROT_STATIC,
			     .rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
			     .rtm_type = RTN_UNICAST,
			     .rtm_flags = via ? RTNH_F_ONLINK : 0};
	uint16_t flags = verb == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	nl_begin(&req, (uint16_t)verb, flags, &body, sizeof(body));
	if (dst.length > 0)
		nl_attr(&req, RTA_DST, dst.address, dst.size);
	if (via) {
		if (prefix_parse(via, &gw, err) < 0)
			return -1;
		nl_attr(&req, RTA_GATEWAY, gw.address, gw.size);
	}
	if (source) {
		if (prefix_parse(source, &src, err) < 0)
			return -1;
		nl_attr(&req, RTA_PREFSRC, src.address, src.size);
	}
	nl_attr_u32(&req, RTA_OIF, (uint32_t)index);
	return done(nl_call(rtnl, &req), err, "route", cidr);
}

int net_link_up(int rtnl, const char *name, struct ts_err *err)
{
	int index = 0;
	if (index_of(name, &index, err) < 0)
		return -1;
	struct nl_request req;
	struct ifinfomsg body = {
	    .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	nl_begin(&req, RTM_NEWLINK, 0, &body, sizeof(body));
	return done(nl_call(rtnl, &req), err, "set up", name);
}

int net_link_delete(int rtnl, const char *name)
{
	unsigned index = if_nametoindex(name);
	if (index == 0)
		return 0;
	struct nl_request req;
	struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	nl_begin(&req, RTM_DELLINK, 0, &body, sizeof(body));
	int result = nl_call(rtnl, &req);
	return result == -ENODEV ? 0 : result;
}

static int link_sysctls(const char *name, const char *const settings[][2], size_t count,
			struct ts_err *err)
{
	for (size_t i = 0; i < count; i++) {
		char key[128];
		snprintf(key, sizeof(key), settings[i][0], name);
		if (net_sysctl(key, settings[i][1], err) < 0)
			return -1;
	}
	return 0;
}

static int host_configure(int rtnl, const struct net_interface *itf, const char *dns,
			  struct ts_err *err)
{
	/* route_localnet: published ports answer on the host's own 127.0.0.1 (the answer comes back
	   through this end). The worker's rules drop what a container itself sends to 127/8. */
	static const char *const settings[][2] = {
	    {"net.ipv4.conf.%s.route_localnet", "1"}, {"net.ipv4.conf.%s.rp_filter", "0"},
	    {"net.ipv4.conf.%s.send_redirects", "0"}, {"net.ipv4.conf.%s.forwarding", "1"},
	};
	static const char *const settings6[][2] = {{"net.ipv6.conf.%s.accept_ra", "0"},
						   {"net.ipv6.conf.%s.forwarding", "1"}};
	char cidr[96];
	int index = 0;
	if (index_of(itf->host, &index, err) < 0 ||
	    link_sysctls(itf->host, settings, TS_ARRAY_LEN(settings), err) < 0)
		return -1;
	if (itf->v6.address &&
	    link_sysctls(itf->host, settings6, TS_ARRAY_LEN(settings6), err) < 0)
		return -1;
	if (itf->v4.address) {
		snprintf(cidr, sizeof(cidr), "%s/32", itf->v4.gateway);
		if (address_add(rtnl, index, cidr, err) < 0)
			return -1;
	}
	if (dns) {
		snprintf(cidr, sizeof(cidr), "%s/32", dns);
		if (address_add(rtnl, index, cidr, err) < 0)
			return -1;
	}
	if (itf->v6.address) {
		snprintf(cidr, sizeof(cidr), "%s/128", itf->v6.gateway);
		if (address_add(rtnl, index, cidr, err) < 0)
			return -1;
	}
	if (net_link_up(rtnl, itf->host, err) < 0)
		return -1;
	const struct net_family *families[] = {&itf->v4, &itf->v6};
	for (size_t i = 0; i < TS_ARRAY_LEN(families); i++) {
		const char *address = families[i]->address;
		if (!address)
			continue;
		if (net_route(rtnl, RTM_NEWROUTE, address, NULL, itf->host, NULL, err) < 0 ||
		    neighbour_add(rtnl, index, address, itf->mac, err) < 0)
			return -1;
	}
	return 0;
}

int net_host_side(const struct net_host *host, const struct net_interface *itf, int nsfd,
		  const char *dns, struct ts_err *err)
{
	if (veth_create(host->rtnl, itf, nsfd, err) < 0)
		return -1;
	if (host_configure(host->rtnl, itf, dns, err) < 0) {
		net_link_delete(host->rtnl, itf->host);
		return -1;
	}
	return 0;
}

static int container_family(int rtnl, const struct net_interface *itf, int index,
			    const struct net_family *family, struct ts_err *err)
{
	if (address_add(rtnl, index, family->address, err) < 0 ||
	    neighbour_add(rtnl, index, family->gateway, itf->host_mac, err) < 0 ||
	    net_route(rtnl, RTM_NEWROUTE, family->gateway, NULL, itf->name, NULL, err) < 0 ||
	    net_route(rtnl, RTM_NEWROUTE, family->subnet, family->gateway, itf->name,
		      family->address, err) < 0)
		return -1;
	if (!family->default_route)
		return 0;
	const char *everything = strchr(family->address, ':') ? "::/0" : "0.0.0.0/0";
	return net_route(rtnl, RTM_NEWROUTE, everything, family->gateway, itf->name,
			 family->address, err);
}

int net_container_side(int rtnl, const struct net_interface *itf, const char *dns,
		       struct ts_err *err)
{
	/* The resolver's address 127.0.0.11 is rewritten on its way out through this interface. */
	static const char *const settings[][2] = {{"net.ipv4.conf.%s.route_localnet", "1"},
						  {"net.ipv4.conf.%s.rp_filter", "0"}};
	int index = 0;
	if (index_of(itf->name, &index, err) < 0 ||
	    link_sysctls(itf->name, settings, TS_ARRAY_LEN(settings), err) < 0 ||
	    net_link_up(rtnl, itf->name, err) < 0)
		return -1;
	if (itf->v4.address && container_family(rtnl, itf, index, &itf->v4, err) < 0)
		return -1;
	if (itf->v6.address && container_family(rtnl, itf, index, &itf->v6, err) < 0)
		return -1;
	if (dns && itf->v4.address)
		return net_route(rtnl, RTM_NEWROUTE, dns, itf->v4.gateway, itf->name,
				 itf->v4.address, err);
	return 0;
}
