/*
 * Reading config.json: the top level, mounts, hooks; the other parts are in config-process.c,
 * config-linux.c and config-resources.c. Source: OCI runtime-spec 1.3, config.md and
 * config-linux.md.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

static int check_version(struct config *config, struct ts_err *err)
{
	const char *v = NULL;

	if (ts_json_opt_str(config->root, "ociVersion", "", &v, err) < 0)
		return -1;
	if (!v)
		return config_invalid(err, "ociVersion", "ociVersion: missing");
	if (strncmp(v, "1.", 2) != 0 || v[2] < '0' || v[2] > '9')
		return config_invalid(
		    err, "ociVersion",
		    "ociVersion: \"%s\" is not a 1.x version, which this runtime reads", v);
	config->oci_version = v;
	return 0;
}

int config_parse_strings(struct ts_json_doc *doc, const struct ts_json *obj, const char *key,
			 const char *where, struct name_value **out, size_t *count,
			 struct ts_err *err)
{
	const struct ts_json *node = NULL;
	size_t n = 0;
	int rc = ts_json_opt_node(obj, key, where, TS_JSON_OBJECT, &node, err);

	if (rc <= 0)
		return rc;
	*out = ts_json_alloc(doc, (node->len + 1) * sizeof(**out));
	ts_json_each (m, node) {
		char path[256];

		snprintf(path, sizeof(path), "%s.%s.%s", where, key, m->key);
		if (m->type != TS_JSON_STRING)
			return config_invalid(err, path, "%s: must be a string", path);
		(*out)[n++] = (struct name_value){m->key, m->str};
	}
	*count = n;
	return 1;
}

int config_parse_id_maps(struct ts_json_doc *doc, const struct ts_json *obj, const char *key,
			 const char *where, struct id_maps *out, struct ts_err *err)
{
	const struct ts_json *node = NULL;
	char path[128];
	int rc = ts_json_opt_node(obj, key, where, TS_JSON_ARRAY, &node, err);

	if (rc <= 0)
		return rc;
	snprintf(path, sizeof(path), "%s.%s", where, key);
	if (node->len > 340)
		return config_invalid(err, path, "%s: the kernel takes at most 340 ranges", path);
	out->items = ts_json_alloc(doc, (node->len + 1) * sizeof(*out->items));
	ts_json_each (item, node) {
		struct id_map *m = &out->items[out->count];

		if (ts_json_opt_u32(item, "containerID", path, &m->container_id, err) < 0 ||
		    ts_json_opt_u32(item, "hostID", path, &m->host_id, err) < 0 ||
		    ts_json_opt_u32(item, "size", path, &m->size, err) < 0)
			return -1;
		if (m->size == 0)
			return config_invalid(err, path, "%s: a range needs a size of at least 1",
					      path);
		out->count++;
	}
	return 1;
}

/* Makes the destination absolute and lexically clean: no "//", "." or "..". */
static const char *clean_path(struct ts_json_doc *doc, const char *path)
{
	size_t len = strlen(path);
	char *out = ts_json_alloc(doc, len + 3), *o = out;

	while (*path) {
		const char *end = strchrnul(path, '/');
		size_t n = (size_t)(end - path);

		if (n == 2 && memcmp(path, "..", 2) == 0) {
			while (o > out && *--o != '/')
				;
		} else if (n > 0 && !(n == 1 && *path == '.')) {
			*o++ = '/';
			memcpy(o, path, n);
			o += n;
		}
		path = *end ? end + 1 : end;
	}
	if (o == out)
		*o++ = '/';
	*o = '\0';
	return out;
}

static int parse_mount(struct config *config, const struct ts_json *item, struct mount_spec *out,
		       const char *where, struct ts_err *err)
{
	const char *const *options = NULL;
	const char *destination = NULL;
	size_t count = 0;
	bool bind;

	out->source_fd = -1;
	if (ts_json_opt_str(item, "destination", where, &destination, err) < 0 ||
	    ts_json_opt_str(item, "type", where, &out->type, err) < 0 ||
	    ts_json_opt_str(item, "source", where, &out->source, err) < 0 ||
	    ts_json_opt_strv(config->doc, item, "options", where, &options, &count, err) < 0 ||
	    config_parse_id_maps(config->doc, item, "uidMappings", where, &out->uid_maps, err) <
		0 ||
	    config_parse_id_maps(config->doc, item, "gidMappings", where, &out->gid_maps, err) < 0)
		return -1;
	if (!destination || !*destination)
		return config_invalid(err, where, "%s.destination: missing", where);
	out->destination = clean_path(config->doc, destination);
	if (out->type &&
	    (!*out->type || strcmp(out->type, "bind") == 0 || strcmp(out->type, "none") == 0)) {
		bind = strcmp(out->type, "bind") == 0;
		out->type = NULL;
	} else {
		bind = !out->type;
	}
	for (size_t i = 0; i < count; i++)
		if (strcmp(options[i], "bind") == 0 || strcmp(options[i], "rbind") == 0)
			bind = true;
	if (mount_options_parse(config->doc, options, count, bind, where, &out->options, err) < 0)
		return -1;
	if (bind)
		out->type = NULL;
	if (bind && !out->options.bind && !out->options.remount)
		out->options.bind = true;
	if (bind && !out->options.remount && (!out->source || !*out->source))
		return config_invalid(err, where, "%s.source: a bind mount needs a source", where);
	if (!out->destination[1] && !out->options.remount)
		return config_invalid(err, where, "%s.destination: nothing can be mounted on /",
				      where);
	if (!bind && !out->type && !out->options.remount)
		return config_invalid(err, where, "%s.type: missing", where);
	if ((out->options.idmap || out->uid_maps.count || out->gid_maps.count) && !bind)
		return config_invalid(err, where, "%s: only bind mounts can be id-mapped", where);
	if ((out->uid_maps.count == 0) != (out->gid_maps.count == 0))
		return config_invalid(err, where, "%s: uidMappings and gidMappings belong together",
				      where);
	return 0;
}

