// Goal: what the mesh is made to be follows from what the managers say: peers, addresses, routes, rules; changes are told as moves, never as gaps; faults are
// named. Method: the pure parts, small states, whole answers.
import { describe, expect, it } from 'vitest';
import { MeshPeer } from '#protocol/generated/dispatcher';
import { CALL_AGAIN_MS, CALL_AGAIN_OTHER_MS } from '#worker/network/limits';
import { meshIdentity, meshNames } from '#worker/network/mesh/addresses';
import { callsFirst, Greeting } from '#worker/network/mesh/greeting';
import { handshakeFaults } from '#worker/network/mesh/mesh-watch';
import { isKey, type MeshInput, type PeerPlan, planMesh } from '#worker/network/mesh/plan';
import { checkSet, parseGet, setRequest } from '#worker/network/mesh/uapi';
import {
  calledAgain,
  callsFromHere,
  type PeerChange,
  peerChanges,
  type ToldPeers,
} from '#worker/network/mesh/wireguard';
import { port, service } from '../../../support/network-lab/objects.ts';

const key = (letter: string): string => `${letter.repeat(42)}A=`;
const peer = (nodeId: string, last: number, more: Partial<MeshPeer> = {}): MeshPeer =>
  MeshPeer.create({
    nodeId,
    hostname: nodeId,
    wireguardKey: key(nodeId.slice(-1)),
    addr: `192.0.2.${last}`,
    port: 51820,
    ...more,
  });
const app = service({
  name: 'app',
  tasks: { t1: { front: '10.1.0.1', back: '10.2.0.1' }, t2: { front: '10.1.0.2' } },
  nodes: { t1: 'nb', t2: 'na' },
});
const input = (more: Partial<MeshInput> = {}): MeshInput => ({
  nodeId: 'na',
  names: meshNames('x'),
  peers: [peer('nb', 2), peer('nc', 3)],
  services: [app],
  networkIds: new Set(['front']),
  clearIds: new Set(),
  directIds: new Set(),
  paths: new Map(),
  numbers: new Map([
    ['nb', 1],
    ['nc', 2],
  ]),
  ...more,
});

const tell = (told: ToldPeers, peers: ReadonlyMap<string, PeerPlan>): readonly PeerChange[] =>
  peerChanges(told, peers, () => true);

const toldOf = (peers: ReadonlyMap<string, PeerPlan>): ToldPeers => {
  const told: ToldPeers = new Map();
  tell(told, peers);
  return told;
};

