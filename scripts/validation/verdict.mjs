// Reads what a program of the validation suite has written, and why some of them cannot pass: faults of the suite, which is older than the specification
// that runtimes follow today, and what a kernel lacks.

/** What stands in the way of a pass that is not the runtime's, by program. */
export const REASONS = {
  hooks: 'expects a text that its own hooks do not write',
  linux_cgroups_blkio: 'sets a weight for a disk 8:0; needs one with the BFQ scheduler',
  linux_cgroups_hugetlb: 'needs hugetlb as a hierarchy of v1',
  linux_cgroups_memory: 'memory.kernel: since Linux 5.16 the kernel ignores it',
  linux_cgroups_network: 'needs net_cls and net_prio',
  linux_cgroups_relative_blkio: 'sets a weight for a disk 8:0; needs one with the BFQ scheduler',
  linux_cgroups_relative_hugetlb: 'needs hugetlb as a hierarchy of v1',
  linux_cgroups_relative_memory: 'memory.kernel: since Linux 5.16 the kernel ignores it',
  linux_cgroups_relative_network: 'needs net_cls and net_prio',
  linux_process_apparmor_profile: 'needs AppArmor and its own profile loaded',
  misc_props: 'forgets to put its program into the bundle',
  pidfile: 'waits for "running" of a program that ends at once: passes only by luck',
  poststart: 'expects the program to write before the hook, which runs beside it: passes by luck',
  prestart: 'expects prestart hooks at start; they belong to create',
  process_capabilities: 'needs a root that has all capabilities',
  process_capabilities_fail:
    'expects an error for an unknown capability; since 1.1 it is a warning',
  process_rlimits: 'its program is in Go, which raises the soft limit of files by itself',
  start: 'creates a container without process; runtimes refuse that at create',
};

/** Programs that pass or fail by chance: another runtime's pass says nothing. */
export const BY_CHANCE = ['pidfile', 'poststart'];

/**
 * The verdict on one run. A program says "ok" and "not ok" in TAP; some say nothing when all is well, and only describe an error without a result.
 * @returns { passed, ok, failed } with the numbers of results
 */
export function verdict(output, status) {
  const results = output.split('\n').filter((line) => /^(not )?ok\b/.test(line));
  const failed = results.filter((line) => line.startsWith('not ok') && !/# todo\b/i.test(line));
  const silentError = results.length === 0 && /^\s+"error":/m.test(output);
  return {
    passed: status === 0 && failed.length === 0 && !silentError,
    ok: results.length - failed.length,
    failed: failed.length,
  };
}
