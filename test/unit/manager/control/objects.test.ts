// Goal: networks, secrets, configs, volumes, nodes and the cluster object: limits, what may change,
// what is refused while in use, who may command. Method: the pure functions over a store. Longer
// than 500 lines because all kinds of objects are made in the same few ways, which are above them.
import { describe, expect, it } from 'vitest';
import { requireAdministrator } from '#manager/control/authorise';
import { checkMayGoInClear } from '#manager/control/networks';
import { createObject, removeObject, updateObject } from '#manager/control/objects';
import type { Role } from '#protocol/access';
import {
  CreateObjectRequest,
  ObjectKind,
  RemoveObjectRequest,
  SpecUnion,
  UpdateObjectRequest,
} from '#protocol/generated/control';
import {
  ManagerStatus,
  type Node,
  NodeState,
  NodeStatus,
  RootCa,
  type Task,
  TaskState,
  TaskStatus,
  Volume,
} from '#protocol/generated/objects';
import {
  CaConfig,
  ClusterSpec,
  ConfigSpec,
  Driver,
  IpamConfig,
  IpamOptions,
  Mount,
  MountType,
  NetworkSpec,
  NodeAvailability,
  NodeRole,
  NodeSpec,
  SecretSpec,
  ServiceSpec,
  VolumeSpec,
} from '#protocol/generated/specs';
import { formatJoinToken } from '#protocol/join-token';
import { type TestCluster, testCluster } from '../support/cluster-state.ts';
import { attach, node, service, task, template } from '../support/objects.ts';
import { testWorld } from '../support/world.ts';

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(120);

function make(c: TestCluster, spec: Partial<SpecUnion>): string {
  return c.run((tx, context) =>
    createObject(tx, context, CreateObjectRequest.create({ spec: SpecUnion.create(spec) })),
  ).id;
}
function update(
  c: TestCluster,
  kind: ObjectKind,
  id: string,
  spec: Partial<SpecUnion>,
  over: Partial<UpdateObjectRequest> = {},
): void {
  c.run((tx, context) =>
    updateObject(
      tx,
      context,
      UpdateObjectRequest.create({ kind, id, spec: SpecUnion.create(spec), ...over }),
      testWorld(),
    ),
  );
}
const remove = (c: TestCluster, kind: ObjectKind, id: string, force = false): void => {
  c.run((tx) => removeObject(tx, RemoveObjectRequest.create({ kind, id, force }), 1_000_000));
};
const secret = (name: string, length = 3): SecretSpec =>
  SecretSpec.create({ name, data: bytes(length) });
const net = (over: Partial<NetworkSpec> = {}): NetworkSpec =>
  NetworkSpec.create({ name: 'front', ...over });
const ipam = (...configs: Partial<IpamConfig>[]): IpamOptions =>
  IpamOptions.create({ config: configs.map((config) => IpamConfig.create(config)) });

