/*
 * The two ends of a container's interface. Routed, not bridged: the container has its address as
 * /32 (/128) and reaches everything through the gateway, which every host end answers for; the host
 * has one route per container. Neighbour entries are permanent on both sides, so nothing resolves.
 *
 * The resolver's well-known address 127.0.0.11 is a route like any other, only in the local table,
 * where it is more specific than 127.0.0.0/8: the question leaves through the interface and the
 * host's rules do the rest. So a container's namespace needs no netfilter of its own.
 */
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "cleanup.h"
#include "link.h"
#include "object.h"
#include "net.h"

#define RESOLVER_ADDRESS "127.0.0.11"

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
	    family_parse(json, "v6", &out->v6, err) < 0 ||
	    ts_json_opt_node(json, "more", "interface", TS_JSON_ARRAY, &out->more, err) < 0)
		return -1;
	ts_json_each (item, out->more) {
		if (item->type != TS_JSON_STRING)
			return ts_fail(err, TS_E_INVALID, 0, "interface", "more",
				       "more: addresses are wanted");
	}
	if (!out->host || !out->name || !out->mac || !out->host_mac)
		return ts_fail(err, TS_E_INVALID, 0, "interface", "host",
			       "an interface needs host, name, mac and hostMac");
	if (strlen(out->host) >= IFNAMSIZ || strlen(out->name) >= IFNAMSIZ)
		return ts_fail(err, TS_E_INVALID, 0, "interface", out->host,
			       "interface names have at most %d letters", IFNAMSIZ - 1);
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
	if (net_index_of(itf->host, &index, err) < 0)
		return -1;
	net_link_up(&batch, index, settings, TS_ARRAY_LEN(settings), itf->host);
	if (itf->v4.address && net_address_add(&batch, index, itf->v4.gateway, err) < 0)
		return -1;
	if (dns && net_address_add(&batch, index, dns, err) < 0)
		return -1;
	if (itf->v6.address && net_address_add(&batch, index, itf->v6.gateway, err) < 0)
		return -1;
	const struct net_family *families[] = {&itf->v4, &itf->v6};
	for (size_t i = 0; i < TS_ARRAY_LEN(families); i++) {
		const char *address = families[i]->address;
		struct net_route route = {.to = address, .table = RT_TABLE_MAIN, .index = index};
		if (address && (net_route_add(&batch, &route, err) < 0 ||
				net_neighbour_add(&batch, index, address, itf->mac, err) < 0))
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
	struct net_route route = {.to = v6 ? "::/0" : "0.0.0.0/0",
				  .via = family->gateway,
				  .source = family->address,
				  .table = RT_TABLE_MAIN,
				  .index = index};
	if (net_route_add(batch, &route, err) < 0)
		return -1;
	if (v6)
		return 0;
	route.to = RESOLVER_ADDRESS;
	route.table = RT_TABLE_LOCAL;
	return net_route_add(batch, &route, err);
}

static int container_family(struct nl_batch *batch, int index, const char *host_mac,
			    const struct net_family *family, struct ts_err *err)
{
	if (!family->address)
		return 0;
	struct net_route gateway = {.to = family->gateway, .table = RT_TABLE_MAIN, .index = index};
	struct net_route subnet = {.to = family->subnet,
				   .via = family->gateway,
				   .source = family->address,
				   .table = RT_TABLE_MAIN,
				   .index = index};
	if (net_address_add(batch, index, family->address, err) < 0 ||
	    net_neighbour_add(batch, index, family->gateway, host_mac, err) < 0 ||
	    net_route_add(batch, &gateway, err) < 0 || net_route_add(batch, &subnet, err) < 0)
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
		if (net_index_of(itf[i].name, &index, err) < 0)
			return -1;
		net_link_up(&batch, index, settings, TS_ARRAY_LEN(settings), itf[i].name);
		if (container_family(&batch, index, itf[i].host_mac, &itf[i].v4, err) < 0 ||
		    container_family(&batch, index, itf[i].host_mac, &itf[i].v6, err) < 0)
			return -1;
		ts_json_each (address, itf[i].more) {
			if (net_address_add(&batch, index, address->str, err) < 0)
				return -1;
		}
	}
	return nl_commit(rtnl, &batch, "set up the container's end", err);
}

int net_default_routes(int rtnl, const struct net_interface *itf, struct ts_err *err)
{
	cleanup_batch struct nl_batch batch = {0};
	int index = 0;
	if (net_index_of(itf->name, &index, err) < 0 ||
	    default_family(&batch, index, &itf->v4, err) < 0 ||
	    default_family(&batch, index, &itf->v6, err) < 0)
		return -1;
	return nl_commit(rtnl, &batch, "set default routes", err);
}
