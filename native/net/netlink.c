#include "netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

/* The kernel fills at most this much per answer of a dump. */
enum { ANSWER_BYTES = 32768 };

int nl_open(int protocol, uint32_t groups)
{
	cleanup_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (sock < 0)
		return -1;
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int one = 1;
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -1;
	/* The kernel's own words about an error, where it has some. */
	setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(sock, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return steal_fd(&sock);
}

uint32_t nl_port(int sock)
{
	struct sockaddr_nl addr = {0};
	socklen_t len = sizeof(addr);
	return getsockname(sock, (struct sockaddr *)&addr, &len) < 0 ? 0 : addr.nl_pid;
}

void nl_batch_free(struct nl_batch *batch)
{
	ts_buf_free(&batch->bytes);
}

static struct nlmsghdr *newest(struct nl_batch *batch)
{
	return (struct nlmsghdr *)(void *)(batch->bytes.data + batch->last);
}

/* Appends bytes and the padding behind them; the newest message grows by both. */
static void append(struct nl_batch *batch, const void *bytes, size_t len)
{
	static const char zero[NLMSG_ALIGNTO];
	ts_buf_add(&batch->bytes, bytes, len);
	ts_buf_add(&batch->bytes, zero, NLMSG_ALIGN(len) - len);
	newest(batch)->nlmsg_len = (uint32_t)(batch->bytes.len - batch->last);
}

void nl_begin(struct nl_batch *batch, uint16_t type, uint16_t flags, const void *body, size_t len,
	      const char *what)
{
	struct nlmsghdr head = {.nlmsg_type = type,
				.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
	batch->last = batch->bytes.len;
	ts_buf_add(&batch->bytes, &head, sizeof(head));
	append(batch, body, len);
	if (batch->count < NL_BATCH_MAX)
		batch->what[batch->count] = what;
	batch->count++;
}

void nl_raw(struct nl_batch *batch, const void *bytes, size_t len)
{
	append(batch, bytes, len);
}

void nl_attr(struct nl_batch *batch, uint16_t type, const void *value, size_t len)
{
	struct nlattr attr = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	append(batch, &attr, sizeof(attr));
	if (len > 0)
		append(batch, value, len);
}

void nl_attr_str(struct nl_batch *batch, uint16_t type, const char *text)
{
	nl_attr(batch, type, text, strlen(text) + 1);
}

void nl_attr_u32(struct nl_batch *batch, uint16_t type, uint32_t value)
{
	nl_attr(batch, type, &value, sizeof(value));
}

size_t nl_nest(struct nl_batch *batch, uint16_t type)
{
	size_t at = batch->bytes.len;
	nl_attr(batch, (uint16_t)(type | NLA_F_NESTED), NULL, 0);
	return at;
}

void nl_nest_end(struct nl_batch *batch, size_t nest)
{
	struct nlattr *attr = (struct nlattr *)(void *)(batch->bytes.data + nest);
	attr->nla_len = (uint16_t)(batch->bytes.len - nest);
}

const void *nl_find_len(const void *attrs, size_t len, uint16_t type, size_t *size)
{
	const char *at = attrs;
	while (len >= NLA_HDRLEN) {
		struct nlattr attr;
		memcpy(&attr, at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > len)
			return NULL;
		if ((attr.nla_type & NLA_TYPE_MASK) == type) {
			*size = (size_t)attr.nla_len - NLA_HDRLEN;
			return at + NLA_HDRLEN;
		}
		size_t step = NLA_ALIGN(attr.nla_len);
		if (step >= len)
			return NULL;
		at += step;
		len -= step;
	}
	return NULL;
}

const void *nl_find(const void *attrs, size_t len, uint16_t type, size_t size_min)
{
	size_t size = 0;
	const void *found = nl_find_len(attrs, len, type, &size);
	return found && size >= size_min ? found : NULL;
}

/* What the kernel says about an error; "" when it only gives a number. */
static const char *kernel_words(const struct nlmsghdr *head)
{
	size_t fixed = NLMSG_LENGTH(sizeof(struct nlmsgerr));
	if (!(head->nlmsg_flags & NLM_F_ACK_TLVS) || head->nlmsg_len <= fixed)
		return "";
	size_t size = 0;
	const char *text = nl_find_len((const char *)head + fixed, head->nlmsg_len - fixed,
				       NLMSGERR_ATTR_MSG, &size);
	return text && size > 0 && text[size - 1] == '\0' ? text : "";
}

struct outcome {
	int error;	/* first one, a negative errno */
	uint32_t place; /* which message of the batch */
	char words[200];
};

/* Reads answers until the last message of the batch is acknowledged. */
static int collect(int sock, uint32_t first, size_t count, struct outcome *out)
{
	static char answer[ANSWER_BYTES];
	while (true) {
		ssize_t n = recv(sock, answer, sizeof(answer), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		uint32_t left = (uint32_t)n;
		for (struct nlmsghdr *head = (struct nlmsghdr *)(void *)answer;
		     NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
			uint32_t place = head->nlmsg_seq - first;
			if (place >= count || head->nlmsg_type != NLMSG_ERROR)
				continue;
			int error = ((struct nlmsgerr *)NLMSG_DATA(head))->error;
			if (error != 0 && out->error == 0) {
				out->error = error;
				out->place = place;
				strncpy(out->words, kernel_words(head), sizeof(out->words) - 1);
			}
			if (place == count - 1)
				return 0;
		}
	}
}

static uint32_t sequence;

static int exchange(int sock, struct nl_batch *batch, struct outcome *out)
{
	uint32_t first = sequence + 1;
	size_t at = 0, count = batch->count;
	int result = 0;
	if (count == 0)
		return 0;
	newest(batch)->nlmsg_flags |= NLM_F_ACK;
	while (at < batch->bytes.len) {
		struct nlmsghdr *head = (struct nlmsghdr *)(void *)(batch->bytes.data + at);
		head->nlmsg_seq = ++sequence;
		at += NLMSG_ALIGN(head->nlmsg_len);
	}
	if (send(sock, batch->bytes.data, batch->bytes.len, 0) < 0)
		result = -errno;
	else
		result = collect(sock, first, count, out);
	batch->bytes.len = batch->count = batch->last = 0;
	return result;
}

int nl_commit(int sock, struct nl_batch *batch, const char *op, struct ts_err *err)
{
	struct outcome out = {0};
	int result = exchange(sock, batch, &out);
	if (result < 0)
		return ts_fail(err, TS_E_KERNEL, -result, op, "netlink", "%s: netlink", op);
	if (out.error == 0)
		return 0;
	const char *what = out.place < NL_BATCH_MAX ? batch->what[out.place] : "";
	return ts_fail(err, TS_E_KERNEL, -out.error, op, what, "%s: %s%s%s%s", op, what,
		       out.words[0] ? " (" : "", out.words, out.words[0] ? ")" : "");
}

int nl_call(int sock, struct nl_batch *batch)
{
	struct outcome out = {0};
	int result = exchange(sock, batch, &out);
	return result < 0 ? result : out.error;
}

/* Hands on the answers in `bytes`. 1 = that was the last one, 0 = more will come, negative errno.
 */
static int take_answers(const char *bytes, uint32_t left, uint32_t mine,
			void (*each)(const struct nlmsghdr *head, void *data), void *data)
{
	for (const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)bytes;
	     NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
		if (head->nlmsg_seq != mine)
			continue;
		if (head->nlmsg_type == NLMSG_DONE)
			return 1;
		if (head->nlmsg_type == NLMSG_ERROR) {
			int error = ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
			return error == 0 ? 1 : error;
		}
		each(head, data);
	}
	return 0;
}

int nl_query(int sock, struct nl_batch *batch, uint16_t kind,
	     void (*each)(const struct nlmsghdr *head, void *data), void *data, struct ts_err *err)
{
	static char answer[ANSWER_BYTES];
	struct nlmsghdr *request = newest(batch);
	uint32_t mine = request->nlmsg_seq = ++sequence;
	const char *what = batch->what[0];
	request->nlmsg_flags |= kind ? kind : NLM_F_ACK;
	ssize_t n = send(sock, batch->bytes.data, batch->bytes.len, 0);
	int result = n < 0 ? -errno : 0;
	batch->bytes.len = batch->count = batch->last = 0;
	while (result == 0) {
		n = recv(sock, answer, sizeof(answer), 0);
		if (n >= 0)
			result = take_answers(answer, (uint32_t)n, mine, each, data);
		else if (errno != EINTR)
			result = -errno;
	}
	if (result == 1)
		return 0;
	return ts_fail(err, TS_E_KERNEL, -result, "list", what, "list %s", what);
}
