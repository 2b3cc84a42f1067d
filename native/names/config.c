/*
 * Reading the configuration; see config.h and PROTOCOL.md.
 *
 * Anything that is not understood is an error that names its place, so that a mistake of the writer
 * shows at once and the old data stay in use. Unknown members are passed over. A client may name a
 * network that is not there (yet): it is as if it had no names.
 */
#include "config.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "message.h"

static int wrong(struct ts_err *err, const char *where, const char *message, const char *value)
{
	return ts_fail(err, TS_E_INVALID, 0, "config", where, "%s: %s%s%s", where, message,
		       value ? ": " : "", value ? value : "");
}

socklen_t endpoint_bytes(const union endpoint *endpoint)
{
	return endpoint->generic.sa_family == AF_INET ? sizeof endpoint->v4 : sizeof endpoint->v6;
}

bool endpoint_equal(const union endpoint *a, const union endpoint *b)
{
	uint8_t first[16], second[16];

	address_of(a, first);
	address_of(b, second);
	return a->generic.sa_family == b->generic.sa_family && memcmp(first, second, 16) == 0 &&
	       a->v4.sin_port == b->v4.sin_port &&
	       (a->generic.sa_family == AF_INET || a->v6.sin6_scope_id == b->v6.sin6_scope_id);
}

void address_of(const union endpoint *endpoint, uint8_t address[16])
{
	if (endpoint->generic.sa_family == AF_INET6) {
		memcpy(address, &endpoint->v6.sin6_addr, 16);
		return;
	}
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
	memcpy(address + 12, &endpoint->v4.sin_addr, 4);
}

static int parse_address(const char *text, uint16_t port, union endpoint *endpoint)
{
	char address[INET6_ADDRSTRLEN + 1];
	const char *zone = strchr(text, '%');
	size_t length = zone ? (size_t)(zone - text) : strlen(text);

	memset(endpoint, 0, sizeof *endpoint);
	if (length >= sizeof address)
		return -1;
	memcpy(address, text, length);
	address[length] = '\0';
	if (!zone && inet_pton(AF_INET, address, &endpoint->v4.sin_addr) == 1) {
		endpoint->v4.sin_family = AF_INET;
		endpoint->v4.sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, address, &endpoint->v6.sin6_addr) != 1)
		return -1;
	endpoint->v6.sin6_family = AF_INET6;
	endpoint->v6.sin6_port = htons(port);
	endpoint->v6.sin6_scope_id = zone ? if_nametoindex(zone + 1) : 0;
	return zone && endpoint->v6.sin6_scope_id == 0 ? -1 : 0;
}

/* "ADDRESS", or {"address","port"}. */
static int parse_endpoint(const struct ts_json *value, const char *where, union endpoint *endpoint,
			  struct ts_err *err)
{
	const char *address = value->type == TS_JSON_STRING ? value->str : NULL;
	uint32_t port = 53;

	if (value->type == TS_JSON_OBJECT &&
	    (ts_json_opt_str(value, "address", where, &address, err) < 0 ||
	     ts_json_opt_u32(value, "port", where, &port, err) < 0))
		return -1;
	if (!address)
		return wrong(err, where, "wants an address", NULL);
	if (port == 0 || port > UINT16_MAX)
		return wrong(err, where, "wants a port from 1 to 65535", NULL);
	if (parse_address(address, (uint16_t)port, endpoint) < 0)
		return wrong(err, where, "not an IP address", address);
	return 0;
}

static int parse_endpoints(const struct ts_json *root, const char *member, union endpoint *list,
			   size_t max, size_t *count, struct ts_err *err)
{
	const struct ts_json *array = NULL;

	if (ts_json_opt_node(root, member, "config", TS_JSON_ARRAY, &array, err) < 0)
		return -1;
	ts_json_each (item, array) {
		if (*count == max)
			return wrong(err, member, "too many addresses", NULL);
		if (parse_endpoint(item, member, &list[*count], err) < 0)
			return -1;
		(*count)++;
	}
	return 0;
}

static int parse_name(struct config *config, const char *text, const char *where, struct key *key,
		      struct ts_err *err)
{
	uint8_t wire[DNS_NAME_MAX_BYTES];
	size_t length = name_from_text(text, wire);

	if (length == 0)
		return wrong(err, where, "not a domain name", text);
	*key = (struct key){arena_copy(&config->arena, wire, length), length};
	return 0;
}

/* Reads an array of addresses of one family into consecutive bytes. */
static int parse_addresses(struct config *config, const struct ts_json *entry, const char *member,
			   int family, size_t size, const void **list, size_t *count,
			   struct ts_err *err)
{
	const struct ts_json *array = NULL;

	if (ts_json_opt_node(entry, member, "names", TS_JSON_ARRAY, &array, err) < 0)
		return -1;
	if (!array || array->len == 0)
		return 0;
	uint8_t *bytes = arena_alloc(&config->arena, array->len * size);
	ts_json_each (item, array) {
		if (item->type != TS_JSON_STRING ||
		    inet_pton(family, item->str, bytes + *count * size) != 1)
			return wrong(err, member, "not an IP address of this family",
				     item->type == TS_JSON_STRING ? item->str : NULL);
		(*count)++;
	}
	*list = bytes;
	return 0;
}

