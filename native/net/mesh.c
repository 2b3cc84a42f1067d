/*
 * What the mesh between nodes needs in the host's namespace besides its tunnel's keys: interfaces
 * (WireGuard, VXLAN), routes in any table, neighbours, forwarding entries, routing rules. Each item
 * is done by itself: adding what is there and removing what is not are no errors, so that the
 * worker can say all of it again at any time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "cleanup.h"
#include "json-write.h"
#include "link.h"
#include "net.h"
#include "object.h"

struct vxlan {
	uint32_t id, port;
	const char *local; /* address that the tunnel sends from */
};

static int vxlan_data(struct nl_batch *batch, const struct ts_json *json, struct ts_err *err)
{
	struct vxlan vxlan = {0};
	struct net_prefix local;
	if (ts_json_opt_u32(json, "id", "vxlan", &vxlan.id, err) < 0 ||
	    ts_json_opt_u32(json, "port", "vxlan", &vxlan.port, err) < 0 ||
	    ts_json_opt_str(json, "local", "vxlan", &vxlan.local, err) < 0)
		return -1;
	if (vxlan.id == 0 || vxlan.port == 0 || vxlan.port > UINT16_MAX || !vxlan.local)
		return ts_fail(err, TS_E_INVALID, 0, "link", "vxlan",
			       "vxlan needs id, port and local");
	if (net_prefix_parse(vxlan.local, &local, err) < 0)
		return -1;
	uint16_t port = htons((uint16_t)vxlan.port);
	const uint8_t off = 0, on = 1;
	size_t data = nl_nest(batch, IFLA_INFO_DATA);
	nl_attr_u32(batch, IFLA_VXLAN_ID, vxlan.id);
	nl_attr(batch, local.family == AF_INET ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6,
		local.address, local.size);
	nl_attr(batch, IFLA_VXLAN_PORT, &port, sizeof(port));
	/* Who is where is said by the worker, never learned from packets. */
	nl_attr(batch, IFLA_VXLAN_LEARNING, &off, sizeof(off));
	/* What carries it is checked already (WireGuard), or by the inner checksum. */
	nl_attr(batch, IFLA_VXLAN_UDP_ZERO_CSUM6_TX, &on, sizeof(on));
	nl_attr(batch, IFLA_VXLAN_UDP_ZERO_CSUM6_RX, &on, sizeof(on));
	nl_nest_end(batch, data);
	return 0;
}

/* {"name","kind":"wireguard"|"vxlan","mac","mtu","vxlan":{id,port,local}}. One that is there stays
 * as it is. */
static int link_make(const struct net_host *host, const struct ts_json *json, struct ts_buf *answer,
		     struct ts_err *err)
{
	const char *name = NULL, *kind = NULL, *mac_text = NULL;
	const struct ts_json *vxlan = NULL;
	unsigned char mac[6];
	uint32_t mtu = 0;
	if (ts_json_opt_str(json, "name", "link", &name, err) < 0 ||
	    ts_json_opt_str(json, "kind", "link", &kind, err) < 0 ||
	    ts_json_opt_str(json, "mac", "link", &mac_text, err) < 0 ||
	    ts_json_opt_u32(json, "mtu", "link", &mtu, err) < 0 ||
	    ts_json_opt_node(json, "vxlan", "link", TS_JSON_OBJECT, &vxlan, err) < 0)
		return -1;
	if (!name || !*name || strlen(name) >= IFNAMSIZ || !kind || mtu == 0)
		return ts_fail(err, TS_E_INVALID, 0, "link", "name",
			       "a link needs name (at most %d letters), kind and mtu",
			       IFNAMSIZ - 1);
	cleanup_batch struct nl_batch batch = {0};
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	nl_begin(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info), name);
	nl_attr_str(&batch, IFLA_IFNAME, name);
	nl_attr_u32(&batch, IFLA_MTU, mtu);
	if (mac_text) {
		if (net_mac_parse(mac_text, mac, err) < 0)
			return -1;
		nl_attr(&batch, IFLA_ADDRESS, mac, sizeof(mac));
	}
	size_t linkinfo = nl_nest(&batch, IFLA_LINKINFO);
	nl_attr_str(&batch, IFLA_INFO_KIND, kind);
	if (vxlan && vxlan_data(&batch, vxlan, err) < 0)
		return -1;
	nl_nest_end(&batch, linkinfo);
	int result = nl_call(host->rtnl, &batch);
	if (result < 0 && result != -EEXIST)
		return ts_fail(err, result == -EOPNOTSUPP ? TS_E_UNSUPPORTED : TS_E_KERNEL, -result,
			       "create interface", name, "cannot make %s interface %s", kind, name);
	ts_buf_printf(answer, ",\"made\":%s", result == 0 ? "true" : "false");
	return 0;
}

