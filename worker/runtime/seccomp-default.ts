// The default system call policy as data: what every container may call, grouped by purpose, and what it may call only with a capability or on an
// architecture. Same effect as Docker's default (research: runtime profile of the Moby project); everything not named fails with EPERM.
// Names that a kernel or library does not know are skipped by the runtime, so one table serves all architectures.

/** Argument test of a rule, OCI names. */
export interface SyscallArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_NE' | 'SCMP_CMP_LT' | 'SCMP_CMP_GT' | 'SCMP_CMP_MASKED_EQ';
}

/** A rule that counts only when its conditions hold. */
export interface ConditionalRule {
  readonly names: readonly string[];
  readonly args?: readonly SyscallArgument[];
  /** Fails with this errno instead of being allowed. */
  readonly errno?: number;
  /** One of these capabilities must be there. */
  readonly withCapability?: readonly string[];
  /** None of these may be there. */
  readonly withoutCapability?: readonly string[];
  /** Architectures as Node names them; absent = all. */
  readonly architectures?: readonly string[];
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const FILES = words(`
  access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64
  fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs
  fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 ioctl lchown lchown32 link linkat _llseek lseek lstat lstat64
  mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
  readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile sendfile64 splice stat stat64 statfs statfs64 statx symlink
  symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write
  writev listmount statmount`);

const ATTRIBUTES = words(`
  fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr lremovexattr lsetxattr
  removexattr removexattrat setxattr setxattrat`);

const EVENTS = words(`
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark
  inotify_add_watch inotify_init inotify_init1 inotify_rm_watch _newselect pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64
  select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64`);

const ASYNC_IO = words(`
  io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioprio_get ioprio_set`);

const SOCKETS = words(`
  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg send sendmmsg
  sendmsg sendto setsockopt shutdown socketcall socketpair`);

const MEMORY = words(`
  brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap
  mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages shmat shmctl shmdt shmget`);

const IPC = words(`
  futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake ipc mq_getsetattr mq_notify mq_open mq_timedreceive
  mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop
  semtimedop_time64 get_robust_list set_robust_list`);

const PROCESSES = words(`
  capget capset execve execveat exit exit_group fork getcpu getpgid getpgrp getpid getppid getpriority getrandom getrlimit getrusage
  getsid gettid kill landlock_add_rule landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64
  restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo seccomp set_thread_area get_thread_area set_tid_address setpgid setpriority setrlimit setsid
  sigaltstack sigprocmask sigreturn sysinfo tgkill tkill ugetrlimit uname uretprobe vfork wait4 waitid waitpid`);

const SCHEDULING = words(`
  sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
  sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield`);

const USERS = words(`
  getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid getresuid32 getuid getuid32
  setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid
  setresuid32 setreuid setreuid32 setuid setuid32`);

const TIME = words(`
  adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
  clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime
  timer_gettime64 timer_settime timer_settime64 times`);

/** Allowed to everybody. */
export const ALWAYS_ALLOWED: readonly string[] = [
  ...FILES,
  ...ATTRIBUTES,
  ...EVENTS,
  ...ASYNC_IO,
  ...SOCKETS,
  ...MEMORY,
  ...IPC,
  ...PROCESSES,
  ...SCHEDULING,
  ...USERS,
  ...TIME,
  // Every kernel that we run on is newer than 4.8, where these became safe.
  'process_vm_readv',
  'process_vm_writev',
  'ptrace',
];

const AF_ALG = 38;
const AF_VSOCK = 40;
/** Every CLONE_NEW* flag but CLONE_NEWTIME, which clone() does not take. */
const CLONE_NAMESPACES = 0x7e020000;
const ENOSYS = 38;

/** personality(): Linux, Linux 32 bit, with and without ADDR_NO_RANDOMIZE's sibling UNAME26, and "only ask". */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const equal = (index: number, value: number): SyscallArgument => ({
  index,
  value,
  op: 'SCMP_CMP_EQ',
});

/** Allowed (or answered with an errno) under a condition. */
export const CONDITIONAL: readonly ConditionalRule[] = [
  // Sockets of every family but the kernel's crypto interface and the hypervisor's.
  { names: ['socket'], args: [{ index: 0, value: AF_ALG, op: 'SCMP_CMP_LT' }] },
  { names: ['socket'], args: [equal(0, AF_ALG + 1)] },
  { names: ['socket'], args: [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_GT' }] },
  ...PERSONALITIES.map((value) => ({ names: ['personality'], args: [equal(0, value)] })),
  // New processes and threads, but no new namespaces; clone3 passes flags by pointer, so libc is sent back to clone.
  {
    names: ['clone'],
    args: [{ index: 0, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    withoutCapability: ['CAP_SYS_ADMIN'],
    architectures: ['x64', 'ia32', 'arm64', 'arm', 'ppc64', 'riscv64', 'loong64', 'mips64el'],
  },
  {
    names: ['clone'],
    args: [{ index: 1, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    withoutCapability: ['CAP_SYS_ADMIN'],
    architectures: ['s390x'],
  },
  { names: ['clone3'], errno: ENOSYS, withoutCapability: ['CAP_SYS_ADMIN'] },
  {
    names:
      words(`bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
      lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns
      syslog umount umount2 unshare`),
    withCapability: ['CAP_SYS_ADMIN'],
  },
  { names: ['open_by_handle_at'], withCapability: ['CAP_DAC_READ_SEARCH'] },
  { names: ['chroot'], withCapability: ['CAP_SYS_CHROOT'] },
  { names: ['reboot'], withCapability: ['CAP_SYS_BOOT'] },
  {
    names: words('delete_module init_module finit_module'),
    withCapability: ['CAP_SYS_MODULE'],
  },
  { names: ['acct'], withCapability: ['CAP_SYS_PACCT'] },
  {
    names: words('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace'),
    withCapability: ['CAP_SYS_PTRACE'],
  },
  { names: words('iopl ioperm'), withCapability: ['CAP_SYS_RAWIO'] },
  {
    names: words('settimeofday stime clock_settime clock_settime64'),
    withCapability: ['CAP_SYS_TIME'],
  },
  { names: ['vhangup'], withCapability: ['CAP_SYS_TTY_CONFIG'] },
  {
    names: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
    withCapability: ['CAP_SYS_NICE'],
  },
  { names: ['syslog'], withCapability: ['CAP_SYSLOG'] },
  { names: ['bpf'], withCapability: ['CAP_BPF'] },
  { names: ['perf_event_open'], withCapability: ['CAP_PERFMON'] },
  // What only some architectures have.
  { names: ['arch_prctl'], architectures: ['x64'] },
  { names: ['modify_ldt'], architectures: ['x64', 'ia32'] },
  {
    names: words(
      'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
    ),
    architectures: ['arm', 'arm64'],
  },
  { names: words('sync_file_range2 swapcontext'), architectures: ['ppc64'] },
  {
    names: words('s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr'),
    architectures: ['s390x'],
  },
  { names: words('riscv_flush_icache riscv_hwprobe'), architectures: ['riscv64'] },
];

/** Architectures that a filter covers, the native one first; as Node names the host. */
export const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
  riscv64: ['SCMP_ARCH_RISCV64'],
  loong64: ['SCMP_ARCH_LOONGARCH64'],
  ppc64: ['SCMP_ARCH_PPC64LE'],
};