describe('the plan', () => {
  it('has the addresses of other nodes’ tasks on our networks, each with one owner', () => {
    const plan = planMesh(input());
    expect([...plan.peers.values()].map((one) => one.allowedIps)).toEqual([
      [`${meshIdentity('nb').address}/128`, '10.1.0.1/32'],
      [`${meshIdentity('nc').address}/128`],
    ]);
    expect([...plan.routing.keys()].filter((one) => one.includes('10.'))).toEqual([
      'route 254 10.1.0.1/32 wx0 ',
    ]);
    expect([plan.doors.size, plan.origins.size]).toEqual([0, 0]);
  });

  it('sends networks in clear by the other interface, to the address of the node', () => {
    const plan = planMesh(
      input({ networkIds: new Set(['front', 'back']), clearIds: new Set(['back']) }),
    );
    const { mac, linkLocal } = meshIdentity('nb');
    expect(plan.clear).toBe('4');
    expect([...plan.peers.values()][0]?.allowedIps).not.toContain('10.2.0.1/32');
    const items = [...plan.routing.values()].filter((one) => 'link' in one && one.link === 'wxc');
    expect(items).toEqual([
      { kind: 'neighbour', link: 'wxc', mac, address: linkLocal },
      { kind: 'fdb', link: 'wxc', mac, to: '192.0.2.2' },
      { kind: 'route', to: '10.2.0.1/32', link: 'wxc', table: 254, via: linkLocal },
    ]);
    // Of a node that is known by the other family nothing can be sent there.
    const sixth = input({
      clearIds: new Set(['front', 'back']),
      peers: [peer('nb', 2, { addr: '2001:db8::2' })],
    });
    expect(planMesh(sixth).clear).toBe('6');
    expect(planMesh(input()).clear).toBe('');
  });

  it('sends networks by plain routes to nodes on the same Ethernet, and says why to no other', () => {
    const both = service({ name: 'app', tasks: { t1: { back: '10.2.0.1' } }, nodes: { t1: 'nb' } });
    const backends = both.backends.map((one) => ({
      ...one,
      attachments: one.attachments.map((at) => ({
        ...at,
        addresses: ['10.2.0.1/24', 'fd00::1/64'],
      })),
    }));
    const found = (paths: MeshInput['paths'], hostAddrs: string[] = []) => {
      const { direct, faults, routing, peers } = planMesh(
        input({
          services: [{ ...both, backends }],
          networkIds: new Set(['back']),
          directIds: new Set(['back']),
          peers: [peer('nb', 2, { hostAddrs })],
          paths,
        }),
      );
      expect([...peers.values()][0]?.allowedIps).toHaveLength(1);
      const routes = [...routing.keys()].filter((one) => /10\.2|fd00/.test(one));
      return { direct: direct.map(({ link, address }) => `${link} ${address}`), faults, routes };
    };
    const on = (link: string, gateway = '') => ({ link, mtuBytes: 1500, gateway });
    // Not asked yet.
    expect(found(new Map())).toEqual({ direct: [], faults: [], routes: [] });
    const far = found(new Map([['192.0.2.2', on('eth0', '198.51.100.1')]]));
    expect(far.direct).toEqual([]);
    expect(far.faults[0]).toContain('node nb (192.0.2.2) is behind the router 198.51.100.1');
    expect(found(new Map([['192.0.2.2', undefined]])).faults[0]).toContain('cannot be reached');
    const old = found(new Map([['192.0.2.2', on('eth0')]]));
    expect(old.routes).toEqual(['route 254 10.2.0.1/32 eth0 192.0.2.2']);
    expect(old.faults[0]).toContain('no IPv6 address on eth0');
    // A bridge of the same name and addresses on each host is not the Ethernet between them.
    const dual = found(
      new Map([
        ['192.0.2.2', on('eth0')],
        ['fd01::2', on('docker0')],
        ['fd02::2', on('eth0')],
      ]),
      ['fd01::2', 'fd02::2'],
    );
    expect(dual).toEqual({
      direct: ['eth0 10.2.0.1', 'eth0 fd00::1'],
      faults: [],
      routes: ['route 254 10.2.0.1/32 eth0 192.0.2.2', 'route 254 fd00::1/128 eth0 fd02::2'],
    });
  });

  it('has doors to nodes with published tasks, and ways back where they are served', () => {
    const edge = (node: string) =>
      service({
        name: 'edge',
        ports: [port('80:80', 'ingress')],
        tasks: { e: { front: '10.1.0.9' } },
        nodes: { e: node },
      });
    const away = planMesh(input({ services: [edge('nb')] }));
    expect([...away.doors]).toEqual([
      [
        'nb',
        {
          v4: '169.254.192.1',
          v6: meshIdentity('nb').door6,
          hostAddresses: ['192.0.2.2'],
        },
      ],
    ]);
    expect(away.origins.size).toBe(0);
    const here = planMesh(input({ services: [edge('na')] }));
    expect(here.doors.size).toBe(0);
    expect([...here.origins.values()]).toEqual([0x10_0000, 0x20_0000]);
    const keys = [...here.routing.keys()];
    expect(keys).toContain(
      `rule 4 7475 ${0x20_0000} 0.0.0.0/0`.replace(' 0.0.0.0/0', `  ${0x7473_0002} 0`),
    );
    expect(keys.filter((one) => one.startsWith(`route ${0x7473_0001} `))).toHaveLength(2);
  });

  it('takes nothing but keys and addresses from objects, and nothing before it knows itself', () => {
    const bad = [
      peer('nb', 2, { wireguardKey: 'x\nremove=true' }),
      peer('nc', 3, { addr: '1.2.3.4\nprivate_key=0' }),
    ];
    const plan = planMesh(input({ peers: bad }));
    expect([...plan.peers].map(([, one]) => [one.nodeId, one.endpoint])).toEqual([['nc', '']]);
    expect(planMesh(input({ nodeId: '' })).peers.size).toBe(0);
    expect(isKey(key('a'))).toBe(true);
    expect(isKey(`${'a'.repeat(43)}=`)).toBe(false);
  });
});

