/*
 * Forgetting flows, by ctnetlink. The kernel goes on translating a flow as it began, also when the
 * rules have changed: a UDP client that keeps its port would talk to a removed task for ever, and
 * one that called before the first task was there would never reach it. So would the second try of
 * a TCP client whose first packet was lost. See PROTOCOL.md.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#include "cleanup.h"
#include "net.h"

/* Flows removed in one round; with more, there is another round. */
#define ROUND_FLOWS (NL_BATCH_MAX - 1)
/* A flow that cannot be removed must not keep us here. */
enum { ROUNDS_MAX = 64, WANTED_MAX = 4096 };

struct address {
	uint8_t family; /* 0 = any */
	uint8_t bytes[16];
};

struct wanted {
	bool gone;	 /* `front` anywhere in the flow, any protocol; else the flows below */
	bool unanswered; /* TCP that nobody has answered yet; else UDP */
	struct address front, backend;
	uint16_t port;
	bool untranslated;
};

struct tuple {
	struct address src, dst;
	uint8_t protocol;
	uint16_t dst_port;
};

struct search {
	const struct wanted *wanted;
	size_t count;
	struct nl_batch found;
};

static int address_parse(const char *text, struct address *out, struct ts_err *err)
{
	out->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(out->family, text, out->bytes) == 1)
		return 0;
	return ts_fail(err, TS_E_INVALID, 0, "conntrack", text, "not an address: %s", text);
}

static bool same(const struct address *a, const struct address *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, a->family == AF_INET ? 4 : 16) == 0;
}

static void address_read(const void *attrs, size_t len, uint8_t family, uint16_t v4, uint16_t v6,
			 struct address *out)
{
	size_t size = family == AF_INET ? 4 : 16;
	const void *bytes = nl_find(attrs, len, family == AF_INET ? v4 : v6, size);
	if (!bytes)
		return;
	out->family = family;
	memcpy(out->bytes, bytes, size);
}

static bool tuple_read(const void *attrs, size_t len, uint16_t type, uint8_t family,
		       struct tuple *out)
{
	size_t tuple_len = 0, ip_len = 0, proto_len = 0;
	const void *tuple = nl_find_len(attrs, len, type, &tuple_len);
	const void *ip = tuple ? nl_find_len(tuple, tuple_len, CTA_TUPLE_IP, &ip_len) : NULL;
	const void *proto =
	    tuple ? nl_find_len(tuple, tuple_len, CTA_TUPLE_PROTO, &proto_len) : NULL;
	memset(out, 0, sizeof(*out));
	if (!ip || !proto)
		return false;
	address_read(ip, ip_len, family, CTA_IP_V4_SRC, CTA_IP_V6_SRC, &out->src);
	address_read(ip, ip_len, family, CTA_IP_V4_DST, CTA_IP_V6_DST, &out->dst);
	const uint8_t *number = nl_find(proto, proto_len, CTA_PROTO_NUM, 1);
	const uint16_t *port = nl_find(proto, proto_len, CTA_PROTO_DST_PORT, sizeof(*port));
	out->protocol = number ? *number : 0;
	out->dst_port = port ? ntohs(*port) : 0;
	return true;
}

static bool matches(const struct wanted *wanted, const struct tuple *from, const struct tuple *back,
		    bool answered)
{
	if (wanted->gone)
		return same(&wanted->front, &from->src) || same(&wanted->front, &from->dst) ||
		       same(&wanted->front, &back->src) || same(&wanted->front, &back->dst);
	if (from->protocol != (wanted->unanswered ? IPPROTO_TCP : IPPROTO_UDP) ||
	    (wanted->unanswered && answered) || (wanted->port && wanted->port != from->dst_port) ||
	    (wanted->front.family && !same(&wanted->front, &from->dst)))
		return false;
	if (!wanted->untranslated)
		return same(&wanted->backend, &back->src);
	return same(&from->dst, &back->src) && same(&from->src, &back->dst);
}

/* Writes the deletion of the flow that is described by `attrs`. */
static void add_deletion(struct nl_batch *batch, uint8_t family, const void *attrs, size_t len)
{
	static const uint16_t names[] = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};
	struct nfgenmsg body = {.nfgen_family = family, .version = NFNETLINK_V0};
	nl_begin(batch, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, 0, &body, sizeof(body),
		 "flow");
	for (size_t i = 0; i < TS_ARRAY_LEN(names); i++) {
		size_t size = 0;
		const void *value = nl_find_len(attrs, len, names[i], &size);
		uint16_t nested = names[i] == CTA_TUPLE_ORIG ? NLA_F_NESTED : 0;
		if (value)
			nl_attr(batch, names[i] | nested, value, size);
	}
}

