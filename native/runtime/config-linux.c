/*
 * Reading the `linux` object except `resources`: namespaces, id maps, devices, sysctls, paths.
 * Refuses what this runtime cannot do by naming the key: intelRdt, memoryPolicy, network devices. Whether a sysctl belongs to a namespace that the container owns is checked
 * here too, because writing another one would change the host.
 */
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

static const char *const ns_words[NS_COUNT] = {"user", "pid",	 "network", "ipc",
					       "uts",  "cgroup", "time",    "mount"};

static int parse_namespaces(struct config *config, const struct ts_json *linux_node,
			    struct ts_err *err)
{
	const struct ts_json *list = NULL;
	size_t i = 0;

	if (ts_json_opt_node(linux_node, "namespaces", "linux", TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	ts_json_each (item, list) {
		const char *type = NULL, *path = NULL;
		char where[40];
		int kind;

		snprintf(where, sizeof(where), "linux.namespaces[%zu]", i++);
		if (ts_json_opt_str(item, "type", where, &type, err) < 0 ||
		    ts_json_opt_str(item, "path", where, &path, err) < 0)
			return -1;
		for (kind = 0; kind < NS_COUNT; kind++)
			if (type && strcmp(type, ns_words[kind]) == 0)
				break;
		if (kind == NS_COUNT)
			return config_invalid(err, where, "%s.type: \"%s\" is no namespace", where,
					      type ? type : "");
		if (config->namespaces[kind].present)
			return config_invalid(err, where, "%s: %s is given twice", where, type);
		if (path && *path && *path != '/')
			return config_invalid(err, where, "%s.path: must be absolute", where);
		config->namespaces[kind].present = true;
		config->namespaces[kind].path = path && *path ? path : NULL;
	}
	return 0;
}

static int parse_device(const struct ts_json *item, struct device_spec *out, const char *where,
			struct ts_err *err)
{
	const char *type = NULL;
	uint32_t mode = 0666;

	if (ts_json_opt_str(item, "path", where, &out->path, err) < 0 ||
	    ts_json_opt_str(item, "type", where, &type, err) < 0 ||
	    ts_json_opt_i64(item, "major", where, &out->major, err) < 0 ||
	    ts_json_opt_i64(item, "minor", where, &out->minor, err) < 0 ||
	    ts_json_opt_u32(item, "fileMode", where, &mode, err) < 0 ||
	    ts_json_opt_u32(item, "uid", where, &out->uid, err) < 0 ||
	    ts_json_opt_u32(item, "gid", where, &out->gid, err) < 0)
		return -1;
	if (!out->path || out->path[0] != '/')
		return config_invalid(err, where, "%s.path: must be an absolute path", where);
	if (!type || strlen(type) != 1 || !strchr("cbup", type[0]))
		return config_invalid(err, where, "%s.type: must be c, b, u or p", where);
	if (out->major < 0 || out->minor < 0 || out->major > 0xfff || out->minor > 0xfffff)
		return config_invalid(err, where, "%s: major or minor out of range", where);
	out->type = type[0];
	out->mode = mode & 07777;
	return 0;
}

static int parse_devices(struct config *config, const struct ts_json *linux_node,
			 struct ts_err *err)
{
	const struct ts_json *list = NULL;

	if (ts_json_opt_node(linux_node, "devices", "linux", TS_JSON_ARRAY, &list, err) < 0)
		return -1;
	if (!list)
		return 0;
	if (list->len > CONFIG_ITEMS_MAX)
		return config_invalid(err, "linux.devices", "linux.devices: more than %d",
				      CONFIG_ITEMS_MAX);
	config->devices = ts_json_alloc(config->doc, (list->len + 1) * sizeof(*config->devices));
	ts_json_each (item, list) {
		char where[40];

		snprintf(where, sizeof(where), "linux.devices[%zu]", config->device_count);
		if (parse_device(item, &config->devices[config->device_count], where, err) < 0)
			return -1;
		config->device_count++;
	}
	return 0;
}

/* A sysctl is allowed only when it belongs to a namespace that is not the host's. */
static int check_sysctl(const struct config *config, const char *name, struct ts_err *err)
{
	static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",	    "kernel.msgmni",
					  "kernel.sem",	   "kernel.shmall",	    "kernel.shmmax",
					  "kernel.shmmni", "kernel.shm_rmid_forced"};
	char path[160];
	bool ok = false;

	snprintf(path, sizeof(path), "linux.sysctl.%s", name);
	if (strstr(name, "..") || name[0] == '/' || name[0] == '.' || strlen(name) > 120)
		return config_invalid(err, path, "%s: is no name of a sysctl", path);
	if (strncmp(name, "net.", 4) == 0 || strncmp(name, "net/", 4) == 0)
		ok = config->namespaces[NS_NET].present;
	if (strncmp(name, "fs.mqueue.", 10) == 0 || strncmp(name, "fs/mqueue/", 10) == 0)
		ok = config->namespaces[NS_IPC].present;
	for (size_t i = 0; i < sizeof(ipc) / sizeof(ipc[0]); i++)
		if (strncmp(name, "kernel", 6) == 0 && (name[6] == '.' || name[6] == '/') &&
		    strcmp(name + 7, ipc[i] + 7) == 0)
			ok = config->namespaces[NS_IPC].present;
	if (strcmp(name, "kernel.domainname") == 0 || strcmp(name, "kernel/domainname") == 0)
		ok = config->namespaces[NS_UTS].present;
	if (ok)
		return 0;
	return config_invalid(
	    err, path,
	    "%s: belongs to no namespace of this container; setting it would change "
	    "the host",
	    path);
}

static int parse_sysctls(struct config *config, const struct ts_json *linux_node,
			 struct ts_err *err)
{
	if (config_parse_strings(config->doc, linux_node, "sysctl", "linux", &config->sysctls,
				 &config->sysctl_count, err) < 0)
		return -1;
	for (size_t i = 0; i < config->sysctl_count; i++)
		if (check_sysctl(config, config->sysctls[i].name, err) < 0)
			return -1;
	return 0;
}

static int parse_time_offsets(struct config *config, const struct ts_json *linux_node,
			      struct ts_err *err)
{
	const struct ts_json *node = NULL;