/* {"name","mtu","addresses":[CIDR]}: settings, addresses, up. Can be done again at any time. */
static int link_set(const struct net_host *host, const struct ts_json *json, struct ts_err *err)
{
	/* Answers may come by another way than questions went, and programs of the host call by
	   loopback; the worker's rules check senders, and drop what others send to 127/8. */
	static const struct net_setting settings[] = {{IPV4_DEVCONF_RP_FILTER, 0},
						      {IPV4_DEVCONF_ROUTE_LOCALNET, 1},
						      {IPV4_DEVCONF_SEND_REDIRECTS, 0},
						      {IPV4_DEVCONF_FORWARDING, 1}};
	const char *name = NULL;
	const struct ts_json *addresses = NULL;
	uint32_t mtu = 0;
	int index = 0;
	if (ts_json_opt_str(json, "name", "link", &name, err) < 0 ||
	    ts_json_opt_u32(json, "mtu", "link", &mtu, err) < 0 ||
	    ts_json_opt_node(json, "addresses", "link", TS_JSON_ARRAY, &addresses, err) < 0)
		return -1;
	if (!name || mtu == 0)
		return ts_fail(err, TS_E_INVALID, 0, "link", "name", "a link needs name and mtu");
	if (net_index_of(name, &index, err) < 0)
		return -1;
	cleanup_batch struct nl_batch batch = {0};
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	nl_begin(&batch, RTM_NEWLINK, 0, &info, sizeof(info), name);
	nl_attr_u32(&batch, IFLA_MTU, mtu);
	net_link_up(&batch, index, settings, TS_ARRAY_LEN(settings), name);
	ts_json_each (item, addresses) {
		if (item->type != TS_JSON_STRING)
			return ts_fail(err, TS_E_INVALID, 0, "link", "addresses",
				       "addresses: strings are wanted");
		if (net_address_add(&batch, index, item->str, err) < 0)
			return -1;
	}
	return nl_commit(host->rtnl, &batch, "set up interface", err);
}

int net_link(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
	     struct ts_err *err)
{
	const struct ts_json *make = NULL, *set = NULL;
	if (ts_json_opt_node(request, "make", "link", TS_JSON_OBJECT, &make, err) < 0 ||
	    ts_json_opt_node(request, "set", "link", TS_JSON_OBJECT, &set, err) < 0)
		return -1;
	if (make && link_make(host, make, answer, err) < 0)
		return -1;
	return set ? link_set(host, set, err) : 0;
}

static int route_item(struct nl_batch *batch, const struct ts_json *json, bool add,
		      struct ts_err *err)
{
	struct net_route route = {.table = RT_TABLE_MAIN};
	const char *link = NULL;
	if (ts_json_opt_bool(json, "direct", "route", &route.direct, err) < 0 ||
	    ts_json_opt_str(json, "to", "route", &route.to, err) < 0 ||
	    ts_json_opt_str(json, "via", "route", &route.via, err) < 0 ||
	    ts_json_opt_str(json, "link", "route", &link, err) < 0 ||
	    ts_json_opt_u32(json, "table", "route", &route.table, err) < 0 ||
	    ts_json_opt_u32(json, "mtu", "route", &route.mtu, err) < 0)
		return -1;
	if (!route.to || !link)
		return ts_fail(err, TS_E_INVALID, 0, "route", "to", "a route needs to and link");
	if (net_index_of(link, &route.index, err) < 0)
		return -1;
	if (add && route.direct)
		net_watch_direct();
	return net_route_message(batch, &route, add, err);
}

