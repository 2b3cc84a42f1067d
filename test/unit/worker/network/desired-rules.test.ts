// Goal: which rules follow from networks, services and containers. Method: small states, whole answers.
import { describe, expect, it } from 'vitest';
import { EndpointMode, SessionAffinity } from '#protocol/generated/specs';
import { type LocalContainer, RuleComputer } from '#worker/network/desired-rules';
import type { RuleState, SetName } from '#worker/network/ruleset';
import { backendsLeft, staleFlows, stillAway } from '#worker/network/stale-flows';
import type { AttachedEndpoint } from '#worker/network/types';
import { NODE_ID, port, service } from '../../../support/network-lab/objects.ts';

type Input = Parameters<RuleComputer['compute']>[0];

/** `elsewhere` in services means this node. */
const DOORS = new Map([
  ['other', { v4: '169.254.192.1', v6: 'fd74:7377:6d00:2::1', hostAddresses: ['192.0.2.8'] }],
]);

function rules(input: Partial<Input>): RuleState {
  return new RuleComputer().compute({
    nodeId: NODE_ID,
    networks: [],
    services: [],
    containers: [],
    doors: DOORS,
    origins: new Map(),
    direct: [],
    relays: new Map(),
    relayedPort: 0,
    hostAddresses: { 4: '', 6: '' },
    ...input,
  });
}

function keys(state: RuleState, set: SetName): string[] {
  return [...state.sets[set].keys()].sort();
}

/** What each chain does, by name. */
function chains(state: RuleState): Record<string, string> {
  return Object.fromEntries([...state.chains].map(([name, { rule }]) => [name, rule]));
}

function endpoint(networkId: string, ipv4: string, ipv6 = ''): AttachedEndpoint {
  return {
    networkId,
    networkName: networkId,
    endpointId: '',
    macAddress: '',
    ipv4,
    ipv4PrefixLength: 24,
    gateway: '',
    ipv6,
    ipv6PrefixLength: 64,
    ipv6Gateway: '',
    aliases: [],
  };
}

function local(taskId: string, more: Partial<LocalContainer> = {}): LocalContainer {
  return {
    containerId: `c-${taskId}`,
    taskId,
    links: ['tx1'],
    endpoints: [endpoint('front', '10.1.0.5')],
    primary: 0,
    ports: [],
    serving: true,
    ...more,
  };
}

describe('networks', () => {
  it('may talk within themselves; internal ones are marked', () => {
    const state = rules({
      networks: [
        { id: 'a', subnets: ['10.1.0.0/24', 'fd00:1::/64'], internal: false },
        { id: 'b', subnets: ['10.2.0.0/24'], internal: true },
      ],
    });
    expect(keys(state, 'pairs4')).toEqual([
      '10.1.0.0/24 . 10.1.0.0/24',
      '10.2.0.0/24 . 10.2.0.0/24',
    ]);
    expect(keys(state, 'pairs6')).toEqual(['fd00:1::/64 . fd00:1::/64']);
    expect(keys(state, 'subnets4')).toEqual(['10.1.0.0/24', '10.2.0.0/24']);
    expect(keys(state, 'internal4')).toEqual(['10.2.0.0/24']);
    expect(keys(state, 'internal6')).toEqual([]);
  });

  it('cannot bring anything but subnets into the rules', () => {
    const subnets = [
      '10.1.0.0/24; flush ruleset',
      '10.1.0.0',
      '10.1.0.0/33',
      '',
      'x/24',
      'fe80::1%e/64',
    ];
    const state = rules({ networks: [{ id: 'a', subnets, internal: false }] });
    expect(keys(state, 'subnets4')).toEqual([]);
    expect(keys(state, 'subnets6')).toEqual([]);
  });
});