	if (ts_json_opt_node(linux_node, "timeOffsets", "linux", TS_JSON_OBJECT, &node, err) < 0)
		return -1;
	if (!node || node->len == 0)
		return 0;
	if (!config->namespaces[NS_TIME].present || config->namespaces[NS_TIME].path)
		return config_invalid(err, "linux.timeOffsets",
				      "linux.timeOffsets: needs a new time namespace");
	config->time_offsets = ts_json_alloc(config->doc, node->len * sizeof(struct name_value));
	ts_json_each (clock, node) {
		int64_t secs = 0;
		uint32_t nanos = 0;
		char *text;

		if (strcmp(clock->key, "monotonic") != 0 && strcmp(clock->key, "boottime") != 0)
			return config_invalid(err, "linux.timeOffsets",
					      "linux.timeOffsets.%s: no such clock", clock->key);
		if (ts_json_opt_i64(clock, "secs", "linux.timeOffsets", &secs, err) < 0 ||
		    ts_json_opt_u32(clock, "nanosecs", "linux.timeOffsets", &nanos, err) < 0)
			return -1;
		text = ts_json_alloc(config->doc, 48);
		snprintf(text, 48, "%lld %u", (long long)secs, nanos);
		config->time_offsets[config->time_offset_count++] =
		    (struct name_value){clock->key, text};
	}
	return 0;
}

static int parse_propagation(struct config *config, const struct ts_json *linux_node,
			     struct ts_err *err)
{
	const char *word = NULL;
	struct mount_options options = {0};

	if (ts_json_opt_str(linux_node, "rootfsPropagation", "linux", &word, err) < 0)
		return -1;
	if (!word || !*word)
		return 0;
	if (mount_options_parse(config->doc, &word, 1, true, "linux.rootfsPropagation", &options,
				err) < 0 ||
	    !options.propagation)
		return config_invalid(err, "linux.rootfsPropagation",
				      "linux.rootfsPropagation: \"%s\" is none", word);
	config->rootfs_propagation =
	    options.propagation | (options.propagation_recursive ? MS_REC : 0);
	return 0;
}

static int parse_personality(struct config *config, const struct ts_json *linux_node,
			     struct ts_err *err)
{
	const struct ts_json *node = NULL;
	const char *domain = "";

