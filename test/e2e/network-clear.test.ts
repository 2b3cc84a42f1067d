// Goal: networks that an administrator lets go in clear between hosts (VXLAN, plain routes) work like others, and stay apart from the encrypted ones, whoever is
// on the Ethernet. Method: three hosts in namespaces of their own, the real network of a node on each, a capture of everything on the wire. Needs root.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { meshIdentity } from '#worker/network/mesh/addresses';
import type { NetworkReport } from '#worker/network/mesh/network-check';
import {
  type Agent,
  eventually,
  type NetworkLab,
  OUTSIDE,
  OUTSIDE6,
} from '../support/network-lab/lab.ts';
import {
  MeshHosts,
  type MeshNode,
  OPEN,
  PLAIN,
  STRAIGHT,
  WIDE,
  withIpv6,
} from '../support/network-lab/mesh-hosts.ts';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('networks in clear between hosts', () => {
  const mesh = new MeshHosts('clear');
  const { world, at } = mesh;
  const lab = (node: MeshNode): NetworkLab => mesh.lab(node);
  const who = (name: string): Agent => mesh.who(name);
  const stateOf = (node: MeshNode): object => mesh.stateOf(node);

  beforeAll(() => mesh.start(), 240_000);
  afterAll(() => mesh.end());

  const withOne = (node: MeshNode, network: object, service: object): object => {
    const state = stateOf(node) as { networks: object[]; endpoints: object[] };
    const { networks, endpoints } = state;
    return { ...state, networks: [...networks, network], endpoints: [...endpoints, service] };
  };

  const hopOf = (node: MeshNode): string => meshIdentity(node).linkLocal;

  it('lets a network go in clear where an administrator wants that, and only that one', async () => {
    await Promise.all(
      (['n1', 'n3'] as const).map((n) => lab(n).call('setState', withOne(n, OPEN, WIDE))),
    );
    await mesh.attach('n1', 'o1', ['10.84.3.11']);
    await mesh.attach('n3', 'o3', ['10.84.3.13']);
    await eventually(async () => (await who('o1').tcp('10.84.3.13', 80)) === 'o3', 30_000);
    expect(
      await who('o1').ask('tcp', { host: '10.84.3.13', port: 80, keep: 'secret' }),
    ).toMatchObject({ name: 'o3', from: '10.84.3.11' });
    const met = new Set<unknown>();
    for (let i = 0; i < 20; i++) met.add(await who('o3').tcp('10.84.3.200', 80));
    expect([...met].sort()).toEqual(['o1', 'o3']);
    await eventually(
      async () => /^e/.test(String(await who('client').tcp('192.0.2.11', 8080))),
      30_000,
    );
    await who('client').tcp('192.0.2.11', 8080, { keep: 'plain' });
    expect((await mesh.capturedOutside('to-be-read-by-all', 'o1')).plaintext).toBe(true);
    // Networks stay apart, also where a packet comes by the wrong way.
    expect(await who('o1').tcp('10.84.1.13', 80)).not.toBe('a3');
    lab('n1').host('ip rule add to 10.84.1.13 lookup 98');
    lab('n1').host(`ip route add 10.84.1.13 via inet6 ${hopOf('n3')} dev wclear0c table 98`);
    expect(await who('a1').tcp('10.84.1.13', 80)).toBe('TIMEOUT');
    lab('n1').host('ip rule del to 10.84.1.13 lookup 98; ip route flush table 98');
    await eventually(async () => (await who('a1').tcp('10.84.1.13', 80)) === 'a3', 15_000);
    lab('n1').host('ip link del wclear0c');
    await eventually(async () => (await who('o1').tcp('10.84.3.13', 80)) === 'o3', 15_000);
    for (const [node, name] of [
      ['n1', 'o1'],
      ['n3', 'o3'],
    ] as const)
      await lab(node).detach(name);
    delete at.o1;
    delete at.o3;
    await mesh.setAll();
    expect(lab('n1').host('ip -o link')).not.toContain('wclear0c');
  }, 60_000);

  it('sends a network by plain routes where an administrator wants that, and only that one', async () => {
    const straight = withIpv6(STRAIGHT);
    const ends = ['n1', 'n3'] as const;
    const tell = (more: object = {}): Promise<unknown> =>
      Promise.all(
        ends.map((n) => lab(n).call('setState', { ...withOne(n, PLAIN, straight), ...more })),
      );
    await tell();
    await mesh.attach('n1', 'p1', ['10.84.4.11', 'fd00:84:4::11']);
    await mesh.attach('n3', 'p3', ['10.84.4.13', 'fd00:84:4::13']);
    await eventually(async () => (await who('p1').tcp('10.84.4.13', 80)) === 'p3', 30_000);
    await eventually(async () => (await who('p3').tcp('fd00:84:4::11', 80)) === 'p1', 30_000);
    expect(
      await who('p1').ask('tcp', { host: '10.84.4.13', port: 80, keep: 'secret' }),
    ).toMatchObject({ name: 'p3', from: '10.84.4.11' });
    expect(await who('p3').ask('tcp', { host: 'fd00:84:4::11', port: 80 })).toMatchObject({
      name: 'p1',
      from: 'fd00:84:4::13',
    });
    const met = new Set<unknown>();
    for (let i = 0; i < 20; i++) met.add(await who('p3').tcp('10.84.4.200', 80));
    expect([...met].sort()).toEqual(['p1', 'p3']);
    // Nothing around it: the whole MTU of the Ethernet, its own addresses on the wire.
    expect(lab('n1').inside(at.p1?.netnsPath ?? '', 'ip -o link show dev eth0')).toContain(
      'mtu 1500',
    );
    expect(lab('n1').host('ip route show 10.84.4.13')).toMatch(/via 192\.0\.2\.13 dev out0/);
    await eventually(
      async () => /^e/.test(String(await who('client').tcp('192.0.2.11', 8080))),
      30_000,
    );
    await who('client').tcp('192.0.2.11', 8080, { keep: 'plain' });
    expect((await mesh.capturedOutside('to-be-read-by-all', 'p1')).plaintext).toBe(true);
    // Networks stay apart, and nobody outside is let in, also not under the address of a container of an encrypted network.
    expect(await who('p1').tcp('10.84.1.13', 80)).not.toBe('a3');
    expect(await who('a1').tcp('10.84.4.13', 80)).not.toBe('p3');
    lab('n1').host('sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.out0.rp_filter=0');
    const stolen = ['10.84.1.11', '10.84.1.13', '10.84.4.13'];
    const targets = ['10.84.1.12', '10.84.4.11'];
    for (const address of stolen) world.run(`ip addr add ${address}/32 dev in0`);
    for (const to of targets) world.run(`ip route add ${to} via 192.0.2.11`);
    for (const name of ['a2', 'p1']) await who(name).ask('heard');
    const tries = targets.flatMap((to) => [OUTSIDE, ...stolen].map((from) => ({ to, from })));
    await Promise.all(tries.map(({ to, from }) => who('client').udp(to, 80, { from })));
    expect(await who('a2').ask('heard')).toMatchObject({ senders: [] });
    // The test of the test: without a tunnel a stranger on the Ethernet can say that he is a container, of that network only.
    expect(await who('p1').ask('heard')).toMatchObject({ senders: ['::ffff:10.84.4.13'] });
    for (const to of targets) world.run(`ip route del ${to} via 192.0.2.11`);
    for (const address of stolen) world.run(`ip addr del ${address}/32 dev in0`);
    lab('n1').host('sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.out0.rp_filter=1');
    const works = async (): Promise<boolean> =>
      (await who('p1').tcp('10.84.4.13', 80)) === 'p3' &&
      (await who('p1').tcp('fd00:84:4::13', 80)) === 'p3';
    expect(await works()).toBe(true);
    for (const harm of ['ip route del 10.84.4.13', 'ip -6 route del fd00:84:4::13']) {
      lab('n1').host(harm);
      await eventually(works, 15_000);
    }
    lab('n1').host('ip link set out0 down; ip link set out0 up');
    lab('n1').host(`ip -6 addr add ${lab('n1').address6}/64 dev out0 nodad`);
    lab('n1').host(`ip route add default via ${OUTSIDE}; ip -6 route add default via ${OUTSIDE6}`);
    await eventually(works, 15_000);
    // A router between the hosts would not know the containers.
    const far = mesh
      .peersOf('n1')
      .map((peer) =>
        peer.nodeId === 'n3'
          ? { ...peer, addr: '198.51.100.13', hostAddrs: ['198.51.100.13'] }
          : peer,
      );
    await lab('n1').call('setState', { ...withOne('n1', PLAIN, straight), peers: far });
    const { faults } = await lab('n1').call<NetworkReport>('checkNetwork');
    expect(faults).toContain(
      `host-gw: node n3 (198.51.100.13) is behind the router ${OUTSIDE}: use another backend for its networks`,
    );
    expect(await who('p1').tcp('10.84.4.13', 80)).not.toBe('p3');
    expect(lab('n1').host('ip route show 10.84.4.13')).toBe('');
    await tell();
    expect(await works()).toBe(true);
    await lab('n1').detach('p1');
    await lab('n3').detach('p3');
    delete at.p1;
    delete at.p3;
    await mesh.setAll();
    expect(lab('n1').host('ip route show proto 116; ip -6 route show proto 116')).toBe('');
  }, 90_000);
});
