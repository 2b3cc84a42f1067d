/* `features`: what this runtime understands, as the JSON of the runtime-spec's features.md. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "fs.h"
#include "hooks.h"
#include "json-write.h"
#include "runtime.h"
#include "seccomp.h"

static void put_list(struct ts_buf *out, const char *key, const char *const *words)
{
	ts_buf_printf(out, "\"%s\":[", key);
	for (size_t i = 0; words[i]; i++)
		ts_buf_printf(out, "%s\"%s\"", i ? "," : "", words[i]);
	ts_buf_puts(out, "]");
}

static void put_capabilities(struct ts_buf *out)
{
	ts_buf_puts(out, "\"capabilities\":[");
	for (int cap = 0; caps_name(cap); cap++)
		ts_buf_printf(out, "%s\"CAP_%s\"", cap ? "," : "", caps_name(cap));
	ts_buf_puts(out, "]");
}

int cmd_features(const struct globals *g, int argc, char **argv, struct ts_err *err)
{
	static const char *const namespaces[] = {"cgroup", "ipc",  "mount", "network", "pid",
						 "time",   "user", "uts",   NULL};
	static const char *const options[] = {
	    "async",	      "atime",	     "bind",	     "defaults",    "dev",
	    "diratime",	      "dirsync",     "exec",	     "lazytime",    "noatime",
	    "nodev",	      "nodiratime",  "noexec",	     "norelatime",  "nostrictatime",
	    "nosuid",	      "nosymfollow", "private",	     "ratime",	    "rbind",
	    "rdev",	      "rdiratime",   "relatime",     "remount",	    "rexec",
	    "rnoatime",	      "rnodev",	     "rnodiratime",  "rnoexec",	    "rnorelatime",
	    "rnostrictatime", "rnosuid",     "rnosymfollow", "ro",	    "rprivate",
	    "rrelatime",      "rro",	     "rrw",	     "rshared",	    "rslave",
	    "rstrictatime",   "rsuid",	     "rsymfollow",   "runbindable", "rw",
	    "shared",	      "slave",	     "strictatime",  "suid",	    "symfollow",
	    "sync",	      "unbindable",  NULL,
	};
	const char *hooks[HOOK_KINDS + 1] = {NULL};
	struct ts_buf out = TS_BUF_INIT;
	int rc;

	(void)g;
	(void)argv;
	if (argc != 1)
		return ts_fail(err, TS_E_BAD_REQUEST, 0, "arguments", NULL,
			       "usage: tswarm-runtime features");
	for (int i = 0; i < HOOK_KINDS; i++)
		hooks[i] = hooks_kind_name((enum hook_kind)i);
	ts_buf_puts(&out, "{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"1.3.0\",");
	put_list(&out, "hooks", hooks);
	ts_buf_puts(&out, ",");
	put_list(&out, "mountOptions", options);
	ts_buf_puts(&out, ",\"linux\":{");
	put_list(&out, "namespaces", namespaces);
	ts_buf_puts(&out, ",");
	put_capabilities(&out);
	ts_buf_puts(&out,
		    ",\"cgroup\":{\"v1\":true,\"v2\":true,\"systemd\":false,\"systemdUser\":false,"
		    "\"rdma\":false},\"seccomp\":{\"enabled\":true,");
	put_list(&out, "actions", seccomp_action_names);
	ts_buf_puts(&out, ",");
	put_list(&out, "operators", seccomp_operator_names);
	ts_buf_puts(&out, ",");
	put_list(&out, "archs", seccomp_arch_names);
	ts_buf_puts(&out, ",");
	put_list(&out, "supportedFlags", seccomp_flag_names);
	ts_buf_puts(
	    &out,
	    "},\"apparmor\":{\"enabled\":true},\"selinux\":{\"enabled\":true},"
	    "\"intelRdt\":{\"enabled\":false},\"mountExtensions\":{\"idmap\":{\"enabled\":false}}},"
	    "\"annotations\":{\"io.tswarm.runtime.version\":\"" RUNTIME_VERSION "\"}}\n");
	rc = ts_write_all(STDOUT_FILENO, out.data, out.len);
	ts_buf_free(&out);
	return rc < 0 ? ts_fail_errno(err, "write", NULL, "cannot write the answer") : 0;
}