	if (ts_json_opt_node(linux_node, "personality", "linux", TS_JSON_OBJECT, &node, err) < 0 ||
	    ts_json_opt_str(node, "domain", "linux.personality", &domain, err) < 0)
		return -1;
	if (!node)
		return 0;
	config->has_personality = true;
	if (strcmp(domain, "LINUX32") == 0)
		config->personality = 0x0008;
	else if (strcmp(domain, "LINUX") != 0)
		return config_invalid(err, "linux.personality.domain",
				      "linux.personality.domain: must be LINUX or LINUX32");
	return 0;
}

static int refuse_unsupported(const struct ts_json *linux_node, struct ts_err *err)
{
	static const char *const keys[] = {"intelRdt", "memoryPolicy", "netDevices"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct ts_json *node = ts_json_get(linux_node, keys[i]);

		if (node && node->len > 0)
			return ts_fail(err, TS_E_UNSUPPORTED, 0, "config", keys[i],
				       "linux.%s: not supported by this runtime; remove it",
				       keys[i]);
	}
	return 0;
}

static int check_user_namespace(const struct config *config, struct ts_err *err)
{
	const struct ns_spec *user = &config->namespaces[NS_USER];

	if (user->present && !user->path && (!config->uid_maps.count || !config->gid_maps.count))
		return config_invalid(
		    err, "linux.uidMappings",
		    "linux.uidMappings, linux.gidMappings: a new user namespace needs "
		    "both");
	if (!user->present && (config->uid_maps.count || config->gid_maps.count))
		return config_invalid(err, "linux.uidMappings",
				      "linux.uidMappings: needs a user namespace");
	if (user->present && !config->namespaces[NS_MOUNT].present)
		return config_invalid(err, "linux.namespaces",
				      "linux.namespaces: with a user namespace a mount namespace "
				      "is needed too");
	if (config->domainname && *config->domainname && !config->namespaces[NS_UTS].present)
		return config_invalid(err, "domainname", "domainname: needs a uts namespace");
	if (config->hostname && *config->hostname && !config->namespaces[NS_UTS].present)
		return config_invalid(err, "hostname", "hostname: needs a uts namespace");
	return 0;
}

int config_parse_linux(struct config *config, struct ts_err *err)
{
	const struct ts_json *node = NULL, *resources = NULL;

	if (ts_json_opt_node(config->root, "linux", "", TS_JSON_OBJECT, &node, err) < 0)
		return -1;
	if (!node)
		return config_invalid(err, "linux", "linux: missing");
	if (parse_namespaces(config, node, err) < 0 ||
	    config_parse_id_maps(config->doc, node, "uidMappings", "linux", &config->uid_maps,
				 err) < 0 ||
	    config_parse_id_maps(config->doc, node, "gidMappings", "linux", &config->gid_maps,
				 err) < 0 ||
	    parse_devices(config, node, err) < 0 ||
	    ts_json_opt_str(node, "cgroupsPath", "linux", &config->cgroups_path, err) < 0 ||
	    ts_json_opt_str(node, "mountLabel", "linux", &config->mount_label, err) < 0 ||
	    parse_sysctls(config, node, err) < 0 || parse_time_offsets(config, node, err) < 0 ||
	    parse_propagation(config, node, err) < 0 || parse_personality(config, node, err) < 0 ||
	    ts_json_opt_node(node, "seccomp", "linux", TS_JSON_OBJECT, &config->seccomp, err) < 0 ||
	    ts_json_opt_strv(config->doc, node, "maskedPaths", "linux", &config->masked_paths,
			     &config->masked_count, err) < 0 ||
	    ts_json_opt_strv(config->doc, node, "readonlyPaths", "linux", &config->readonly_paths,
			     &config->readonly_count, err) < 0 ||
	    refuse_unsupported(node, err) < 0 || check_user_namespace(config, err) < 0 ||
	    ts_json_opt_node(node, "resources", "linux", TS_JSON_OBJECT, &resources, err) < 0)
		return -1;
	return resources ? config_parse_resources(config->doc, resources, &config->resources, err)
			 : 0;
}