describe('containers', () => {
  it('may use their addresses on any of their interfaces, and reach themselves', () => {
    const state = rules({
      containers: [
        local('', {
          links: ['tx1', 'tx2'],
          endpoints: [endpoint('a', '10.1.0.5', 'fd00:1::5'), endpoint('b', '10.2.0.5')],
        }),
      ],
    });
    expect(keys(state, 'bound4')).toEqual([
      '"tx1" . 10.1.0.5',
      '"tx1" . 10.2.0.5',
      '"tx2" . 10.1.0.5',
      '"tx2" . 10.2.0.5',
    ]);
    expect(keys(state, 'bound6')).toEqual(['"tx1" . fd00:1::5', '"tx2" . fd00:1::5']);
    expect(keys(state, 'self4')).toEqual([
      '10.1.0.5 . 10.1.0.5',
      '10.1.0.5 . 10.2.0.5',
      '10.2.0.5 . 10.1.0.5',
      '10.2.0.5 . 10.2.0.5',
    ]);
  });

  it('publish at their interface with the default route', () => {
    const container = local('', {
      links: ['tx1', 'tx2'],
      endpoints: [endpoint('a', '10.1.0.5', 'fd00:1::5'), endpoint('b', '10.2.0.5')],
      primary: 1,
      ports: [port('8080:80'), port('53:5353/udp'), port('127.0.0.1:9090:90')],
    });
    const state = rules({ containers: [container] });
    expect(Object.fromEntries(state.sets.port4)).toEqual({
      'tcp . 8080': 'jump p_4_tcp_8080_',
      'udp . 53': 'jump p_4_udp_53_',
    });
    expect(Object.fromEntries(state.sets.port6)).toEqual({
      'tcp . 8080': 'jump p_6_tcp_8080_',
      'udp . 53': 'jump p_6_udp_53_',
    });
    expect(keys(state, 'addrport4')).toEqual(['127.0.0.1 . tcp . 9090']);
    expect(chains(state)).toMatchObject({
      p_4_tcp_8080_: 'meta l4proto tcp dnat ip to 10.2.0.5:80',
      p_6_tcp_8080_: 'meta l4proto tcp dnat ip6 to [fd00:1::5]:80',
      p_4_udp_53_: 'meta l4proto udp dnat ip to 10.2.0.5:5353',
    });
  });

  it('cannot bring anything but an address into the rules by a host address', () => {
    const state = rules({
      containers: [local('', { ports: [port('1.2.3.4; flush ruleset:1:1')] })],
    });
    expect(state.chains.size).toBe(0);
  });
});