/* {"link","mac","address"}: who has the next hop's address. */
static int neighbour_item(struct nl_batch *batch, const struct ts_json *json, bool add,
			  struct ts_err *err)
{
	const char *link = NULL, *mac = NULL, *address = NULL;
	struct net_prefix p;
	int index = 0;
	if (ts_json_opt_str(json, "link", "neighbour", &link, err) < 0 ||
	    ts_json_opt_str(json, "mac", "neighbour", &mac, err) < 0 ||
	    ts_json_opt_str(json, "address", "neighbour", &address, err) < 0)
		return -1;
	if (!link || !mac || !address)
		return ts_fail(err, TS_E_INVALID, 0, "neighbour", "link",
			       "a neighbour needs link, mac and address");
	if (net_index_of(link, &index, err) < 0)
		return -1;
	if (add)
		return net_neighbour_add(batch, index, address, mac, err);
	if (net_prefix_parse(address, &p, err) < 0)
		return -1;
	struct ndmsg body = {.ndm_family = (uint8_t)p.family, .ndm_ifindex = index};
	nl_begin(batch, RTM_DELNEIGH, 0, &body, sizeof(body), address);
	nl_attr(batch, NDA_DST, p.address, p.size);
	return 0;
}

/* {"link","mac","to"}: where a VXLAN interface sends what is for a MAC address. */
static int fdb_item(struct nl_batch *batch, const struct ts_json *json, bool add,
		    struct ts_err *err)
{
	const char *link = NULL, *mac_text = NULL, *to = NULL;
	unsigned char mac[6];
	struct net_prefix p;
	int index = 0;
	if (ts_json_opt_str(json, "link", "fdb", &link, err) < 0 ||
	    ts_json_opt_str(json, "mac", "fdb", &mac_text, err) < 0 ||
	    ts_json_opt_str(json, "to", "fdb", &to, err) < 0)
		return -1;
	if (!link || !mac_text || !to)
		return ts_fail(err, TS_E_INVALID, 0, "fdb", "link",
			       "an fdb entry needs link, mac and to");
	if (net_index_of(link, &index, err) < 0 || net_mac_parse(mac_text, mac, err) < 0 ||
	    net_prefix_parse(to, &p, err) < 0)
		return -1;
	struct ndmsg body = {.ndm_family = AF_BRIDGE,
			     .ndm_ifindex = index,
			     .ndm_state = NUD_NOARP | NUD_PERMANENT,
			     .ndm_flags = NTF_SELF};
	nl_begin(batch, add ? RTM_NEWNEIGH : RTM_DELNEIGH, add ? NLM_F_CREATE | NLM_F_REPLACE : 0,
		 &body, sizeof(body), mac_text);
	nl_attr(batch, NDA_LLADDR, mac, sizeof(mac));
	nl_attr(batch, NDA_DST, p.address, p.size);
	return 0;
}

