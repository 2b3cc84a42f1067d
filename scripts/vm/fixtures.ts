// Files that the tests in the virtual machine start from, made by the worker's own code: a container's configuration with the default seccomp policy,
// and a node's nftables rules with networks, a virtual address and published ports. The folder to write to is the argument.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dockerLike } from '#test/native/runtime-bundle';
import { NODE_ID, port, service } from '#test/support/network-lab/objects';
import { RuleComputer } from '#worker/network/desired-rules';
import { meshNames } from '#worker/network/mesh/addresses';
import { baseScript, diffScript, emptyRules } from '#worker/network/ruleset';
import type { AttachedEndpoint } from '#worker/network/types';

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('usage: fixtures.ts FOLDER');

const config = dockerLike(['/bin/sh'], '/ID');
config.linux.namespaces.push({ type: 'cgroup' });
writeFileSync(join(target, 'config.json'), JSON.stringify(config));

const names = { table: 'vmtest', links: 'vmt', mesh: meshNames('vm'), dns: '169.254.1.1' };
const endpoint: AttachedEndpoint = {
  networkId: 'front',
  networkName: 'front',
  endpointId: '',
  macAddress: '',
  ipv4: '10.81.1.10',
  ipv4PrefixLength: 24,
  gateway: '',
  ipv6: 'fd00:81:1::10',
  ipv6PrefixLength: 64,
  ipv6Gateway: '',
  aliases: [],
};
const other = { ...endpoint, ipv4: '10.81.1.11', ipv6: 'fd00:81:1::11' };
const rules = new RuleComputer().compute({
  doors: new Map(),
  origins: new Map(),
  direct: [],
  relays: new Map(),
  relayedPort: 0,
  hostAddresses: { 4: '', 6: '' },
  nodeId: NODE_ID,
  networks: [
    { id: 'front', subnets: ['10.81.1.0/24', 'fd00:81:1::/64'], internal: false },
    { id: 'closed', subnets: ['10.81.3.0/24'], internal: true },
  ],
  services: [
    service({
      name: 'web',
      vips: { front: '10.81.1.100' },
      tasks: { task2: { front: '10.81.1.11' } },
      ports: [port('8090:80', 'ingress')],
    }),
  ],
  containers: [
    {
      containerId: 'one',
      taskId: 'task1',
      links: ['vmt1'],
      endpoints: [endpoint],
      primary: 0,
      ports: [port('8080:80'), port('8080:80/udp')],
      serving: true,
    },
    {
      containerId: 'two',
      taskId: 'task2',
      links: ['vmt2'],
      endpoints: [other],
      primary: 0,
      ports: [],
      serving: true,
    },
  ],
});
writeFileSync(
  join(target, 'rules.nft'),
  baseScript(names) + diffScript(names, emptyRules(), rules),
);