static int parse_names(struct config *config, const struct ts_json *names, struct network *network,
		       struct ts_err *err)
{
	ts_json_each (item, names) {
		struct name_entry *entry = arena_alloc(&config->arena, sizeof *entry);
		if (parse_name(config, item->key, "names", &entry->key, err) < 0 ||
		    parse_addresses(config, item, "a", AF_INET, 4, (const void **)&entry->a,
				    &entry->a_count, err) < 0 ||
		    parse_addresses(config, item, "aaaa", AF_INET6, 16, (const void **)&entry->aaaa,
				    &entry->aaaa_count, err) < 0)
			return -1;
		table_put(&network->names, &entry->key);
	}
	return 0;
}

static int parse_address_key(struct config *config, const char *text, const char *where,
			     struct key *key, struct ts_err *err)
{
	union endpoint endpoint;
	uint8_t address[16];

	if (parse_address(text, 0, &endpoint) < 0)
		return wrong(err, where, "not an IP address", text);
	address_of(&endpoint, address);
	*key = (struct key){arena_copy(&config->arena, address, sizeof address), sizeof address};
	return 0;
}

static int parse_ptrs(struct config *config, const struct ts_json *ptrs, struct network *network,
		      struct ts_err *err)
{
	ts_json_each (item, ptrs) {
		struct ptr_entry *entry = arena_alloc(&config->arena, sizeof *entry);
		if (item->type != TS_JSON_STRING)
			return wrong(err, "ptr", "wants a name for each address", item->key);
		if (parse_address_key(config, item->key, "ptr", &entry->key, err) < 0 ||
		    parse_name(config, item->str, "ptr", &entry->target, err) < 0)
			return -1;
		table_put(&network->ptrs, &entry->key);
	}
	return 0;
}

static int parse_srv_record(struct config *config, const struct ts_json *item,
			    struct srv_record *record, struct ts_err *err)
{
	uint32_t priority = 0, weight = 0, port = 0;
	const char *target = NULL;

	if (ts_json_opt_u32(item, "priority", "srv", &priority, err) < 0 ||
	    ts_json_opt_u32(item, "weight", "srv", &weight, err) < 0 ||
	    ts_json_opt_u32(item, "port", "srv", &port, err) < 0 ||
	    ts_json_opt_str(item, "target", "srv", &target, err) < 0)
		return -1;
	if (!target || priority > UINT16_MAX || weight > UINT16_MAX || port > UINT16_MAX)
		return wrong(err, "srv", "wants target, port, priority and weight", NULL);
	*record = (struct srv_record){(uint16_t)priority, (uint16_t)weight, (uint16_t)port, {0}};
	return parse_name(config, target, "srv", &record->target, err);
}

static int parse_srvs(struct config *config, const struct ts_json *srvs, struct network *network,
		      struct ts_err *err)
{
	ts_json_each (item, srvs) {
		struct srv_entry *entry = arena_alloc(&config->arena, sizeof *entry);
		if (item->type != TS_JSON_ARRAY)
			return wrong(err, "srv", "wants a list for each name", item->key);
		if (parse_name(config, item->key, "srv", &entry->key, err) < 0)
			return -1;
		struct srv_record *records =
		    arena_alloc(&config->arena, item->len * sizeof *records);
		ts_json_each (record, item)
			if (parse_srv_record(config, record, &records[entry->count++], err) < 0)
				return -1;
		entry->records = records;
		table_put(&network->srvs, &entry->key);
	}
	return 0;
}

static int parse_networks(struct config *config, const struct ts_json *networks, struct ts_err *err)
{
	ts_json_each (item, networks) {
		const struct ts_json *names = NULL, *ptrs = NULL, *srvs = NULL;
		struct network *network = arena_alloc(&config->arena, sizeof *network);
		size_t length = strlen(item->key);
		network->key = (struct key){arena_copy(&config->arena, item->key, length), length};
		network->next = config->first_network;
		config->first_network = network;
		if (ts_json_opt_bool(item, "internal", "networks", &network->internal, err) < 0 ||
		    ts_json_opt_node(item, "names", "networks", TS_JSON_OBJECT, &names, err) < 0 ||
		    ts_json_opt_node(item, "ptr", "networks", TS_JSON_OBJECT, &ptrs, err) < 0 ||
		    ts_json_opt_node(item, "srv", "networks", TS_JSON_OBJECT, &srvs, err) < 0 ||
		    parse_names(config, names, network, err) < 0 ||
		    parse_ptrs(config, ptrs, network, err) < 0 ||
		    parse_srvs(config, srvs, network, err) < 0)
			return ts_err_prefix(err, "network %s", item->key);
		table_put(&config->networks, &network->key);
	}
	return 0;
}

