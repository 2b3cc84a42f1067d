/* The requests of tswarm-net. Each is all or nothing: what a failed one has made is taken away. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "net.h"

#define INTERFACES_MAX 64
#define LINKS_MAX 1000

struct attach {
	const char *netns;
	const char *dns;
	const struct ts_json *sysctls;
	struct net_interface interfaces[INTERFACES_MAX];
	size_t count;
};

static int attach_parse(const struct ts_json *request, struct attach *out, struct ts_err *err)
{
	memset(out, 0, sizeof(*out));
	const struct ts_json *list = NULL;
	if (ts_json_opt_str(request, "netns", "attach", &out->netns, err) < 0 ||
	    ts_json_opt_str(request, "dns", "attach", &out->dns, err) < 0 ||
	    ts_json_opt_node(request, "sysctls", "attach", TS_JSON_OBJECT, &out->sysctls, err) <
		0 ||
	    ts_json_opt_node(request, "interfaces", "attach", TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	if (!out->netns)
		return ts_fail(err, TS_E_INVALID, 0, "attach", "netns", "attach: netns is missing");
	ts_json_each (item, list) {
		if (out->count == INTERFACES_MAX)
			return ts_fail(err, TS_E_INVALID, 0, "attach", "interfaces",
				       "attach: more than %d interfaces", INTERFACES_MAX);
		if (net_interface_parse(item, &out->interfaces[out->count], err) < 0)
			return -1;
		out->count++;
	}
	return 0;
}

/* What is done inside; the caller has entered the container's namespace. */
static int attach_inside(const struct attach *req, bool fresh, struct ts_err *err)
{
	cleanup_fd int rtnl = nl_open(NETLINK_ROUTE, 0);
	if (rtnl < 0)
		return ts_fail_errno(err, "socket", "", "cannot open a netlink socket");
	if (net_container_side(rtnl, req->interfaces, req->count, fresh, err) < 0)
		return -1;
	ts_json_each (item, req->sysctls) {
		if (item->type != TS_JSON_STRING)
			return ts_fail(err, TS_E_INVALID, 0, "sysctl", item->key,
				       "sysctl %s: must be a string", item->key);
		if (net_sysctl(item->key, item->str, err) < 0)
			return -1;
	}
	return 0;
}

/* Makes the interfaces into a namespace that is there. */
static int attach_to(const struct net_host *host, const struct attach *req, int nsfd, bool fresh,
		     struct ts_err *err)
{
	const char *made[INTERFACES_MAX];
	size_t count = 0;
	int result = 0;
	for (; count < req->count && result == 0; count++) {
		const struct net_interface *itf = &req->interfaces[count];
		result = net_veth_create(host->rtnl, itf, nsfd, err);
		if (result < 0)
			break;
		made[count] = itf->host;
		result = net_host_side(host->rtnl, itf, req->dns, err);
	}
	if (result == 0)
		result = net_enter(nsfd, err);
	if (result == 0) {
		result = attach_inside(req, fresh, err);
		net_return(host);
	}
	if (result == 0) {
		for (size_t i = 0; i < count; i++)
			net_wait_ready(host->rtnl, made[i]);
		return 0;
	}
	struct ts_err ignored = {0};
	for (size_t i = 0; i < count; i++)
		net_expect_gone(made[i]);
	net_links_delete(host->rtnl, made, count, &ignored);
	return -1;
}

static int attach(const struct net_host *host, const struct ts_json *request, bool fresh,
		  struct ts_err *err)
{
	struct attach req;
	if (attach_parse(request, &req, err) < 0)
		return -1;
	cleanup_fd int nsfd =
	    fresh ? net_namespace_create(host, req.netns, err) : net_namespace_open(req.netns, err);
	if (nsfd < 0)
		return -1;
	if (attach_to(host, &req, nsfd, fresh, err) == 0)
		return 0;
	if (fresh)
		net_namespace_remove(req.netns);
	return -1;
}

/* Makes anew what is missing of a container's interfaces: an interface as a whole, or the host's
 * side of one that is still there. */
static int repair(const struct net_host *host, const struct ts_json *request, struct ts_err *err)
{
	struct attach req, missing;
	if (attach_parse(request, &req, err) < 0)
		return -1;
	missing = req;
	missing.count = 0;
	for (size_t i = 0; i < req.count; i++) {
		if (if_nametoindex(req.interfaces[i].host) == 0)
			missing.interfaces[missing.count++] = req.interfaces[i];
		else if (net_host_side(host->rtnl, &req.interfaces[i], req.dns, err) < 0)
			return -1;
	}
	if (missing.count == 0)
		return 0;
	cleanup_fd int nsfd = net_namespace_open(req.netns, err);
	return nsfd < 0 ? -1 : attach_to(host, &missing, nsfd, false, err);
}

