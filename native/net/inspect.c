/*
 * What there is of ours in the host's namespace, for the worker to compare with what there should
 * be: interfaces by the prefix of their name, the routes through them, and whether the host
 * forwards. Also the counters of interfaces.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>

#include "cleanup.h"
#include "fs.h"
#include "json-write.h"
#include "net.h"

struct listing {
	const char *prefix;
	struct ts_buf *out;
	const char *comma;
};

static const char *comma_of(struct listing *list)
{
	const char *comma = list->comma;
	list->comma = ",";
	return comma;
}

static void each_link(const struct nlmsghdr *head, void *data)
{
	struct listing *list = data;
	if (head->nlmsg_type != RTM_NEWLINK)
		return;
	const struct ifinfomsg *info = NLMSG_DATA(head);
	const char *name = nl_find(IFLA_RTA(info), IFLA_PAYLOAD(head), IFLA_IFNAME, 1);
	if (!name || strncmp(name, list->prefix, strlen(list->prefix)) != 0)
		return;
	ts_buf_puts(list->out, comma_of(list));
	ts_buf_puts(list->out, "{\"name\":");
	ts_json_put_str(list->out, name);
	ts_buf_printf(list->out, ",\"up\":%s}", info->ifi_flags & IFF_UP ? "true" : "false");
}

static void each_route(const struct nlmsghdr *head, void *data)
{
	struct listing *list = data;
	if (head->nlmsg_type != RTM_NEWROUTE)
		return;
	const struct rtmsg *route = NLMSG_DATA(head);
	size_t len = RTM_PAYLOAD(head);
	const uint32_t *oif = nl_find(RTM_RTA(route), len, RTA_OIF, sizeof(*oif));
	size_t size = route->rtm_family == AF_INET ? 4 : 16;
	const void *dst = nl_find(RTM_RTA(route), len, RTA_DST, size);
	char name[IF_NAMESIZE], address[INET6_ADDRSTRLEN];
	if (route->rtm_table != RT_TABLE_MAIN || route->rtm_dst_len != size * 8 || !oif || !dst ||
	    !if_indextoname(*oif, name) || strncmp(name, list->prefix, strlen(list->prefix)) != 0 ||
	    !inet_ntop(route->rtm_family, dst, address, sizeof(address)))
		return;
	ts_buf_puts(list->out, comma_of(list));
	ts_buf_printf(list->out, "{\"to\":\"%s\",\"link\":", address);
	ts_json_put_str(list->out, name);
	ts_buf_puts(list->out, "}");
}

static bool is_on(const char *path)
{
	struct ts_err ignored = {0};
	cleanup_buf struct ts_buf text = TS_BUF_INIT;
	return ts_read_file_at(AT_FDCWD, path, &text, 16, &ignored) == 0 && text.len > 0 &&
	       text.data[0] == '1';
}

int net_inspect(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
		struct ts_err *err)
{
	struct listing list = {.prefix = NULL, .out = answer, .comma = ""};
	cleanup_batch struct nl_batch batch = {0};
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	if (ts_json_opt_str(request, "links", "inspect", &list.prefix, err) < 0)
		return -1;
	if (!list.prefix || !*list.prefix)
		return ts_fail(err, TS_E_INVALID, 0, "inspect", "links",
			       "inspect: links is missing");
	ts_buf_puts(answer, ",\"links\":[");
	nl_begin(&batch, RTM_GETLINK, 0, &link, sizeof(link), "interfaces");
	if (nl_query(host->rtnl, &batch, NLM_F_DUMP, each_link, &list, err) < 0)
		return -1;
	ts_buf_puts(answer, "],\"routes\":[");
	list.comma = "";
	static const uint8_t families[] = {AF_INET, AF_INET6};
	for (size_t i = 0; i < TS_ARRAY_LEN(families); i++) {
		struct rtmsg route = {.rtm_family = families[i]};
		struct ts_err ignored = {0};
		nl_begin(&batch, RTM_GETROUTE, 0, &route, sizeof(route), "routes");
		/* A kernel without IPv6 has no such routes. */
		if (nl_query(host->rtnl, &batch, NLM_F_DUMP, each_route, &list,
			     i == 0 ? err : &ignored) < 0 &&
		    i == 0)
			return -1;
	}
	ts_buf_printf(answer, "],\"forwarding\":{\"v4\":%s,\"v6\":%s}",
		      is_on("/proc/sys/net/ipv4/ip_forward") ? "true" : "false",
		      is_on("/proc/sys/net/ipv6/conf/all/forwarding") ? "true" : "false");
	return 0;
}

struct counters {
	struct ts_buf *out;
	bool found;
};

static void each_counters(const struct nlmsghdr *head, void *data)
{
	struct counters *c = data;
	if (head->nlmsg_type != RTM_NEWLINK)
		return;
	const struct ifinfomsg *info = NLMSG_DATA(head);
	struct rtnl_link_stats64 s;
	const void *bytes = nl_find(IFLA_RTA(info), IFLA_PAYLOAD(head), IFLA_STATS64,
				    offsetof(struct rtnl_link_stats64, multicast));
	if (!bytes)
		return;
	memcpy(&s, bytes, offsetof(struct rtnl_link_stats64, multicast));
	c->found = true;
	ts_buf_printf(
	    c->out,
	    "{\"rx_bytes\":%llu,\"rx_packets\":%llu,\"rx_errors\":%llu,\"rx_dropped\":%llu,"
	    "\"tx_bytes\":%llu,\"tx_packets\":%llu,\"tx_errors\":%llu,\"tx_dropped\":%llu}",
	    s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped, s.tx_bytes, s.tx_packets,
	    s.tx_errors, s.tx_dropped);
}

int net_counters(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
		 struct ts_err *err)
{
	const struct ts_json *links = NULL;
	if (ts_json_opt_node(request, "links", "counters", TS_JSON_ARRAY, &links, err) < 0)
		return -1;
	const char *comma = "";
	ts_buf_puts(answer, ",\"counters\":[");
	ts_json_each (item, links) {
		cleanup_batch struct nl_batch batch = {0};
		struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
		struct counters c = {.out = answer};
		struct ts_err ignored = {0};
		ts_buf_puts(answer, comma);
		comma = ",";
		if (item->type == TS_JSON_STRING && strlen(item->str) < IFNAMSIZ) {
			nl_begin(&batch, RTM_GETLINK, 0, &link, sizeof(link), item->str);
			nl_attr_str(&batch, IFLA_IFNAME, item->str);
			nl_query(host->rtnl, &batch, 0, each_counters, &c, &ignored);
		}
		if (!c.found)
			ts_buf_puts(answer, "null");
	}
	ts_buf_puts(answer, "]");
	return 0;
}
