/*
 * What there is of the mesh in the host's namespace: interfaces by the prefix of their name with
 * the routes through them (of all tables), and routing rules by their priority. The worker compares
 * it with what there should be.
 */
#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "cleanup.h"
#include "json-write.h"
#include "net.h"
#include "object.h"

struct mesh_listing {
	const char *prefix;
	uint32_t rule_min, rule_max;
	struct ts_buf *out;
	const char *comma;
};

static void begin_item(struct mesh_listing *list)
{
	ts_buf_puts(list->out, list->comma);
	list->comma = ",";
}

static bool is_listed(const struct mesh_listing *list, const char *name)
{
	return name && strncmp(name, list->prefix, strlen(list->prefix)) == 0;
}

static void put_address(struct ts_buf *out, const char *key, int family, const void *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	if (address && inet_ntop(family, address, text, sizeof(text)))
		ts_buf_printf(out, ",\"%s\":\"%s\"", key, text);
}

static void each_link(const struct nlmsghdr *head, void *data)
{
	struct mesh_listing *list = data;
	if (head->nlmsg_type != RTM_NEWLINK)
		return;
	const struct ifinfomsg *info = NLMSG_DATA(head);
	size_t len = IFLA_PAYLOAD(head);
	const char *name = nl_find(IFLA_RTA(info), len, IFLA_IFNAME, 1);
	const uint32_t *mtu = nl_find(IFLA_RTA(info), len, IFLA_MTU, sizeof(*mtu));
	if (!is_listed(list, name))
		return;
	begin_item(list);
	ts_buf_puts(list->out, "{\"name\":");
	ts_json_put_str(list->out, name);
	ts_buf_printf(list->out, ",\"mtu\":%u,\"up\":%s}", mtu ? *mtu : 0,
		      info->ifi_flags & IFF_UP ? "true" : "false");
}

static void each_route(const struct nlmsghdr *head, void *data)
{
	struct mesh_listing *list = data;
	if (head->nlmsg_type != RTM_NEWROUTE)
		return;
	const struct rtmsg *route = NLMSG_DATA(head);
	const void *attrs = RTM_RTA(route);
	size_t len = RTM_PAYLOAD(head), size = route->rtm_family == AF_INET ? 4 : 16;
	const uint32_t *oif = nl_find(attrs, len, RTA_OIF, sizeof(*oif));
	const uint32_t *table = nl_find(attrs, len, RTA_TABLE, sizeof(*table));
	static const unsigned char zero[16];
	const void *dst = nl_find(attrs, len, RTA_DST, size);
	char name[IF_NAMESIZE];
	/* The kernel's own routes (local addresses, multicast) are not of our making. */
	const char *link = oif ? if_indextoname(*oif, name) : NULL;
	bool direct = route->rtm_protocol == NET_PROTOCOL_DIRECT;
	if (!link || !table ||
	    !(direct || (route->rtm_protocol == RTPROT_STATIC && is_listed(list, link))))
		return;
	begin_item(list);
	ts_buf_printf(list->out, "{\"table\":%u,\"length\":%u,\"link\":", *table,
		      route->rtm_dst_len);
	ts_json_put_str(list->out, link);
	if (direct) {
		net_watch_direct();
		ts_buf_puts(list->out, ",\"direct\":true");
	}
	put_address(list->out, "to", route->rtm_family, dst ? dst : zero);
	const void *gateway = nl_find(attrs, len, RTA_GATEWAY, size);
	const uint16_t *via = nl_find(attrs, len, RTA_VIA, sizeof(*via) + 4);
	if (gateway)
		put_address(list->out, "via", route->rtm_family, gateway);
	else if (via)
		put_address(list->out, "via", *via, via + 1);
	ts_buf_puts(list->out, "}");
}

