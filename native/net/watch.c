/*
 * Changes that somebody else makes to what is ours, told to the worker as
 * {"event":"changed","what": "rules"|"links"|"routes"|"forwarding"|"firewall"}, and changes of
 * the host's own addresses or default routes as "addresses". The kernel notifies; nothing is
 * polled. An event says only that it is time to look: a change may be reported twice, and when
 * the kernel drops notifications everything is reported as changed.
 *
 * Also the end of a process that is not the worker's child: {"event":"ended","pid":N}.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "fs.h"
#include "net.h"
#include "object.h"
#include "proc.h"

#define GROUP(number) (1u << ((number)-1))

enum {
	CHANGED_RULES = 1,
	CHANGED_LINKS = 2,
	CHANGED_ROUTES = 4,
	CHANGED_FORWARDING = 8,
	CHANGED_FIREWALL = 16, /* the table of iptables */
	CHANGED_ADDRESSES = 32, /* of the host, and its way out */
};
enum { EXPECTED_MAX = 8192, MESSAGES_AT_ONCE = 256 };

static struct {
	int rules, routes, process; /* sockets, pidfd; -1 = closed */
	uint32_t own_port;	    /* of the socket that makes our own changes */
	pid_t process_pid;
	char own_name[16]; /* of this process, as the kernel reports it */
	char table[64], prefix[IFNAMSIZ];
	char mesh[IFNAMSIZ];	     /* prefix of the interfaces between nodes; "" = none */
	uint32_t rule_min, rule_max; /* priorities of our routing rules */
	bool own_neighbours;	     /* next hops that go now are taken away by us */
	bool has_direct;	     /* there are routes of ours through interfaces of others */
	unsigned touched;	     /* CHANGED_* in the nftables transaction that is being read */
	unsigned changed;	     /* CHANGED_* that is to be told */
	unsigned expected_next;	     /* ring of names whose end is no change */
	char expected[EXPECTED_MAX][IFNAMSIZ];
} watch = {.rules = -1, .routes = -1, .process = -1};

void net_expect_gone(const char *name)
{
	char *place = watch.expected[watch.expected_next++ % EXPECTED_MAX];
	strncpy(place, name, IFNAMSIZ - 1);
}

static char *find_expected(const char *name)
{
	for (size_t i = 0; i < EXPECTED_MAX; i++)
		if (watch.expected[i][0] != '\0' && strcmp(watch.expected[i], name) == 0)
			return watch.expected[i];
	return NULL;
}

