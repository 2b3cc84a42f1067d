/*
 * The cgroup v2 half of tswarm-runtime, on hosts whose own limits are v1: limits against a folder of
 * plain files that stands for a group, device rules, freezing, killing and removing against a real
 * group in the v2 tree of a hybrid host. TAP on stdout. Linked with the runtime's own objects.
 *
 *   runtime-v2 limits DIR       (DIR: empty folder)
 *   runtime-v2 group PATH       (PATH: folder to make in a mounted cgroup2 tree)
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "fs.h"

static int count, failed;

static void ok(bool good, const char *what, const char *got)
{
	printf("%sok %d - %s%s%s\n", good ? "" : "not ", ++count, what, good ? "" : " # got ", good ? "" : got);
	failed += !good;
}

static void make_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(2);
}

static void expect_file(const char *dir, const char *name, const char *want, const char *what)
{
	char path[512], got[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (f) {
		if (!fgets(got, sizeof(got), f))
			got[0] = '\0';
		fclose(f);
	}
	ok(strcmp(got, want) == 0, what, got);
	make_file(dir, name, ""); /* for the next one */
}

static int apply(struct cgroup *cg, const char *json, struct ts_err *err)
{
	struct ts_json_doc *doc = NULL;
	struct resources res;
	struct ts_json *node = ts_json_parse(json, strlen(json), &doc, err);
	int rc;

	memset(err, 0, sizeof(*err));
	if (!node)
		exit(2);
	rc = config_parse_resources(doc, node, &res, err);
	if (rc == 0)
		rc = cgroup_apply(cg, &res, false, err);
	ts_json_free(&doc);
	return rc;
}

