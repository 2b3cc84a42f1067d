/*
 * Compiling linux.seccomp with libseccomp. A rule that says the same as the default action is left
 * out (libseccomp refuses it); a system call that libseccomp does not know is left out, as runc
 * does, which is safe with a denying default. Refused: SCMP_ACT_NOTIFY, which needs an agent that
 * listens.
 */
#include "seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"
#include "config.h"
#include "fs.h"

const char *const seccomp_action_names[] = {
    "SCMP_ACT_ALLOW",	     "SCMP_ACT_ERRNO",	     "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
    "SCMP_ACT_TRACE",	     "SCMP_ACT_TRAP",	     NULL};
const char *const seccomp_operator_names[] = {"SCMP_CMP_NE",	    "SCMP_CMP_LT", "SCMP_CMP_LE",
					      "SCMP_CMP_EQ",	    "SCMP_CMP_GE", "SCMP_CMP_GT",
					      "SCMP_CMP_MASKED_EQ", NULL};
const char *const seccomp_flag_names[] = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
					  "SECCOMP_FILTER_FLAG_SPEC_ALLOW", NULL};
static const unsigned flag_values[] = {SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG,
				       SECCOMP_FILTER_FLAG_SPEC_ALLOW};
const char *const seccomp_arch_names[] = {
    "SCMP_ARCH_X86",	 "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",		"SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",	"SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",	 "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",	 "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",	"SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",	 "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",	NULL};
static const uint32_t arch_values[] = {
    SCMP_ARCH_X86,     SCMP_ARCH_X86_64,   SCMP_ARCH_X32,	  SCMP_ARCH_ARM,
    SCMP_ARCH_AARCH64, SCMP_ARCH_MIPS,	   SCMP_ARCH_MIPS64,	  SCMP_ARCH_MIPS64N32,
    SCMP_ARCH_MIPSEL,  SCMP_ARCH_MIPSEL64, SCMP_ARCH_MIPSEL64N32, SCMP_ARCH_PPC,
    SCMP_ARCH_PPC64,   SCMP_ARCH_PPC64LE,  SCMP_ARCH_S390,	  SCMP_ARCH_S390X,
    SCMP_ARCH_PARISC,  SCMP_ARCH_PARISC64, SCMP_ARCH_RISCV64,
};

static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (word && strcmp(words[i], word) == 0)
			return i;
	return -1;
}

static int read_action(const char *name, bool has_errno, uint32_t errno_ret, const char *where,
		       uint32_t *out, struct ts_err *err)
{
	const uint32_t value = has_errno ? errno_ret : EPERM;

	switch (find_word(seccomp_action_names, name)) {
	case 0:
		*out = SCMP_ACT_ALLOW;
		break;
	case 1:
		*out = SCMP_ACT_ERRNO(value);
		break;
	case 2:
	case 4:
		*out = SCMP_ACT_KILL_THREAD;
		break;
	case 3:
		*out = SCMP_ACT_KILL_PROCESS;
		break;
	case 5:
		*out = SCMP_ACT_LOG;
		break;
	case 6:
		*out = SCMP_ACT_TRACE(value);
		break;
	case 7:
		*out = SCMP_ACT_TRAP;
		break;
	default:
		if (name && strcmp(name, "SCMP_ACT_NOTIFY") == 0)
			return ts_fail(err, TS_E_UNSUPPORTED, 0, "seccomp", where,
				       "%s: SCMP_ACT_NOTIFY is not supported by this runtime",
				       where);
		return config_invalid(err, where, "%s: \"%s\" is no seccomp action", where,
				      name ? name : "");
	}
	if (has_errno && errno_ret > 4095)
		return config_invalid(err, where, "%s: errnoRet must be 0 to 4095", where);
	return 0;
}

