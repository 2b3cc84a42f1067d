/*
 * tswarm-net: the worker's hand in the kernel's network. A long-lived process that reads one JSON
 * request a line and answers one JSON line each, in order: attaching a container needs no other
 * process. It decides nothing: names, addresses and rules are the worker's.
 */
#ifndef TS_NET_H
#define TS_NET_H

#include <net/if.h>
#include <poll.h>

#include "buf.h"
#include "err.h"
#include "json.h"
#include "netlink.h"

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
	const char *mac;      /* container's end */
	const char *host_mac; /* host's end: what the container's neighbour entry says */
	uint32_t mtu;
	struct net_family v4, v6;
	const struct ts_json *more; /* further addresses, which nothing is routed to; may be NULL */
};

/* Reads one element of "interfaces". */
int net_interface_parse(const struct ts_json *json, struct net_interface *out, struct ts_err *err);

/* Makes the veth pair, the other end in `nsfd`. */
int net_veth_create(int rtnl, const struct net_interface *itf, int nsfd, struct ts_err *err);
/* The host's end: settings, addresses (`dns`: of the resolver), up, route and neighbour of the
   container. Can be done again at any time. */
int net_host_side(int rtnl, const struct net_interface *itf, const char *dns, struct ts_err *err);
/* The container's end; the caller is in its namespace and `rtnl` is a socket there. `fresh`: the
   namespace is new, its loopback is set up too. */
int net_container_side(int rtnl, const struct net_interface *itf, size_t count, bool fresh,
		       struct ts_err *err);
/* Only what the interface with the default route has besides the others. */
int net_default_routes(int rtnl, const struct net_interface *itf, struct ts_err *err);

/* Waits until the kernel sends packets to the container through a host's end. It begins to do so in
   the background after the other end is up; newer kernels at once when they are asked. */
void net_wait_ready(int rtnl, const char *name);

/* Deletes interfaces by name, in one step for all; absent ones are passed over. */
int net_links_delete(int rtnl, const char *const *names, size_t count, struct ts_err *err);

/* Makes a namespace and binds it to `path`. Returns a descriptor of it. */
int net_namespace_create(const struct net_host *host, const char *path, struct ts_err *err);
int net_namespace_open(const char *path, struct ts_err *err);
/* The namespace and the interfaces in it end when no process is left in it. */
void net_namespace_remove(const char *path);
int net_enter(int nsfd, struct ts_err *err);
/* Back to the host's namespace; ends the program when that fails, because nothing that follows
   could be right. */
void net_return(const struct net_host *host);

/* Runs nft commands in the host's namespace as one transaction. */
int net_nft(const char *script, struct ts_err *err);
/* Runs one nft command that prints something, with handles; appends "output". */
int net_nft_list(const char *command, struct ts_buf *answer, struct ts_err *err);
/* Writes a sysctl by its dotted name in the namespace that the caller is in; only net.* is
   allowed. */
int net_sysctl(const char *name, const char *value, struct ts_err *err);

/* conntrack.c: forgets flows; see PROTOCOL.md. Appends "flows". */
int net_conntrack(const struct ts_json *request, struct ts_buf *answer, struct ts_err *err);

/* inspect.c: what there is of ours; see PROTOCOL.md. */
int net_inspect(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
		struct ts_err *err);

/* Counters of interfaces by name, null for those that are not there. */
int net_counters(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
		 struct ts_err *err);

/* mesh.c: interfaces, routes and rules between nodes; see PROTOCOL.md. */
int net_link(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
	     struct ts_err *err);
int net_routing(const struct net_host *host, const struct ts_json *request, struct ts_err *err);
/* mesh-inspect.c */
int net_inspect_mesh(const struct net_host *host, const struct ts_json *request,
		     struct ts_buf *answer, struct ts_err *err);
int net_path_mtu(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
		 struct ts_err *err);

/* wireguard.c: the kernel's WireGuard; see PROTOCOL.md. */
int net_wireguard_set(const struct ts_json *request, struct ts_err *err);
int net_wireguard_get(const struct ts_json *request, struct ts_buf *answer, struct ts_err *err);

/* probe.c: `tswarm-net probe`; the exit code. */
int net_probe(int argc, char **argv);

/* resolve.c: `tswarm-net resolve`; the exit code. */
int net_resolve(int argc, char **argv);

/* watch.c: changes that somebody else makes. */
int net_watch(const struct net_host *host, const struct ts_json *request, struct ts_err *err);
int net_watch_process(const struct ts_json *request, struct ts_err *err);
/* Interfaces that go away by themselves, with their namespace: their end is no change. */
void net_expect_gone(const char *name);

/* Next hops have just been taken away by us; the kernel does not say by whom. */
void net_watch_own_neighbours(void);

/* From now on there are routes of ours through interfaces of others. */
void net_watch_direct(void);

enum { NET_WATCH_FDS = 3 };
/* Fills the places with what is to be polled (fd -1 = nothing). */
void net_watch_fds(struct pollfd fds[NET_WATCH_FDS]);
/* Reads what has come; prints events. */
void net_watch_ready(const struct pollfd fds[NET_WATCH_FDS]);

/* Executes one request; appends the members of the answer. */
int net_request(const struct net_host *host, const struct ts_json *request, struct ts_buf *answer,
		struct ts_err *err);

#endif