describe('secrets and configs', () => {
  it('have limits, said as Swarm says them', () => {
    const c = testCluster();
    make(c, { secret: secret('a', 1) });
    make(c, { secret: secret('b', 511_999) });
    const tooLarge = 'secret data must be larger than 0 and less than 512000 bytes';
    expect(() => make(c, { secret: secret('c', 512_000) })).toThrow(tooLarge);
    expect(() => make(c, { secret: secret('c', 0) })).toThrow(tooLarge);
    make(c, { config: ConfigSpec.create({ name: 'b', data: bytes(1_023_999) }) });
    expect(() =>
      make(c, { config: ConfigSpec.create({ name: 'c', data: bytes(1_024_000) }) }),
    ).toThrow('config data must be larger than 0 and less than 1024000 bytes');
    expect(() => make(c, { secret: secret('-x') })).toThrow(
      'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed',
    );
    expect(() => make(c, { secret: secret('a') })).toThrow('secret a already exists');
    expect(() =>
      make(c, {
        secret: SecretSpec.create({ name: 'd', driver: Driver.create({ name: 'vault' }) }),
      }),
    ).toThrow('secret drivers are not supported');
    expect(() =>
      make(c, {
        config: ConfigSpec.create({
          name: 'd',
          data: bytes(1),
          templating: Driver.create({ name: 'jinja' }),
        }),
      }),
    ).toThrow('template driver "jinja" is not supported');
    const templating = Driver.create({ name: 'golang' });
    make(c, { config: ConfigSpec.create({ name: 'd', data: bytes(1), templating }) });
  });

  it('change in their labels only', () => {
    const c = testCluster();
    const id = make(c, { secret: secret('a') });
    const version = c.store.view.get('secret', id)?.meta?.version?.index ?? 0;
    update(
      c,
      ObjectKind.SECRET,
      id,
      { secret: SecretSpec.create({ name: 'a', labels: { x: 'y' } }) },
      { version },
    );
    expect(c.store.view.get('secret', id)?.spec).toMatchObject({
      labels: { x: 'y' },
      data: bytes(3),
    });
    const now = c.store.view.get('secret', id)?.meta?.version?.index ?? 0;
    expect(() =>
      update(c, ObjectKind.SECRET, id, { secret: secret('a', 4) }, { version: now }),
    ).toThrow('only updates to Labels are allowed');
    expect(() =>
      update(
        c,
        ObjectKind.SECRET,
        id,
        { secret: SecretSpec.create({ name: 'b' }) },
        { version: now },
      ),
    ).toThrow('only updates to Labels are allowed');
    expect(() =>
      update(c, ObjectKind.SECRET, id, { secret: SecretSpec.create({ name: 'a' }) }, { version }),
    ).toThrow('update out of sequence');
  });

  it('stay while services refer to them, which are named', () => {
    const c = testCluster();
    const id = make(c, { secret: secret('pw') });
    const taskTemplate = template(
      {},
      { secrets: [{ secretId: id, secretName: 'pw', file: undefined }] },
    );
    const web = make(c, { service: ServiceSpec.create({ name: 'web', taskTemplate }) });
    const api = make(c, { service: ServiceSpec.create({ name: 'api', taskTemplate }) });
    expect(() => remove(c, ObjectKind.SECRET, id)).toThrow(
      "secret 'pw' is in use by the following services: api, web",
    );
    remove(c, ObjectKind.SERVICE, web);
    expect(() => remove(c, ObjectKind.SECRET, id)).toThrow(
      "secret 'pw' is in use by the following service: api",
    );
    remove(c, ObjectKind.SERVICE, api);
    remove(c, ObjectKind.SECRET, id);
    expect(() => remove(c, ObjectKind.SECRET, id)).toThrow('not found');
  });
});

