/*
 * Device rules on cgroup v2: a BPF program (type CGROUP_DEVICE) per group, made from the rules.
 *
 * The kernel gives it {access_type, major, minor}, access_type = access << 16 | type. Rules are
 * tested from the last to the first, since the last match wins; the first one that matches answers.
 * A rule that covers only part of the asked access cannot answer it alone: as in cgroup v1, an
 * allowing rule must cover all of it, a denying rule any of it. On update the new program is
 * attached first and the old ones detached after, so no moment is without rules.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "cleanup.h"
#include "log.h"
#include "mem.h"

#define OLD_PROGRAMS_MAX 64

struct program {
	struct bpf_insn *insns;
	size_t count, cap;
};

static void emit(struct program *p, uint8_t code, unsigned dst, unsigned src, int16_t off,
		 int32_t imm)
{
	struct bpf_insn *insn;

	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 64;
		p->insns = ts_grow(p->insns, p->cap, sizeof(*p->insns));
	}
	insn = &p->insns[p->count++];
	memset(insn, 0, sizeof(*insn));
	insn->code = code;
	insn->dst_reg = dst & 0xfu;
	insn->src_reg = src & 0xfu;
	insn->off = off;
	insn->imm = imm;
}

/* Registers: r2 = type, r3 = access, r4 = major, r5 = minor. */
static void emit_head(struct program *p)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 3, 1, 0, 0);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
	emit(p, BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
}

static int32_t kernel_access(unsigned access)
{
	return (access & DEVICE_READ ? BPF_DEVCG_ACC_READ : 0) |
	       (access & DEVICE_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
	       (access & DEVICE_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

static void emit_rule(struct program *p, const struct device_rule *r)
{
	size_t jumps[6], n = 0;
	int32_t access = kernel_access(r->access);

	if (r->type != 'a') {
		jumps[n++] = p->count;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0,
		     r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	}
	if (r->access != (DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD)) {
		emit(p, BPF_ALU | BPF_MOV | BPF_X, 1, 3, 0, 0);
		/* allow: nothing may be asked beyond it; deny: something of it must be asked */
		emit(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, r->allow ? ~access : access);
		jumps[n++] = p->count;
		emit(p, BPF_JMP | (r->allow ? BPF_JNE : BPF_JEQ) | BPF_K, 1, 0, 0, 0);
	}
	if (r->major >= 0) {
		jumps[n++] = p->count;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (int32_t)r->major);
	}
	if (r->minor >= 0) {
		jumps[n++] = p->count;
		emit(p, BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (int32_t)r->minor);
	}
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, r->allow ? 1 : 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (size_t i = 0; i < n; i++)
		p->insns[jumps[i]].off = (int16_t)(p->count - jumps[i] - 1);
}

static void build(struct program *p, const struct resources *res)
{
	emit_head(p);
	for (size_t i = cgroup_default_device_count; i-- > 0;)
		emit_rule(p, &cgroup_default_devices[i]);
	for (size_t i = res->device_count; i-- > 0;) {
		emit_rule(p, &res->devices[i]);
		/* What stands before a rule for everything can never be reached; the verifier
		 * refuses it. */
		if (res->devices[i].type == 'a' && res->devices[i].major < 0 &&
		    res->devices[i].minor < 0 &&
		    res->devices[i].access == (DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD))
			return;
	}
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(const struct program *p, struct ts_err *err)
{
	static char log[8192];
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)p->insns;
	attr.insn_cnt = (uint32_t)p->count;
	attr.license = (uint64_t)(uintptr_t) "Apache-2.0";
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0)
		return fd;
	attr.log_buf = (uint64_t)(uintptr_t)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0)
		return fd;
	return ts_fail_errno(err, "bpf", "linux.resources.devices",
			     "linux.resources.devices: the kernel refuses the program (%.200s)",
			     log);
}

static size_t query_attached(int cgroup_fd, uint32_t *ids)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attr.query.prog_cnt = OLD_PROGRAMS_MAX;
	return bpf(BPF_PROG_QUERY, &attr) < 0 ? 0 : attr.query.prog_cnt;
}

static void detach(int cgroup_fd, uint32_t id)
{
	union bpf_attr attr;
	cleanup_fd int fd = -1;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	if (bpf(BPF_PROG_DETACH, &attr) < 0)
		log_warn("linux.resources.devices: cannot detach the old device rules");
}

int cgroup_v2_devices(int fd, const struct resources *res, struct ts_err *err)
{
	struct program p = {0};
	cleanup_fd int prog = -1, dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t old[OLD_PROGRAMS_MAX];
	size_t old_count;
	union bpf_attr attr;

	if (dir < 0)
		return ts_fail_errno(err, "open", NULL, "cannot open the control group");
	old_count = query_attached(dir, old);
	build(&p, res);
	prog = load(&p, err);
	free(p.insns);
	if (prog < 0)
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (bpf(BPF_PROG_ATTACH, &attr) < 0)
		return ts_fail_errno(err, "bpf", "linux.resources.devices",
				     "linux.resources.devices: cannot attach the device rules");
	for (size_t i = 0; i < old_count; i++)
		detach(dir, old[i]);
	return 0;
}