static int links_parse(const struct ts_json *request, const char *names[LINKS_MAX], size_t *count,
		       struct ts_err *err)
{
	const struct ts_json *links = NULL;
	if (ts_json_opt_node(request, "links", "links", TS_JSON_ARRAY, &links, err) < 0)
		return -1;
	ts_json_each (item, links) {
		if (*count == LINKS_MAX || item->type != TS_JSON_STRING)
			return ts_fail(err, TS_E_INVALID, 0, "request", "links",
				       "links: at most %d names are wanted", LINKS_MAX);
		names[(*count)++] = item->str;
	}
	return 0;
}

/* Lets a namespace go, and with it its interfaces. Deleting those would wait some fifteen
 * milliseconds; the kernel does it by itself, for several namespaces at a time. */
static int detach(const struct ts_json *request, struct ts_err *err)
{
	const char *netns = NULL, *links[LINKS_MAX];
	size_t count = 0;
	if (ts_json_opt_str(request, "netns", "detach", &netns, err) < 0 ||
	    links_parse(request, links, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		net_expect_gone(links[i]);
	if (netns)
		net_namespace_remove(netns);
	return 0;
}

static int delete_links(const struct net_host *host, const struct ts_json *request,
			struct ts_err *err)
{
	const char *links[LINKS_MAX];
	size_t count = 0;
	if (links_parse(request, links, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		net_expect_gone(links[i]);
	return net_links_delete(host->rtnl, links, count, err);
}

/* Sets the default routes of a namespace to the (one) interface. */
static int default_routes(const struct net_host *host, const struct ts_json *request,
			  struct ts_err *err)
{
	struct attach req;
	if (attach_parse(request, &req, err) < 0)
		return -1;
	if (req.count != 1)
		return ts_fail(err, TS_E_INVALID, 0, "default-routes", "interfaces",
			       "default-routes: one interface is wanted");
	cleanup_fd int nsfd = net_namespace_open(req.netns, err);
	if (nsfd < 0 || net_enter(nsfd, err) < 0)
		return -1;
	cleanup_fd int rtnl = nl_open(NETLINK_ROUTE, 0);
	int result = rtnl < 0 ? ts_fail_errno(err, "socket", "", "cannot open a netlink socket")
			      : net_default_routes(rtnl, &req.interfaces[0], err);
	net_return(host);
	return result;
}

static int nft(const struct ts_json *request, bool list, struct ts_buf *answer, struct ts_err *err)
{
	const char *script = NULL;
	if (ts_json_opt_str(request, "script", "nft", &script, err) < 0)
		return -1;
	if (!script)
		return ts_fail(err, TS_E_INVALID, 0, "nft", "script", "nft: script is missing");
	return list ? net_nft_list(script, answer, err) : net_nft(script, err);
}

static int sysctl(const struct ts_json *request, struct ts_err *err)
{
	const struct ts_json *values = NULL;
	if (ts_json_opt_node(request, "values", "sysctl", TS_JSON_OBJECT, &values, err) < 0)
		return -1;
	ts_json_each (item, values) {
		if (item->type == TS_JSON_STRING && net_sysctl(item->key, item->str, err) < 0)
			return -1;
	}
	return 0;
}

int net_request(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
		struct ts_err *err)
{
	const char *op = NULL;
	if (ts_json_opt_str(request, "op", "request", &op, err) < 0)
		return -1;
	if (!op)
		return ts_fail(err, TS_E_INVALID, 0, "request", "op", "op is missing");
	if (strcmp(op, "attach") == 0)
		return attach(host, request, true, err);
	if (strcmp(op, "connect") == 0)
		return attach(host, request, false, err);
	if (strcmp(op, "repair") == 0)
		return repair(host, request, err);
	if (strcmp(op, "detach") == 0)
		return detach(request, err);
	if (strcmp(op, "delete") == 0)
		return delete_links(host, request, err);
	if (strcmp(op, "default-routes") == 0)
		return default_routes(host, request, err);
	if (strcmp(op, "nft") == 0)
		return nft(request, false, answer, err);
	if (strcmp(op, "nft-list") == 0)
		return nft(request, true, answer, err);
	if (strcmp(op, "conntrack") == 0)
		return net_conntrack(request, answer, err);
	if (strcmp(op, "sysctl") == 0)
		return sysctl(request, err);
	if (strcmp(op, "inspect") == 0)
		return net_inspect(host, request, answer, err);
	if (strcmp(op, "link") == 0)
		return net_link(host, request, answer, err);
	if (strcmp(op, "routing") == 0)
		return net_routing(host, request, err);
	if (strcmp(op, "inspect-mesh") == 0)
		return net_inspect_mesh(host, request, answer, err);
	if (strcmp(op, "wireguard-set") == 0)
		return net_wireguard_set(request, err);
	if (strcmp(op, "wireguard-get") == 0)
		return net_wireguard_get(request, answer, err);
	if (strcmp(op, "path-mtu") == 0)
		return net_path_mtu(host, request, answer, err);
	if (strcmp(op, "counters") == 0)
		return net_counters(host, request, answer, err);
	if (strcmp(op, "watch") == 0)
		return net_watch(host, request, err);
	if (strcmp(op, "watch-process") == 0)
		return net_watch_process(request, err);
	return ts_fail(err, TS_E_INVALID, 0, "request", "op", "unknown op \"%s\"", op);
}
