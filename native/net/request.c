/* The requests of tswarm-net. Each is all or nothing: what a failed one has made is taken away. */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "json-write.h"
#include "net.h"
#include "netlink.h"

#define INTERFACES_MAX 64

struct attach {
	const char *netns;
	const char *dns;
	const char *dns_rules; /* nft script for inside, NULL = none */
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
	    ts_json_opt_str(request, "rules", "attach", &out->dns_rules, err) < 0 ||
	    ts_json_opt_node(request, "sysctls", "attach", TS_JSON_OBJECT, &out->sysctls, err) <
		0 ||
	    ts_json_opt_node(request, "interfaces", "attach", TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	if (!out->netns)
		return ts_fail(err, TS_E_INVALID, 0, "attach", "netns", "attach: netns is missing");
	ts_json_each(item, list)
	{
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
	cleanup_fd int rtnl = nl_open();
	if (rtnl < 0)
		return ts_fail_errno(err, "socket", "", "cannot open a netlink socket");
	if (fresh && net_link_up(rtnl, "lo", err) < 0)
		return -1;
	for (size_t i = 0; i < req->count; i++)
		if (net_container_side(rtnl, &req->interfaces[i], req->dns, err) < 0)
			return -1;
	ts_json_each(item, req->sysctls)
	{
		if (item->type != TS_JSON_STRING)
			return ts_fail(err, TS_E_INVALID, 0, "sysctl", item->key,
				       "sysctl %s: must be a string", item->key);
		if (net_sysctl(item->key, item->str, err) < 0)
			return -1;
	}
	return req->dns_rules ? net_nft(req->dns_rules, err) : 0;
}

static int attach(const struct net_host *host, const struct ts_json *request, bool fresh,
		  struct ts_err *err)
{
	struct attach req;
	if (attach_parse(request, &req, err) < 0)
		return -1;
	cleanup_fd int nsfd = fresh ? net_namespace_create(host, req.netns, err)
				    : net_namespace_open(req.netns, err);
	if (nsfd < 0)
		return -1;
	int result = 0;
	size_t made = 0;
	for (; made < req.count && result == 0; made++)
		result = net_host_side(host, &req.interfaces[made], nsfd, req.dns, err);
	if (result == 0)
		result = net_enter(nsfd, err);
	if (result == 0) {
		result = attach_inside(&req, fresh, err);
		struct ts_err back = {0};
		if (net_enter(host->netns, &back) < 0) {
			/* Without the host's namespace nothing that follows could be right. */
			ts_err_print(&back, STDERR_FILENO);
			_exit(1);
		}
	}
	if (result == 0)
		return 0;
	for (size_t i = 0; i < made; i++)
		net_link_delete(host->rtnl, req.interfaces[i].host);
	if (fresh)
		net_namespace_remove(req.netns);
	return -1;
}

static int detach(const struct net_host *host, const struct ts_json *request, struct ts_err *err)
{
	const struct ts_json *links = NULL;
	const char *netns = NULL;
	if (ts_json_opt_node(request, "links", "detach", TS_JSON_ARRAY, &links, err) < 0 ||
	    ts_json_opt_str(request, "netns", "detach", &netns, err) < 0)
		return -1;
	int result = 0;
	ts_json_each(item, links)
	{
		int one = item->type == TS_JSON_STRING ? net_link_delete(host->rtnl, item->str) : 0;
		if (one < 0)
			result = ts_fail(err, TS_E_KERNEL, -one, "delete interface", item->str,
					 "cannot delete interface %s", item->str);
	}
	if (netns)
		net_namespace_remove(netns);
	return result;
}

static int nft(const struct ts_json *request, struct ts_err *err)
{
	const char *script = NULL;
	if (ts_json_opt_str(request, "script", "nft", &script, err) < 0)
		return -1;
	if (!script)
		return ts_fail(err, TS_E_INVALID, 0, "nft", "script", "nft: script is missing");
	return net_nft(script, err);
}

static int sysctl(const struct ts_json *request, struct ts_err *err)
{
	const struct ts_json *values = NULL;
	if (ts_json_opt_node(request, "values", "sysctl", TS_JSON_OBJECT, &values, err) < 0)
		return -1;
	ts_json_each(item, values)
	{
		if (item->type == TS_JSON_STRING && net_sysctl(item->key, item->str, err) < 0)
			return -1;
	}
	return 0;
}

/* Names of interfaces that begin with a prefix. */
static int list(const struct ts_json *request, struct ts_buf *answer, struct ts_err *err)
{
	const char *prefix = NULL;
	if (ts_json_opt_str(request, "prefix", "list", &prefix, err) < 0)
		return -1;
	struct if_nameindex *all = if_nameindex();
	if (!all)
		return ts_fail_errno(err, "if_nameindex", "", "cannot list interfaces");
	ts_buf_puts(answer, ",\"links\":[");
	const char *comma = "";
	for (struct if_nameindex *i = all; i->if_index != 0; i++) {
		if (prefix && strncmp(i->if_name, prefix, strlen(prefix)) != 0)
			continue;
		ts_buf_puts(answer, comma);
		ts_json_put_str(answer, i->if_name);
		comma = ",";
	}
	ts_buf_puts(answer, "]");
	if_freenameindex(all);
	return 0;
}

int net_request(const struct net_host *host, struct ts_json_doc *doc, const struct ts_json *request,
		struct ts_buf *answer, struct ts_err *err)
{
	(void)doc;
	const char *op = NULL;
	if (ts_json_opt_str(request, "op", "request", &op, err) < 0)
		return -1;
	if (!op)
		return ts_fail(err, TS_E_INVALID, 0, "request", "op", "op is missing");
	if (strcmp(op, "attach") == 0)
		return attach(host, request, true, err);
	if (strcmp(op, "connect") == 0)
		return attach(host, request, false, err);
	if (strcmp(op, "detach") == 0)
		return detach(host, request, err);
	if (strcmp(op, "nft") == 0)
		return nft(request, err);
	if (strcmp(op, "sysctl") == 0)
		return sysctl(request, err);
	if (strcmp(op, "list") == 0)
		return list(request, answer, err);
	return ts_fail(err, TS_E_INVALID, 0, "request", "op", "unknown op \"%s\"", op);
}