static int read_args(const struct ts_json *list, const char *where, struct scmp_arg_cmp *out,
		     unsigned *count, struct ts_err *err)
{
	static const enum scmp_compare ops[] = {SCMP_CMP_NE,	   SCMP_CMP_LT, SCMP_CMP_LE,
						SCMP_CMP_EQ,	   SCMP_CMP_GE, SCMP_CMP_GT,
						SCMP_CMP_MASKED_EQ};

	*count = 0;
	ts_json_each (item, list) {
		uint32_t index = UINT32_MAX;
		uint64_t value = 0, two = 0;
		const char *op = NULL;
		int found;

		if (ts_json_opt_u32(item, "index", where, &index, err) < 0 ||
		    ts_json_opt_u64(item, "value", where, &value, err) < 0 ||
		    ts_json_opt_u64(item, "valueTwo", where, &two, err) < 0 ||
		    ts_json_opt_str(item, "op", where, &op, err) < 0)
			return -1;
		found = find_word(seccomp_operator_names, op);
		if (found < 0)
			return config_invalid(err, where, "%s.args: \"%s\" is no comparison", where,
					      op ? op : "");
		if (index > 5 || *count == 32)
			return config_invalid(err, where, "%s.args: index must be 0 to 5", where);
		out[(*count)++] = (struct scmp_arg_cmp){
		    .arg = index, .op = ops[found], .datum_a = value, .datum_b = two};
	}
	return 0;
}

/* Two conditions on one argument cannot be in one rule: then each becomes a rule of its own. */
static bool repeats_argument(const struct scmp_arg_cmp *args, unsigned count)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < count; i++) {
		if (seen & (1u << args[i].arg))
			return true;
		seen |= 1u << args[i].arg;
	}
	return false;
}

static int add_names(scmp_filter_ctx ctx, const struct ts_json *names, uint32_t action,
		     const struct scmp_arg_cmp *args, unsigned count, const char *where,
		     struct ts_err *err)
{
	bool split = repeats_argument(args, count);

	ts_json_each (name, names) {
		int nr, rc = 0;

		if (name->type != TS_JSON_STRING || !name->len)
			return config_invalid(err, where, "%s.names: must be names of system calls",
					      where);
		nr = seccomp_syscall_resolve_name(name->str);
		if (nr == __NR_SCMP_ERROR)
			continue;
		if (!split)
			rc = seccomp_rule_add_array(ctx, action, nr, count, args);
		for (unsigned i = 0; split && rc == 0 && i < count; i++)
			rc = seccomp_rule_add_array(ctx, action, nr, 1, &args[i]);
		if (rc < 0)
			return ts_fail(err, TS_E_INVALID, -rc, "seccomp", where,
				       "%s: cannot add a rule for %s", where, name->str);
	}
	return 0;
}

static int add_rule(scmp_filter_ctx ctx, const struct ts_json *item, uint32_t default_action,
		    const char *where, struct ts_err *err)
{
	const struct ts_json *names = NULL, *args = NULL;
	struct scmp_arg_cmp compare[32];
	const char *action_name = NULL;
	uint32_t action, errno_ret = 0;
	unsigned count;
	int has_errno;

	if (ts_json_opt_node(item, "names", where, TS_JSON_ARRAY, &names, err) < 0 ||
	    ts_json_opt_node(item, "args", where, TS_JSON_ARRAY, &args, err) < 0 ||
	    ts_json_opt_str(item, "action", where, &action_name, err) < 0)
		return -1;
	has_errno = ts_json_opt_u32(item, "errnoRet", where, &errno_ret, err);
	if (has_errno < 0 ||
	    read_action(action_name, has_errno > 0, errno_ret, where, &action, err) < 0)
		return -1;
	if (!names || names->len == 0)
		return config_invalid(err, where, "%s.names: missing", where);
	if (read_args(args, where, compare, &count, err) < 0)
		return -1;
	if (action == default_action)
		return 0;
	return add_names(ctx, names, action, compare, count, where, err);
}

static int add_archs(scmp_filter_ctx ctx, const struct ts_json *list, struct ts_err *err)
{
	ts_json_each (item, list) {
		int i =
		    item->type == TS_JSON_STRING ? find_word(seccomp_arch_names, item->str) : -1;
		int rc;

		if (i < 0)
			return config_invalid(
			    err, "linux.seccomp.architectures",
			    "linux.seccomp.architectures: \"%s\" is no architecture",
			    item->type == TS_JSON_STRING ? item->str : "");
		rc = seccomp_arch_add(ctx, arch_values[i]);
		if (rc < 0 && rc != -EEXIST)
			return ts_fail(err, TS_E_INVALID, -rc, "seccomp",
				       "linux.seccomp.architectures",
				       "linux.seccomp.architectures: cannot add %s", item->str);
	}
	return 0;
}

static int read_flags(const struct ts_json *list, unsigned *out, struct ts_err *err)
{
	*out = 0;
	ts_json_each (item, list) {
		int i =
		    item->type == TS_JSON_STRING ? find_word(seccomp_flag_names, item->str) : -1;

		if (i < 0)
			return ts_fail(err, TS_E_UNSUPPORTED, 0, "seccomp", "linux.seccomp.flags",
				       "linux.seccomp.flags: \"%s\" is not supported",
				       item->type == TS_JSON_STRING ? item->str : "");
		*out |= flag_values[i];
	}
	return 0;
}

