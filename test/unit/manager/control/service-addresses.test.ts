// Goal: an address that a service asks for is one that it can have, and who has it is named. Method: the pure functions over a store, with networks as the
// allocator leaves them.
import { describe, expect, it } from 'vitest';
import { actOnServices } from '#manager/control/services';
import { ServiceActionRequest } from '#protocol/generated/control';
import { Endpoint, NetworkAttachment, Task, TaskState } from '#protocol/generated/objects';
import {
  IpamConfig,
  IpamOptions,
  NetworkAttachmentConfig,
  NetworkSpec,
  ServiceMode,
  type ServiceSpec,
  UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { type TestCluster, testCluster } from '../support/cluster-state.ts';
import { template } from '../support/objects.ts';
import { get, make, makeService, spec, update } from './services-kit.ts';

const SUBNET = IpamConfig.create({
  subnet: '10.5.0.0/24',
  auxAddresses: { router: '10.5.0.66' },
});

/** A store with network "front" and what else is asked for. */
function withNetwork(configs: readonly IpamConfig[] = [SUBNET]): TestCluster {
  const c = testCluster();
  const ipam = IpamOptions.create({ config: [...configs] });
  make(c, { network: NetworkSpec.create({ name: 'front', ipam }) });
  return c;
}

const at = (
  name: string,
  over: Partial<NetworkAttachmentConfig>,
  more: Partial<ServiceSpec> = {},
): ServiceSpec =>
  spec(name, {
    taskTemplate: template({
      networks: [NetworkAttachmentConfig.create({ target: 'front', ...over })],
    }),
    ...more,
  });

describe('an address that cannot be had', () => {
  it.each([
    [
      { ipv4Address: '10.6.0.9' },
      'address 10.6.0.9 is outside subnet 10.5.0.0/24 of network front',
    ],
    [{ ipv4Address: '10.5.0' }, 'network front: "10.5.0" is not an IPv4 address'],
    [{ ipv4Address: '10.5.0.9/24' }, 'network front: "10.5.0.9/24" is not an IPv4 address'],
    [{ ipv4Address: 'fd00::9' }, 'network front: "fd00::9" is not an IPv4 address'],
    [{ ipv6Address: 'fd00::9' }, 'network front was made without an IPv6 subnet of its own'],
    [{ ipv4Address: '10.5.0.0' }, 'address 10.5.0.0 is the network address of network front'],
    [{ ipv4Address: '10.5.0.1' }, 'address 10.5.0.1 is the gateway of network front'],
    [{ ipv4Address: '10.5.0.255' }, 'address 10.5.0.255 is the broadcast address of network'],
    [{ ipv4Address: '10.5.0.66' }, 'address 10.5.0.66 is the auxiliary address router of network'],
  ])('%j is refused', (address, message) => {
    expect(() => makeService(withNetwork(), at('web', address))).toThrow(message);
  });

  it('on a network whose subnet was left to the cluster, or that is each node’s own', () => {
    const c = withNetwork([]);
    expect(() => makeService(c, at('web', { ipv4Address: '10.0.1.9' }))).toThrow(
      'network front was made without an IPv4 subnet of its own',
    );
    const onHost = at('web', { target: 'host', ipv4Address: '10.0.1.9' });
    expect(() => makeService(c, onHost)).toThrow("network host is each node's own");
  });
});

describe('an address in use', () => {
  const web = { ipv4Address: '10.5.0.9' };

  it('by another service is refused, on creation and on update, and free when that is gone', () => {
    const c = withNetwork();
    const id = makeService(c, at('web', web));
    const message = 'address 10.5.0.9 of network front is in use by service web';
    expect(() => makeService(c, at('db', web))).toThrow(message);
    const db = makeService(c, at('db', {}));
    expect(() => update(c, db, at('db', web))).toThrow(message);
    update(c, id, at('web', { ipv4Address: '10.5.0.10' }));
    update(c, db, at('db', web));
    expect(get(c, db).spec?.taskTemplate?.networks[0]?.ipv4Address).toBe('10.5.0.9');
  });

  it('as a virtual address, its own too, is refused', () => {
    const c = withNetwork();
    const id = makeService(c, at('web', {}));
    c.run((tx) => {
      const networkId = tx.byName('network', 'front')?.id ?? '';
      const virtualIps = [{ networkId, addr: '10.5.0.9/24' }];
      tx.update('service', { ...get(c, id), endpoint: Endpoint.create({ virtualIps }) });
    });
    const message = 'is in use by service web, as its virtual address';
    expect(() => makeService(c, at('db', web))).toThrow(message);
    expect(() => update(c, id, at('web', web))).toThrow(message);
  });

  it('by a task is refused with its name, until that task is to stop', () => {
    const c = withNetwork();
    const serviceId = makeService(c, at('web', {}));
    const task = (desiredState: TaskState): Task =>
      Task.create({
        id: 'task1',
        serviceId,
        serviceName: 'web',
        slot: 1,
        desiredState,
        networkAttachments: [
          NetworkAttachment.create({
            networkId: c.store.view.byName('network', 'front')?.id ?? '',
            addresses: ['10.5.0.9/24'],
          }),
        ],
      });
    c.run((tx) => tx.create('task', task(TaskState.RUNNING)));
    expect(() => makeService(c, at('db', web))).toThrow('is in use by task web.1.task1');
    c.run((tx) => tx.update('task', task(TaskState.SHUTDOWN)));
    makeService(c, at('db', web));
  });
});

describe('a service with an address of its own', () => {
  it('has one replica, also when it is scaled, and never two tasks at once', () => {
    const c = withNetwork();
    const replicas = (count: number) => ServiceMode.create({ replicated: { replicas: count } });
    const fixed = { ipv4Address: '10.5.0.9' };
    const message = 'address 10.5.0.9 can only be given to';
    expect(() => makeService(c, at('web', fixed, { mode: replicas(2) }))).toThrow(message);
    expect(() =>
      makeService(c, at('web', fixed, { mode: ServiceMode.create({ global: {} }) })),
    ).toThrow(message);
    const order = UpdateConfig.create({ order: UpdateOrder.START_FIRST });
    for (const key of ['updateConfig', 'rollbackConfig'] as const) {
      expect(() => makeService(c, at('web', fixed, { [key]: order }))).toThrow('with start-first');
    }
    const id = makeService(c, at('web', fixed, { mode: replicas(1) }));
    const scale = ServiceActionRequest.create({ services: [id], replicas: 3 });
    expect(() => c.run((tx, context) => actOnServices(tx, context, scale))).toThrow('10.5.0.9');
  });
});