describe('networks', () => {
  it.each<[string, NetworkSpec, string]>([
    [
      'a predefined name',
      net({ name: 'host' }),
      'operation is not permitted on predefined host network',
    ],
    [
      'an unknown driver',
      net({ driverConfig: Driver.create({ name: 'macvlan' }) }),
      'driver "macvlan" is not supported',
    ],
    [
      'to send in the clear',
      net({ driverConfig: Driver.create({ options: { encrypted: 'false' } }) }),
      'what goes between nodes is encrypted',
    ],
    [
      'another way between nodes',
      net({ driverConfig: Driver.create({ options: { backend: 'ipip' } }) }),
      'backend=ipip: no such way between nodes',
    ],
    [
      'to encrypt what goes in clear',
      net({ driverConfig: Driver.create({ options: { backend: 'vxlan', encrypted: '' } }) }),
      'backend=vxlan is not encrypted',
    ],
    [
      'an unknown option',
      net({ driverConfig: Driver.create({ options: { vxlan: '7' } }) }),
      'option "vxlan" of driver overlay is not supported',
    ],
    [
      'an MTU that is too small',
      net({ driverConfig: Driver.create({ options: { 'com.docker.network.driver.mtu': '70' } }) }),
      'a number from 1280',
    ],
    ['an ingress network', net({ ingress: true }), 'an ingress network cannot be created'],
    ['a bad subnet', net({ ipam: ipam({ subnet: '10.0.0.0' }) }), '10.0.0.0'],
    [
      'a gateway outside',
      net({ ipam: ipam({ subnet: '10.0.0.0/24', gateway: '10.0.1.1' }) }),
      'no matching subnet for gateway 10.0.1.1',
    ],
    [
      'a range outside',
      net({ ipam: ipam({ subnet: '10.0.0.0/24', ipRange: '10.0.1.0/25' }) }),
      'is not within subnet 10.0.0.0/24',
    ],
    [
      'a subnet without room',
      net({ ipam: ipam({ subnet: '10.0.0.0/31' }) }),
      'subnet 10.0.0.0/31: a prefix from /8 to /30 is wanted',
    ],
    [
      'a subnet without end',
      net({ ipam: ipam({ subnet: '64.0.0.0/4' }) }),
      'a prefix from /8 to /30 is wanted',
    ],
    ...[
      '0.0.0.0/8',
      '127.0.1.0/24',
      '169.254.0.0/16',
      '224.0.0.0/24',
      'fe80::/64',
      'ff02::/16',
      'fd74:7377:6d00:1::/64',
    ].map((subnet): [string, NetworkSpec, string] => [
      `subnet ${subnet}`,
      net({ ipam: ipam({ subnet }) }),
      `subnet ${subnet} overlaps`,
    ]),
  ])('refuse %s', (_what, spec, message) => {
    expect(() => make(testCluster(), { network: spec })).toThrow(message);
  });

  it('go in clear between nodes only where an administrator wants it', () => {
    const c = testCluster();
    const clear = (name: string, backend: string): NetworkSpec =>
      net({ name, driverConfig: Driver.create({ options: { backend } }) });
    make(c, { network: clear('open', 'host-gw') });
    const check = (role: Role, ...specs: NetworkSpec[]) =>
      checkMayGoInClear({ name: 'anna', role }, c.store.view, specs);
    for (const backend of ['vxlan', 'host-gw']) {
      expect(() => check('operator', net(), clear('mine', backend))).toThrow(
        `network mine: backend=${backend} goes in clear between nodes: this takes the role admin`,
      );
      check('admin', clear('mine', backend));
    }
    check('operator', net(), clear('mine', 'wireguard'));
    // A stack names again what it has.
    check('operator', clear('open', 'host-gw'));
    expect(() => check('operator', clear('open', 'vxlan'))).toThrow('role admin');
  });

  it('are refused when no subnet is left for them', () => {
    const c = testCluster();
    c.run((tx) =>
      tx.update('cluster', {
        ...c.store.view.cluster(),
        defaultAddrPool: ['10.90.0.0/23'],
        subnetSize: 24,
      }),
    );
    make(c, { network: net({ ipam: ipam({ subnet: '10.90.1.128/25' }) }) });
    expect(() => make(c, { network: net({ name: 'b' }) })).toThrow(
      'network b: no free /24 subnet left in 10.90.0.0/23',
    );
    make(c, { network: net({ name: 'b', ipam: ipam({ subnet: '10.91.0.0/24' }) }) });
  });

  it('do not overlap and have one name each', () => {
    const c = testCluster();
    make(c, { network: net({ ipam: ipam({ subnet: '10.9.0.0/16' }) }) });
    expect(() => make(c, { network: net() })).toThrow('network with name front already exists');
    expect(() =>
      make(c, { network: net({ name: 'b', ipam: ipam({ subnet: '10.9.7.0/24' }) }) }),
    ).toThrow('Pool overlaps with other one on this address space: network front has 10.9.0.0/16');
    const two = ipam({ subnet: '10.10.0.0/24' }, { subnet: '10.11.0.0/24' });
    expect(() => make(c, { network: net({ name: 'b', ipam: two }) })).toThrow(
      'network b has the subnets 10.10.0.0/24, 10.11.0.0/24: a network has one subnet of each family',
    );
  });

  it('stay while a service or a running task is on them', () => {
    const c = testCluster();
    const id = make(c, { network: net() });
    const web = make(c, {
      service: ServiceSpec.create({
        name: 'web',
        taskTemplate: template({ networks: [attach('front')] }),
      }),
    });
    expect(() => remove(c, ObjectKind.NETWORK, id)).toThrow(
      'network front is in use by service web',
    );
    c.run((tx) =>
      tx.create(
        'task',
        task('t1', service(web), {
          networkAttachments: [{ networkId: id, addresses: [], aliases: [] }],
          status: TaskStatus.create({ state: TaskState.RUNNING }),
        }),
      ),
    );
    remove(c, ObjectKind.SERVICE, web);
    expect(() => remove(c, ObjectKind.NETWORK, id)).toThrow(
      /^network front is in use by task \S+\.1\.t1$/,
    );
    c.run((tx) =>
      tx.update('task', {
        ...(tx.get('task', 't1') as Task),
        status: TaskStatus.create({ state: TaskState.SHUTDOWN }),
      }),
    );
    remove(c, ObjectKind.NETWORK, id);
    expect(() => update(c, ObjectKind.NETWORK, id, { network: net() })).toThrow(
      'a network cannot be updated',
    );
  });
});

