// Goal: a stack becomes what the file says in one step, changes only what differs, takes over
// nothing of others, and goes away completely once its tasks have stopped. Method: the pure
// functions over a store.
import { describe, expect, it } from 'vitest';
import { createObject } from '#manager/control/objects';
import { deployStack } from '#manager/control/stack-deploy';
import { collectUnused, removeStack } from '#manager/control/stack-remove';
import {
  CreateObjectRequest,
  DeployStackRequest,
  ObjectKindText,
  RemoveStackRequest,
  SpecUnion,
  StackChangeActionText,
} from '#protocol/generated/control';
import { type Service, type Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import {
  ConfigSpec,
  Driver,
  EndpointSpec,
  Mount,
  MountType,
  NetworkSpec,
  PortConfig,
  RunState,
  SecretSpec,
  ServiceMode,
  ServiceSpec,
  StackSpec,
  VolumeSpec,
} from '#protocol/generated/specs';
import { type TestCluster, testCluster } from '../support/cluster-state.ts';
import { attach, task, template } from '../support/objects.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

function shop(over: Partial<StackSpec> = {}): StackSpec {
  return StackSpec.create({
    name: 'shop',
    networks: [NetworkSpec.create({ name: 'shop_front' })],
    volumes: [VolumeSpec.create({ name: 'shop_data' })],
    secrets: [SecretSpec.create({ name: 'shop_pw', data: bytes('one') })],
    configs: [ConfigSpec.create({ name: 'shop_conf', data: bytes('a=1') })],
    services: [
      web(),
      ServiceSpec.create({
        name: 'shop_db',
        taskTemplate: template({ networks: [attach('shop_front')] }),
      }),
    ],
    ...over,
  });
}

function web(over: Partial<ServiceSpec> = {}, image = 'nginx'): ServiceSpec {
  return ServiceSpec.create({
    name: 'shop_web',
    taskTemplate: template(
      { networks: [attach('shop_front')] },
      {
        image,
        secrets: [{ secretId: '', secretName: 'shop_pw', file: undefined }],
        configs: [{ configId: '', configName: 'shop_conf', file: undefined }],
        mounts: [Mount.create({ type: MountType.VOLUME, source: 'shop_data', target: '/data' })],
      },
    ),
    ...over,
  });
}

function deploy(c: TestCluster, stack: StackSpec, over: Partial<DeployStackRequest> = {}) {
  const request = DeployStackRequest.create({ stack, ...over });
  const result = c.run((tx, context) => deployStack(tx, context, request));
  const changes = result.changes.map(
    ({ kind, name, action }) =>
      `${StackChangeActionText.get(action)} ${ObjectKindText.get(kind)} ${name}`,
  );
  return { ...result, changes };
}

const serviceOf = (c: TestCluster, name: string): Service =>
  c.store.view.byName('service', name) as Service;
const names = (
  c: TestCluster,
  kind: 'network' | 'secret' | 'config' | 'volume' | 'service' | 'stack',
): (string | undefined)[] => [...c.store.view.list(kind)].map((object) => object.spec?.name).sort();

function startTask(c: TestCluster, of: Service, id = 't1'): void {
  c.run((tx) =>
    tx.create(
      'task',
      task(id, of, {
        nodeId: 'n1',
        status: TaskStatus.create({ state: TaskState.RUNNING }),
        networkAttachments: (of.spec?.taskTemplate?.networks ?? []).map((n) => ({
          networkId: n.target,
          addresses: [],
          aliases: [],
        })),
      }),
    ),
  );
}

function endTask(c: TestCluster, id = 't1'): void {
  c.run((tx) =>
    tx.update('task', {
      ...(tx.get('task', id) as Task),
      status: TaskStatus.create({ state: TaskState.SHUTDOWN }),
    }),
  );
  c.run((tx) => collectUnused(tx));
}

describe('deploying', () => {
  it('creates everything in one transaction, references resolved, no secret bytes in the stack', () => {
    const c = testCluster();
    const before = c.store.index;
    const { changes, stack, warnings } = deploy(c, shop());
    expect(c.store.index).toBe(before + 1);
    expect(warnings).toEqual([]);
    expect(changes).toEqual([
      'created network shop_front',
      'created volume shop_data',
      'created secret shop_pw',
      'created config shop_conf',
      'created service shop_web',
      'created service shop_db',
    ]);
    const service = serviceOf(c, 'shop_web');
    expect(service.stack).toBe('shop');
    expect(service.spec?.taskTemplate?.networks[0]?.target).toBe(
      c.store.view.byName('network', 'shop_front')?.id,
    );
    expect(service.spec?.taskTemplate?.containerSpec?.secrets[0]?.secretId).toBe(
      c.store.view.byName('secret', 'shop_pw')?.id,
    );
    expect(stack.revision).toBe(1);
    expect(c.store.view.byName('stack', 'shop')?.spec?.secrets[0]?.data.length).toBe(0);
  });

  it('a second time changes nothing at all', () => {
    const c = testCluster();
    deploy(c, shop());
    const before = c.store.index;
    const { changes, stack } = deploy(c, shop());
    expect(changes.every((change) => change.startsWith('none'))).toBe(true);
    expect(c.store.index).toBe(before);
    expect(stack.revision).toBe(1);
  });

  it('changes only the service that differs', () => {
    const c = testCluster();
    deploy(c, shop());
    const dbVersion = serviceOf(c, 'shop_db').meta?.version?.index;
    const db = shop().services[1] as ServiceSpec;
    const { changes, stack } = deploy(c, shop({ services: [web({}, 'nginx:2'), db] }));
    expect(changes.filter((change) => !change.startsWith('none'))).toEqual([
      'updated service shop_web',
    ]);
    expect(serviceOf(c, 'shop_web')).toMatchObject({ specVersion: { index: 2 } });
    expect(serviceOf(c, 'shop_web').previousSpec?.taskTemplate?.containerSpec?.image).toBe('nginx');
    expect(serviceOf(c, 'shop_db').meta?.version?.index).toBe(dbVersion);
    expect(stack.revision).toBe(2);
  });

  it('starts again what was stopped, and recreates everything only when told', () => {
    const c = testCluster();
    deploy(c, shop());
    c.run((tx) => {
      const service = tx.byName('service', 'shop_web') as Service;
      tx.update('service', {
        ...service,
        spec: ServiceSpec.create({ ...service.spec, runState: RunState.STOPPED }),
      });
    });
    expect(deploy(c, shop()).changes).toContain('updated service shop_web');
    expect(serviceOf(c, 'shop_web')).toMatchObject({ specVersion: { index: 1 } });
    const forced = deploy(c, shop(), { forceRecreate: true }).changes;
    expect(forced).toContain('updated service shop_web');
    expect(forced).toContain('updated service shop_db');
    expect(serviceOf(c, 'shop_web').spec?.taskTemplate?.forceUpdate).toBe(1);
    expect(deploy(c, shop()).changes.every((change) => change.startsWith('none'))).toBe(true);
    const one = deploy(c, shop(), { forceRecreate: true, recreateOnly: ['shop_web'] }).changes;
    expect(one).toContain('updated service shop_web');
    expect(one).toContain('none service shop_db');
  });

  it('replaces a service whose mode changed', () => {
    const c = testCluster();
    deploy(c, shop());
    const { id } = serviceOf(c, 'shop_web');
    deploy(c, shop({ services: [web({ mode: ServiceMode.create({ global: {} }) })] }), {
      prune: true,
    });
    expect(serviceOf(c, 'shop_web').spec?.mode?.global).toBeDefined();
    expect(serviceOf(c, 'shop_web').id).not.toBe(id);
  });

  it('leaves services alone that are no longer in the file, and says so; with prune they go', () => {
    const c = testCluster();
    deploy(c, shop());
    const smaller = shop({ services: [web()], configs: [], networks: shop().networks });
    const { warnings } = deploy(c, { ...smaller, configs: shop().configs });
    expect(warnings).toEqual([expect.stringContaining('shop_db')]);
    expect(names(c, 'service')).toEqual(['shop_db', 'shop_web']);
    expect(deploy(c, { ...smaller, configs: shop().configs }, { prune: true }).changes).toContain(
      'removed service shop_db',
    );
    expect(names(c, 'service')).toEqual(['shop_web']);
  });

  it('takes over nothing that belongs to another stack or to nobody', () => {
    const c = testCluster();
    deploy(c, shop());
    const other = (over: Partial<StackSpec>): StackSpec =>
      StackSpec.create({ name: 'other', ...over });
    expect(() => deploy(c, other({ networks: shop().networks }))).toThrow(
      'network shop_front already exists and belongs to stack shop',
    );
    expect(() => deploy(c, other({ services: [web()] }))).toThrow(
      'service shop_web already exists and belongs to stack shop',
    );
    expect(() => deploy(c, other({ volumes: shop().volumes }))).toThrow('belongs to stack shop');
    const byHand = (spec: Partial<SpecUnion>) =>
      c.run((tx, context) =>
        createObject(tx, context, CreateObjectRequest.create({ spec: SpecUnion.create(spec) })),
      );
    byHand({ secret: SecretSpec.create({ name: 'other_pw', data: bytes('x') }) });
    expect(() =>
      deploy(c, other({ secrets: [SecretSpec.create({ name: 'other_pw', data: bytes('x') })] })),
    ).toThrow('secret other_pw already exists and does not belong to a stack');
    byHand({ volume: VolumeSpec.create({ name: 'other_data' }) });
    const { warnings, changes } = deploy(
      c,
      other({ volumes: [VolumeSpec.create({ name: 'other_data' })] }),
    );
    expect([warnings.length, changes]).toEqual([1, ['none volume other_data']]);
    expect(c.store.view.byName('volume', 'other_data')?.stack).toBe('');
  });

  it('fails as a whole, naming what is wrong', () => {
    const c = testCluster();
    const bad = shop({
      services: [
        web(),
        ServiceSpec.create({
          name: 'shop_x',
          taskTemplate: template({ networks: [attach('nope')] }),
        }),
      ],
    });
    expect(() => deploy(c, bad)).toThrow('network nope not found');
    expect(names(c, 'network')).toEqual([]);
    expect(() => deploy(c, shop({ services: [web(), web()] }))).toThrow(
      'services: shop_web is there twice',
    );
  });

  it('lets a port move from one of its services to another, but not two have it', () => {
    const c = testCluster();
    const withPort = (spec: ServiceSpec, published: number): ServiceSpec =>
      ServiceSpec.create({
        ...spec,
        endpointSpec: EndpointSpec.create({
          ports: published ? [PortConfig.create({ publishedPort: published, targetPort: 80 })] : [],
        }),
      });
    const db = shop().services[1] as ServiceSpec;
    deploy(c, shop({ services: [withPort(web(), 8080), db] }));
    deploy(c, shop({ services: [withPort(db, 8080), withPort(web(), 0)] }));
    expect(serviceOf(c, 'shop_db').spec?.endpointSpec?.ports[0]?.publishedPort).toBe(8080);
    expect(() =>
      deploy(c, shop({ services: [withPort(db, 8080), withPort(web(), 8080)] })),
    ).toThrow("port '8080' is already in use by service");
  });
});

describe('what containers hold', () => {
  it('a changed secret is a new one; the old one stays until nothing uses it', () => {
    const c = testCluster();
    deploy(c, shop());
    const old = c.store.view.byName('secret', 'shop_pw')?.id ?? '';
    startTask(c, serviceOf(c, 'shop_web'));
    const changed = shop({ secrets: [SecretSpec.create({ name: 'shop_pw', data: bytes('two') })] });
    expect(deploy(c, changed).changes).toEqual(
      expect.arrayContaining([
        'updated secret shop_pw',
        'updated service shop_web',
        'none service shop_db',
      ]),
    );
    const current = c.store.view.byName('secret', 'shop_pw');
    expect(current?.id).not.toBe(old);
    expect(serviceOf(c, 'shop_web').spec?.taskTemplate?.containerSpec?.secrets[0]?.secretId).toBe(
      current?.id,
    );
    endTask(c);
    expect(c.store.view.get('secret', old)).toBeDefined();
    deploy(c, {
      ...changed,
      services: [web({ labels: { x: '1' } }), ...changed.services.slice(1)],
    });
    c.run((tx) => collectUnused(tx));
    expect(c.store.view.get('secret', old)).toBeUndefined();
  });

  it('a changed network is a new one that its services move to', () => {
    const c = testCluster();
    deploy(c, shop());
    const old = c.store.view.byName('network', 'shop_front')?.id ?? '';
    deploy(c, shop({ networks: [NetworkSpec.create({ name: 'shop_front', internal: true })] }));
    const current = c.store.view.byName('network', 'shop_front');
    expect(current?.spec?.internal).toBe(true);
    expect(serviceOf(c, 'shop_db').spec?.taskTemplate?.networks[0]?.target).toBe(current?.id);
    expect(c.store.view.get('network', old)?.pendingDelete).toBe(true);
  });

  it('labels of a network change in place', () => {
    const c = testCluster();
    deploy(c, shop());
    const old = c.store.view.byName('network', 'shop_front')?.id;
    deploy(c, shop({ networks: [NetworkSpec.create({ name: 'shop_front', labels: { a: 'b' } })] }));
    expect(c.store.view.byName('network', 'shop_front')).toMatchObject({
      id: old,
      spec: { labels: { a: 'b' } },
    });
  });

  it('a volume never changes its driver under its data', () => {
    const c = testCluster();
    deploy(c, shop());
    const driver = Driver.create({ name: 'local', options: { type: 'nfs' } });
    expect(() =>
      deploy(c, shop({ volumes: [VolumeSpec.create({ name: 'shop_data', driver })] })),
    ).toThrow('volume shop_data: its driver or driver options changed');
  });
});

describe('removing', () => {
  const remove = (c: TestCluster, volumes = false): number =>
    c.run((tx) => removeStack(tx, RemoveStackRequest.create({ name: 'shop', volumes }))).length;

  it('takes the services at once and the rest when their tasks have stopped; volumes stay', () => {
    const c = testCluster();
    deploy(c, shop());
    startTask(c, serviceOf(c, 'shop_web'));
    expect(remove(c)).toBe(5);
    expect([names(c, 'service'), names(c, 'stack')]).toEqual([[], []]);
    expect([names(c, 'network'), names(c, 'secret'), names(c, 'config')]).toEqual([
      ['shop_front'],
      ['shop_pw'],
      ['shop_conf'],
    ]);
    endTask(c);
    expect([names(c, 'network'), names(c, 'secret'), names(c, 'config')]).toEqual([[], [], []]);
    expect(names(c, 'volume')).toEqual(['shop_data']);
    deploy(c, shop());
    expect(names(c, 'volume')).toEqual(['shop_data']);
  });

  it('takes volumes too when asked, also after the stack is gone', () => {
    const c = testCluster();
    deploy(c, shop());
    remove(c);
    expect(names(c, 'volume')).toEqual(['shop_data']);
    expect(remove(c, true)).toBe(1);
    expect(names(c, 'volume')).toEqual([]);
    expect(() => remove(c, true)).toThrow('stack shop not found');
  });

  it('does not race with deploying again: what is on its way out comes back', () => {
    const c = testCluster();
    deploy(c, shop());
    const network = c.store.view.byName('network', 'shop_front')?.id;
    startTask(c, serviceOf(c, 'shop_web'));
    remove(c);
    deploy(c, shop());
    expect(c.store.view.byName('network', 'shop_front')).toMatchObject({
      id: network,
      pendingDelete: false,
    });
    endTask(c);
    expect(names(c, 'network')).toEqual(['shop_front']);
    expect(names(c, 'secret')).toEqual(['shop_pw']);
  });

  it('waits for others that use its network', () => {
    const c = testCluster();
    deploy(c, shop());
    const outside = ServiceSpec.create({
      name: 'outside',
      taskTemplate: template({ networks: [attach('shop_front')] }),
    });
    c.run((tx, context) =>
      createObject(
        tx,
        context,
        CreateObjectRequest.create({ spec: SpecUnion.create({ service: outside }) }),
      ),
    );
    remove(c);
    expect(names(c, 'network')).toEqual(['shop_front']);
    c.run((tx) => tx.remove('service', serviceOf(c, 'outside').id));
    c.run((tx) => collectUnused(tx));
    expect(names(c, 'network')).toEqual([]);
  });
});
