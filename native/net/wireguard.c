/*
 * The kernel's WireGuard over generic netlink (uapi/linux/wireguard.h): settings of an interface
 * and of its peers, and what they are now. Each peer is one message, one with many allowed
 * addresses several, because an attribute holds at most 64 KiB; the first of them says whether the
 * list is replaced.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "json-write.h"
#include "net.h"
#include "object.h"

enum { IPS_PER_MESSAGE = 500, KEY_TEXT_LEN = 44 };

static struct {
	int sock; /* -1 = not open yet */
	uint16_t family;
} genl = {.sock = -1};

static void read_family(const struct nlmsghdr *head, void *data)
{
	const char *attrs = (const char *)NLMSG_DATA(head) + GENL_HDRLEN;
	size_t len = head->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	const uint16_t *id = nl_find(attrs, len, CTRL_ATTR_FAMILY_ID, sizeof(*id));
	if (id)
		*(uint16_t *)data = *id;
}

static int genl_open(struct ts_err *err)
{
	if (genl.sock >= 0 && genl.family != 0)
		return 0;
	if (genl.sock < 0)
		genl.sock = nl_open(NETLINK_GENERIC, 0);
	if (genl.sock < 0)
		return ts_fail_errno(err, "socket", "generic netlink", "cannot reach WireGuard");
	cleanup_batch struct nl_batch batch = {0};
	struct genlmsghdr body = {.cmd = CTRL_CMD_GETFAMILY, .version = 1};
	nl_begin(&batch, GENL_ID_CTRL, 0, &body, sizeof(body), "wireguard");
	nl_attr_str(&batch, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
	struct ts_err ignored = {0};
	nl_query(genl.sock, &batch, 0, read_family, &genl.family, &ignored);
	if (genl.family != 0)
		return 0;
	return ts_fail(err, TS_E_UNSUPPORTED, ENOENT, "wireguard", "",
		       "this kernel has no WireGuard");
}

/* 32 bytes from base64, as the wg tools write keys. */
static int key_parse(const char *text, unsigned char key[WG_KEY_LEN], struct ts_err *err)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	size_t have = 0, out = 0;
	size_t len = text ? strlen(text) : 0;
	bool good = len == KEY_TEXT_LEN && text[KEY_TEXT_LEN - 1] == '=';
	for (size_t i = 0; good && i + 1 < len; i++) {
		const char *place = strchr(letters, text[i]);
		good = place != NULL;
		if (!good)
			break;
		bits = bits << 6 | (uint32_t)(place - letters);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (out < WG_KEY_LEN)
			key[out++] = (unsigned char)(bits >> have);
	}
	/* The text may be a secret: it is not repeated. */
	if (!good || out != WG_KEY_LEN)
		return ts_fail(err, TS_E_INVALID, 0, "wireguard", "key",
			       "wireguard: a key is 32 bytes in base64");
	return 0;
}

static void put_key(struct ts_buf *out, const unsigned char *key)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[KEY_TEXT_LEN + 1];
	size_t at = 0;
	for (size_t i = 0; i < WG_KEY_LEN; i += 3) {
		uint32_t bits = (uint32_t)key[i] << 16 |
				(i + 1 < WG_KEY_LEN ? key[i + 1] : 0) << 8 |
				(i + 2 < WG_KEY_LEN ? key[i + 2] : 0);
		for (int shift = 18; shift >= 0; shift -= 6)
			text[at++] = letters[bits >> shift & 63];
	}
	text[KEY_TEXT_LEN - 1] = '=';
	text[KEY_TEXT_LEN] = '\0';
	ts_json_put_str(out, text);
}

/* "192.0.2.1:51820" or "[2001:db8::1]:51820". */
static int endpoint_attr(struct nl_batch *batch, const char *text, struct ts_err *err)
{
	char host[64] = "";
	unsigned port = 0;
	struct net_prefix address;
	bool parsed = text[0] == '[' ? sscanf(text, "[%63[^]]]:%u", host, &port) == 2
				     : sscanf(text, "%63[^:]:%u", host, &port) == 2;
	if (!parsed || port == 0 || port > UINT16_MAX || net_prefix_parse(host, &address, err) < 0)
		return ts_fail(err, TS_E_INVALID, 0, "wireguard", text, "not an endpoint: %s",
			       text);
	if (address.family == AF_INET) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
		memcpy(&in.sin_addr, address.address, address.size);
		nl_attr(batch, WGPEER_A_ENDPOINT, &in, sizeof(in));
	} else {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
					   .sin6_port = htons((uint16_t)port)};
		memcpy(&in6.sin6_addr, address.address, address.size);
		nl_attr(batch, WGPEER_A_ENDPOINT, &in6, sizeof(in6));
	}
	return 0;
}