/* libseccomp writes the program into a file descriptor only. */
static int export_program(scmp_filter_ctx ctx, struct seccomp_program *out, struct ts_err *err)
{
	cleanup_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);
	cleanup_buf struct ts_buf bytes = TS_BUF_INIT;
	int rc;

	if (fd < 0)
		return ts_fail_errno(err, "memfd_create", NULL, "cannot create a memory file");
	rc = seccomp_export_bpf(ctx, fd);
	if (rc < 0)
		return ts_fail(err, TS_E_KERNEL, -rc, "seccomp", "linux.seccomp",
			       "linux.seccomp: cannot compile the filter");
	if (lseek(fd, 0, SEEK_SET) < 0 || ts_read_all(fd, &bytes, BPF_MAXINSNS * 8 * 16) < 0)
		return ts_fail_errno(err, "read", NULL, "cannot read the compiled filter");
	out->count = bytes.len / sizeof(struct sock_filter);
	if (out->count == 0 || out->count > BPF_MAXINSNS)
		return ts_fail(
		    err, TS_E_INVALID, 0, "seccomp", "linux.seccomp",
		    "linux.seccomp: the filter has %zu instructions, the kernel takes at most %d",
		    out->count, BPF_MAXINSNS);
	out->insns = (struct sock_filter *)(void *)steal_ptr(&bytes.data);
	return 0;
}

static void release_ctx(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

int seccomp_compile(const struct ts_json *seccomp, struct seccomp_program *out, struct ts_err *err)
{
	static const char where[] = "linux.seccomp";
	__attribute__((cleanup(release_ctx))) scmp_filter_ctx ctx = NULL;
	const struct ts_json *archs = NULL, *flags = NULL, *rules = NULL;
	const char *name = NULL, *listener = NULL;
	uint32_t default_errno = 0, action;
	int has_errno;
	size_t n = 0;

	memset(out, 0, sizeof(*out));
	if (ts_json_opt_str(seccomp, "defaultAction", where, &name, err) < 0 ||
	    ts_json_opt_str(seccomp, "listenerPath", where, &listener, err) < 0 ||
	    ts_json_opt_node(seccomp, "architectures", where, TS_JSON_ARRAY, &archs, err) < 0 ||
	    ts_json_opt_node(seccomp, "flags", where, TS_JSON_ARRAY, &flags, err) < 0 ||
	    ts_json_opt_node(seccomp, "syscalls", where, TS_JSON_ARRAY, &rules, err) < 0)
		return -1;
	has_errno = ts_json_opt_u32(seccomp, "defaultErrnoRet", where, &default_errno, err);
	if (has_errno < 0 ||
	    read_action(name, has_errno > 0, default_errno, "linux.seccomp.defaultAction", &action,
			err) < 0 ||
	    read_flags(flags, &out->flags, err) < 0)
		return -1;
	if (listener && *listener)
		return ts_fail(
		    err, TS_E_UNSUPPORTED, 0, "seccomp", "linux.seccomp.listenerPath",
		    "linux.seccomp.listenerPath: not supported by this runtime; remove it");
	ctx = seccomp_init(action);
	if (!ctx)
		return ts_fail(err, TS_E_KERNEL, 0, "seccomp", where,
			       "cannot start a seccomp filter");
	/* A binary tree: the kernel also runs the filter once per system call when it is loaded. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (add_archs(ctx, archs, err) < 0)
		return -1;
	ts_json_each (item, rules) {
		char path[48];

		snprintf(path, sizeof(path), "linux.seccomp.syscalls[%zu]", n++);
		if (add_rule(ctx, item, action, path, err) < 0)
			return -1;
	}
	return export_program(ctx, out, err);
}

int seccomp_install(const struct seccomp_program *program, struct ts_err *err)
{
	struct sock_fprog fprog = {.len = (unsigned short)program->count, .filter = program->insns};

	if (!program->insns)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, program->flags, &fprog) != 0)
		return ts_fail_errno(err, "seccomp", "linux.seccomp",
				     "cannot load the seccomp filter");
	return 0;
}

void seccomp_free(struct seccomp_program *program)
{
	free(program->insns);
	program->insns = NULL;
}