describe('what WireGuard is told', () => {
  const plan = (more: Partial<MeshInput> = {}) => planMesh(input(more)).peers;

  it('is each thing once', () => {
    const told: ToldPeers = new Map();
    expect(tell(told, plan())).toHaveLength(2);
    expect(tell(told, plan())).toEqual([]);
  });

  it('calls a new peer at once from one end only, unless nobody knows where it is', () => {
    const all = plan({ peers: [peer('nb', 2), peer('nc', 3, { addr: '' })] });
    const calls = (mayCall: boolean) =>
      peerChanges(new Map(), all, () => mayCall).map((one) => one.keepaliveSeconds);
    expect([calls(true), calls(false)]).toEqual([
      [25, 25],
      [undefined, 25],
    ]);
    expect([callsFirst('a', 'b'), callsFirst('b', 'a')]).toEqual([true, false]);
  });

  it('moves an address without taking it away from anybody', () => {
    const told: ToldPeers = new Map();
    tell(told, plan());
    const moved = { ...app, backends: app.backends.map((b) => ({ ...b, nodeId: 'nc' })) };
    const changes = tell(told, plan({ services: [moved] }));
    expect(changes).toEqual([
      { publicKey: key('c'), addAllowedIps: ['10.1.0.1/32', '10.1.0.2/32'] },
    ]);
    // And back again: the first owner must be told anew.
    expect(tell(told, plan())).toEqual([{ publicKey: key('b'), addAllowedIps: ['10.1.0.1/32'] }]);
  });

  it('gives a new key the addresses before the old one goes, and an endpoint only when it is new', () => {
    const told: ToldPeers = new Map();
    tell(told, plan());
    const changes = tell(
      told,
      plan({ peers: [peer('nb', 2, { wireguardKey: key('z') }), peer('nc', 7)] }),
    );
    expect(changes.map(({ publicKey, remove, endpoint }) => [publicKey, remove, endpoint])).toEqual(
      [
        [key('z'), undefined, '192.0.2.2:51820'],
        [key('c'), undefined, '192.0.2.7:51820'],
        [key('c'), undefined, undefined],
        [key('b'), true, undefined],
      ],
    );
  });

  it('lets a peer that has moved hear of us at once', () => {
    const told = toldOf(planMesh(input()).peers);
    const moved = planMesh(input({ peers: [peer('nb', 9), peer('nc', 3)] })).peers;
    expect(tell(told, moved)).toEqual([
      { publicKey: key('b'), addAllowedIps: [], endpoint: '192.0.2.9:51820', keepaliveSeconds: 0 },
      { publicKey: key('b'), keepaliveSeconds: 25 },
    ]);
    expect(tell(told, moved)).toEqual([]);
  });

  it('says where a peer is once more, as the device has it, after this host has moved', () => {
    const at = (endpoint: string) => ({
      endpoint,
      allowedIps: [],
      handshakeMs: 1,
      receivedBytes: 0,
      sentBytes: 0,
    });
    const peers = new Map([
      [key('b'), at('192.0.2.77:4999')],
      [key('c'), at('')],
    ]);
    expect(callsFromHere(peers)).toEqual([
      { publicKey: key('b'), endpoint: '192.0.2.77:4999', keepaliveSeconds: 0 },
      { publicKey: key('b'), keepaliveSeconds: 25 },
    ]);
  });

  it('makes anew whoever is called again, with the addresses of now', () => {
    const { peers } = planMesh(input());
    const told = toldOf(peers);
    told.get(key('b'))?.allowedIps.add('10.9.9.9/32');
    expect(calledAgain(told, peers, [key('b'), key('z')])).toEqual([
      { publicKey: key('b'), remove: true },
      {
        publicKey: key('b'),
        endpoint: '192.0.2.2:51820',
        keepaliveSeconds: 25,
        replaceAllowedIps: true,
        addAllowedIps: [`${meshIdentity('nb').address}/128`, '10.1.0.1/32'],
      },
    ]);
    expect(told.get(key('b'))?.allowedIps.has('10.9.9.9/32')).toBe(false);
  });

  it('replaces a list that has grown stale', () => {
    const told: ToldPeers = new Map();
    tell(told, plan());
    for (let i = 0; i < 70; i++) told.get(key('b'))?.allowedIps.add(`10.9.0.${i}/32`);
    expect(tell(told, plan())).toEqual([
      {
        publicKey: key('b'),
        replaceAllowedIps: true,
        addAllowedIps: plan().get(key('b'))?.allowedIps,
      },
    ]);
    expect(told.get(key('b'))?.allowedIps.size).toBe(2);
  });
});

