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

/* Flows removed after one look at all of them (some 300 bytes each are kept); with more, there is
 * another look, which takes long: a busy port has 100,000 flows that have just ended. */
#define ROUND_FLOWS 16384
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

/*
 * Messages of the kernel about flows, one after the other. They are named by the half that has what
 * was asked for (the address that is gone, the backend): a client that uses its port again has
 * begun another flow meanwhile, with the same first half and, in the same memory, even the same
 * CTA_ID.
 */
struct flows {
	uint16_t half; /* CTA_TUPLE_ORIG or CTA_TUPLE_REPLY */
	struct ts_buf messages;
	size_t count;
};

enum { BY_CALL, BY_ANSWER, UNANSWERED, LISTS };

struct search {
	const struct wanted *wanted;
	size_t count;
	struct flows lists[LISTS]; /* UNANSWERED: as of when they were listed */
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

/* The attributes of a message about a flow. */
static const char *flow_attrs(const struct nlmsghdr *head, size_t *len)
{
	size_t fixed = NLMSG_SPACE(sizeof(struct nfgenmsg));
	*len = head->nlmsg_len < fixed ? 0 : head->nlmsg_len - fixed;
	return (const char *)head + fixed;
}

/* Writes a message that names the flow as another message does: by half of it, zone and number. */
static void name_flow(struct nl_batch *batch, uint16_t type, uint16_t half,
		      const struct nlmsghdr *flow)
{
	const uint16_t names[] = {half, CTA_ZONE, CTA_ID};
	const struct nfgenmsg *of = NLMSG_DATA(flow);
	struct nfgenmsg body = {.nfgen_family = of->nfgen_family, .version = NFNETLINK_V0};
	size_t len = 0;
	const char *attrs = flow_attrs(flow, &len);
	nl_begin(batch, (uint16_t)((NFNL_SUBSYS_CTNETLINK << 8) | type), 0, &body, sizeof(body),
		 "flow");
	for (size_t i = 0; i < TS_ARRAY_LEN(names); i++) {
		size_t size = 0;
		const void *value = nl_find_len(attrs, len, names[i], &size);
		uint16_t nested = names[i] == half ? NLA_F_NESTED : 0;
		if (value)
			nl_attr(batch, names[i] | nested, value, size);
	}
}

static bool is_answered(const struct nlmsghdr *head)
{
	size_t len = 0;
	const char *attrs = flow_attrs(head, &len);
	const uint32_t *status = nl_find(attrs, len, CTA_STATUS, sizeof(*status));
	return !status || (ntohl(*status) & IPS_SEEN_REPLY);
}

static void keep(struct flows *flows, const struct nlmsghdr *head)
{
	static const char padding[NLMSG_ALIGNTO];
	ts_buf_add(&flows->messages, head, head->nlmsg_len);
	ts_buf_add(&flows->messages, padding, NLMSG_ALIGN(head->nlmsg_len) - head->nlmsg_len);
	flows->count++;
}

static size_t count_of(const struct search *search)
{
	size_t count = 0;
	for (size_t i = 0; i < LISTS; i++)
		count += search->lists[i].count;
	return count;
}

/* `back`: the half by which it answers. */
static int list_for(const struct wanted *wanted, const struct tuple *back)
{
	if (wanted->unanswered)
		return UNANSWERED;
	if (!wanted->gone || same(&wanted->front, &back->src) || same(&wanted->front, &back->dst))
		return BY_ANSWER;
	return BY_CALL;
}

static void each_flow(const struct nlmsghdr *head, void *data)
{
	struct search *search = data;
	const struct nfgenmsg *body = NLMSG_DATA(head);
	struct tuple from, back;
	size_t len = 0;
	const char *attrs = flow_attrs(head, &len);
	if (len == 0 || count_of(search) == ROUND_FLOWS)
		return;
	if (!tuple_read(attrs, len, CTA_TUPLE_ORIG, body->nfgen_family, &from) ||
	    !tuple_read(attrs, len, CTA_TUPLE_REPLY, body->nfgen_family, &back))
		return;
	bool answered = is_answered(head);
	for (size_t i = 0; i < search->count; i++) {
		const struct wanted *wanted = &search->wanted[i];
		if (!matches(wanted, &from, &back, answered))
			continue;
		keep(&search->lists[list_for(wanted, &back)], head);
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

/* A flow that has ended by itself meanwhile is what was wanted. */
static int commit(int sock, struct nl_batch *batch, struct ts_err *err)
{
	struct ts_err why = {0};
	if (nl_commit(sock, batch, "forget flows", &why) == 0 || why.errnum == ENOENT)
		return 0;
	*err = why;
	return -1;
}

static const struct nlmsghdr *flow_at(const struct flows *flows, size_t place)
{
	return (const struct nlmsghdr *)(const void *)(flows->messages.data + place);
}

static int forget_all(int sock, const struct flows *flows, struct ts_err *err)
{
	cleanup_batch struct nl_batch batch = {0};
	for (size_t at = 0; at < flows->messages.len;) {
		const struct nlmsghdr *flow = flow_at(flows, at);
		at += NLMSG_ALIGN(flow->nlmsg_len);
		name_flow(&batch, IPCTNL_MSG_CT_DELETE, flows->half, flow);
		bool full = batch.count == NL_BATCH_MAX - 1 || at == flows->messages.len;
		if (full && commit(sock, &batch, err) < 0)
			return -1;
	}
	return 0;
}

static void note_answered(const struct nlmsghdr *head, void *data)
{
	bool *answered = data;
	*answered = is_answered(head);
}

/*
 * One at a time, each looked at once more just before: listing all flows takes long on a busy host,
 * and a connection that has been answered meanwhile is somebody's. Its next packet would go to
 * another backend, which resets it.
 */
static int forget_unanswered(int sock, const struct flows *flows, uint64_t *forgotten,
			     struct ts_err *err)
{
	cleanup_batch struct nl_batch batch = {0};
	for (size_t at = 0; at < flows->messages.len;) {
		const struct nlmsghdr *flow = flow_at(flows, at);
		at += NLMSG_ALIGN(flow->nlmsg_len);
		struct ts_err why = {0};
		bool answered = true;
		name_flow(&batch, IPCTNL_MSG_CT_GET, flows->half, flow);
		int seen = nl_query(sock, &batch, 0, note_answered, &answered, &why);
		if (seen < 0 && why.errnum != ENOENT) {
			*err = why;
			return -1;
		}
		if (seen < 0 || answered)
			continue;
		name_flow(&batch, IPCTNL_MSG_CT_DELETE, flows->half, flow);
		if (commit(sock, &batch, err) < 0)
			return -1;
		*forgotten += 1;
	}
	return 0;
}

/* Removes up to ROUND_FLOWS flows; 1 = there may be more. */
static int forget(int sock, struct search *search, uint64_t *flows, struct ts_err *err)
{
	cleanup_batch struct nl_batch dump = {0};
	struct nfgenmsg body = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
	struct flows *lists = search->lists;
	for (size_t i = 0; i < LISTS; i++)
		lists[i].messages.len = lists[i].count = 0;
	nl_begin(&dump, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, 0, &body, sizeof(body),
		 "flows");
	if (nl_query(sock, &dump, NLM_F_DUMP, each_flow, search, err) < 0 ||
	    forget_unanswered(sock, &lists[UNANSWERED], flows, err) < 0 ||
	    forget_all(sock, &lists[BY_CALL], err) < 0 ||
	    forget_all(sock, &lists[BY_ANSWER], err) < 0)
		return -1;
	size_t removed = lists[BY_CALL].count + lists[BY_ANSWER].count;
	*flows += removed;
	return removed > 0 && count_of(search) == ROUND_FLOWS;
}

int net_conntrack(const struct ts_json *request, struct ts_buf *answer, struct ts_err *err)
{
	static struct wanted wanted[WANTED_MAX];
	static int sock = -1;
	const struct ts_json *gone = NULL, *udp = NULL, *unanswered = NULL;
	struct search search = {.wanted = wanted};
	for (size_t i = 0; i < LISTS; i++)
		search.lists[i].half = i == BY_CALL ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY;
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
	for (size_t i = 0; i < LISTS; i++)
		ts_buf_free(&search.lists[i].messages);
	if (more < 0)
		return -1;
	ts_buf_printf(answer, ",\"flows\":%llu", (unsigned long long)flows);
	return 0;
}