/* {"family":4|6,"priority","mark","mask","to","table"|"goto"|neither (does nothing)}. */
static int rule_item(struct nl_batch *batch, const struct ts_json *json, bool add,
		     struct ts_err *err)
{
	uint32_t family = 0, priority = 0, mark = 0, mask = 0, table = 0, target = 0;
	const char *to = NULL;
	struct net_prefix dst = {0};
	if (ts_json_opt_u32(json, "family", "rule", &family, err) < 0 ||
	    ts_json_opt_u32(json, "priority", "rule", &priority, err) < 0 ||
	    ts_json_opt_u32(json, "mark", "rule", &mark, err) < 0 ||
	    ts_json_opt_u32(json, "mask", "rule", &mask, err) < 0 ||
	    ts_json_opt_u32(json, "table", "rule", &table, err) < 0 ||
	    ts_json_opt_u32(json, "goto", "rule", &target, err) < 0 ||
	    ts_json_opt_str(json, "to", "rule", &to, err) < 0)
		return -1;
	if ((family != 4 && family != 6) || priority == 0)
		return ts_fail(err, TS_E_INVALID, 0, "rule", "family",
			       "a rule needs family (4 or 6) and priority");
	if (to && net_prefix_parse(to, &dst, err) < 0)
		return -1;
	struct fib_rule_hdr body = {.family = family == 4 ? AF_INET : AF_INET6,
				    .dst_len = dst.length,
				    .action = target  ? FR_ACT_GOTO
					      : table ? FR_ACT_TO_TBL
						      : FR_ACT_NOP};
	/* EXCL: the kernel would add the same one again. */
	nl_begin(batch, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0, &body,
		 sizeof(body), "rule");
	nl_attr_u32(batch, FRA_PRIORITY, priority);
	if (mask) {
		nl_attr_u32(batch, FRA_FWMARK, mark);
		nl_attr_u32(batch, FRA_FWMASK, mask);
	}
	if (to)
		nl_attr(batch, FRA_DST, dst.address, dst.size);
	if (table)
		nl_attr_u32(batch, FRA_TABLE, table);
	if (target)
		nl_attr_u32(batch, FRA_GOTO, target);
	return 0;
}

static int item_message(struct nl_batch *batch, const struct ts_json *json, bool add,
			struct ts_err *err)
{
	const char *kind = NULL;
	if (ts_json_opt_str(json, "kind", "routing", &kind, err) < 0)
		return -1;
	if (kind && strcmp(kind, "route") == 0)
		return route_item(batch, json, add, err);
	if (kind && strcmp(kind, "neighbour") == 0)
		return neighbour_item(batch, json, add, err);
	if (kind && strcmp(kind, "fdb") == 0)
		return fdb_item(batch, json, add, err);
	if (kind && strcmp(kind, "rule") == 0)
		return rule_item(batch, json, add, err);
	return ts_fail(err, TS_E_INVALID, 0, "routing", "kind",
		       "routing: kind is route, neighbour, fdb or rule");
}

/* What is there already, or is not there any more, is as it was wanted. */
static bool is_fine(int error, bool add)
{
	if (add)
		return error == 0 || error == -EEXIST;
	return error == 0 || error == -ESRCH || error == -ENOENT || error == -ENODEV ||
	       error == -ENXIO;
}

static int item_do(const struct net_host *host, const struct ts_json *json, bool add,
		   struct ts_err *err)
{
	cleanup_batch struct nl_batch batch = {0};
	struct ts_err why = {0};
	if (item_message(&batch, json, add, &why) < 0) {
		if (is_fine(-why.errnum, add) && why.errnum != 0)
			return 0;
		*err = why;
		return -1;
	}
	/* The batch's words about itself end with the call. */
	const char *what = batch.what[0];
	int error = nl_call(host->rtnl, &batch);
	if (is_fine(error, add))
		return 0;
	return ts_fail(err, TS_E_KERNEL, -error, "routing", what, "cannot %s %s",
		       add ? "add" : "remove", what);
}

/* Does all items; the first error is reported, the others are done all the same. */
static int items(const struct net_host *host, const struct ts_json *list, bool add,
		 struct ts_err *err)
{
	int result = 0;
	ts_json_each (item, list) {
		struct ts_err why = {0};
		if (item_do(host, item, add, &why) == 0)
			continue;
		if (result == 0)
			*err = why;
		result = -1;
	}
	return result;
}

int net_routing(const struct net_host *host, const struct ts_json *request, struct ts_err *err)
{
	const struct ts_json *add = NULL, *del = NULL;
	if (ts_json_opt_node(request, "remove", "routing", TS_JSON_ARRAY, &del, err) < 0 ||
	    ts_json_opt_node(request, "add", "routing", TS_JSON_ARRAY, &add, err) < 0)
		return -1;
	struct ts_err first = {0};
	int removed = items(host, del, false, &first);
	if (del && del->len > 0)
		net_watch_own_neighbours();
	if (items(host, add, true, err) < 0)
		return -1;
	if (removed < 0)
		*err = first;
	return removed;
}