static void fake_group(struct cgroup *cg, const char *dir)
{
	memset(cg, 0, sizeof(*cg));
	cg->unified = true;
	cg->count = 1;
	cg->items[0].v2 = true;
	cg->items[0].mount_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cg->items[0].fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int test_limits(const char *dir)
{
	static const char *const files[] = { "memory.max", "memory.swap.max", "memory.low", "cpu.weight",
					     "cpu.max", "cpu.max.burst", "cpu.idle", "cpuset.cpus",
					     "cpuset.mems", "pids.max", "io.weight", "io.max",
					     "hugetlb.2MB.max", "memory.high" };
	static const struct { const char *shares, *weight; } weights[] = {
		{ "2", "1" }, { "1024", "100" }, { "512", "59" }, { "262144", "10000" }, { "1000000", "10000" } };
	struct cgroup cg;
	struct ts_err err = { 0 };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		make_file(dir, files[i], "");
	fake_group(&cg, dir);
	ok(apply(&cg, "{\"memory\":{\"limit\":1000,\"swap\":3000,\"reservation\":500}}", &err) == 0, "memory", err.message);
	expect_file(dir, "memory.max", "1000", "memory.limit is memory.max");
	expect_file(dir, "memory.swap.max", "2000", "memory.swap minus limit is memory.swap.max");
	expect_file(dir, "memory.low", "500", "memory.reservation is memory.low");
	ok(apply(&cg, "{\"memory\":{\"limit\":1000,\"swap\":1000}}", &err) == 0, "no swap", err.message);
	expect_file(dir, "memory.swap.max", "0", "swap equal to the limit is no swap at all");
	make_file(dir, "memory.max", "");
	ok(apply(&cg, "{\"memory\":{\"limit\":-1}}", &err) == 0, "unlimited memory", err.message);
	expect_file(dir, "memory.max", "max", "limit -1 is max");
	expect_file(dir, "memory.swap.max", "max", "limit -1 frees swap too");
	ok(apply(&cg, "{\"memory\":{\"limit\":1000,\"swap\":-1}}", &err) == 0, "unlimited swap", err.message);
	expect_file(dir, "memory.swap.max", "max", "swap -1 is max");
	make_file(dir, "memory.max", "5000");
	ok(apply(&cg, "{\"memory\":{\"swap\":6000}}", &err) == 0, "swap alone", err.message);
	expect_file(dir, "memory.swap.max", "1000", "swap alone counts from the limit that is set");
	make_file(dir, "memory.max", "max");
	ok(apply(&cg, "{\"memory\":{\"swap\":6000}}", &err) < 0, "swap without any limit is refused", "accepted");
	ok(apply(&cg, "{\"memory\":{\"disableOOMKiller\":true}}", &err) < 0 && strcmp(err.code, "unsupported") == 0,
	   "disableOOMKiller is refused by name", err.code);
	for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
		char json[80], what[80];

		snprintf(json, sizeof(json), "{\"cpu\":{\"shares\":%s}}", weights[i].shares);
		snprintf(what, sizeof(what), "%s shares are weight %s", weights[i].shares, weights[i].weight);
		ok(apply(&cg, json, &err) == 0, json, err.message);
		expect_file(dir, "cpu.weight", weights[i].weight, what);
	}
	ok(apply(&cg, "{\"cpu\":{\"quota\":50000,\"period\":100000,\"burst\":7,\"cpus\":\"0-1\",\"mems\":\"0\"}}", &err) == 0, "cpu", err.message);
	expect_file(dir, "cpu.max", "50000 100000", "quota and period are cpu.max");
	expect_file(dir, "cpu.max.burst", "7", "burst");
	expect_file(dir, "cpuset.cpus", "0-1", "cpus");
	expect_file(dir, "cpuset.mems", "0", "mems");
	ok(apply(&cg, "{\"cpu\":{\"quota\":-1,\"period\":100000}}", &err) == 0, "no quota", err.message);
	expect_file(dir, "cpu.max", "max 100000", "quota -1 is max");
	make_file(dir, "cpu.max", "30000 100000");
	ok(apply(&cg, "{\"cpu\":{\"period\":50000}}", &err) == 0, "period alone", err.message);
	/* a plain file keeps its tail, a kernel file does not */
	{
		char got[64] = "";
		int fd = openat(cg.items[0].fd, "cpu.max", O_RDONLY);

		if (fd < 0 || read(fd, got, sizeof(got) - 1) < 0)
			exit(2);
		close(fd);
		ok(strncmp(got, "30000 50000", 11) == 0, "a new period keeps the quota", got);
	}
	ok(apply(&cg, "{\"pids\":{\"limit\":0}}", &err) == 0, "pids", err.message);
	expect_file(dir, "pids.max", "0", "a pids limit of 0 is 0");
	ok(apply(&cg, "{\"pids\":{\"limit\":-1}}", &err) == 0, "pids", err.message);
	expect_file(dir, "pids.max", "max", "a pids limit of -1 is max");
	ok(apply(&cg, "{\"blockIO\":{\"weight\":1000}}", &err) == 0, "io", err.message);
	expect_file(dir, "io.weight", "10000", "weight 1000 is io.weight 10000");
	ok(apply(&cg, "{\"blockIO\":{\"weight\":10}}", &err) == 0, "io", err.message);
	expect_file(dir, "io.weight", "1", "weight 10 is io.weight 1");
	ok(apply(&cg, "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":1048576}]}}", &err) == 0, "io", err.message);
	expect_file(dir, "io.max", "8:0 rbps=1048576", "read rate");
	ok(apply(&cg, "{\"blockIO\":{\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":16,\"rate\":0}]}}", &err) == 0, "io", err.message);
	expect_file(dir, "io.max", "8:16 wiops=max", "rate 0 takes a limit away");
	ok(apply(&cg, "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", &err) == 0, "huge pages", err.message);
	expect_file(dir, "hugetlb.2MB.max", "4194304", "huge pages");
	ok(apply(&cg, "{\"unified\":{\"memory.high\":\"77\"}}", &err) == 0, "unified", err.message);
	expect_file(dir, "memory.high", "77", "unified writes the file by its name");
	ok(apply(&cg, "{\"unified\":{\"../x\":\"1\"}}", &err) < 0, "unified refuses a path", "accepted");
	ok(apply(&cg, "{\"unified\":{\"nothere.max\":\"1\"}}", &err) < 0 && strcmp(err.code, "unsupported") == 0,
	   "unified names a missing file", err.code);
	return 0;
}

/* 0 when the device can be opened so by a process in the group, else the errno. */
static int try_open(struct cgroup *cg, unsigned major, unsigned minor, int flags)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct ts_err err = { 0 };
		char path[64];
		int fd;

		if (cgroup_join_self(cg, false, &err) < 0)
			_exit(200);
		snprintf(path, sizeof(path), "/tmp/.rt-v2-%d", (int)getpid());
		if (mknod(path, S_IFCHR | 0600, makedev(major, minor)) < 0)
			_exit(errno);
		fd = open(path, flags | O_NONBLOCK);
		status = fd < 0 ? errno : 0;
		unlink(path);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 201;
}

static int apply_devices(struct cgroup *cg, const char *rules, struct ts_err *err)
{
	char json[2048];
	struct ts_json_doc *doc = NULL;
	struct resources res;
	struct ts_json *node;
	int rc;

	snprintf(json, sizeof(json), "{\"devices\":%s}", rules);
	memset(err, 0, sizeof(*err));
	node = ts_json_parse(json, strlen(json), &doc, err);
	if (!node || config_parse_resources(doc, node, &res, err) < 0)
		exit(2);
	rc = cgroup_v2_devices(cg->items[0].fd, &res, err);
	ts_json_free(&doc);
	return rc;
}

