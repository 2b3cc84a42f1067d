/*
 * Interfaces as such: making a veth pair, setting an end up, waiting until it works, deleting.
 */
#include "link.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* A busy host takes some tens of milliseconds to notice that an interface is connected. */
enum { READY_MS_MAX = 100 };
/* IF_OPER_UP of linux/if.h, which cannot be had beside net/if.h. */
enum { OPER_UP = 6 };

int net_mac_parse(const char *text, unsigned char mac[6], struct ts_err *err)
{
	unsigned part[6];
	char rest;
	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &part[0], &part[1], &part[2], &part[3],
		   &part[4], &part[5], &rest) != 6)
		return ts_fail(err, TS_E_INVALID, 0, "mac", text, "not a MAC address: %s", text);
	for (int i = 0; i < 6; i++)
		mac[i] = (unsigned char)part[i];
	return 0;
}

static bool host_has_ipv6(void)
{
	struct stat st;
	return stat("/proc/sys/net/ipv6", &st) == 0;
}

/* No link-local addresses: nothing needs them, and they would be a way round the rules. */
static void no_link_local(struct nl_batch *batch)
{
	if (!host_has_ipv6())
		return;
	uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
	size_t inet6 = nl_nest(batch, AF_INET6);
	nl_attr(batch, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	nl_nest_end(batch, inet6);
}

void net_link_up(struct nl_batch *batch, int index, const struct net_setting *settings,
		 size_t count, const char *what)
{
	struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	if (count > 0) {
		nl_begin(batch, RTM_NEWLINK, 0, &body, sizeof(body), what);
		size_t spec = nl_nest(batch, IFLA_AF_SPEC);
		size_t inet = nl_nest(batch, AF_INET);
		size_t conf = nl_nest(batch, IFLA_INET_CONF);
		for (size_t i = 0; i < count; i++)
			nl_attr_u32(batch, settings[i].id, settings[i].value);
		nl_nest_end(batch, conf);
		nl_nest_end(batch, inet);
		no_link_local(batch);
		nl_nest_end(batch, spec);
	}
	body.ifi_flags = body.ifi_change = IFF_UP;
	nl_begin(batch, RTM_NEWLINK, 0, &body, sizeof(body), what);
}

static void read_operstate(const struct nlmsghdr *head, void *data)
{
	if (head->nlmsg_type != RTM_NEWLINK)
		return;
	const struct ifinfomsg *info = NLMSG_DATA(head);
	const uint8_t *state =
	    nl_find(IFLA_RTA(info), IFLA_PAYLOAD(head), IFLA_OPERSTATE, sizeof(*state));
	*(bool *)data = state && *state == OPER_UP;
}

void net_wait_ready(int rtnl, const char *name)
{
	bool ready = false;
	for (int waited_ms = 0; waited_ms < READY_MS_MAX && !ready; waited_ms++) {
		cleanup_batch struct nl_batch batch = {0};
		struct ts_err ignored = {0};
		struct ifinfomsg body = {.ifi_family = AF_UNSPEC};
		const struct timespec pause = {.tv_nsec = 1000000};
		if (waited_ms > 0)
			nanosleep(&pause, NULL);
		nl_begin(&batch, RTM_GETLINK, 0, &body, sizeof(body), name);
		nl_attr_str(&batch, IFLA_IFNAME, name);
		if (nl_query(rtnl, &batch, 0, read_operstate, &ready, &ignored) < 0)
			return;
	}
}

int net_veth_create(int rtnl, const struct net_interface *itf, int nsfd, struct ts_err *err)
{
	unsigned char mac[6], host_mac[6];
	if (net_mac_parse(itf->mac, mac, err) < 0 ||
	    net_mac_parse(itf->host_mac, host_mac, err) < 0)
		return -1;
	cleanup_batch struct nl_batch batch = {0};
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	nl_begin(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info), itf->host);
	nl_attr_str(&batch, IFLA_IFNAME, itf->host);
	nl_attr(&batch, IFLA_ADDRESS, host_mac, sizeof(host_mac));
	nl_attr_u32(&batch, IFLA_MTU, itf->mtu);
	size_t linkinfo = nl_nest(&batch, IFLA_LINKINFO);
	nl_attr_str(&batch, IFLA_INFO_KIND, "veth");
	size_t data = nl_nest(&batch, IFLA_INFO_DATA);
	size_t peer = nl_nest(&batch, VETH_INFO_PEER);
	nl_raw(&batch, &info, sizeof(info));
	nl_attr_str(&batch, IFLA_IFNAME, itf->name);
	nl_attr(&batch, IFLA_ADDRESS, mac, sizeof(mac));
	nl_attr_u32(&batch, IFLA_MTU, itf->mtu);
	nl_attr_u32(&batch, IFLA_NET_NS_FD, (uint32_t)nsfd);
	nl_nest_end(&batch, peer);
	nl_nest_end(&batch, data);
	nl_nest_end(&batch, linkinfo);
	return nl_commit(rtnl, &batch, "create interface", err);
}

int net_links_delete(int rtnl, const char *const *names, size_t count, struct ts_err *err)
{
	/* Any number that is not 0, the group of all other interfaces: the group exists only within
	   this call. */
	const uint32_t group = 0x74737772;
	cleanup_batch struct nl_batch batch = {0};
	for (size_t i = 0; i < count; i++) {
		struct ifinfomsg body = {.ifi_family = AF_UNSPEC,
					 .ifi_index = (int)if_nametoindex(names[i])};
		if (body.ifi_index == 0)
			continue;
		nl_begin(&batch, RTM_NEWLINK, 0, &body, sizeof(body), names[i]);
		nl_attr_u32(&batch, IFLA_GROUP, group);
		if (batch.count + 1 == NL_BATCH_MAX)
			break;
	}
	if (batch.count == 0)
		return 0;
	/* One deletion for all: each waits for all processors, some ten milliseconds. */
	struct ifinfomsg body = {.ifi_family = AF_UNSPEC};
	nl_begin(&batch, RTM_DELLINK, 0, &body, sizeof(body), "interfaces");
	nl_attr_u32(&batch, IFLA_GROUP, group);
	struct ts_err why = {0};
	if (nl_commit(rtnl, &batch, "delete interfaces", &why) == 0)
		return 0;
	/* One may have gone meanwhile. */
	for (size_t i = 0; i < count; i++)
		if (if_nametoindex(names[i]) != 0)
			return ts_fail(err, TS_E_KERNEL, why.errnum, "delete interface", names[i],
				       "cannot delete interface %s", names[i]);
	return 0;
}