static int parse_clients(struct config *config, const struct ts_json *clients, struct ts_err *err)
{
	ts_json_each (item, clients) {
		struct client *client = arena_alloc(&config->arena, sizeof *client);
		if (item->type != TS_JSON_ARRAY)
			return wrong(err, "clients", "wants a list of networks", item->key);
		if (parse_address_key(config, item->key, "clients", &client->key, err) < 0)
			return -1;
		struct network **networks =
		    arena_alloc(&config->arena, item->len * sizeof *networks);
		ts_json_each (id, item) {
			if (id->type != TS_JSON_STRING)
				return wrong(err, "clients", "wants a list of networks", item->key);
			struct network *network =
			    table_get(&config->networks, (const uint8_t *)id->str, id->len);
			if (network)
				networks[client->network_count++] = network;
		}
		client->networks = networks;
		client->has_networks = item->len > 0;
		table_put(&config->clients, &client->key);
	}
	return 0;
}

/* A client that is not on the list of clients may not ask at all, whatever is said of it here. */
static int parse_client_upstreams(struct config *config, const struct ts_json *own,
				  struct ts_err *err)
{
	ts_json_each (item, own) {
		struct upstreams *upstreams = arena_alloc(&config->arena, sizeof *upstreams);
		struct key key = {0};
		if (parse_address_key(config, item->key, "clientUpstreams", &key, err) < 0 ||
		    parse_endpoints(own, item->key, upstreams->list, UPSTREAMS_MAX,
				    &upstreams->count, err) < 0)
			return -1;
		struct client *client = table_get(&config->clients, key.bytes, key.length);
		if (client && upstreams->count > 0)
			client->upstreams = upstreams;
	}
	return 0;
}

static int parse_client_aliases(struct config *config, const struct ts_json *all,
				struct ts_err *err)
{
	ts_json_each (item, all) {
		struct key key = {0};
		if (item->type != TS_JSON_OBJECT)
			return wrong(err, "clientAliases", "wants names", item->key);
		if (parse_address_key(config, item->key, "clientAliases", &key, err) < 0)
			return -1;
		struct client *client = table_get(&config->clients, key.bytes, key.length);
		if (!client || client->aliases.capacity > 0)
			continue;
		client->next = config->first_aliased;
		config->first_aliased = client;
		ts_json_each (alias, item) {
			struct alias_entry *entry = arena_alloc(&config->arena, sizeof *entry);
			if (alias->type != TS_JSON_STRING)
				return wrong(err, "clientAliases", "wants names", alias->key);
			if (parse_name(config, alias->key, "clientAliases", &entry->key, err) < 0 ||
			    parse_name(config, alias->str, "clientAliases", &entry->target, err) <
				0)
				return -1;
			table_put(&client->aliases, &entry->key);
		}
	}
	return 0;
}

const struct upstreams *upstreams_for(const struct config *config, const uint8_t address[16])
{
	const struct client *client = table_get(&config->clients, address, 16);

	return client && client->upstreams ? client->upstreams : &config->upstreams;
}

static int parse_all(struct config *config, const struct ts_json *root, struct ts_err *err)
{
	const struct ts_json *networks = NULL, *clients = NULL, *own = NULL, *aliases = NULL;

	config->ttl_s = TTL_DEFAULT_S;
	if (root->type != TS_JSON_OBJECT)
		return wrong(err, "config", "wants an object", NULL);
	if (parse_endpoints(root, "listen", config->listen, LISTEN_MAX, &config->listen_count,
			    err) < 0 ||
	    parse_endpoints(root, "upstreams", config->upstreams.list, UPSTREAMS_MAX,
			    &config->upstreams.count, err) < 0 ||
	    ts_json_opt_u32(root, "ttl", "config", &config->ttl_s, err) < 0 ||
	    ts_json_opt_node(root, "networks", "config", TS_JSON_OBJECT, &networks, err) < 0 ||
	    ts_json_opt_node(root, "clients", "config", TS_JSON_OBJECT, &clients, err) < 0 ||
	    ts_json_opt_node(root, "clientUpstreams", "config", TS_JSON_OBJECT, &own, err) < 0 ||
	    ts_json_opt_node(root, "clientAliases", "config", TS_JSON_OBJECT, &aliases, err) < 0 ||
	    parse_networks(config, networks, err) < 0 || parse_clients(config, clients, err) < 0 ||
	    parse_client_upstreams(config, own, err) < 0 ||
	    parse_client_aliases(config, aliases, err) < 0)
		return -1;
	return 0;
}

struct config *config_parse(const char *text, size_t length, struct ts_err *err)
{
	struct ts_json_doc *doc cleanup_json = NULL;
	struct config *config;

	const struct ts_json *root = ts_json_parse(text, length, &doc, err);
	if (!root)
		return NULL;
	config = calloc(1, sizeof *config);
	if (!config)
		abort();
	if (parse_all(config, root, err) < 0) {
		config_free(config);
		return NULL;
	}
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (struct network *network = config->first_network; network; network = network->next) {
		table_free(&network->names);
		table_free(&network->ptrs);
		table_free(&network->srvs);
	}
	table_free(&config->networks);
	for (struct client *client = config->first_aliased; client; client = client->next)
		table_free(&client->aliases);
	table_free(&config->clients);
	arena_free(&config->arena);
	free(config);
}