int config_parse_mounts(struct config *config, struct ts_err *err)
{
	const struct ts_json *node = NULL;
	int rc = ts_json_opt_node(config->root, "mounts", "", TS_JSON_ARRAY, &node, err);

	if (rc <= 0)
		return rc;
	if (node->len > CONFIG_ITEMS_MAX)
		return config_invalid(err, "mounts", "mounts: more than %d", CONFIG_ITEMS_MAX);
	config->mounts = ts_json_alloc(config->doc, (node->len + 1) * sizeof(*config->mounts));
	ts_json_each (item, node) {
		char where[32];

		snprintf(where, sizeof(where), "mounts[%zu]", config->mount_count);
		if (parse_mount(config, item, &config->mounts[config->mount_count], where, err) < 0)
			return -1;
		config->mount_count++;
	}
	return 0;
}

static int parse_hook(struct config *config, const struct ts_json *item, struct hook_spec *out,
		      const char *where, struct ts_err *err)
{
	int64_t timeout = 0;
	size_t n = 0;

	if (ts_json_opt_str(item, "path", where, &out->path, err) < 0 ||
	    ts_json_opt_strv(config->doc, item, "args", where, &out->args, &n, err) < 0 ||
	    ts_json_opt_strv(config->doc, item, "env", where, &out->env, &n, err) < 0)
		return -1;
	switch (ts_json_opt_i64(item, "timeout", where, &timeout, err)) {
	case 1:
		if (timeout <= 0 || timeout > 86400)
			return config_invalid(err, where, "%s.timeout: must be 1 to 86400 seconds",
					      where);
		out->timeout_s = (int)timeout;
		break;
	case 0:
		break;
	default:
		return -1;
	}
	if (!out->path || out->path[0] != '/')
		return config_invalid(err, where, "%s.path: must be an absolute path", where);
	return 0;
}

int config_parse_hooks(struct config *config, struct ts_err *err)
{
	static const char *const names[HOOK_KINDS] = {"prestart",	 "createRuntime",
						      "createContainer", "startContainer",
						      "poststart",	 "poststop"};
	const struct ts_json *hooks = NULL;

	if (ts_json_opt_node(config->root, "hooks", "", TS_JSON_OBJECT, &hooks, err) < 0)
		return -1;
	for (int kind = 0; hooks && kind < HOOK_KINDS; kind++) {
		struct hook_list *list = &config->hooks[kind];
		const struct ts_json *node = NULL;

		if (ts_json_opt_node(hooks, names[kind], "hooks", TS_JSON_ARRAY, &node, err) < 0)
			return -1;
		if (!node)
			continue;
		list->items = ts_json_alloc(config->doc, (node->len + 1) * sizeof(*list->items));
		ts_json_each (item, node) {
			char where[64];

			snprintf(where, sizeof(where), "hooks.%s[%zu]", names[kind], list->count);
			if (parse_hook(config, item, &list->items[list->count], where, err) < 0)
				return -1;
			list->count++;
		}
	}
	return 0;
}

static int parse_root(struct config *config, struct ts_err *err)
{
	const struct ts_json *node = NULL;

	if (ts_json_opt_node(config->root, "root", "", TS_JSON_OBJECT, &node, err) < 0)
		return -1;
	if (!node)
		return config_invalid(err, "root", "root: missing");
	if (ts_json_opt_str(node, "path", "root", &config->rootfs, err) < 0 ||
	    ts_json_opt_bool(node, "readonly", "root", &config->rootfs_readonly, err) < 0)
		return -1;
	if (!config->rootfs || !*config->rootfs)
		return config_invalid(err, "root.path", "root.path: missing");
	return 0;
}

static int parse_annotations(struct config *config, struct ts_err *err)
{
	if (ts_json_opt_node(config->root, "annotations", "", TS_JSON_OBJECT, &config->annotations,
			     err) < 0)
		return -1;
	ts_json_each (m, config->annotations)
		if (m->type != TS_JSON_STRING)
			return config_invalid(err, "annotations",
					      "annotations.%s: must be a string", m->key);
	return 0;
}

int config_parse(struct config *config, const char *text, size_t len, struct ts_err *err)
{
	const struct ts_json *process = NULL;

	memset(config, 0, sizeof(*config));
	config->root = ts_json_parse(text, len, &config->doc, err);
	if (!config->root)
		return ts_err_prefix(err, "config.json");
	if (config->root->type != TS_JSON_OBJECT)
		return config_invalid(err, "", "config.json: must be an object");
	if (check_version(config, err) < 0 || parse_root(config, err) < 0 ||
	    ts_json_opt_str(config->root, "hostname", "", &config->hostname, err) < 0 ||
	    ts_json_opt_str(config->root, "domainname", "", &config->domainname, err) < 0 ||
	    parse_annotations(config, err) < 0 ||
	    ts_json_opt_node(config->root, "process", "", TS_JSON_OBJECT, &process, err) < 0)
		return -1;
	if (process) {
		config->has_process = true;
		if (config_parse_process(config->doc, process, &config->process, err) < 0)
			return -1;
	}
	if (config_parse_mounts(config, err) < 0 || config_parse_hooks(config, err) < 0 ||
	    config_parse_linux(config, err) < 0)
		return -1;
	return 0;
}

void config_free(struct config *config)
{
	ts_json_free(&config->doc);
}
