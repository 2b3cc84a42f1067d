// Goal: who reaches whom through a node's network, and who does not. Method: the real network of a node in a namespace of its own, real sockets in its
// containers and in a second namespace as the world outside. Needs root.
// Longer than 500 lines because the containers of one host are what all of its tests look at.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachResult } from '#worker/network/types';
import {
  type Agent,
  HOST,
  HOST6,
  NetworkLab,
  OUTSIDE,
  OUTSIDE6,
} from '../support/network-lab/lab.ts';
import { container, NODE_ID, network, port, service } from '../support/network-lab/objects.ts';

const isRoot = process.getuid?.() === 0;

const FRONT = network('front', ['10.81.1.0/24', 'fd00:81:1::/64']);
const BACK = network('back', ['10.81.2.0/24']);
const CLOSED = network('closed', ['10.81.3.0/24', 'fd00:81:3::/64'], { internal: true });
const NETWORKS = [FRONT, BACK, CLOSED];

/** Perl, because it is everywhere and Node has no raw sockets. Type 134, hop limit 255, valid for 30 minutes. */
const ROUTER_ADVERTISEMENT = [
  'use Socket qw(:DEFAULT getaddrinfo AI_NUMERICHOST)',
  'socket(S, AF_INET6, SOCK_RAW, 58) or die',
  'setsockopt(S, 41, 18, pack("i", 255)) or die',
  'my ($e, $a) = getaddrinfo("ff02::1%eth0", "", {flags => AI_NUMERICHOST})',
  'send(S, pack("C2 n C2 n N2", 134, 0, 0, 64, 0, 1800, 0, 0), 0, $a->{addr}) or die',
].join('; ');

