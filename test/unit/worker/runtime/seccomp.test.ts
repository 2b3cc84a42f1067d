// Goal: the default policy allows and denies what Docker's does. Method: a small evaluator of the resolved policy, asked about calls that matter (the
// research's lists), and users' own profiles with their conditions.
import { describe, expect, it } from 'vitest';
import type { OciSeccomp } from '#worker/runtime/oci';
import { customSeccomp, defaultSeccomp } from '#worker/runtime/seccomp';

interface Test {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

function holds(test: Test, args: readonly number[]): boolean {
  const actual = BigInt(args[test.index] ?? 0);
  const value = BigInt(test.value);
  switch (test.op) {
    case 'SCMP_CMP_EQ':
      return actual === value;
    case 'SCMP_CMP_LT':
      return actual < value;
    case 'SCMP_CMP_GT':
      return actual > value;
    case 'SCMP_CMP_MASKED_EQ':
      return (actual & value) === BigInt(test.valueTwo ?? 0);
    default:
      throw new Error(`unknown test ${test.op}`);
  }
}

/** `allow`, or the errno of the refusal. */
function answer(policy: OciSeccomp, call: string, ...args: number[]): 'allow' | number {
  for (const rule of policy.syscalls) {
    if (!rule.names.includes(call)) continue;
    const tests = (rule.args ?? []) as readonly Test[];
    if (!tests.every((test) => holds(test, args))) continue;
    return rule.action === 'SCMP_ACT_ALLOW' ? 'allow' : (rule.errnoRet ?? 1);
  }
  return policy.defaultErrnoRet ?? 1;
}

const EPERM = 1;
const ENOSYS = 38;
const CLONE_NEWUSER = 0x10000000;
const CLONE_VM = 0x100;
const usual = defaultSeccomp('x64', ['CAP_CHOWN', 'CAP_SYS_CHROOT', 'CAP_KILL']);
const admin = defaultSeccomp('x64', ['CAP_SYS_ADMIN']);

describe('the default policy', () => {
  it('allows what programs do all day', () => {
    for (const call of 'read write openat execve mmap futex epoll_wait accept4 prctl seccomp statx openat2 landlock_create_ruleset memfd_create ptrace arch_prctl modify_ldt chroot'.split(
      ' ',
    )) {
      expect([call, answer(usual, call)]).toEqual([call, 'allow']);
    }
  });

  it('denies what reaches the kernel or the host', () => {
    const denied =
      'mount umount2 pivot_root unshare setns bpf perf_event_open kexec_load init_module reboot swapon add_key keyctl request_key ' +
      'userfaultfd io_uring_setup io_uring_enter move_pages migrate_pages open_by_handle_at settimeofday quotactl fsopen move_mount open_tree ' +
      'name_not_known acct iopl vhangup syslog kcmp pidfd_getfd mbind';
    for (const call of denied.split(' ')) {
      expect([call, answer(usual, call)]).toEqual([call, EPERM]);
    }
  });

  it('lets threads and processes be made, but no namespaces', () => {
    expect(answer(usual, 'clone', CLONE_VM)).toBe('allow');
    expect(answer(usual, 'clone', CLONE_NEWUSER)).toBe(EPERM);
    expect(answer(usual, 'clone3')).toBe(ENOSYS);
    expect(answer(admin, 'clone', CLONE_NEWUSER)).toBe('allow');
    expect(answer(admin, 'clone3')).toBe('allow');
  });

  it('keeps two socket families and odd personalities away', () => {
    const families = [1, 2, 10, 16, 17, 29, 37, 38, 39, 40, 41];
    const allowed = families.filter((family) => answer(usual, 'socket', family) === 'allow');
    expect(allowed).toEqual([1, 2, 10, 16, 17, 29, 37, 39, 41]);
    expect(answer(usual, 'personality', 0xffffffff)).toBe('allow');
    expect(answer(usual, 'personality', 0x40000)).toBe(EPERM);
  });

  it('opens more with a capability', () => {
    for (const [capability, call] of [
      ['CAP_SYS_ADMIN', 'mount'],
      ['CAP_SYS_TIME', 'clock_settime'],
      ['CAP_SYS_PTRACE', 'kcmp'],
      ['CAP_SYS_NICE', 'mbind'],
      ['CAP_SYS_MODULE', 'init_module'],
      ['CAP_BPF', 'bpf'],
      ['CAP_PERFMON', 'perf_event_open'],
      ['CAP_SYSLOG', 'syslog'],
      ['CAP_SYS_BOOT', 'reboot'],
      ['CAP_DAC_READ_SEARCH', 'open_by_handle_at'],
    ] as const) {
      expect([call, answer(usual, call)]).toEqual([call, EPERM]);
      expect([call, answer(defaultSeccomp('x64', [capability]), call)]).toEqual([call, 'allow']);
    }
  });

  it('covers the 32-bit and x32 entries of the same kernel', () => {
    expect(usual.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    expect(defaultSeccomp('arm64', []).architectures[0]).toBe('SCMP_ARCH_AARCH64');
    expect(answer(defaultSeccomp('arm64', []), 'arch_prctl')).toBe(EPERM);
  });

  it('is the same object for the same container, so that its compiled form is found again', () => {
    expect(defaultSeccomp('x64', ['CAP_KILL'])).toBe(defaultSeccomp('x64', ['CAP_KILL']));
  });
});

describe('a user’s own profile', () => {
  const host = { architecture: 'x64', kernelRelease: '6.1.0-13', capabilities: ['CAP_KILL'] };

  it('is resolved for architecture, kernel and capabilities', () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      archMap: [
        { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
        { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: null },
      ],
      syscalls: [
        { names: ['read'], action: 'SCMP_ACT_ALLOW', args: null },
        { names: ['a'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
        { names: ['b'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_KILL'] } },
        { names: ['c'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64'] } },
        { names: ['d'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '6.2' } },
        { names: ['e'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
      ],
    };
    const resolved = customSeccomp(JSON.stringify(profile), host);
    expect(resolved.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
    expect(resolved.syscalls.flatMap((rule) => rule.names)).toEqual(['read', 'c', 'e']);
  });

  it('is refused with what is wrong with it', () => {
    expect(() => customSeccomp('{', host)).toThrow('not valid JSON');
    expect(() => customSeccomp('{}', host)).toThrow('defaultAction');
    expect(() => customSeccomp('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{}]}', host)).toThrow(
      'names',
    );
  });
});