describe('services', () => {
  const web = (more: object = {}): Input['services'][number] =>
    service({
      name: 'web',
      vips: { front: '10.1.0.200' },
      ports: [port('8080:80', 'ingress'), port('81:81', 'host')],
      tasks: { t1: { front: '10.1.0.21' }, t2: { front: '10.1.0.22' } },
      elsewhere: ['t1', 't2'],
      ...more,
    });

  it('lead to the tasks that serve, in a stable order', () => {
    const state = rules({ services: [web()] });
    expect(Object.fromEntries(state.sets.vip4)).toEqual({ '10.1.0.200': 'jump v_4_idweb_front' });
    expect(chains(state)).toEqual({
      v_4_idweb_front: 'dnat ip to numgen random mod 2 map { 0 : 10.1.0.21, 1 : 10.1.0.22 }',
      p_4_tcp_8080_:
        'meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 169.254.192.1 . 8080, 1 : 169.254.192.1 . 8080 }',
    });
    expect(chains(rules({ services: [web({ waiting: ['t1'] })] })).v_4_idweb_front).toBe(
      'dnat ip to 10.1.0.22',
    );
  });

  it('have no rule without a task, and none for a virtual address with DNS round robin', () => {
    expect(rules({ services: [web({ waiting: ['t1', 't2'] })] }).chains.size).toBe(0);
    const dnsrr = rules({ services: [{ ...web(), mode: EndpointMode.DNSRR }] });
    expect(dnsrr.sets.vip4.size).toBe(0);
    expect(dnsrr.sets.port4.size).toBe(1);
  });

  it('count a task of this node only while it is here and serves', () => {
    const input = { services: [web({ elsewhere: ['t2'] })] };
    const vip = (containers: readonly LocalContainer[]): string | undefined =>
      chains(rules({ ...input, containers })).v_4_idweb_front;
    const both = 'dnat ip to numgen random mod 2 map { 0 : 10.1.0.21, 1 : 10.1.0.22 }';
    expect(vip([])).toBe('dnat ip to 10.1.0.22');
    expect(vip([local('t1')])).toBe(both);
    expect(vip([local('t1', { serving: false })])).toBe('dnat ip to 10.1.0.22');
  });

  it('take what other nodes send to a task of this node before the managers have said here that it serves', () => {
    const services = [web({ waiting: ['t1', 't2'], elsewhere: ['t2'] })];
    const state = rules({ services, containers: [local('t1')] });
    expect(Object.fromEntries(state.sets.door4)).toEqual({ 'tcp . 8080': 'jump d_4_tcp_8080' });
    expect(chains(state).v_4_idweb_front).toBe('dnat ip to 10.1.0.21');
  });

  it('lead a client to the same task each time when asked to, through whichever node it comes', () => {
    const sticky = web({ elsewhere: ['t2'] });
    const services = [{ ...sticky, sessionAffinity: SessionAffinity.SOURCE }];
    const there = chains(rules({ services, containers: [local('t1')] }));
    const slots =
      /^dnat ip to jhash ip saddr mod 512 seed 0x74737761 map \{ 0 : 10\.1\.0\.2[12], 1 : /;
    expect(there.v_4_idweb_front).toMatch(slots);
    expect(there.p_4_tcp_8080_).toMatch(
      /^meta l4proto tcp dnat ip addr \. port to jhash ip saddr /,
    );
    // One task here: nothing to choose.
    expect(there.d_4_tcp_8080).toBe('meta l4proto tcp dnat ip to 10.1.0.5:80');
    expect(chains(rules({ services })).v_4_idweb_front).toBe('dnat ip to 10.1.0.22');
  });

  it('prefer the tasks of this node when asked to, as long as one serves', () => {
    const services = [{ ...web({ elsewhere: ['t2'] }), preferSameNode: true }];
    const here = chains(rules({ services, containers: [local('t1')] }));
    expect(here.v_4_idweb_front).toBe('dnat ip to 10.1.0.21');
    expect(here.p_4_tcp_8080_).toBe('meta l4proto tcp dnat ip to 10.1.0.5:80');
    const gone = chains(rules({ services, containers: [local('t1', { serving: false })] }));
    expect(gone.v_4_idweb_front).toBe('dnat ip to 10.1.0.22');
    expect(gone.p_4_tcp_8080_).toBe('meta l4proto tcp dnat ip to 169.254.192.1:8080');
  });

  it('publish a local task at the address that answers, a remote one at the door of its node', () => {
    const state = rules({
      services: [web({ elsewhere: ['t2'] })],
      containers: [local('t1', { endpoints: [endpoint('bridge', '172.17.0.9')] })],
    });
    expect(chains(state).p_4_tcp_8080_).toContain(
      '{ 0 : 169.254.192.1 . 8080, 1 : 172.17.0.9 . 80 }',
    );
    // What comes through our own door goes to our own tasks only.
    expect(chains(state).d_4_tcp_8080).toBe('meta l4proto tcp dnat ip to 172.17.0.9:80');
    expect(Object.fromEntries(state.sets.door4)).toEqual({ 'tcp . 8080': 'jump d_4_tcp_8080' });
  });

  it('publish a remote task for IPv6 clients only when it has IPv6, and none of a node without a door', () => {
    const both = web({ tasks: { t1: { front: 'fd00:1::21' } }, elsewhere: ['t1'] });
    expect(chains(rules({ services: [both] })).p_6_tcp_8080_).toBe(
      'meta l4proto tcp dnat ip6 to [fd74:7377:6d00:2::1]:8080',
    );
    expect(rules({ services: [web()] }).sets.port6.size).toBe(0);
    expect(rules({ services: [web()], doors: new Map() }).sets.port4.size).toBe(0);
  });

  it('remember through which node a client came, and what this host calls itself', () => {
    const state = rules({
      origins: new Map([['02:00:00:00:00:01', 0x100000]]),
      hostAddresses: { 4: '192.0.2.7', 6: '' },
    });
    expect(Object.fromEntries(state.sets.origins)).toEqual({ '02:00:00:00:00:01': '0x100000' });
    expect(Object.fromEntries(state.sets.loopback4)).toEqual({ '127.0.0.0/8': '192.0.2.7' });
    expect(Object.fromEntries(state.sets.hairpin4)).toEqual({
      '192.0.2.8 . 169.254.192.1': '192.0.2.7',
    });
  });

  it('know containers of other nodes that come by plain routes, and through which interface', () => {
    const direct = [
      { link: 'eth0', address: '10.2.0.1' },
      { link: 'eth0', address: 'fd00::1' },
    ];
    const { sets } = rules({ direct });
    expect([...sets.direct4.keys(), ...sets.direct6.keys()]).toEqual([
      '"eth0" . 10.2.0.1',
      '"eth0" . fd00::1',
    ]);
  });

  it('pass on packets between other nodes both ways, and take only WireGuard’s', () => {
    const none = rules({});
    expect([keys(none, 'relay6'), keys(none, 'meshport')]).toEqual([[], []]);
    const state = rules({ relays: new Map([['fd74::1', 'fd74::b']]), relayedPort: 51820 });
    expect([...state.sets.relay6]).toEqual([['fd74::1', 'fd74::b']]);
    expect([...state.sets.relayed6]).toEqual([['fd74::b', 'fd74::1']]);
    expect(keys(state, 'meshport')).toEqual(['51820']);
  });

  it('remember parts without remembering wrongly', () => {
    const computer = new RuleComputer();
    const base = {
      nodeId: NODE_ID,
      networks: [],
      services: [web({ elsewhere: [] })],
      doors: new Map(),
      origins: new Map(),
      direct: [],
      relays: new Map(),
      relayedPort: 0,
      hostAddresses: { 4: '', 6: '' },
    };
    for (const containers of [
      [],
      [local('t1')],
      [local('t1'), local('t2')],
      [local('t1', { serving: false }), local('t2')],
      [local('t2')],
      [],
    ]) {
      const input = { ...base, containers };
      expect(computer.compute(input)).toEqual(new RuleComputer().compute(input));
      const other = { ...input, nodeId: 'another' };
      expect(computer.compute(other)).toEqual(new RuleComputer().compute(other));
    }
  });
});

describe('flows to forget', () => {
  const udp = (tasks: Readonly<Record<string, Record<string, string>>>): RuleState =>
    rules({
      services: [
        service({
          name: 'dns',
          vips: { front: '10.1.0.200' },
          ports: [port('53:5353/udp', 'ingress'), port('80:80', 'ingress')],
          tasks,
          elsewhere: Object.keys(tasks),
        }),
      ],
    });
  const one = { t1: { front: '10.1.0.21' } };
  const two = { ...one, t2: { front: '10.1.0.22' } };

  it('are those to a task that is no longer behind an address or port', () => {
    expect(staleFlows(udp(two), udp(one))).toEqual([{ front: '10.1.0.200', backend: '10.1.0.22' }]);
    expect(staleFlows(udp(one), udp({}))).toEqual([
      { front: '10.1.0.200', backend: '10.1.0.21' },
      { port: 53, backend: '169.254.192.1' },
    ]);
  });

  it('are those that began before there was a task', () => {
    expect(staleFlows(udp({}), udp(one))).toEqual([{ front: '10.1.0.200' }, { port: 53 }]);
  });

  it('are those of TCP that nobody has answered, to tasks that have left and not come back', () => {
    const left = backendsLeft(udp(one), udp({}), 'tcp');
    expect(left.map(({ flow }) => flow)).toEqual([
      { front: '10.1.0.200', backend: '10.1.0.21' },
      { port: 80, backend: '169.254.192.1' },
    ]);
    expect(stillAway(left, udp({}))).toEqual(left.map(({ flow }) => flow));
    expect(stillAway(left, udp(two))).toEqual([]);
    expect(backendsLeft(udp(one), udp(two), 'tcp')).toEqual([]);
  });

  it('are none when tasks are added or nothing changes', () => {
    expect(staleFlows(udp(one), udp(two))).toEqual([]);
    expect(staleFlows(udp(two), udp(two))).toEqual([]);
  });
});
