/*
 * tswarm-net: the worker's hand in the kernel's network. A long-lived process that reads one JSON
 * request a line and answers one JSON line each, in order: attaching a container needs no other
 * process. It decides nothing: names, addresses and rules are the worker's.
 */
#ifndef TS_NET_H
#define TS_NET_H

#include <net/if.h>

#include "buf.h"
#include "err.h"
#include "json.h"

/* What outlives a request. */
struct net_host {
	int rtnl;  /* rtnetlink socket in the host's namespace */
	int netns; /* the host's namespace, to come back to */
};

/* One family of one interface; `address` NULL = not used. Addresses are bare, subnet is CIDR. */
struct net_family {
	const char *address;
	const char *gateway;
	const char *subnet;
	bool default_route;
};

struct net_interface {
	const char *host;     /* name of the host's end */
	const char *name;     /* name in the container */
	const char *mac;      /* container's end; NULL = the kernel's choice */
	const char *host_mac; /* host's end: what the container's neighbour entry says */
	uint32_t mtu;
	struct net_family v4, v6;
};

/* Reads one element of "interfaces". */
int net_interface_parse(const struct ts_json *json, struct net_interface *out, struct ts_err *err);

/* Host side: veth pair with the other end in `nsfd`, addresses, routes. Undoes itself on failure. */
int net_host_side(const struct net_host *host, const struct net_interface *itf, int nsfd,
		  const char *dns, struct ts_err *err);
/* Container side; the caller is in the container's namespace and `rtnl` is a socket there. */
int net_container_side(int rtnl, const struct net_interface *itf, const char *dns,
		       struct ts_err *err);
int net_link_up(int rtnl, const char *name, struct ts_err *err);
int net_link_delete(int rtnl, const char *name);
/* Adds or deletes (verb RTM_NEWROUTE / RTM_DELROUTE) `cidr` through a device. */
int net_route(int rtnl, int verb, const char *cidr, const char *via, const char *device,
	      const char *source, struct ts_err *err);

/* Makes a namespace and binds it to `path`. Returns a descriptor of it. */
int net_namespace_create(const struct net_host *host, const char *path, struct ts_err *err);
int net_namespace_open(const char *path, struct ts_err *err);
void net_namespace_remove(const char *path);
int net_enter(int nsfd, struct ts_err *err);

/* Runs nft commands in the namespace that the caller is in. */
int net_nft(const char *script, struct ts_err *err);
/* Writes a sysctl by its dotted name; only net.* is allowed. */
int net_sysctl(const char *name, const char *value, struct ts_err *err);

/* Executes one request; appends the members of the answer. */
int net_request(const struct net_host *host, struct ts_json_doc *doc, const struct ts_json *request,
		struct ts_buf *answer, struct ts_err *err);

#endif
