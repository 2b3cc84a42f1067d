/*
 * Fuzz target: config.json, read and checked as by create. Whatever comes in, the answer is a
 * complete configuration or an error that says something; what other code relies on is looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "../runtime/config.h"
#include "fuzz.h"

/* Together they name every key; each is well formed, so that a mutation gets far. */
static const char *const seeds[] = {
    "{\"ociVersion\":\"1.2.0\",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":24,"
    "\"width\":80},\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,\"additionalGids\":[3,4]},\"args\":"
    "[\"sh\",\"-c\",\"true\"],\"env\":[\"PATH=/bin\",\"A=\"],\"cwd\":\"/\",\"capabilities\":{"
    "\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],\"inheritable\":[],\"permitted\":["
    "\"CAP_KILL\"],\"ambient\":[\"CAP_KILL\"]},\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":1,"
    "\"soft\":0}],\"noNewPrivileges\":true,\"apparmorProfile\":\"p\",\"selinuxLabel\":\"a:b:c\","
    "\"oomScoreAdj\":-10,\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":3,\"flags\":[]},"
    "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4}},\"root\":{\"path\":\"r\","
    "\"readonly\":true},\"hostname\":\"h\",\"domainname\":\"d\",\"linux\":{\"namespaces\":[{"
    "\"type\":\"mount\"},{\"type\":\"uts\"}]}}",
    "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/r\"},\"mounts\":[{\"destination\":\"/proc\","
    "\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\",\"ro\"]},{\"destination\":"
    "\"a//b/../c\",\"source\":\"/x\",\"options\":[\"rbind\",\"rro\",\"rslave\"],\"uidMappings\":[{"
    "\"containerID\":0,\"hostID\":9,\"size\":1}],\"gidMappings\":[{\"containerID\":0,\"hostID\":9,"
    "\"size\":1}]},{\"destination\":\"/t\",\"type\":\"tmpfs\",\"options\":[\"size=1m\","
    "\"tmpcopyup\"]}],\"hooks\":{\"prestart\":[{\"path\":\"/h\",\"args\":[\"h\"],\"env\":[\"A=b\"],"
    "\"timeout\":5}],\"createRuntime\":[],\"createContainer\":[],\"startContainer\":[],"
    "\"poststart\":[],\"poststop\":[{\"path\":\"/h\"}]},\"annotations\":{\"a\":\"b\"},\"linux\":{}}",
    "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"namespaces\":[{\"type\":"
    "\"user\"},{\"type\":\"mount\"},{\"type\":\"network\",\"path\":\"/n\"},{\"type\":\"time\"}],"
    "\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],\"gidMappings\":[{"
    "\"containerID\":0,\"hostID\":100000,\"size\":65536}],\"timeOffsets\":{\"boottime\":{\"secs\":"
    "-5,\"nanosecs\":7}},\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1,\"minor\":3,"
    "\"fileMode\":438,\"uid\":1,\"gid\":2}],\"cgroupsPath\":\"/a/b\",\"sysctl\":{"
    "\"net.ipv4.ip_forward\":\"1\"},\"rootfsPropagation\":\"rshared\",\"maskedPaths\":[\"/m\"],"
    "\"readonlyPaths\":[\"/o\"],\"mountLabel\":\"l\",\"personality\":{\"domain\":\"LINUX32\"},"
    "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}}}",
    "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},\"linux\":{\"resources\":{\"devices\":[{"
    "\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":-1,"
    "\"access\":\"r\"}],\"memory\":{\"limit\":1048576,\"reservation\":4096,\"swap\":2097152,"
    "\"kernelTCP\":1,\"swappiness\":10,\"disableOOMKiller\":true,\"checkBeforeUpdate\":true},"
    "\"cpu\":{\"shares\":2,\"quota\":-1,\"period\":100000,\"burst\":1,\"realtimeRuntime\":1,"
    "\"realtimePeriod\":2,\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":1},\"pids\":{\"limit\":5},"
    "\"blockIO\":{\"weight\":100,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":10}],"
    "\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":9}]},\"hugepageLimits\":[{"
    "\"pageSize\":\"2MB\",\"limit\":0}],\"network\":{\"classID\":1,\"priorities\":[{\"name\":"
    "\"eth0\",\"priority\":2}]},\"unified\":{\"memory.high\":\"1\"}}}}",
};

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check(const struct config *config)
{
	must(config->rootfs && config->oci_version);
	for (size_t i = 0; i < config->mount_count; i++) {
		const struct mount_spec *m = &config->mounts[i];

		must(m->destination[0] == '/' && !strstr(m->destination, "/../") &&
		     !strstr(m->destination, "//"));
		must(m->type || m->options.bind || m->options.remount);
	}
	for (int kind = 0; kind < HOOK_KINDS; kind++)
		for (size_t i = 0; i < config->hooks[kind].count; i++)
			must(config->hooks[kind].items[i].path[0] == '/');
	for (int i = 0; i < NS_COUNT; i++)
		must(!config->namespaces[i].path || config->namespaces[i].path[0] == '/');
	for (size_t i = 0; i < config->device_count; i++)
		must(config->devices[i].path[0] == '/' && config->devices[i].mode <= 07777);
	for (size_t i = 0; i < config->sysctl_count; i++)
		must(!strstr(config->sysctls[i].name, ".."));
	for (size_t i = 0; i < config->resources.unified_count; i++)
		must(!strchr(config->resources.unified[i].name, '/'));
	if (config->has_process)
		must(config->process.arg_count > 0 && config->process.cwd[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct config config = {0};
	struct ts_err err = {0};

	if (config_parse(&config, (const char *)bytes, length, &err) == 0)
		check(&config);
	else
		must(*err.code && *err.message);
	config_free(&config);
	return 0;
}

size_t fuzz_seed(size_t number, uint8_t *bytes, size_t capacity)
{
	const char *seed = seeds[number % (sizeof(seeds) / sizeof(seeds[0]))];
	size_t length = strlen(seed) < capacity ? strlen(seed) : capacity;

	memcpy(bytes, seed, length);
	return length;
}