describe('volumes', () => {
  it('have a plain name, a local driver, and stay while in use', () => {
    const c = testCluster();
    expect(() => make(c, { volume: VolumeSpec.create({ name: 'a/b' }) })).toThrow(
      'includes invalid characters for a local volume name',
    );
    expect(() =>
      make(c, {
        volume: VolumeSpec.create({ name: 'a', driver: Driver.create({ name: 'ceph' }) }),
      }),
    ).toThrow('volume driver "ceph" is not supported');
    const id = make(c, { volume: VolumeSpec.create({ name: 'data' }) });
    const mounts = [Mount.create({ type: MountType.VOLUME, source: 'data', target: '/d' })];
    const web = make(c, {
      service: ServiceSpec.create({ name: 'web', taskTemplate: template({}, { mounts }) }),
    });
    expect(() => remove(c, ObjectKind.VOLUME, id)).toThrow(
      'remove data: volume is in use - [service web]',
    );
    remove(c, ObjectKind.SERVICE, web);
    remove(c, ObjectKind.VOLUME, id);
    expect(() => remove(c, ObjectKind.VOLUME, id)).toThrow('no such volume');
  });
});

describe('nodes', () => {
  const manager = NodeSpec.create({ role: NodeRole.MANAGER });
  const setup = (): TestCluster => {
    const c = testCluster();
    c.run((tx) => {
      tx.create('node', node('m1', { spec: manager }));
      tx.create('node', node('w1', { status: NodeStatus.create({ state: NodeState.READY }) }));
    });
    return c;
  };
  const version = (c: TestCluster, id: string): number =>
    c.store.view.get('node', id)?.meta?.version?.index ?? 0;

  it('change labels and availability; a heartbeat in between does not matter', () => {
    const c = setup();
    const read = version(c, 'w1');
    c.run((tx) =>
      tx.update('node', {
        ...(tx.get('node', 'w1') as Node),
        status: NodeStatus.create({ state: NodeState.DOWN }),
      }),
    );
    update(
      c,
      ObjectKind.NODE,
      'w1',
      { node: NodeSpec.create({ availability: NodeAvailability.DRAIN, labels: { zone: 'a' } }) },
      { version: read },
    );
    expect(c.store.view.get('node', 'w1')?.spec).toMatchObject({
      availability: NodeAvailability.DRAIN,
      labels: { zone: 'a' },
    });
    expect(() =>
      update(c, ObjectKind.NODE, 'w1', { node: NodeSpec.create() }, { version: read }),
    ).toThrow('update out of sequence');
  });

  it('keep the last manager', () => {
    const c = setup();
    expect(() =>
      update(c, ObjectKind.NODE, 'm1', { node: NodeSpec.create() }, { version: version(c, 'm1') }),
    ).toThrow('attempting to demote the last manager of the swarm');
    update(c, ObjectKind.NODE, 'w1', { node: manager }, { version: version(c, 'w1') });
    expect(c.store.view.get('node', 'w1')?.spec?.role).toBe(NodeRole.MANAGER);
  });

  it('go when they are down, or by force; their tasks are orphaned with them', () => {
    const c = setup();
    const web = service('web');
    c.run((tx) => {
      tx.create(
        'task',
        task('t1', web, { nodeId: 'w1', status: TaskStatus.create({ state: TaskState.RUNNING }) }),
      );
      tx.create(
        'task',
        task('t2', web, { nodeId: 'w1', status: TaskStatus.create({ state: TaskState.COMPLETE }) }),
      );
    });
    c.run((tx) => {
      const managerStatus = ManagerStatus.create({ raftId: 7 });
      tx.update('node', node('m1', { spec: manager, managerStatus }));
    });
    expect(() => remove(c, ObjectKind.NODE, 'm1', true)).toThrow(
      'node m1 is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal',
    );
    expect(() => remove(c, ObjectKind.NODE, 'w1')).toThrow(
      "node w1 is not down and can't be removed",
    );
    remove(c, ObjectKind.NODE, 'w1', true);
    expect(c.store.view.get('task', 't1')?.status?.state).toBe(TaskState.ORPHANED);
    expect(c.store.view.get('task', 't2')?.status?.state).toBe(TaskState.COMPLETE);
  });
});