static void expect_open(struct cgroup *cg, unsigned minor, int flags, int want, const char *what)
{
	char got[16];
	int e = try_open(cg, 1, minor, flags);

	snprintf(got, sizeof(got), "%d", e);
	ok(e == want, what, got);
}

static void test_devices(struct cgroup *cg)
{
	struct ts_err err = { 0 };

	ok(apply_devices(cg, "[{\"allow\":false,\"access\":\"rwm\"}]", &err) == 0, "deny all", err.message);
	expect_open(cg, 3, O_RDWR, 0, "null is always allowed");
	expect_open(cg, 11, O_RDONLY, EPERM, "kmsg is not");
	ok(apply_devices(cg, "[{\"allow\":false},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"r\"}]", &err) == 0,
	   "allow kmsg for reading", err.message);
	expect_open(cg, 11, O_RDONLY, 0, "kmsg can be read");
	expect_open(cg, 11, O_WRONLY, EPERM, "and not be written");
	expect_open(cg, 11, O_RDWR, EPERM, "nor both");
	ok(apply_devices(cg, "[{\"allow\":true,\"access\":\"rwm\"},{\"allow\":false,\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"w\"}]", &err) == 0,
	   "allow all, deny writing kmsg", err.message);
	expect_open(cg, 11, O_RDONLY, 0, "reading is allowed");
	expect_open(cg, 11, O_RDWR, EPERM, "anything with writing is not");
	ok(apply_devices(cg, "[{\"allow\":true,\"type\":\"a\",\"access\":\"rwm\"}]", &err) == 0, "allow all", err.message);
	expect_open(cg, 11, O_RDWR, 0, "the old rules are gone after an update");
	ok(apply_devices(cg, "[{\"allow\":true,\"type\":\"c\",\"major\":1,\"access\":\"rwm\"},{\"allow\":false,\"access\":\"rwm\"}]", &err) == 0,
	   "the last rule wins", err.message);
	expect_open(cg, 11, O_RDONLY, EPERM, "denied by the later rule");
}

static pid_t spawn_in(struct cgroup *cg)
{
	struct ts_err err = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		if (cgroup_join_self(cg, false, &err) < 0 || fork() < 0)
			_exit(1);
		for (;;)
			pause();
	}
	return pid;
}

static void test_tasks(struct cgroup *cg)
{
	struct ts_err err = { 0 };
	pid_t pid = spawn_in(cg), *pids = NULL;
	size_t n = 0;
	int status;

	for (int i = 0; i < 200 && n < 2; i++) {
		free(pids);
		usleep(5000);
		if (cgroup_pids(cg, &pids, &n, &err) < 0)
			break;
	}
	ok(n == 2, "both processes are listed", err.message);
	free(pids);
	ok(cgroup_freeze(cg, true, &err) == 0 && cgroup_is_frozen(cg), "freezes", err.message);
	ok(cgroup_signal_all(cg, SIGTERM, &err) == 0 && cgroup_is_frozen(cg), "stays frozen after a signal", err.message);
	ok(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGTERM,
	   "v2 lets a frozen process die of a fatal signal", "");
	ok(cgroup_freeze(cg, false, &err) == 0 && !cgroup_is_frozen(cg), "thaws", err.message);
	pid = spawn_in(cg);
	usleep(50000);
	ok(cgroup_signal_all(cg, SIGKILL, &err) == 0, "kills all", err.message);
	ok(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL, "it is dead", "");
}

static int test_group(const char *path)
{
	struct cgroup cg;
	struct ts_err err = { 0 };
	char parent[512], *slash;
	int rc = -1;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	*slash = '\0';
	fake_group(&cg, parent);
	close(cg.items[0].fd);
	cg.items[0].fd = -1;
	snprintf(cg.path, sizeof(cg.path), "/%s", slash + 1);
	ok(cgroup_create(&cg, &err) == 0 && cg.items[0].made, "makes the group", err.message);
	test_devices(&cg);
	test_tasks(&cg);
	if (mkdirat(cg.items[0].fd, "below", 0755) == 0)
		for (int i = 0; i < 100 && rc < 0; i++) {
			memset(&err, 0, sizeof(err));
			rc = cgroup_remove(&cg, &err);
			usleep(10000); /* the orphaned second process is somebody else's to reap */
		}
	ok(rc == 0 && access(path, F_OK) < 0, "removes it with what is below", err.message);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "limits") == 0)
		test_limits(argv[2]);
	else if (strcmp(argv[1], "group") == 0)
		test_group(argv[2]);
	else
		return 2;
	printf("1..%d\n", count);
	return failed ? 1 : 0;
}