describe.skipIf(!isRoot)('the network of a node', () => {
  const lab = new NetworkLab('lab');
  const at: Record<string, AttachResult> = {};
  const as: Record<string, Agent> = {};

  /** Containers: a and b on front (with IPv6), c on back, d on closed, e on front and back; tasks web1 and web2 on front. */
  beforeAll(async () => {
    await lab.start();
    await lab.restore();
    await lab.call('setState', { nodeId: NODE_ID, networks: NETWORKS, endpoints: [], peers: [] });
    const wanted = {
      a: container({ front: ['10.81.1.10', 'fd00:81:1::10'] }),
      b: container({ front: ['10.81.1.11', 'fd00:81:1::11'] }),
      c: container({ back: ['10.81.2.10'] }),
      d: container({ closed: ['10.81.3.10', 'fd00:81:3::10'] }),
      d2: container({ closed: ['10.81.3.11', 'fd00:81:3::11'] }),
      e: container({ front: ['10.81.1.12'], back: ['10.81.2.12'] }),
      web1: container({ front: ['10.81.1.21', 'fd00:81:1::21'] }, { taskId: 'web1' }),
      web2: container({ front: ['10.81.1.22', 'fd00:81:1::22'] }, { taskId: 'web2' }),
      pub: container({ back: ['10.81.2.30'] }, { ports: PUBLISHED }),
      pub6: container({ front: ['10.81.1.31', 'fd00:81:1::31'] }, { ports: PUBLISHED6 }),
    };
    for (const [name, request] of Object.entries(wanted)) {
      const result = await lab.attach(name, request);
      at[name] = result;
      as[name] = lab.agent(result.netnsPath);
    }
    as.host = lab.agent('');
    as.outside = lab.agent('outside');
    await Promise.all(Object.entries(as).map(([name, agent]) => agent.serve(80, name)));
    await as.a?.serve(81, 'a', '::');
    await as.b?.serve(81, 'b', '::');
    await as.d2?.serve(81, 'd2', '::');
    await as.pub6?.serve(81, 'pub6', '::');
    await as.web1?.serve(81, 'web1', '::');
    await as.web2?.serve(81, 'web2', '::');
    await as.host?.serve(81, 'host', '::');
    await as.outside?.serve(81, 'outside', '::');
    await as.host?.serve(70, 'loopback', '127.0.0.5');
  });
  afterAll(() => lab.destroy());

  const PUBLISHED = [
    port('8080:80'),
    port('8080:80/udp'),
    port('127.0.0.1:8081:80'),
    port(`${HOST}:8082:80`),
  ];
  const PUBLISHED6 = [port('8083:81'), port('8083:81/udp'), port(`${HOST6}:8084:81`)];

  function linkTo(address: string): string {
    const [route] = JSON.parse(lab.host(`ip -j route get ${address}`)) as { dev: string }[];
    return route?.dev ?? '';
  }

  function who(name: string): Agent {
    const agent = as[name];
    if (!agent) throw new Error(`no ${name}`);
    return agent;
  }

  describe('within networks', () => {
    it('lets containers of one network talk, and shows their addresses', async () => {
      expect(await who('a').tcp('10.81.1.11', 80)).toBe('b');
      expect(await who('a').udp('10.81.1.11', 80)).toBe('b');
      expect((await who('a').ask('tcp', { host: '10.81.1.11', port: 80 })).from).toBe('10.81.1.10');
    });

    it('has IPv6 where the network has', async () => {
      expect(await who('a').tcp('fd00:81:1::11', 81)).toBe('b');
      expect((await who('a').ask('tcp', { host: 'fd00:81:1::11', port: 81 })).from).toBe(
        'fd00:81:1::10',
      );
      expect(await who('c').tcp('fd00:81:1::11', 81)).toBe('ENETUNREACH');
    });

    it('keeps networks apart', async () => {
      expect(await who('a').tcp('10.81.2.10', 80)).not.toBe('c');
      expect(await who('c').tcp('10.81.1.10', 80)).not.toBe('a');
      expect(await who('c').udp('10.81.1.10', 80)).not.toBe('a');
      expect(await who('d').tcp('10.81.1.10', 80)).not.toBe('a');
      expect(await who('e').tcp('10.81.1.11', 80)).toBe('b');
      expect(await who('e').tcp('10.81.2.10', 80)).toBe('c');
    });

    it('lets the host reach containers, but not the world outside', async () => {
      expect(await who('host').tcp('10.81.1.10', 80)).toBe('a');
      lab.outside(`ip route add 10.81.1.0/24 via ${HOST}`);
      expect(await who('outside').tcp('10.81.1.10', 80)).toBe('TIMEOUT');
      lab.outside(`ip route del 10.81.1.0/24 via ${HOST}`);
    });

    it('believes nobody outside who says that he is a container', async () => {
      lab.outside(`ip route add 10.81.1.0/24 via ${HOST}; ip addr add 10.81.1.99/32 dev in0`);
      await who('a').ask('heard');
      await who('outside').udp('10.81.1.10', 80, { from: OUTSIDE });
      await who('outside').udp('10.81.1.10', 80, { from: '10.81.1.99' });
      expect(await who('a').ask('heard')).toMatchObject({ senders: [] });
      // The test of the test: a neighbour is heard.
      await who('b').udp('10.81.1.10', 80);
      expect(await who('a').ask('heard')).toMatchObject({ senders: ['10.81.1.11'] });
      lab.outside(`ip route del 10.81.1.0/24 via ${HOST}; ip addr del 10.81.1.99/32 dev in0`);
    });

    it('carries the first packet of a new container, in both directions', async () => {
      for (let i = 0; i < 15; i++) {
        const { netnsPath, endpoints } = await lab.attach('new', container({ bridge: [] }));
        expect(await who('host').tcp(endpoints[0]?.ipv4 ?? '', 9)).toBe('ECONNREFUSED');
        const link = lab.inside(netnsPath, 'ip -br addr show eth0');
        // IPv4 alone: no link-local address, which would be a way round the rules.
        expect(link.trim().split(/\s+/).slice(1)).toEqual(['UP', `${endpoints[0]?.ipv4}/32`]);
        await lab.detach('new');
      }
    });

    it('answers at once for an address that nobody has', async () => {
      expect(await who('a').tcp('10.81.1.99', 80)).toBe('ECONNREFUSED');
    });
  });

  describe('senders', () => {
    it('must use their own address', async () => {
      const netns = at.a?.netnsPath ?? '';
      lab.inside(netns, 'ip addr add 10.81.1.55/32 dev lo; ip addr add fd00:81:1::55/128 dev lo');
      // The address of another container, so that only the interface tells.
      lab.inside(netns, 'ip addr add 10.81.1.12/32 dev lo');
      for (const name of ['b', 'host']) await who(name).ask('heard');
      for (const from of ['10.81.1.55', '10.81.1.12']) {
        expect(await who('a').udp('10.81.1.11', 80, { from })).toBe('TIMEOUT');
        expect(await who('a').udp('10.81.1.1', 80, { from })).toBe('TIMEOUT');
      }
      expect(await who('a').udp('fd00:81:1::11', 81, { from: 'fd00:81:1::55' })).toBe('TIMEOUT');
      // Nothing of it arrived anywhere; what is right does.
      expect((await who('host').ask('heard')).senders).toEqual([]);
      expect((await who('b').ask('heard')).senders).toEqual([]);
      expect(await who('a').udp('10.81.1.11', 80, { from: '10.81.1.10' })).toBe('b');
      expect(await who('a').udp('fd00:81:1::11', 81, { from: 'fd00:81:1::10' })).toBe('b');
      expect((await who('b').ask('heard')).senders).toEqual(['10.81.1.10', 'fd00:81:1::10']);
      lab.inside(netns, 'ip addr del 10.81.1.12/32 dev lo; ip addr del 10.81.1.55/32 dev lo');
      lab.inside(netns, 'ip addr del fd00:81:1::55/128 dev lo');
    });

    it('cannot make themselves the host’s router', () => {
      const link = linkTo('10.81.1.10');
      const netns = at.a?.netnsPath ?? '';
      // As it would be with a careless setting of the host.
      lab.host(`sysctl -qw net.ipv6.conf.${link}.accept_ra=2`);
      lab.host(`ip -6 addr add fe80::99/64 dev ${link} nodad`);
      lab.inside(netns, 'ip -6 addr add fe80::a/64 dev eth0 nodad');
      lab.inside(netns, `perl -e '${ROUTER_ADVERTISEMENT}'`);
      lab.host('sleep 0.1');
      expect(lab.host('ip -6 route show default')).not.toContain(link);
      lab.inside(netns, 'ip -6 addr del fe80::a/64 dev eth0');
      lab.host(`ip -6 addr del fe80::99/64 dev ${link}`);
    });

    it('do not reach what listens on the host’s loopback', async () => {
      const netns = at.a?.netnsPath ?? '';
      const address = '127.0.0.5';
      expect(await who('host').tcp(address, 70)).toBe('loopback');
      // What leads 127.0.0.11 to the resolver, for another address.
      lab.inside(netns, `ip route add ${address} via 10.81.1.1 dev eth0 onlink table local`);
      expect(await who('a').tcp(address, 70)).toBe('TIMEOUT');
      expect(await who('a').udp(address, 70)).toBe('TIMEOUT');
      lab.inside(netns, `ip route del ${address} via 10.81.1.1 dev eth0 table local`);
      expect(await who('a').udp('127.0.0.11', 70)).toBe('TIMEOUT');
    });
  });

  describe('the way out', () => {
    it('is masqueraded', async () => {
      expect(await who('a').tcp(OUTSIDE, 80)).toBe('outside');
      expect((await who('a').ask('udp', { host: OUTSIDE, port: 80 })).from).toBe(HOST);
      expect((await who('e').ask('tcp', { host: OUTSIDE, port: 80 })).from).toBe(HOST);
      expect((await who('a').ask('tcp', { host: OUTSIDE6, port: 81 })).from).toBe(HOST6);
    });

    it('does not exist on an internal network', async () => {
      expect(await who('d').tcp('10.81.3.11', 80)).toBe('d2');
      for (const target of [OUTSIDE, HOST, '10.81.3.1', '10.81.1.1']) {
        expect(['EHOSTUNREACH', 'ECONNREFUSED', 'EACCES', 'ENETUNREACH']).toContain(
          await who('d').tcp(target, 80),
        );
        expect(await who('d').udp(target, 80)).not.toMatch(/host|outside/);
      }
      expect(await who('d').tcp(HOST, 8080)).not.toBe('pub');
      const { listen } = JSON.parse(
        readFileSync(join(lab.folder, 'run/names/names.json'), 'utf8'),
      ) as { listen: { address: string }[] };
      // The resolver’s real address is one of the host’s.
      expect(await who('host').tcp(listen[0]?.address ?? '', 81)).toBe('host');
      expect(await who('d').tcp(listen[0]?.address ?? '', 81)).not.toBe('host');
      expect(await who('d').tcp('fd00:81:3::11', 81)).toBe('d2');
      for (const target of [OUTSIDE6, HOST6, 'fd00:81:3::1']) {
        expect(await who('d').tcp(target, 81)).not.toMatch(/host|outside/);
        expect(await who('d').udp(target, 81)).not.toMatch(/host|outside/);
      }
      // Nor with a link-local address that it gives itself.
      lab.inside(at.d?.netnsPath ?? '', 'ip -6 addr add fe80::d/64 dev eth0 nodad');
      lab.host(`ip -6 addr add fe80::99/64 dev ${linkTo('10.81.3.10')} nodad`);
      expect(await who('d').udp('fe80::99%eth0', 81)).toBe('TIMEOUT');
      expect(await who('d').tcp('fe80::99%eth0', 81)).toBe('TIMEOUT');
      // The host may still call in, as health checks do.
      expect(await who('host').tcp('10.81.3.10', 80)).toBe('d');
    });
  });

  describe('published ports', () => {
    it('answer from outside, TCP and UDP, and show the caller', async () => {
      expect(await who('outside').tcp(HOST, 8080)).toBe('pub');
      expect(await who('outside').udp(HOST, 8080)).toBe('pub');
      const answer = await who('outside').ask('tcp', { host: HOST, port: 8080 });
      expect(answer.from).toBe(OUTSIDE);
    });

    it('answer on the host’s own addresses', async () => {
      for (const address of ['127.0.0.1', HOST, '10.81.2.1']) {
        expect(await who('host').tcp(address, 8080)).toBe('pub');
        expect(await who('host').udp(address, 8080)).toBe('pub');
      }
      expect(await who('host').tcp('::1', 8080)).toBe('ECONNREFUSED');
    });

    it('answer other containers, of any network, and the container itself', async () => {
      expect(await who('a').tcp(HOST, 8080)).toBe('pub');
      expect(await who('c').tcp(HOST, 8080)).toBe('pub');
      expect(await who('c').tcp('10.81.2.1', 8080)).toBe('pub');
      expect(await who('pub').tcp(HOST, 8080)).toBe('pub');
      expect(await who('pub').udp(HOST, 8080)).toBe('pub');
    });

    it('are open only on the address that they are bound to', async () => {
      expect(await who('host').tcp('127.0.0.1', 8081)).toBe('pub');
      expect(await who('outside').tcp(HOST, 8081)).toBe('ECONNREFUSED');
      expect(await who('outside').tcp(HOST, 8082)).toBe('pub');
      expect(await who('host').tcp('127.0.0.1', 8082)).toBe('ECONNREFUSED');
    });

    it('answer over IPv6 where the container has it', async () => {
      expect(await who('outside').tcp(HOST6, 8083)).toBe('pub6');
      expect(await who('outside').udp(HOST6, 8083)).toBe('pub6');
      expect((await who('outside').ask('tcp', { host: HOST6, port: 8083 })).from).toBe(OUTSIDE6);
      expect(await who('host').tcp(HOST6, 8083)).toBe('pub6');
      expect(await who('outside').tcp(HOST, 8083)).toBe('pub6');
      expect(await who('a').tcp(HOST6, 8083)).toBe('pub6');
      expect(await who('pub6').tcp(HOST6, 8083)).toBe('pub6');
      expect(await who('host').tcp('::1', 8083)).toBe('ECONNREFUSED');
      expect(await who('outside').tcp(HOST6, 8084)).toBe('pub6');
      expect(await who('host').tcp('fd00:81:1::1', 8084)).toBe('ECONNREFUSED');
      expect(await who('outside').tcp(HOST6, 8080)).toBe('ECONNREFUSED');
    });

    it('are refused when somebody has them', async () => {
      const second = container({ back: ['10.81.2.31'] }, { ports: [port('8080:80')] });
      await expect(lab.attach('second', second)).rejects.toThrow(
        /port is already allocated \(by container/,
      );
      const held = container({ back: ['10.81.2.31'] }, { ports: [port('70:80')] });
      await expect(lab.attach('held', held)).rejects.toThrow(
        /already in use on this host by \S+ \(pid/,
      );
      const chosen = await lab.attach(
        'chosen',
        container({ back: ['10.81.2.31'] }, { ports: [port('0:80')] }),
      );
      expect(chosen.portStatus[0]?.publishedPort).toBeGreaterThan(32_000);
      await lab.detach('chosen');
    });

    it('lead to the interface with the default route', async () => {
      const request = container(
        { closed: ['10.81.3.40'], front: ['10.81.1.40'] },
        { ports: [port('8090:80')] },
      );
      const both = await lab.attach('both', request);
      const agent = lab.agent(both.netnsPath);
      await agent.serve(80, 'both');
      expect(await who('outside').tcp(HOST, 8090)).toBe('both');
      expect((await agent.ask('tcp', { host: OUTSIDE, port: 80 })).from).toBe(HOST);
      expect(await who('a').tcp(HOST, 8090)).toBe('both');
      await agent.end();
      await lab.detach('both');
    });
  });

  describe('networks of one node', () => {
    const MTU = 'com.docker.network.driver.mtu';

    async function inspect(name: string): Promise<Record<string, unknown>> {
      return lab.call('api.inspect', name);
    }

    it('are made with what was asked for, and used so', async () => {
      const body = {
        Name: 'mine',
        EnableIPv6: true,
        IPAM: {
          Config: [{ Subnet: '10.91.0.0/16', IPRange: '10.91.7.0/24', Gateway: '10.91.0.9' }],
        },
        Options: { [MTU]: '1400' },
      };
      await lab.call('api.create', body);
      const shown = await inspect('mine');
      expect(shown).toMatchObject({ Driver: 'bridge', Scope: 'local', EnableIPv6: true });
      expect(shown.IPAM).toMatchObject({
        Config: [
          { Subnet: '10.91.0.0/16', Gateway: '10.91.0.9', IPRange: '10.91.7.0/24' },
          { Subnet: expect.stringMatching(/^fd.*::\/64$/) },
        ],
      });
      const [x, y] = [
        await lab.attach('x', container({ mine: [] }, { names: ['x'] })),
        await lab.attach('y', container({ mine: ['10.91.0.50'] }, { names: ['y'] })),
      ];
      expect(x.endpoints[0]).toMatchObject({
        networkName: 'mine',
        ipv4: '10.91.7.0',
        ipv4PrefixLength: 16,
        gateway: '10.91.0.9',
        ipv6PrefixLength: 64,
      });
      expect(lab.inside(x.netnsPath, 'cat /sys/class/net/eth0/mtu || ip link show eth0')).toContain(
        '1400',
      );
      const agent = lab.agent(y.netnsPath);
      await agent.serve(80, 'y', '::');
      const caller = lab.agent(x.netnsPath);
      expect(await caller.tcp(y.endpoints[0]?.ipv6 ?? '', 80)).toBe('y');
      expect(await caller.tcp('10.91.0.50', 80)).toBe('y');
      expect(await caller.resolve('y', 'AAAA')).toEqual([y.endpoints[0]?.ipv6]);
      expect(Object.keys((await inspect('mine')).Containers as object).length).toBe(2);
      await expect(lab.call('api.remove', 'mine')).rejects.toThrow(/has active endpoints/);
      await lab.detach('x');
      await lab.detach('y');
      await lab.call('api.remove', 'mine');
      expect(lab.host('nft list ruleset')).not.toContain('10.91.');
    });

    it('keep a container’s addresses when it is attached again', async () => {
      const first = await lab.attach('again', container({ bridge: [] }));
      const second = await lab.attach('again', container({ bridge: [] }));
      expect(second.endpoints[0]?.ipv4).toBe(first.endpoints[0]?.ipv4);
      expect(await who('host').tcp(second.endpoints[0]?.ipv4 ?? '', 9)).toBe('ECONNREFUSED');
      await lab.detach('again');
    });

    it.each([
      [
        { Options: { 'com.docker.network.bridge.name': 'br9' } },
        /"com.docker.network.bridge.name"/,
      ],
      [{ Options: { [MTU]: '70000' } }, /from 1280 to 65535/],
      [{ EnableIPv4: false }, /EnableIPv4=false/],
      [{ IPAM: { Driver: 'dhcp' } }, /IPAM.Driver=dhcp/],
      [{ ConfigOnly: true }, /ConfigOnly/],
      [{ Driver: 'macvlan' }, /"macvlan" not found/],
    ])('refuse %j', async (body, message) => {
      await expect(lab.call('api.create', { Name: 'bad', ...body })).rejects.toThrow(message);
      expect(await lab.call('api.list', {})).toHaveLength(3);
    });

    it('that meet one of the cluster make that one unusable, with a reason', async () => {
      await lab.call('api.create', {
        Name: 'first',
        Labels: { keep: '1' },
        IPAM: { Config: [{ Subnet: '10.92.0.0/16' }] },
      });
      const clash = network('clash', ['10.92.5.0/24']);
      const state = { nodeId: NODE_ID, networks: [...NETWORKS, clash], endpoints: [], peers: [] };
      await lab.call('setState', state);
      await expect(lab.attach('z', container({ clash: ['10.92.5.9'] }))).rejects.toThrow(
        'network clash cannot be used: its subnet is in use on this node by network first',
      );
      // The others do not suffer.
      await lab.attach('z', container({ front: ['10.81.1.90'] }));
      await lab.detach('z');
      for (const spares of [{ 'label!': ['keep'] }, { label: ['other'] }, { until: ['1h'] }])
        expect(await lab.call('api.prune', spares)).toEqual({ NetworksDeleted: [] });
      expect(await lab.call('api.prune', {})).toEqual({ NetworksDeleted: ['first'] });
      await lab.attach('z', container({ clash: ['10.92.5.9'] }));
      await lab.detach('z');
      await lab.call('setState', { ...state, networks: NETWORKS });
    });
  });

  describe('services', () => {
    const web = (tasks: readonly string[], more: object = {}): object => ({
      nodeId: NODE_ID,
      networks: NETWORKS,
      endpoints: [
        service({
          name: 'web',
          vips: { front: '10.81.1.200' },
          ports: [port('8888:80', 'ingress'), port('8888:80/udp', 'ingress')],
          tasks: Object.fromEntries(
            tasks.map((task) => [task, { front: task === 'web1' ? '10.81.1.21' : '10.81.1.22' }]),
          ),
          ...more,
        }),
      ],
    });

    async function names(calls: number, call: () => Promise<unknown>): Promise<Set<unknown>> {
      const seen = new Set<unknown>();
      for (let i = 0; i < calls; i++) seen.add(await call());
      return seen;
    }

    it('refuse connections while they have no task', async () => {
      await lab.call('setState', web([]));
      expect(await who('a').tcp('10.81.1.200', 80)).toBe('ECONNREFUSED');
      expect(await who('outside').tcp(HOST, 8888)).toBe('ECONNREFUSED');
    });

    it('lead to their one task, all ports and protocols', async () => {
      await lab.call('setState', web(['web1']));
      expect(await who('a').tcp('10.81.1.200', 80)).toBe('web1');
      expect(await who('a').udp('10.81.1.200', 80)).toBe('web1');
      expect(await who('host').tcp('10.81.1.200', 80)).toBe('web1');
      expect(await who('outside').tcp(HOST, 8888)).toBe('web1');
    });

    it('have a virtual IPv6 address where the network has IPv6', async () => {
      const state = {
        nodeId: NODE_ID,
        networks: NETWORKS,
        endpoints: [
          service({
            name: 'six',
            vips: { front: 'fd00:81:1::200' },
            tasks: { web1: { front: 'fd00:81:1::21' }, web2: { front: 'fd00:81:1::22' } },
          }),
        ],
      };
      await lab.call('setState', state);
      const both = new Set(['web1', 'web2']);
      expect(await names(40, () => who('a').tcp('fd00:81:1::200', 81))).toEqual(both);
      expect(await names(40, () => who('host').tcp('fd00:81:1::200', 81))).toEqual(both);
      expect(await names(40, () => who('web1').tcp('fd00:81:1::200', 81))).toEqual(both);
      expect(await who('d').tcp('fd00:81:1::200', 81)).not.toMatch(/web/);
      expect(await who('a').tcp('fd00:81:1::99', 81)).toBe('ECONNREFUSED');
    });

    it('spread over their tasks', async () => {
      await lab.call('setState', web(['web1', 'web2']));
      const both = new Set(['web1', 'web2']);
      expect(await names(40, () => who('a').tcp('10.81.1.200', 80))).toEqual(both);
      expect(await names(40, () => who('outside').tcp(HOST, 8888))).toEqual(both);
      expect(await names(40, () => who('outside').udp(HOST, 8888))).toEqual(both);
      expect(await names(40, () => who('host').tcp('127.0.0.1', 8888))).toEqual(both);
    });

    it('are reached by their own tasks, also when one gets itself', async () => {
      const both = new Set(['web1', 'web2']);
      expect(await names(40, () => who('web1').tcp('10.81.1.200', 80))).toEqual(both);
      await lab.call('setState', web(['web1']));
      expect(await who('web1').tcp('10.81.1.200', 80)).toBe('web1');
      expect(await who('web1').tcp(HOST, 8888)).toBe('web1');
    });

    it('cannot be called from another network by their virtual address', async () => {
      expect(await who('c').tcp('10.81.1.200', 80)).not.toBe('web1');
    });

    it('leave out a task here that does not serve, whatever the managers still say', async () => {
      await lab.call('setState', web(['web1', 'web2']));
      await lab.call('setServing', idOf('web1'), false);
      await lab.call('networksChanged');
      expect(await names(20, () => who('a').tcp('10.81.1.200', 80))).toEqual(new Set(['web2']));
      await lab.call('setServing', idOf('web1'), true);
    });

    it('move UDP callers that keep their port', async () => {
      await lab.call('setState', web(['web1']));
      const vip = { keep: 'vip' };
      const published = { keep: 'published' };
      expect(await who('a').udp('10.81.1.200', 80, vip)).toBe('web1');
      expect(await who('outside').udp(HOST, 8888, published)).toBe('web1');
      await lab.call('setState', web(['web2']));
      expect(await who('a').udp('10.81.1.200', 80, vip)).toBe('web2');
      expect(await who('outside').udp(HOST, 8888, published)).toBe('web2');
    });

    it('are found by UDP callers that called before there was a task', async () => {
      await lab.call('setState', web([]));
      const early = { keep: 'early' };
      const vip = { keep: 'early-vip' };
      await who('outside').udp(HOST, 8888, early);
      await who('a').udp('10.81.1.200', 80, vip);
      await lab.call('setState', web(['web1']));
      expect(await who('outside').udp(HOST, 8888, early)).toBe('web1');
      expect(await who('a').udp('10.81.1.200', 80, vip)).toBe('web1');
    });
  });
});

function idOf(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(64, '0');
}