static void begin(struct nl_batch *batch, const char *link)
{
	struct genlmsghdr body = {.cmd = WG_CMD_SET_DEVICE, .version = WG_GENL_VERSION};
	nl_begin(batch, genl.family, 0, &body, sizeof(body), link);
	nl_attr_str(batch, WGDEVICE_A_IFNAME, link);
}

static int send_settings(const char *link, const struct ts_json *request, struct ts_err *err)
{
	const char *text = NULL;
	uint32_t port = UINT32_MAX;
	unsigned char key[WG_KEY_LEN];
	if (ts_json_opt_str(request, "privateKey", "wireguard", &text, err) < 0 ||
	    ts_json_opt_u32(request, "listenPort", "wireguard", &port, err) < 0)
		return -1;
	if (!text && port == UINT32_MAX)
		return 0;
	cleanup_batch struct nl_batch batch = {0};
	begin(&batch, link);
	if (text) {
		if (key_parse(text, key, err) < 0)
			return -1;
		nl_attr(&batch, WGDEVICE_A_PRIVATE_KEY, key, sizeof(key));
	}
	if (port != UINT32_MAX) {
		uint16_t number = (uint16_t)port;
		nl_attr(&batch, WGDEVICE_A_LISTEN_PORT, &number, sizeof(number));
	}
	int error = nl_call(genl.sock, &batch);
	if (error == -EADDRINUSE)
		return ts_fail(err, TS_E_EXISTS, EADDRINUSE, "wireguard", link,
			       "UDP port %u is in use", port);
	if (error < 0)
		return ts_fail(err, TS_E_KERNEL, -error, "wireguard", link,
			       "cannot configure WireGuard interface %s", link);
	return 0;
}

struct peer {
	unsigned char key[WG_KEY_LEN];
	const char *endpoint;
	const struct ts_json *ips;
	uint32_t keepalive; /* UINT32_MAX = as it is */
	bool remove, replace;
};

static int peer_parse(const struct ts_json *json, struct peer *out, struct ts_err *err)
{
	const char *key = NULL;
	*out = (struct peer){.keepalive = UINT32_MAX};
	if (ts_json_opt_str(json, "publicKey", "peer", &key, err) < 0 ||
	    ts_json_opt_str(json, "endpoint", "peer", &out->endpoint, err) < 0 ||
	    ts_json_opt_bool(json, "remove", "peer", &out->remove, err) < 0 ||
	    ts_json_opt_bool(json, "replaceAllowedIps", "peer", &out->replace, err) < 0 ||
	    ts_json_opt_u32(json, "keepaliveSeconds", "peer", &out->keepalive, err) < 0 ||
	    ts_json_opt_node(json, "addAllowedIps", "peer", TS_JSON_ARRAY, &out->ips, err) < 0)
		return -1;
	return key_parse(key, out->key, err);
}

static int ip_attr(struct nl_batch *batch, const struct ts_json *item, struct ts_err *err)
{
	struct net_prefix ip;
	if (item->type != TS_JSON_STRING)
		return ts_fail(err, TS_E_INVALID, 0, "peer", "addAllowedIps",
			       "allowed addresses are strings");
	if (net_prefix_parse(item->str, &ip, err) < 0)
		return -1;
	uint16_t family = (uint16_t)ip.family;
	size_t nest = nl_nest(batch, 0);
	nl_attr(batch, WGALLOWEDIP_A_FAMILY, &family, sizeof(family));
	nl_attr(batch, WGALLOWEDIP_A_IPADDR, ip.address, ip.size);
	nl_attr(batch, WGALLOWEDIP_A_CIDR_MASK, &ip.length, sizeof(ip.length));
	nl_nest_end(batch, nest);
	return 0;
}

/* Everything but allowed addresses. */
static int peer_attrs(struct nl_batch *batch, const struct peer *peer, struct ts_err *err)
{
	uint32_t flags = (peer->remove ? WGPEER_F_REMOVE_ME : 0) |
			 (peer->replace ? WGPEER_F_REPLACE_ALLOWEDIPS : 0);
	if (flags)
		nl_attr_u32(batch, WGPEER_A_FLAGS, flags);
	if (peer->keepalive != UINT32_MAX) {
		uint16_t seconds = (uint16_t)peer->keepalive;
		nl_attr(batch, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, &seconds, sizeof(seconds));
	}
	return peer->endpoint ? endpoint_attr(batch, peer->endpoint, err) : 0;
}

