// Two hosts of a mesh for the tests in the virtual machine, made by the worker's own code: for each of a and b the requests to tswarm-net that make its
// interfaces, tell WireGuard its peers and set routes, its nftables rules, and the same settings as wireguard-go takes them. The folder is the argument.
// A container of `front` on each host (10.81.1.11 on a, 10.81.1.12 on b); the one on b is published at port 8090 of both, and at 8091 for SCTP.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshPeer } from '#protocol/generated/dispatcher';
import { network, port, service } from '#test/support/network-lab/objects';
import { RuleComputer } from '#worker/network/desired-rules';
import { wholeAddress } from '#worker/network/host';
import {
  DOOR_UDP_PORT,
  DOOR_VXLAN_ID,
  meshIdentity,
  meshNames,
} from '#worker/network/mesh/addresses';
import { type MeshKey, newMeshKey } from '#worker/network/mesh/keys';
import { planMesh } from '#worker/network/mesh/plan';
import { setRequest } from '#worker/network/mesh/uapi';
import { peerChanges } from '#worker/network/mesh/wireguard';
import { baseScript, diffScript, emptyRules } from '#worker/network/ruleset';

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('usage: mesh-fixtures.ts FOLDER');

const HOSTS = [
  { id: 'a', address: '192.0.2.1', container: '10.81.1.11', link: 'vma1' },
  { id: 'b', address: '192.0.2.2', container: '10.81.1.12', link: 'vmb1' },
] as const;
const FRONT = network('front', ['10.81.1.0/24']);
const WEB = service({
  name: 'web',
  tasks: { t1: { front: '10.81.1.12' } },
  nodes: { t1: 'b' },
  vips: { front: '10.81.1.200' },
  ports: [port('8090:80', 'ingress'), port('8091:81/sctp', 'ingress')],
});
const CLI = service({ name: 'cli', tasks: { t2: { front: '10.81.1.11' } }, nodes: { t2: 'a' } });

const folder = join(target, 'mesh');
mkdirSync(folder, { recursive: true });
const keys = new Map<string, MeshKey>();
for (const { id } of HOSTS) {
  const file = join(folder, 'key');
  keys.set(id, await newMeshKey(file));
  rmSync(file);
}

for (const host of HOSTS) {
  const names = meshNames(`vm${host.id}`);
  const key = keys.get(host.id);
  const peers = HOSTS.filter(({ id }) => id !== host.id).map((other) =>
    MeshPeer.create({
      nodeId: other.id,
      hostname: other.id,
      wireguardKey: keys.get(other.id)?.publicKey ?? '',
      addr: other.address,
      port: 51820,
      hostAddrs: [other.address],
    }),
  );
  const plan = planMesh({
    nodeId: host.id,
    names,
    peers,
    services: [WEB, CLI],
    networkIds: new Set(['front']),
    clearIds: new Set(),
    directIds: new Set(),
    paths: new Map(),
    numbers: new Map(peers.map((peer, index) => [peer.nodeId, index + 1])),
  });
  const identity = meshIdentity(host.id);
  const change = {
    privateKey: key?.privateKey ?? '',
    listenPort: 51820,
    peers: peerChanges(new Map(), plan.peers, () => true),
  };
  const endpoint = {
    networkId: 'front',
    networkName: 'front',
    endpointId: '',
    macAddress: '',
    ipv4: host.container,
    ipv4PrefixLength: 24,
    gateway: '10.81.1.1',
    ipv6: '',
    ipv6PrefixLength: 0,
    ipv6Gateway: '',
    aliases: [],
  };
  const rules = new RuleComputer().compute({
    nodeId: host.id,
    networks: [{ id: 'front', subnets: FRONT.ipam.map(({ subnet }) => subnet), internal: false }],
    services: [WEB, CLI],
    containers: [
      {
        containerId: host.id,
        taskId: host.id === 'b' ? 't1' : 't2',
        links: [host.link],
        endpoints: [endpoint],
        primary: 0,
        ports: [],
        serving: true,
      },
    ],
    doors: plan.doors,
    origins: plan.origins,
    direct: plan.direct,
    relays: plan.relays,
    relayedPort: 0,
    hostAddresses: { 4: host.address, 6: '' },
  });
  const ruleNames = {
    table: `vm${host.id}`,
    links: `vm${host.id}`,
    mesh: names,
    dns: '169.254.1.1',
  };
  const requests = {
    kernel: { op: 'link', make: { name: names.tunnel, kind: 'wireguard', mtu: 1420 } },
    up: {
      op: 'link',
      set: { name: names.tunnel, mtu: 1420, addresses: [wholeAddress(identity.address)] },
    },
    wireguard: { op: 'wireguard-set', link: names.tunnel, ...change },
    get: { op: 'wireguard-get', link: names.tunnel },
    door: {
      op: 'link',
      make: {
        name: names.door,
        kind: 'vxlan',
        mtu: 1350,
        mac: identity.mac,
        vxlan: { id: DOOR_VXLAN_ID, port: DOOR_UDP_PORT, local: identity.address },
      },
      set: { name: names.door, mtu: 1350, addresses: [] },
    },
    routing: { op: 'routing', remove: [], add: [...plan.routing.values()] },
    attach: {
      op: 'attach',
      netns: `/run/ns-${host.id}`,
      dns: '169.254.1.1',
      sysctls: {},
      interfaces: [
        {
          host: host.link,
          name: 'eth0',
          mac: `02:42:0a:51:01:0${host.container.slice(-1)}`,
          hostMac: `02:43:0a:51:01:0${host.container.slice(-1)}`,
          mtu: 1420,
          v4: {
            address: host.container,
            gateway: '10.81.1.1',
            subnet: '10.81.1.0/24',
            defaultRoute: true,
          },
        },
      ],
    },
  };
  for (const [name, request] of Object.entries(requests)) {
    writeFileSync(join(folder, `${host.id}.${name}`), `${JSON.stringify({ id: 1, ...request })}\n`);
  }
  writeFileSync(join(folder, `${host.id}.uapi`), setRequest(change));
  writeFileSync(
    join(folder, `${host.id}.nft`),
    baseScript(ruleNames) + diffScript(ruleNames, emptyRules(), rules),
  );
  writeFileSync(join(folder, `${host.id}.tunnel`), names.tunnel);
  writeFileSync(join(folder, `${host.id}.address`), identity.address);
}