static void each_rule(const struct nlmsghdr *head, void *data)
{
	struct mesh_listing *list = data;
	if (head->nlmsg_type != RTM_NEWRULE || head->nlmsg_len < NLMSG_SPACE(sizeof(struct rtmsg)))
		return;
	const struct fib_rule_hdr *rule = NLMSG_DATA(head);
	const char *attrs = (const char *)rule + NLMSG_ALIGN(sizeof(*rule));
	size_t len = head->nlmsg_len - NLMSG_SPACE(sizeof(*rule));
	size_t size = rule->family == AF_INET ? 4 : 16;
	const uint32_t *priority = nl_find(attrs, len, FRA_PRIORITY, sizeof(*priority));
	const uint32_t *mark = nl_find(attrs, len, FRA_FWMARK, sizeof(*mark));
	const uint32_t *mask = nl_find(attrs, len, FRA_FWMASK, sizeof(*mask));
	const uint32_t *table = nl_find(attrs, len, FRA_TABLE, sizeof(*table));
	const uint32_t *target = nl_find(attrs, len, FRA_GOTO, sizeof(*target));
	if (!priority || *priority < list->rule_min || *priority > list->rule_max)
		return;
	begin_item(list);
	ts_buf_printf(list->out, "{\"family\":%d,\"priority\":%u,\"mark\":%u,\"mask\":%u",
		      rule->family == AF_INET ? 4 : 6, *priority, mark ? *mark : 0,
		      mark && mask ? *mask : 0);
	ts_buf_printf(list->out, ",\"table\":%u,\"goto\":%u,\"length\":%u",
		      rule->action == FR_ACT_TO_TBL && table ? *table : 0,
		      rule->action == FR_ACT_GOTO && target ? *target : 0, rule->dst_len);
	put_address(list->out, "to", rule->family, nl_find(attrs, len, FRA_DST, size));
	ts_buf_puts(list->out, "}");
}

static int dump(const struct net_host *host, struct mesh_listing *list, uint16_t type,
		void (*each)(const struct nlmsghdr *head, void *data), struct ts_err *err)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	list->comma = "";
	for (size_t i = 0; i < TS_ARRAY_LEN(families); i++) {
		cleanup_batch struct nl_batch batch = {0};
		struct rtmsg body = {.rtm_family = families[i]};
		struct ts_err why = {0};
		nl_begin(&batch, type, 0, &body, sizeof(body), "routes and rules");
		if (nl_query(host->rtnl, &batch, NLM_F_DUMP, each, list, &why) == 0)
			continue;
		/* A kernel without IPv6 has no such routes. */
		if (families[i] == AF_INET6)
			break;
		*err = why;
		return -1;
	}
	return 0;
}

int net_inspect_mesh(const struct net_host *host, const struct ts_json *request,
		     struct ts_buf *answer, struct ts_err *err)
{
	struct mesh_listing list = {.out = answer, .comma = ""};
	if (ts_json_opt_str(request, "links", "inspect", &list.prefix, err) < 0 ||
	    ts_json_opt_u32(request, "ruleMin", "inspect", &list.rule_min, err) < 0 ||
	    ts_json_opt_u32(request, "ruleMax", "inspect", &list.rule_max, err) < 0)
		return -1;
	if (!list.prefix || !*list.prefix)
		return ts_fail(err, TS_E_INVALID, 0, "inspect", "links",
			       "inspect-mesh: links is missing");
	cleanup_batch struct nl_batch batch = {0};
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	ts_buf_puts(answer, ",\"links\":[");
	nl_begin(&batch, RTM_GETLINK, 0, &link, sizeof(link), "interfaces");
	if (nl_query(host->rtnl, &batch, NLM_F_DUMP, each_link, &list, err) < 0)
		return -1;
	ts_buf_puts(answer, "],\"routes\":[");
	if (dump(host, &list, RTM_GETROUTE, each_route, err) < 0)
		return -1;
	ts_buf_puts(answer, "],\"rules\":[");
	if (dump(host, &list, RTM_GETRULE, each_rule, err) < 0)
		return -1;
	ts_buf_puts(answer, "]");
	return 0;
}

struct path {
	uint32_t mtu; /* 0 = not found */
	int index;    /* of the interface, 0 = no way */
	char gateway[INET6_ADDRSTRLEN]; /* the next hop; "" = none, the address is on the link */
};

