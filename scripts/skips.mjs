// The tests that may be skipped, by file, each with the reason for which a host cannot run it. `npm test` names those that it skipped, and fails for one that is
// not in this list: a test that silently never runs shows nothing. As root on a host with the packages of the README and both kinds of control groups none is.
// (The native tests in the virtual machine, `npm run vm -- native`, have no list: one that is skipped there has failed.)
export const SKIPS = {
  'test/native/runtime-v2.test.ts': 'no tree of control groups v2 is mounted',
  'test/native/shim-life.test.ts': 'runc is not installed',
  'test/e2e/network-firewall.test.ts': 'iptables with nf_tables is not installed',
  'test/e2e/long/hostile-images.test.ts': 'the limit of memory is set in a group of version 1',
  'test/e2e/long/engines.test.ts':
    'podman or dockerd is not installed; dockerd maps users for all containers or for none',
  'test/e2e/long/other-runtimes.test.ts': 'runc or crun is not installed',
};