/* Sends one message with the addresses from *item on; *item becomes the first that is left. */
static int peer_message(const char *link, const struct peer *peer, const struct ts_json **item,
			bool first, struct ts_err *err)
{
	cleanup_batch struct nl_batch batch = {0};
	begin(&batch, link);
	size_t peers = nl_nest(&batch, WGDEVICE_A_PEERS);
	size_t one = nl_nest(&batch, 0);
	nl_attr(&batch, WGPEER_A_PUBLIC_KEY, peer->key, sizeof(peer->key));
	if (first && peer_attrs(&batch, peer, err) < 0)
		return -1;
	if (*item) {
		size_t ips = nl_nest(&batch, WGPEER_A_ALLOWEDIPS);
		for (int i = 0; *item && i < IPS_PER_MESSAGE; i++, *item = (*item)->next)
			if (ip_attr(&batch, *item, err) < 0)
				return -1;
		nl_nest_end(&batch, ips);
	}
	nl_nest_end(&batch, one);
	nl_nest_end(&batch, peers);
	return nl_commit(genl.sock, &batch, "configure WireGuard peer", err);
}

int net_wireguard_set(const struct ts_json *request, struct ts_err *err)
{
	const char *link = NULL;
	const struct ts_json *peers = NULL;
	if (ts_json_opt_str(request, "link", "wireguard", &link, err) < 0 ||
	    ts_json_opt_node(request, "peers", "wireguard", TS_JSON_ARRAY, &peers, err) < 0)
		return -1;
	if (!link || !*link || strlen(link) >= IFNAMSIZ)
		return ts_fail(err, TS_E_INVALID, 0, "wireguard", "link",
			       "wireguard: link is missing or too long");
	if (genl_open(err) < 0 || send_settings(link, request, err) < 0)
		return -1;
	ts_json_each (json, peers) {
		struct peer peer;
		if (peer_parse(json, &peer, err) < 0)
			return -1;
		const struct ts_json *item = peer.ips ? peer.ips->child : NULL;
		bool first = true;
		do {
			if (peer_message(link, &peer, &item, first, err) < 0)
				return -1;
			first = false;
		} while (item);
	}
	return 0;
}

struct device {
	struct ts_buf head, peers;
	const char *comma;
};

static void put_ips(struct ts_buf *out, const void *attrs, size_t len)
{
	const char *at = attrs, *comma = "";
	while (len >= NLA_HDRLEN) {
		struct nlattr attr;
		memcpy(&attr, at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > len)
			return;
		const char *inner = at + NLA_HDRLEN;
		size_t inner_len = attr.nla_len - NLA_HDRLEN, size = 0;
		const uint16_t *family =
		    nl_find(inner, inner_len, WGALLOWEDIP_A_FAMILY, sizeof(*family));
		const uint8_t *mask = nl_find(inner, inner_len, WGALLOWEDIP_A_CIDR_MASK, 1);
		const void *ip = nl_find_len(inner, inner_len, WGALLOWEDIP_A_IPADDR, &size);
		char text[INET6_ADDRSTRLEN];
		if (family && mask && ip && size >= (*family == AF_INET ? 4 : 16) &&
		    inet_ntop(*family, ip, text, sizeof(text))) {
			ts_buf_printf(out, "%s\"%s/%u\"", comma, text, *mask);
			comma = ",";
		}
		size_t step = NLA_ALIGN(attr.nla_len);
		if (step >= len)
			return;
		at += step;
		len -= step;
	}
}

static void put_endpoint(struct ts_buf *out, const void *attrs, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	const struct sockaddr_in *in =
	    nl_find(attrs, len, WGPEER_A_ENDPOINT, sizeof(struct sockaddr_in));
	ts_buf_puts(out, ",\"endpoint\":\"");
	if (in && in->sin_family == AF_INET &&
	    inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)))
		ts_buf_printf(out, "%s:%u", text, ntohs(in->sin_port));
	const struct sockaddr_in6 *in6 =
	    nl_find(attrs, len, WGPEER_A_ENDPOINT, offsetof(struct sockaddr_in6, sin6_scope_id));
	if (in6 && in6->sin6_family == AF_INET6 &&
	    inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)))
		ts_buf_printf(out, "[%s]:%u", text, ntohs(in6->sin6_port));
	ts_buf_puts(out, "\"");
}