static void put_gateway(char out[INET6_ADDRSTRLEN], const struct rtmsg *route, const void *attrs,
			size_t len)
{
	size_t size = route->rtm_family == AF_INET ? 4 : 16;
	const void *gateway = nl_find(attrs, len, RTA_GATEWAY, size);
	const uint16_t *via = nl_find(attrs, len, RTA_VIA, sizeof(*via) + 4);
	if (gateway)
		inet_ntop(route->rtm_family, gateway, out, INET6_ADDRSTRLEN);
	else if (via)
		inet_ntop(*via, via + 1, out, INET6_ADDRSTRLEN);
}

static void path_route(const struct nlmsghdr *head, void *data)
{
	struct path *path = data;
	if (head->nlmsg_type != RTM_NEWROUTE)
		return;
	const struct rtmsg *route = NLMSG_DATA(head);
	const void *attrs = RTM_RTA(route);
	size_t len = RTM_PAYLOAD(head), size = 0;
	const uint32_t *oif = nl_find(attrs, len, RTA_OIF, sizeof(*oif));
	const void *metrics = nl_find_len(attrs, len, RTA_METRICS, &size);
	if (!oif || route->rtm_type != RTN_UNICAST)
		return;
	path->index = (int)*oif;
	put_gateway(path->gateway, route, attrs, len);
	const uint32_t *mtu = metrics ? nl_find(metrics, size, RTAX_MTU, sizeof(*mtu)) : NULL;
	if (mtu)
		path->mtu = *mtu;
}

static void path_link(const struct nlmsghdr *head, void *data)
{
	struct path *path = data;
	if (head->nlmsg_type != RTM_NEWLINK)
		return;
	const struct ifinfomsg *info = NLMSG_DATA(head);
	const uint32_t *mtu = nl_find(IFLA_RTA(info), IFLA_PAYLOAD(head), IFLA_MTU, sizeof(*mtu));
	if (mtu)
		path->mtu = *mtu;
}

/* The way to an address: its interface, and the route's own MTU, or its interface's; 0 = there is none. */
static struct path path_to(const struct net_host *host, const char *to)
{
	struct path path = {0}, none = {0};
	struct net_prefix dst;
	struct ts_err ignored = {0};
	if (net_prefix_parse(to, &dst, &ignored) < 0)
		return none;
	cleanup_batch struct nl_batch batch = {0};
	struct rtmsg body = {.rtm_family = (uint8_t)dst.family, .rtm_dst_len = dst.length};
	nl_begin(&batch, RTM_GETROUTE, 0, &body, sizeof(body), "route");
	nl_attr(&batch, RTA_DST, dst.address, dst.size);
	if (nl_query(host->rtnl, &batch, 0, path_route, &path, &ignored) < 0 || path.index == 0)
		return none;
	if (path.mtu > 0)
		return path;
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = path.index};
	nl_begin(&batch, RTM_GETLINK, 0, &link, sizeof(link), "interface");
	nl_query(host->rtnl, &batch, 0, path_link, &path, &ignored);
	return path;
}

int net_path_mtu(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
		 struct ts_err *err)
{
	const struct ts_json *list = NULL;
	if (ts_json_opt_node(request, "to", "path-mtu", TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	const char *comma = "";
	struct ts_buf links = TS_BUF_INIT, gateways = TS_BUF_INIT;
	ts_buf_puts(answer, ",\"mtus\":[");
	ts_json_each (item, list) {
		char name[IF_NAMESIZE];
		struct path path = {0};
		if (item->type == TS_JSON_STRING)
			path = path_to(host, item->str);
		if (path.mtu > 0)
			ts_buf_printf(answer, "%s%u", comma, path.mtu);
		else
			ts_buf_printf(answer, "%snull", comma);
		/* Names are the kernel's: no quotes, no controls but by somebody's intent. */
		if (path.index > 0 && if_indextoname((unsigned)path.index, name) &&
		    !strpbrk(name, "\"\\"))
			ts_buf_printf(&links, "%s\"%s\"", comma, name);
		else
			ts_buf_printf(&links, "%snull", comma);
		ts_buf_printf(&gateways, "%s\"%s\"", comma, path.gateway);
		comma = ",";
	}
	ts_buf_printf(answer, "],\"links\":[%s],\"gateways\":[%s]", links.data ? links.data : "",
		      gateways.data ? gateways.data : "");
	ts_buf_free(&links);
	ts_buf_free(&gateways);
	return 0;
}
