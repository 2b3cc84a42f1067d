/*
 * Calls every system call that the default policy denies, with arguments that could do no harm if it
 * were let through, and prints "NAME ERRNO" for each. Built static by the test; runs in a container.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BAD ((long)-1)

static void report(const char *name, long result)
{
	printf("%s %d\n", name, result < 0 ? errno : 0);
}

#define PROBE(name) report(#name, syscall(SYS_##name, BAD, BAD, BAD, BAD, BAD, BAD))

int main(void)
{
	PROBE(add_key);
	PROBE(keyctl);
	PROBE(request_key);
	PROBE(userfaultfd);
	PROBE(io_uring_setup);
	PROBE(io_uring_enter);
	PROBE(io_uring_register);
	PROBE(kexec_load);
	PROBE(pivot_root);
	PROBE(swapon);
	PROBE(migrate_pages);
	PROBE(move_pages);
	PROBE(mount);
	PROBE(umount2);
	PROBE(fsopen);
	PROBE(fsconfig);
	PROBE(fsmount);
	PROBE(fspick);
	PROBE(move_mount);
	PROBE(mount_setattr);
	PROBE(open_tree);
	PROBE(setns);
	PROBE(sethostname);
	PROBE(setdomainname);
	PROBE(bpf);
	PROBE(perf_event_open);
	PROBE(fanotify_init);
	PROBE(quotactl);
	PROBE(syslog);
	PROBE(init_module);
	PROBE(delete_module);
	PROBE(settimeofday);
	PROBE(acct);
	PROBE(iopl);
	PROBE(open_by_handle_at);
	PROBE(kcmp);
	report("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
	report("clone", syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0));
	report("clone3", syscall(SYS_clone3, NULL, 0));
	report("personality", syscall(SYS_personality, 0x0040000));
	report("AF_VSOCK", socket(AF_VSOCK, SOCK_STREAM, 0));
	report("getpid", syscall(SYS_getpid));
	/* Not the policy's business: there must be no terminal of the caller to type into. */
	report("TIOCSTI", ioctl(0, TIOCSTI, "x"));
	return 0;
}