static void put_peer(struct device *device, const void *attrs, size_t len)
{
	struct ts_buf *out = &device->peers;
	const unsigned char *key = nl_find(attrs, len, WGPEER_A_PUBLIC_KEY, WG_KEY_LEN);
	size_t size = 0;
	if (!key)
		return;
	ts_buf_printf(out, "%s{\"publicKey\":", device->comma);
	device->comma = ",";
	put_key(out, key);
	put_endpoint(out, attrs, len);
	int64_t when[2] = {0};
	const void *handshake = nl_find(attrs, len, WGPEER_A_LAST_HANDSHAKE_TIME, sizeof(when));
	if (handshake)
		memcpy(when, handshake, sizeof(when));
	uint64_t bytes[2] = {0};
	const void *rx = nl_find(attrs, len, WGPEER_A_RX_BYTES, sizeof(uint64_t));
	const void *tx = nl_find(attrs, len, WGPEER_A_TX_BYTES, sizeof(uint64_t));
	if (rx)
		memcpy(&bytes[0], rx, sizeof(uint64_t));
	if (tx)
		memcpy(&bytes[1], tx, sizeof(uint64_t));
	ts_buf_printf(out, ",\"handshakeMs\":%lld,\"receivedBytes\":%llu,\"sentBytes\":%llu",
		      (long long)(when[0] * 1000 + when[1] / 1000000), (unsigned long long)bytes[0],
		      (unsigned long long)bytes[1]);
	ts_buf_puts(out, ",\"allowedIps\":[");
	const void *ips = nl_find_len(attrs, len, WGPEER_A_ALLOWEDIPS, &size);
	if (ips)
		put_ips(out, ips, size);
	ts_buf_puts(out, "]}");
}

static void each_device(const struct nlmsghdr *head, void *data)
{
	struct device *device = data;
	if (head->nlmsg_type != genl.family || head->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return;
	const char *attrs = (const char *)NLMSG_DATA(head) + GENL_HDRLEN;
	size_t len = head->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), size = 0;
	const unsigned char *key = nl_find(attrs, len, WGDEVICE_A_PUBLIC_KEY, WG_KEY_LEN);
	const uint16_t *port = nl_find(attrs, len, WGDEVICE_A_LISTEN_PORT, sizeof(*port));
	if (device->head.len == 0) {
		ts_buf_puts(&device->head, ",\"publicKey\":");
		if (key)
			put_key(&device->head, key);
		else
			ts_json_put_str(&device->head, "");
		ts_buf_printf(&device->head, ",\"listenPort\":%u", port ? *port : 0);
	}
	const char *at = nl_find_len(attrs, len, WGDEVICE_A_PEERS, &size);
	while (at && size >= NLA_HDRLEN) {
		struct nlattr attr;
		memcpy(&attr, at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > size)
			return;
		put_peer(device, at + NLA_HDRLEN, attr.nla_len - NLA_HDRLEN);
		size_t step = NLA_ALIGN(attr.nla_len);
		if (step >= size)
			return;
		at += step;
		size -= step;
	}
}

int net_wireguard_get(const struct ts_json *request, struct ts_buf *answer, struct ts_err *err)
{
	const char *link = NULL;
	if (ts_json_opt_str(request, "link", "wireguard", &link, err) < 0)
		return -1;
	if (!link || !*link || strlen(link) >= IFNAMSIZ)
		return ts_fail(err, TS_E_INVALID, 0, "wireguard", "link",
			       "wireguard: link is missing or too long");
	if (genl_open(err) < 0)
		return -1;
	cleanup_batch struct nl_batch batch = {0};
	struct device device = {.head = TS_BUF_INIT, .peers = TS_BUF_INIT, .comma = ""};
	struct genlmsghdr body = {.cmd = WG_CMD_GET_DEVICE, .version = WG_GENL_VERSION};
	nl_begin(&batch, genl.family, 0, &body, sizeof(body), link);
	nl_attr_str(&batch, WGDEVICE_A_IFNAME, link);
	int result = nl_query(genl.sock, &batch, NLM_F_DUMP, each_device, &device, err);
	if (result == 0) {
		ts_buf_puts(answer, device.head.data ? device.head.data : "");
		ts_buf_puts(answer, ",\"peers\":[");
		ts_buf_puts(answer, device.peers.data ? device.peers.data : "");
		ts_buf_puts(answer, "]");
	}
	ts_buf_free(&device.head);
	ts_buf_free(&device.peers);
	return result;
}