static bool has_prefix(const char *name, const char *prefix)
{
	return name && prefix[0] && strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_mesh(const char *name)
{
	return has_prefix(name, watch.mesh);
}

static bool is_ours(const char *name)
{
	return has_prefix(name, watch.prefix) || is_mesh(name);
}

/* Every message about a part of a table has the table's name in attribute 1; the transaction ends
 * with a message that names the process. */
static void rules_message(const struct nlmsghdr *head)
{
	size_t fixed = NLMSG_SPACE(sizeof(struct nfgenmsg));
	if (head->nlmsg_len < fixed || head->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return;
	const char *attrs = (const char *)head + fixed;
	size_t len = head->nlmsg_len - fixed;
	if ((head->nlmsg_type & 0xff) != NFT_MSG_NEWGEN) {
		const char *table = nl_find(attrs, len, NFTA_TABLE_NAME, 1);
		const struct nfgenmsg *body = NLMSG_DATA(head);
		bool inet = body->nfgen_family == NFPROTO_INET;
		if (table && inet && strcmp(table, watch.table) == 0)
			watch.touched |= CHANGED_RULES;
		if (table && !inet && strcmp(table, "filter") == 0)
			watch.touched |= CHANGED_FIREWALL;
		return;
	}
	/* By name: the pid in the message is the one that the first pid namespace knows. */
	const char *name = nl_find(attrs, len, NFTA_GEN_PROC_NAME, 1);
	if (!(name && strcmp(name, watch.own_name) == 0))
		watch.changed |= watch.touched;
	watch.touched = 0;
}

static void link_message(const struct nlmsghdr *head)
{
	const struct ifinfomsg *info = NLMSG_DATA(head);
	const char *name = nl_find(IFLA_RTA(info), IFLA_PAYLOAD(head), IFLA_IFNAME, 1);
	/* A new interface is not up yet either; all bits of ifi_change tell it. */
	bool is_set = info->ifi_change != ~0u && info->ifi_change & IFF_UP;
	bool set_down = is_set && !(info->ifi_flags & IFF_UP);
	if (!is_ours(name)) {
		/* IPv4 routes go with their interface without a word each. */
		if (watch.has_direct && is_set)
			watch.changed |= CHANGED_ROUTES;
		return;
	}
	char *expected = find_expected(name);
	if (expected && head->nlmsg_type == RTM_DELLINK)
		expected[0] = '\0';
	if (!expected && (set_down || head->nlmsg_type == RTM_DELLINK))
		watch.changed |= CHANGED_LINKS;
}

/* By which the host is reached from elsewhere: not of our interfaces, and no link-local one. An
 * interface that is gone has no name any more, but IPv4 addresses still say it. */
static void address_message(const struct nlmsghdr *head)
{
	const struct ifaddrmsg *address = NLMSG_DATA(head);
	char text[IF_NAMESIZE];
	const char *name = nl_find(IFA_RTA(address), IFA_PAYLOAD(head), IFA_LABEL, 1);
	if (!name)
		name = if_indextoname(address->ifa_index, text);
	if (address->ifa_scope < RT_SCOPE_LINK && !is_ours(name))
		watch.changed |= CHANGED_ADDRESSES;
}

static void route_message(const struct nlmsghdr *head)
{
	const struct rtmsg *route = NLMSG_DATA(head);
	const uint32_t *oif = nl_find(RTM_RTA(route), RTM_PAYLOAD(head), RTA_OIF, sizeof(*oif));
	uint8_t whole = route->rtm_family == AF_INET ? 32 : 128;
	char text[IF_NAMESIZE];
	const char *name = oif ? if_indextoname(*oif, text) : NULL;
	bool host_route = route->rtm_table == RT_TABLE_MAIN && route->rtm_dst_len == whole;
	bool direct = route->rtm_protocol == NET_PROTOCOL_DIRECT;
	if (route->rtm_table == RT_TABLE_MAIN && route->rtm_dst_len == 0)
		watch.changed |= CHANGED_ADDRESSES;
	if (head->nlmsg_pid == watch.own_port || (!host_route && !is_mesh(name)))
		return;
	/* A route that replaces one of ours names only the new interface. */
	bool replaced = head->nlmsg_type == RTM_NEWROUTE && head->nlmsg_flags & NLM_F_REPLACE;
	if (replaced || (head->nlmsg_type == RTM_DELROUTE && (direct || is_ours(name))))
		watch.changed |= CHANGED_ROUTES;
}

static void rule_message(const struct nlmsghdr *head)
{
	const struct fib_rule_hdr *rule = NLMSG_DATA(head);
	const char *attrs = (const char *)rule + NLMSG_ALIGN(sizeof(*rule));
	if (head->nlmsg_len < NLMSG_SPACE(sizeof(*rule)) || head->nlmsg_pid == watch.own_port)
		return;
	const uint32_t *priority = nl_find(attrs, head->nlmsg_len - NLMSG_SPACE(sizeof(*rule)),
					   FRA_PRIORITY, sizeof(*priority));
	if (priority && *priority >= watch.rule_min && *priority <= watch.rule_max)
		watch.changed |= CHANGED_ROUTES;
}

static void neighbour_message(const struct nlmsghdr *head)
{
	const struct ndmsg *neighbour = NLMSG_DATA(head);
	char name[IF_NAMESIZE];
	if (!watch.own_neighbours && head->nlmsg_pid != watch.own_port &&
	    is_mesh(if_indextoname((unsigned)neighbour->ndm_ifindex, name)))
		watch.changed |= CHANGED_ROUTES;
}

static void settings_message(const struct nlmsghdr *head)
{
	size_t fixed = NLMSG_SPACE(sizeof(struct netconfmsg));
	if (head->nlmsg_len < fixed)
		return;
	const char *attrs = (const char *)head + fixed;
	size_t len = head->nlmsg_len - fixed;
	const int32_t *index = nl_find(attrs, len, NETCONFA_IFINDEX, sizeof(*index));
	const int32_t *forwarding = nl_find(attrs, len, NETCONFA_FORWARDING, sizeof(*forwarding));
	if (index && *index == NETCONFA_IFINDEX_ALL && forwarding && *forwarding == 0)
		watch.changed |= CHANGED_FORWARDING;
}

static void message(const struct nlmsghdr *head)
{
	switch (head->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		link_message(head);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		address_message(head);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		route_message(head);
		break;
	case RTM_DELRULE:
		rule_message(head);
		break;
	case RTM_DELNEIGH:
		neighbour_message(head);
		break;
	case RTM_NEWNETCONF:
		settings_message(head);
		break;
	default:
		break;
	}
}

/* What is told of the routes' socket when the kernel has dropped something. */
enum {
	LOST_ROUTES = CHANGED_LINKS | CHANGED_ROUTES | CHANGED_FORWARDING | CHANGED_ADDRESSES
};

static void read_socket(int sock, void (*each)(const struct nlmsghdr *head), unsigned lost)
{
	static char bytes[65536];
	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		ssize_t n = recv(sock, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS)
			watch.changed |= lost;
		if (n < 0 && (errno == ENOBUFS || errno == EINTR))
			continue;
		if (n <= 0)
			return;
		uint32_t left = (uint32_t)n;
		for (struct nlmsghdr *head = (struct nlmsghdr *)(void *)bytes; NLMSG_OK(head, left);
		     head = NLMSG_NEXT(head, left))
			each(head);
	}
}

void net_watch_own_neighbours(void)
{
	if (watch.routes < 0)
		return;
	watch.own_neighbours = true;
	read_socket(watch.routes, message, LOST_ROUTES);
	watch.own_neighbours = false;
}

void net_watch_direct(void)
{
	watch.has_direct = true;
}

static void print(const char *line)
{
	if (ts_write_all(STDOUT_FILENO, line, strlen(line)) < 0)
		_exit(0);
}

static void print_changes(void)
{
	static const char *const names[] = {"rules",      "links",    "routes",
					    "forwarding", "firewall", "addresses"};
	for (size_t i = 0; i < TS_ARRAY_LEN(names); i++) {
		char line[64];
		if (!(watch.changed & 1u << i))
			continue;
		snprintf(line, sizeof(line), "{\"event\":\"changed\",\"what\":\"%s\"}\n", names[i]);
		print(line);
	}
	watch.changed = 0;
}

static void print_ended(void)
{
	char line[64];
	snprintf(line, sizeof(line), "{\"event\":\"ended\",\"pid\":%d}\n", watch.process_pid);
	close(watch.process);
	watch.process = -1;
	print(line);
}

void net_watch_fds(struct pollfd fds[NET_WATCH_FDS])
{
	fds[0] = (struct pollfd){.fd = watch.rules, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = watch.routes, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = watch.process, .events = POLLIN};
}

void net_watch_ready(const struct pollfd fds[NET_WATCH_FDS])
{
	if (fds[0].revents)
		read_socket(watch.rules, rules_message, CHANGED_RULES | CHANGED_FIREWALL);
	if (fds[1].revents)
		read_socket(watch.routes, message, LOST_ROUTES);
	print_changes();
	if (fds[2].revents)
		print_ended();
}

static int open_socket(int protocol, uint32_t groups, int *out, struct ts_err *err)
{
	if (*out >= 0)
		return 0;
	/* A burst of our own changes fits without a loss. */
	int bytes = 4 << 20;
	*out = nl_open(protocol, groups);
	if (*out < 0)
		return ts_fail_errno(err, "socket", "netlink", "cannot watch the kernel's network");
	setsockopt(*out, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return 0;
}

int net_watch(const struct net_host *host, const struct ts_json *request, struct ts_err *err)
{
	const char *table = NULL, *prefix = NULL, *mesh = "";
	if (ts_json_opt_str(request, "table", "watch", &table, err) < 0 ||
	    ts_json_opt_str(request, "links", "watch", &prefix, err) < 0 ||
	    ts_json_opt_str(request, "mesh", "watch", &mesh, err) < 0 ||
	    ts_json_opt_u32(request, "ruleMin", "watch", &watch.rule_min, err) < 0 ||
	    ts_json_opt_u32(request, "ruleMax", "watch", &watch.rule_max, err) < 0)
		return -1;
	if (!table || !prefix || !*prefix || strlen(table) >= sizeof(watch.table) ||
	    strlen(prefix) >= sizeof(watch.prefix) || strlen(mesh) >= sizeof(watch.mesh))
		return ts_fail(err, TS_E_INVALID, 0, "watch", "table",
			       "watch: table and links are missing or too long");
	strcpy(watch.table, table);
	strcpy(watch.prefix, prefix);
	strcpy(watch.mesh, mesh);
	watch.own_port = nl_port(host->rtnl);
	prctl(PR_GET_NAME, watch.own_name);
	uint32_t routes = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
			  RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			  GROUP(RTNLGRP_IPV4_RULE) | GROUP(RTNLGRP_IPV6_RULE) |
			  GROUP(RTNLGRP_IPV4_NETCONF) | GROUP(RTNLGRP_IPV6_NETCONF);
	if (open_socket(NETLINK_NETFILTER, GROUP(NFNLGRP_NFTABLES), &watch.rules, err) < 0)
		return -1;
	return open_socket(NETLINK_ROUTE, routes, &watch.routes, err);
}

int net_watch_process(const struct ts_json *request, struct ts_err *err)
{
	uint64_t pid = 0, start = 0;
	if (ts_json_opt_u64(request, "pid", "watch", &pid, err) < 0 ||
	    ts_json_opt_u64(request, "startTime", "watch", &start, err) < 0)
		return -1;
	int fd = ts_proc_pidfd((pid_t)pid, start);
	if (fd < 0)
		return ts_fail_errno(err, "pidfd_open", "", "no process %d", (int)pid);
	if (watch.process >= 0)
		close(watch.process);
	watch.process = fd;
	watch.process_pid = (pid_t)pid;
	return 0;
}