static void each_flow(const struct nlmsghdr *head, void *data)
{
	struct search *search = data;
	size_t fixed = NLMSG_SPACE(sizeof(struct nfgenmsg));
	struct tuple from, back;
	if (head->nlmsg_len < fixed || search->found.count == ROUND_FLOWS)
		return;
	const struct nfgenmsg *body = NLMSG_DATA(head);
	const char *attrs = (const char *)head + fixed;
	size_t len = head->nlmsg_len - fixed;
	if (!tuple_read(attrs, len, CTA_TUPLE_ORIG, body->nfgen_family, &from) ||
	    !tuple_read(attrs, len, CTA_TUPLE_REPLY, body->nfgen_family, &back))
		return;
	const uint32_t *status = nl_find(attrs, len, CTA_STATUS, sizeof(*status));
	bool answered = !status || (ntohl(*status) & IPS_SEEN_REPLY);
	for (size_t i = 0; i < search->count; i++) {
		if (!matches(&search->wanted[i], &from, &back, answered))
			continue;
		add_deletion(&search->found, body->nfgen_family, attrs, len);
		return;
	}
}

static int parse_gone(const struct ts_json *list, struct wanted *wanted, size_t *count,
		      struct ts_err *err)
{
	ts_json_each (item, list) {
		struct wanted *next = &wanted[*count];
		memset(next, 0, sizeof(*next));
		next->gone = true;
		if (*count + 1 == WANTED_MAX || item->type != TS_JSON_STRING)
			return ts_fail(err, TS_E_INVALID, 0, "conntrack", "gone",
				       "conntrack: at most %d addresses are wanted", WANTED_MAX);
		if (address_parse(item->str, &next->front, err) < 0)
			return -1;
		(*count)++;
	}
	return 0;
}

/* `what` is "udp" or "unanswered". */
static int parse_flows(const struct ts_json *list, const char *what, struct wanted *wanted,
		       size_t *count, struct ts_err *err)
{
	bool unanswered = strcmp(what, "unanswered") == 0;
	ts_json_each (item, list) {
		struct wanted *next = &wanted[*count];
		const char *front = NULL, *backend = NULL;
		uint32_t port = 0;
		memset(next, 0, sizeof(*next));
		if (ts_json_opt_str(item, "front", what, &front, err) < 0 ||
		    ts_json_opt_str(item, "backend", what, &backend, err) < 0 ||
		    ts_json_opt_u32(item, "port", what, &port, err) < 0)
			return -1;
		if (*count + 1 == WANTED_MAX || port > UINT16_MAX || (!front && port == 0))
			return ts_fail(err, TS_E_INVALID, 0, "conntrack", what,
				       "conntrack: %s: a flow needs front or port", what);
		next->unanswered = unanswered;
		next->port = (uint16_t)port;
		next->untranslated = !backend;
		if ((front && address_parse(front, &next->front, err) < 0) ||
		    (backend && address_parse(backend, &next->backend, err) < 0))
			return -1;
		(*count)++;
	}
	return 0;
}

/* Removes up to ROUND_FLOWS flows; 1 = there may be more. */
static int forget(int sock, struct search *search, uint64_t *flows, struct ts_err *err)
{
	cleanup_batch struct nl_batch dump = {0};
	struct nfgenmsg body = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
	nl_begin(&dump, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, 0, &body, sizeof(body),
		 "flows");
	if (nl_query(sock, &dump, NLM_F_DUMP, each_flow, search, err) < 0)
		return -1;
	size_t count = search->found.count;
	struct ts_err why = {0};
	*flows += count;
	/* A flow that has ended by itself meanwhile is what was wanted. */
	if (nl_commit(sock, &search->found, "forget flows", &why) < 0 && why.errnum != ENOENT) {
		*err = why;
		return -1;
	}
	return count == ROUND_FLOWS;
}

int net_conntrack(const struct ts_json *request, struct ts_buf *answer, struct ts_err *err)
{
	static struct wanted wanted[WANTED_MAX];
	static int sock = -1;
	const struct ts_json *gone = NULL, *udp = NULL, *unanswered = NULL;
	struct search search = {.wanted = wanted};
	uint64_t flows = 0;
	if (ts_json_opt_node(request, "gone", "conntrack", TS_JSON_ARRAY, &gone, err) < 0 ||
	    ts_json_opt_node(request, "udp", "conntrack", TS_JSON_ARRAY, &udp, err) < 0 ||
	    ts_json_opt_node(request, "unanswered", "conntrack", TS_JSON_ARRAY, &unanswered, err) <
		0 ||
	    parse_gone(gone, wanted, &search.count, err) < 0 ||
	    parse_flows(udp, "udp", wanted, &search.count, err) < 0 ||
	    parse_flows(unanswered, "unanswered", wanted, &search.count, err) < 0)
		return -1;
	if (sock < 0 && (sock = nl_open(NETLINK_NETFILTER, 0)) < 0)
		return ts_fail_errno(err, "socket", "", "cannot talk to connection tracking");
	int more = 1;
	for (int round = 0; more == 1 && round < ROUNDS_MAX; round++)
		more = forget(sock, &search, &flows, err);
	nl_batch_free(&search.found);
	if (more < 0)
		return -1;
	ts_buf_printf(answer, ",\"flows\":%llu", (unsigned long long)flows);
	return 0;
}