describe('a node that has the data of a volume', () => {
  const mounts = [Mount.create({ type: MountType.VOLUME, source: 'data', target: '/data' })];
  const setup = (isUsed: boolean): TestCluster => {
    const c = testCluster();
    c.run((tx) => {
      tx.create('node', node('w1', { status: NodeStatus.create({ state: NodeState.DOWN }) }));
      const spec = VolumeSpec.create({ name: 'data' });
      tx.create('volume', Volume.create({ id: 'v1', spec, nodeId: 'w1' }));
      if (isUsed) tx.create('service', service('db', { taskTemplate: template({}, { mounts }) }));
    });
    return c;
  };
  const homeOf = (c: TestCluster): string | undefined => c.store.view.get('volume', 'v1')?.nodeId;

  it('is removed only by force while a service uses it; the volume has no home then', () => {
    const c = setup(true);
    expect(() => remove(c, ObjectKind.NODE, 'w1')).toThrow(
      'node w1 has the data of volume data, which service db uses',
    );
    expect(homeOf(c)).toBe('w1');
    remove(c, ObjectKind.NODE, 'w1', true);
    expect(homeOf(c)).toBe('');
  });

  it('is removed as any other when nobody uses it', () => {
    const c = setup(false);
    remove(c, ObjectKind.NODE, 'w1');
    expect(homeOf(c)).toBe('');
  });
});

describe('the cluster', () => {
  const token = formatJoinToken({ caDigest: 'd'.repeat(50), secret: 's'.repeat(25) });
  const setup = (): TestCluster => {
    const c = testCluster();
    c.run((tx) =>
      tx.update('cluster', {
        ...tx.cluster(),
        rootCa: RootCa.create({ caKey: 'k', joinTokenWorker: token, joinTokenManager: token }),
      }),
    );
    return c;
  };
  const change = (
    c: TestCluster,
    spec: Partial<ClusterSpec>,
    over: Partial<UpdateObjectRequest> = {},
  ): void =>
    update(
      c,
      ObjectKind.CLUSTER,
      'cluster1',
      { cluster: ClusterSpec.create(spec) },
      { version: c.store.view.cluster().meta?.version?.index ?? 0, ...over },
    );

  it('rotates one token and leaves the other and the digest', () => {
    const c = setup();
    change(c, {}, { rotateWorkerToken: true });
    const root = c.store.view.cluster().rootCa;
    expect(root?.joinTokenManager).toBe(token);
    expect(root?.joinTokenWorker).not.toBe(token);
    expect(root?.joinTokenWorker).toMatch(new RegExp(`^SWMTKN-1-${'d'.repeat(50)}-[0-9a-z]{25}$`));
    expect(root?.caKey).toBe('k');
  });

  it('refuses what it cannot do', () => {
    const c = setup();
    expect(() => change(c, { name: 'other' })).toThrow('swarm spec must be named "default"');
    expect(() => change(c, { caConfig: CaConfig.create({ nodeCertExpiry: 1e9 }) })).toThrow(
      'minimum certificate expiry time is: 1h0m0s',
    );
    expect(() => change(c, {}, { version: 99 })).toThrow('update out of sequence');
  });
});

describe('command', () => {
  it('is for administrators of hosts that are managers', () => {
    const c = testCluster();
    c.run((tx) => {
      tx.create('node', node('m1', { spec: NodeSpec.create({ role: NodeRole.MANAGER }) }));
      tx.create('node', node('w1'));
    });
    const check = (nodeId: string, role: string) => () =>
      requireAdministrator(c.store.view, { nodeId, role });
    expect(check('m1', 'swarm-admin')).not.toThrow();
    for (const role of ['swarm-worker', 'swarm-manager']) {
      expect(check('m1', role)).toThrow('is not allowed to manage the cluster');
    }
    expect(check('', '')).toThrow('certificate of an administrator');
    expect(check('w1', 'swarm-admin')).toThrow('no manager of this cluster');
    expect(check('gone', 'swarm-admin')).toThrow('no manager of this cluster');
  });

  it('does not create what is not made by hand', () => {
    expect(() => make(testCluster(), { node: NodeSpec.create() })).toThrow('not created by hand');
    expect(() => remove(testCluster(), ObjectKind.CLUSTER, 'cluster1')).toThrow(
      'cannot be removed by hand',
    );
  });
});