describe('first handshakes', () => {
  it('are tried again while there is no answer, by both ends at different times', () => {
    const [one, other] = [new Greeting(), new Greeting()];
    one.begin('a', ['b', 'c'], 1000);
    other.begin('b', ['a'], 1000);
    expect([one.nextMs(), other.nextMs()]).toEqual([1250, 1100]);
    expect(one.due(1240, () => true)).toEqual({ greet: [], call: [], ask: [] });
    expect(one.due(1250, (key) => key === 'b')).toEqual({ greet: [], call: ['b'], ask: ['c'] });
    one.done('c');
    expect(one.nextMs()).toBe(2000);
    const times: number[] = [];
    for (let next = one.nextMs(); next !== undefined; next = one.nextMs()) {
      expect(one.due(next, () => true)).toEqual({ greet: [], call: ['b'], ask: [] });
      times.push(next);
    }
    expect(times).toEqual([2000, 3200, 5000]);
    // The end that has waited to be called calls without losing anything; then it asks until an echo comes.
    expect(other.due(1110, () => true)).toEqual({ greet: ['a'], call: [], ask: [] });
    expect(other.due(1700, () => false)).toEqual({ greet: [], call: [], ask: ['a'] });
    expect(other.nextMs()).toBe(2600);
    other.done('a');
    expect(other.nextMs()).toBeUndefined();
    const all = [...CALL_AGAIN_MS, ...CALL_AGAIN_OTHER_MS].sort((a, b) => a - b);
    expect(all.every((at, index) => at - (all[index - 1] ?? 0) > 50)).toBe(true);
  });
});

describe('wireguard-go’s protocol', () => {
  it('is written and read', () => {
    const text = setRequest({
      listenPort: 1,
      peers: [
        {
          publicKey: key('b'),
          endpoint: '[2001:db8::1]:5',
          replaceAllowedIps: true,
          addAllowedIps: ['10.0.0.1/32'],
          keepaliveSeconds: 25,
        },
        { publicKey: key('c'), remove: true },
      ],
    });
    const hex = (k: string): string => Buffer.from(k, 'base64').toString('hex');
    expect(text).toBe(
      `set=1\nlisten_port=1\npublic_key=${hex(key('b'))}\nendpoint=[2001:db8::1]:5\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\nallowed_ip=10.0.0.1/32\npublic_key=${hex(key('c'))}\nremove=true\n\n`,
    );
    const state = parseGet(
      `private_key=00\nlisten_port=7\npublic_key=${hex(key('b'))}\nendpoint=1.2.3.4:5\nlast_handshake_time_sec=3\nlast_handshake_time_nsec=4000000\nrx_bytes=1\ntx_bytes=2\nallowed_ip=10.0.0.1/32\npublic_key=${hex(key('c'))}\nerrno=0\n\n`,
      () => 'own',
    );
    expect([state.publicKey, state.listenPort, [...state.peers]]).toEqual([
      'own',
      7,
      [
        [
          key('b'),
          {
            endpoint: '1.2.3.4:5',
            allowedIps: ['10.0.0.1/32'],
            handshakeMs: 3004,
            receivedBytes: 1,
            sentBytes: 2,
          },
        ],
        [
          key('c'),
          { endpoint: '', allowedIps: [], handshakeMs: 0, receivedBytes: 0, sentBytes: 0 },
        ],
      ],
    ]);
    expect(() => checkSet('errno=98\n\n', { listenPort: 9, peers: [] })).toThrow(
      'port 9 is in use',
    );
    expect(() => checkSet('errno=-22\n\n', { peers: [] })).toThrow('configuration failed');
  });
});

describe('faults', () => {
  const limits = { firstMs: 15_000, staleMs: 190_000 };
  const at = (handshakeMs: number, knownForMs: number) =>
    handshakeFaults(
      planMesh(input({ peers: [peer('nb', 2)] })),
      {
        publicKey: '',
        listenPort: 0,
        peers: new Map([
          [key('b'), { endpoint: '', allowedIps: [], handshakeMs, receivedBytes: 0, sentBytes: 0 }],
        ]),
      },
      { nowMs: 1_000_000, knownForMs: () => knownForMs, limits },
    );

  it('behind a translation of addresses say what can be done', () => {
    const plan = planMesh(input({ peers: [peer('nb', 2, { hostAddrs: ['10.0.0.2'] })] }));
    const state = { publicKey: '', listenPort: 0, peers: new Map() };
    const [fault = ''] = handshakeFaults(plan, state, {
      nowMs: 0,
      knownForMs: () => 16_000,
      limits,
    });
    expect(fault).toMatch(/^no answer from node nb: UDP to 192.0.2.2:51820; .*NAT.*--mesh-addr/);
  });

  it('are named after a while, and end with the next handshake', () => {
    expect(at(0, 14_000)).toEqual([]);
    expect(at(0, 16_000)).toEqual([
      'no answer from node nb: UDP to 192.0.2.2:51820; is the port open on both hosts?',
    ]);
    expect(at(900_000, 500_000)).toEqual([]);
    expect(at(700_000, 500_000)).toEqual([
      'node nb has not answered for 5 minutes: UDP to 192.0.2.2:51820',
    ]);
  });
});
